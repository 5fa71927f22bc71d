//! Why a request's head is refused before any key is asked for: one variant per answer of AWS's.
//!
//! `Display` is the text that S3 puts into `<Message>`, as the test suites of Swift, Ceph and
//! others have it from AWS. It can hold parts of the request, so whoever writes XML has to escape
//! it.

use alloc::vec::Vec;
use core::fmt;

use super::authorization::Algorithm;
use super::date::AmzDate;
use super::scope::CredentialFault;
use crate::time::UnixTime;

/// Why the head of a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An algorithm that is known, but not verified here: Signature Version 4A, so far.
    AlgorithmRefused(Algorithm),
    /// Credentials in more than one place, or in one that could be read in two ways.
    Ambiguous,
    /// More than one checksum of the body: several trailers, or a trailer and a header.
    ChecksumSeveral,
    /// Not a value that `x-amz-content-sha256` can have; this is it.
    ContentSha256Invalid(Vec<u8>),
    /// A presigned URL says in two places how its body is bound, or in a way that no presigned URL
    /// can; this is the value.
    ContentSha256Mismatch(Vec<u8>),
    /// S3 needs `x-amz-content-sha256` in header form.
    ContentSha256Missing,
    /// No date, or none that can be read.
    DateInvalid,
    /// A body in chunks without `x-amz-decoded-content-length`, or with one that is no number.
    DecodedLengthMissing,
    /// A presigned URL that has ended.
    Expired {
        /// When it ended.
        expires_at: UnixTime,
        /// For how many seconds it was good.
        expires: u64,
    },
    /// The `Authorization` header cannot be read.
    Header(HeaderFault),
    /// These headers of the request had to be signed and were not.
    HeadersNotSigned(Vec<Vec<u8>>),
    /// There is no method, path or host, or one that no HTTP request can have.
    Malformed,
    /// A presigned URL from the future.
    NotYetValid,
    /// The parameters of a presigned URL cannot be read.
    Query(QueryFault),
    /// A header that may be there once is there more than once; this one.
    Repeated(Vec<u8>),
    /// The header was signed and is not there: the proxy took it away, or the client never sent it.
    /// What was signed cannot be known, and so it does not match.
    SignedHeaderAbsent(Vec<u8>),
    /// The date is too far from now, either way.
    Skewed {
        /// The date.
        date: AmzDate,
    },
    /// `x-amz-trailer`, although the body is not of a kind that trailers follow.
    TrailerUnexpected,
    /// `x-amz-trailer` names something else than a checksum that is known.
    TrailerUnsupported,
    /// An `Authorization` header of a scheme that is no signature.
    Unsupported,
    /// The path or the query has a percent sign without two hexadecimal digits.
    Uri,
    /// Signature Version 2.
    V2Refused,
}

/// What is wrong with an `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// A part that is none of the three, or is there twice, or has a value it cannot have.
    Component(Vec<u8>),
    /// The credential.
    Credential(CredentialFault),
    /// One of the three parts is missing; this one.
    Missing(&'static str),
    /// There are no parts at all.
    NoComponents,
}

/// What is wrong with the parameters of a presigned URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryFault {
    /// `X-Amz-Algorithm` is none that is known.
    Algorithm,
    /// `X-Amz-Credential`.
    Credential(CredentialFault),
    /// `X-Amz-Date` is not in the one form it may have.
    Date,
    /// `X-Amz-Expires` is below zero.
    ExpiresNegative,
    /// `X-Amz-Expires` is more than a week.
    ExpiresTooLong,
    /// `X-Amz-Expires` is no number.
    ExpiresNotANumber,
    /// One of the six parameters is missing.
    Missing,
    /// `X-Amz-Signature` is not 64 hexadecimal digits in lower case.
    Signature,
    /// `X-Amz-SignedHeaders` is not a list of names in lower case, in order, with `host`.
    SignedHeaders,
}

