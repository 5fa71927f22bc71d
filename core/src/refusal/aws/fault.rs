//! What there is to say about a signed request that does not pass: AWS's codes, texts and elements.
//!
//! The texts are those of S3 as its clients know them; `docs/sigv4-errors.md` reads such an answer
//! line by line.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use crate::record::AccessKeyFault;
use crate::refusal::BodyFault;
use crate::schema::{Flaw, Violation};
use crate::sigv4::body::BodyError;
use crate::sigv4::{Authorization, Error, Mismatch};
use crate::time::{self, UnixTime};

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// What S3 adds to code and message.
    pub(super) elements: Vec<(&'static str, Vec<u8>)>,
    pub(super) bucket_region: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// What a signature was made of, to be shown to whoever made it.
#[derive(Clone, Debug)]
pub struct SignedText {
    access_key: String,
    canonical_request: Vec<u8>,
}

#[cfg(test)]
impl SignedText {
    pub(super) fn test() -> Self {
        let canonical_request = b"GET\n".to_vec();
        Self { access_key: "AKID".into(), canonical_request }
    }
}

impl SignedText {
    /// Of a request with this canonical request.
    #[must_use]
    pub fn new(authorization: &Authorization, canonical_request: Vec<u8>) -> Self {
        Self { access_key: authorization.credential.access_key.clone(), canonical_request }
    }
}

impl Fault {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            elements: Vec::new(),
            bucket_region: None,
            retry_after: None,
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.elements.push((name, value.into()));
        self
    }

    /// The head of the request is wrong.
    #[must_use]
    pub fn of_head(error: &Error, now: UnixTime, max_skew: Duration) -> Self {
        let fault = Self::new(error.status(), error.code(), error.to_string());
        match error {
            Error::ContentSha256Invalid(value) => fault
                .with("ArgumentName", "x-amz-content-sha256")
                .with("ArgumentValue", value.clone()),
            Error::ContentSha256Mismatch(value) => {
                fault.with("ClientComputedContentSHA256", value.clone())
            }
            Error::Ambiguous | Error::Unsupported => fault.with("ArgumentName", "Authorization"),
            Error::HeadersNotSigned(names) => {
                fault.with("HeadersNotSigned", names.join(&b", "[..]))
            }
            Error::Expired { expires_at, expires } => fault
                .with("X-Amz-Expires", format!("{expires}"))
                .with("Expires", to_seconds(*expires_at))
                .with("ServerTime", to_seconds(now)),
            Error::NotYetValid => fault.with("ServerTime", to_seconds(now)),
            Error::Skewed { date } => fault
                .with("RequestTime", date.to_string())
                .with("ServerTime", to_seconds(now))
                .with("MaxAllowedSkewMilliseconds", format!("{}", time::millis(max_skew))),
            _ => fault,
        }
    }

    /// The key did not make the signature.
    #[must_use]
    pub fn of_mismatch(authorization: &Authorization, mismatch: Mismatch) -> Self {
        let signed = SignedText::new(authorization, mismatch.canonical_request);
        Self::new(403, "SignatureDoesNotMatch", DOES_NOT_MATCH).with_signed(
            &signed,
            &mismatch.string_to_sign,
            &authorization.signature.to_string(),
        )
    }

    /// The body is wrong.
    #[must_use]
    pub fn of_body(error: &BodyError, signed: &SignedText) -> Self {
        let fault = Self::new(error.status(), error.code(), error.to_string());
        match error {
            BodyError::ChunkTooSmall { chunk, size } => {
                fault.with("Chunk", format!("{chunk}")).with("BadChunkSize", format!("{size}"))
            }
            BodyError::ContentHash { claimed, computed } => fault
                .with("ClientComputedContentSHA256", claimed.as_str())
                .with("S3ComputedContentSHA256", computed.as_str()),
            BodyError::Length { expected, provided } => fault
                .with("NumberBytesExpected", format!("{expected}"))
                .with("NumberBytesProvided", format!("{provided}")),
            BodyError::Signature { string_to_sign, provided } => {
                fault.with_signed(signed, string_to_sign, provided)
            }
            _ => fault,
        }
    }

    /// The access key opens nothing. Why is nobody's business but the operator's: S3 gives this
    /// answer for a key that is switched off, too.
    #[must_use]
    pub fn of_access_key(access_key: &str, fault: AccessKeyFault, has_session_token: bool) -> Self {
        if fault == AccessKeyFault::AccessKeyExpired && has_session_token {
            return Self::new(400, "ExpiredToken", "The provided token has expired.");
        }
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        Self::new(403, "InvalidAccessKeyId", message).with("AWSAccessKeyId", access_key)
    }

    /// The session token is not the one of this access key.
    #[must_use]
    pub fn of_session_token() -> Self {
        Self::new(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    }

    /// Signed for a region that is not ours.
    #[must_use]
    pub fn of_region(region: &str, expected: &str, is_presigned: bool) -> Self {
        let text = format!("the region '{region}' is wrong; expecting '{expected}'");
        let mut fault = Self::of_scope(&text, is_presigned).with("Region", expected);
        fault.bucket_region = Some(expected.into());
        fault
    }

    /// Signed for a service that is not ours.
    #[must_use]
    pub fn of_service(service: &str, expected: &str, is_presigned: bool) -> Self {
        let text =
            format!("incorrect service \"{service}\". This endpoint belongs to \"{expected}\".");
        Self::of_scope(&text, is_presigned)
    }

    fn of_scope(text: &str, is_presigned: bool) -> Self {
        if is_presigned {
            let message = format!("Error parsing the X-Amz-Credential parameter; {text}");
            Self::new(400, "AuthorizationQueryParametersError", message)
        } else {
            let message = format!("The authorization header is malformed; {text}");
            Self::new(400, "AuthorizationHeaderMalformed", message)
        }
    }

    /// There are no credentials.
    #[must_use]
    pub fn of_missing_credentials() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }

    /// Whoever signed may not do this. Which rule says so is not the client's business.
    #[must_use]
    pub fn of_denied() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }

    /// Servers may read the path in two ways, and it matters which.
    #[must_use]
    pub fn of_route_in_doubt() -> Self {
        Self::new(400, "InvalidURI", "Couldn't parse the specified URI.")
    }

    /// Trailers of HTTP after a signed request.
    #[must_use]
    pub fn of_trailers() -> Self {
        Self::new(400, "InvalidRequest", "HTTP trailers are not supported in signed requests.")
    }

    /// The body would have to be read before the signature can be verified.
    #[must_use]
    pub fn of_body_not_held() -> Self {
        Self::new(
            501,
            "NotImplemented",
            "This endpoint verifies a request with a body only if x-amz-content-sha256 is among its \
             signed headers.",
        )
    }

    /// The body is not complete, or not what it must be.
    #[must_use]
    pub fn of_incomplete_body(fault: BodyFault) -> Self {
        match fault {
            BodyFault::Encoded => Self::new(
                400,
                "InvalidRequest",
                "The body must be JSON without a content encoding.",
            ),
            BodyFault::Late => Self::new(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the \
                 timeout period.",
            ),
            BodyFault::NotJson => {
                Self::new(400, "InvalidRequest", "The body is not JSON, or is nested too deeply.")
            }
            BodyFault::TooLong => Self::new(
                400,
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size.",
            ),
        }
    }

    /// The request is not as its API's document says.
    #[must_use]
    pub fn of_flaw(flaw: &Flaw) -> Self {
        match flaw {
            Flaw::PathUnknown => {
                Self::new(404, "NoSuchKey", "There is nothing at this path, for any request.")
            }
            Flaw::MethodNotAllowed(_) => Self::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            ),
            Flaw::MediaType => Self::new(
                400,
                "InvalidRequest",
                "The Content-Type or the encoding of the body is none that this request may have.",
            ),
            Flaw::TooComplex => {
                Self::new(400, "InvalidRequest", "The request is too complex to be checked.")
            }
            Flaw::Violated(Violation { pointer, message }) => {
                Self::new(400, "InvalidRequest", format!("{pointer}: {message}."))
            }
        }
    }

    /// It cannot be known: an answer that makes SDKs try again.
    #[must_use]
    pub fn of_unknown(retry_after: Duration) -> Self {
        let mut fault = Self::new(503, "SlowDown", "Please reduce your request rate.");
        fault.retry_after = Some(retry_after);
        fault
    }

    /// Adds what a right signature would have signed.
    fn with_signed(self, signed: &SignedText, string_to_sign: &str, provided: &str) -> Self {
        let canonical = &signed.canonical_request;
        let fault = self
            .with("AWSAccessKeyId", signed.access_key.as_str())
            .with("StringToSign", string_to_sign)
            .with("SignatureProvided", provided)
            .with("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()));
        if canonical.len() > MAX_SHOWN {
            return fault;
        }
        fault
            .with("CanonicalRequest", canonical.clone())
            .with("CanonicalRequestBytes", spaced_hex(canonical))
    }
}

/// As S3 shows bytes: `47 45 54`.
fn spaced_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(digits, "{space}{byte:02x}");
    }
    digits
}

/// Without the fraction, as S3 writes times.
fn to_seconds(time: UnixTime) -> String {
    let time = time.to_string();
    let (second, _) = time.split_once('.').unwrap_or_default();
    [second, "Z"].concat()
}

/// The longest canonical request that is shown; in an answer it takes four times as many bytes.
const MAX_SHOWN: usize = 16 * 1024;

const DOES_NOT_MATCH: &str = "The request signature we calculated does not match the signature you \
                              provided. Check your key and signing method.";