impl Error {
    /// S3's status for it.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.answer().0
    }

    /// S3's `<Code>`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.answer().1
    }

    fn answer(&self) -> (u16, &'static str) {
        match self {
            Self::AlgorithmRefused(_) => (501, "NotImplemented"),
            Self::ChecksumSeveral
            | Self::ContentSha256Missing
            | Self::Malformed
            | Self::TrailerUnsupported
            | Self::V2Refused => (400, "InvalidRequest"),
            Self::Ambiguous
            | Self::ContentSha256Invalid(_)
            | Self::Repeated(_)
            | Self::Unsupported => (400, "InvalidArgument"),
            Self::ContentSha256Mismatch(_) => (400, "XAmzContentSHA256Mismatch"),
            Self::DateInvalid
            | Self::Expired { .. }
            | Self::HeadersNotSigned(_)
            | Self::NotYetValid => (403, "AccessDenied"),
            Self::DecodedLengthMissing => (411, "MissingContentLength"),
            Self::Header(_) => (400, "AuthorizationHeaderMalformed"),
            Self::Query(_) => (400, "AuthorizationQueryParametersError"),
            Self::SignedHeaderAbsent(_) => (403, "SignatureDoesNotMatch"),
            Self::Skewed { .. } => (403, "RequestTimeTooSkewed"),
            Self::TrailerUnexpected => (400, "MalformedTrailerError"),
            Self::Uri => (400, "InvalidURI"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmRefused(_) => {
                "A header you provided implies functionality that is not implemented."
            }
            Self::Ambiguous => {
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be \
                 specified"
            }
            Self::ChecksumSeveral => {
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                 allowed."
            }
            Self::ContentSha256Invalid(_) => {
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                 STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
            }
            Self::ContentSha256Mismatch(_) => {
                "The provided 'x-amz-content-sha256' header does not match what was computed."
            }
            Self::ContentSha256Missing => {
                "Missing required header for this request: x-amz-content-sha256"
            }
            Self::DateInvalid => "AWS authentication requires a valid Date or x-amz-date header",
            Self::DecodedLengthMissing => "You must provide the Content-Length HTTP header.",
            Self::Expired { .. } => "Request has expired",
            Self::Header(fault) => {
                return write!(f, "The authorization header is malformed; {fault}");
            }
            Self::HeadersNotSigned(_) => {
                "There were headers present in the request which were not signed"
            }
            Self::Malformed => "The request is malformed.",
            Self::NotYetValid => "Request is not valid yet",
            Self::Query(fault) => return fault.fmt(f),
            Self::Repeated(name) => {
                return write!(f, "The header {} may be there only once", name.escape_ascii());
            }
            Self::SignedHeaderAbsent(_) => {
                "The request signature we calculated does not match the signature you \
                 provided. Check your key and signing method."
            }
            Self::Skewed { .. } => {
                "The difference between the request time and the current time is too large."
            }
            Self::TrailerUnexpected => {
                "The request contained trailing data that was not well-formed or did not \
                 conform to our published schema."
            }
            Self::TrailerUnsupported => {
                "The value specified in the x-amz-trailer header is not supported"
            }
            Self::Unsupported => "Unsupported Authorization Type",
            Self::Uri => "Couldn't parse the specified URI.",
            Self::V2Refused => {
                "The authorization mechanism you have provided is not supported. Please use \
                 AWS4-HMAC-SHA256."
            }
        })
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(text) => {
                write!(f, "the authorization component \"{}\" is malformed.", text.escape_ascii())
            }
            Self::Credential(CredentialFault::DateDiffers) => {
                f.write_str("Invalid credential date. Date is not the same as X-Amz-Date.")
            }
            Self::Credential(fault) => fault.fmt(f),
            Self::Missing(name) => write!(f, "missing {name}."),
            Self::NoComponents => f.write_str(
                "the authorization header requires three components: Credential, \
                 SignedHeaders, and Signature.",
            ),
        }
    }
}

impl fmt::Display for QueryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => {
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""
            }
            Self::Credential(CredentialFault::DateDiffers) => {
                "Invalid credential date. This date is not the same as X-Amz-Date."
            }
            Self::Credential(fault) => {
                return write!(f, "Error parsing the X-Amz-Credential parameter; {fault}");
            }
            Self::Date => {
                "X-Amz-Date must be in the ISO8601 Long Format \
             \"yyyyMMdd'T'HHmmss'Z'\""
            }
            Self::ExpiresNegative => "X-Amz-Expires must be non-negative",
            Self::ExpiresTooLong => {
                "X-Amz-Expires must be less than a week (in seconds); that is, the given \
                 X-Amz-Expires must be less than 604800 seconds"
            }
            Self::ExpiresNotANumber => "X-Amz-Expires should be a number",
            Self::Missing => {
                "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                 X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                 X-Amz-Expires parameters."
            }
            Self::Signature => "X-Amz-Signature is malformed",
            Self::SignedHeaders => "X-Amz-SignedHeaders is malformed",
        })
    }
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DateDiffers => f.write_str("Invalid credential date."),
            Self::DateInvalid(text) => write!(
                f,
                "incorrect date format \"{text}\". This date in the credential must be in the \
                 format \"yyyyMMdd\"."
            ),
            Self::Malformed => f.write_str(
                "the Credential is mal-formed; expecting \
                 \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
            ),
            Self::Terminal(text) => {
                write!(f, "incorrect terminal \"{text}\". This endpoint uses \"aws4_request\".")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::ToString;

    #[test]
    fn is_told_as_aws_tells_it() {
        for (error, status, code, message) in [
            (
                Error::Header(HeaderFault::Credential(CredentialFault::Terminal("aws5".into()))),
                400,
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed; incorrect terminal \"aws5\". This \
                 endpoint uses \"aws4_request\".",
            ),
            (
                Error::Query(QueryFault::Credential(CredentialFault::DateInvalid("2013".into()))),
                400,
                "AuthorizationQueryParametersError",
                "Error parsing the X-Amz-Credential parameter; incorrect date format \
                 \"2013\". This date in the credential must be in the format \"yyyyMMdd\".",
            ),
            (
                Error::HeadersNotSigned([b"x-amz-acl".to_vec()].into()),
                403,
                "AccessDenied",
                "There were headers present in the request which were not signed",
            ),
            (
                Error::ContentSha256Missing,
                400,
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            ),
            (
                Error::AlgorithmRefused(Algorithm::EcdsaP256Sha256),
                501,
                "NotImplemented",
                "A header you provided implies functionality that is not implemented.",
            ),
            (
                Error::DecodedLengthMissing,
                411,
                "MissingContentLength",
                "You must provide the Content-Length HTTP header.",
            ),
            (
                Error::TrailerUnexpected,
                400,
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform \
                 to our published schema.",
            ),
            (
                Error::TrailerUnsupported,
                400,
                "InvalidRequest",
                "The value specified in the x-amz-trailer header is not supported",
            ),
            (
                Error::ChecksumSeveral,
                400,
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                 allowed.",
            ),
        ] {
            assert_eq!(error.status(), status);
            assert_eq!(error.code(), code);
            assert_eq!(error.to_string(), message);
        }
    }
}
