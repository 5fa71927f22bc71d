//! Who signed what and when, by the request's own words: the `Authorization` header.
//!
//! ```text
//! AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request,
//!                  SignedHeaders=host;x-amz-date, Signature=f0e8…
//! ```

use alloc::rc::Rc;

use super::date::AmzDate;
use super::error::{Error, HeaderFault};
use super::header::SignedHeaders;
use super::scope::{Credential, CredentialFault};
use super::signature::Signature;
use crate::head::RequestHead;
use crate::secret::Secret;
use crate::split;

/// What a request says of its signature, in either form. None of it is true yet.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The access key, and what the key derived from its secret is good for.
    pub credential: Rc<Credential>,
    /// When it was signed. The day is the credential's.
    pub date: AmzDate,
    /// For how many seconds after that it is good: a presigned URL; `None` in header form.
    pub expires: Option<u64>,
    /// The session token of temporary credentials. The key server has to know it as this access
    /// key's: the signature alone does not bind the two.
    pub session_token: Option<Secret>,
    /// Which headers were signed.
    pub signed_headers: SignedHeaders,
    /// The signature.
    pub signature: Signature,
}

/// The algorithms there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `AWS4-ECDSA-P256-SHA256`: Signature Version 4A.
    EcdsaP256Sha256,
    /// `AWS4-HMAC-SHA256`.
    HmacSha256,
}

impl Algorithm {
    /// Reads the name of an algorithm, which is the same in any place and has one spelling.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        [Self::EcdsaP256Sha256, Self::HmacSha256]
            .into_iter()
            .find(|algorithm| algorithm.name().as_bytes() == text)
    }

    /// The name of the algorithm.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "AWS4-ECDSA-P256-SHA256",
            Self::HmacSha256 => "AWS4-HMAC-SHA256",
        }
    }
}

impl Authorization {
    /// Reads the value of an `Authorization` header, and the headers that complete it.
    pub(super) fn from_header(value: &[u8], head: RequestHead<'_>) -> Result<Self, Error> {
        let (algorithm, components) = split::once(value, b' ').unwrap_or((value, b""));
        let algorithm = Algorithm::from_text(algorithm).ok_or(Error::Unsupported)?;
        if algorithm != Algorithm::HmacSha256 {
            return Err(Error::AlgorithmRefused(algorithm));
        }
        let components = Components::from_text(components)?;
        let malformed = |text: &[u8]| Error::Header(HeaderFault::Component(text.into()));
        let credential = |fault| Error::Header(HeaderFault::Credential(fault));

        let authorization = Self {
            algorithm,
            credential: Credential::from_text(components.credential).map_err(credential)?.into(),
            signed_headers: SignedHeaders::from_text(components.signed_headers)
                .map_err(|_| malformed(components.signed_headers))?,
            signature: Signature::from_hex(components.signature)
                .ok_or_else(|| malformed(components.signature))?,
            date: date(head)?,
            expires: None,
            session_token: head
                .single(SECURITY_TOKEN)
                .map_err(|_| Error::Repeated(SECURITY_TOKEN.into()))?
                .map(|token| Secret::new(token.into())),
        };
        if !authorization.is_of_one_day() {
            return Err(credential(CredentialFault::DateDiffers));
        }
        Ok(authorization)
    }

    /// Whether the credential is of the day on which it was used.
    pub(super) fn is_of_one_day(&self) -> bool {
        self.credential.scope.day() == self.date.day()
    }

    /// Whether it came in a presigned URL.
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        self.expires.is_some()
    }
}

/// The date that is signed: `x-amz-date`, and only where there is none of that, `Date`.
fn date(head: RequestHead<'_>) -> Result<AmzDate, Error> {
    let single = |name| head.single(name).map_err(|_| Error::DateInvalid);
    match (single(b"x-amz-date")?, single(b"date")?) {
        (Some(date), _) => AmzDate::from_iso8601(date),
        (None, Some(date)) => AmzDate::from_http(date),
        (None, None) => return Err(Error::DateInvalid),
    }
    .map_err(|_| Error::DateInvalid)
}

/// The three parts after the algorithm, in any order.
struct Components<'a> {
    credential: &'a [u8],
    signed_headers: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Components<'a> {
    fn from_text(text: &'a [u8]) -> Result<Self, Error> {
        if text.trim_ascii().is_empty() {
            return Err(Error::Header(HeaderFault::NoComponents));
        }
        let mut parts =
            ["Credential", "SignedHeaders", "Signature"].map(|name| (name, None::<&[u8]>));
        for component in split::parts(text, b',').map(<[u8]>::trim_ascii) {
            let is_new = split::once(component, b'=').is_some_and(|(name, value)| {
                let part = parts.iter_mut().find(|(known, _)| known.as_bytes() == name);
                part.is_some_and(|(_, part)| part.replace(value).is_none())
            });
            if !is_new {
                return Err(Error::Header(HeaderFault::Component(component.into())));
            }
        }
        let missing = |name| Error::Header(HeaderFault::Missing(name));
        let [credential, signed_headers, signature] = parts.map(|(name, part)| part.ok_or(name));
        Ok(Self {
            credential: credential.map_err(missing)?,
            signed_headers: signed_headers.map_err(missing)?,
            signature: signature.map_err(missing)?,
        })
    }
}

const SECURITY_TOKEN: &[u8] = b"x-amz-security-token";

impl core::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    const CREDENTIAL: &str = "Credential=AKID/20130524/us-east-1/s3/aws4_request";
    const SIGNED: &str = "SignedHeaders=host;x-amz-date";

    fn signature() -> String {
        format!("Signature={}", "0f".repeat(32))
    }

    fn read(value: &str, headers: &[(&str, &str)]) -> Result<Authorization, Error> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        Authorization::from_header(value.as_bytes(), RequestHead::new(&headers))
    }

    fn read_value(value: &str) -> Result<Authorization, Error> {
        read(value, &[("x-amz-date", "20130524T000000Z")])
    }

    fn fault(value: &str) -> HeaderFault {
        match read_value(value) {
            Err(Error::Header(fault)) => fault,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn reads_the_parts_in_any_order_with_and_without_spaces() {
        let signature = signature();
        for value in [
            format!("AWS4-HMAC-SHA256 {CREDENTIAL},{SIGNED},{signature}"),
            format!("AWS4-HMAC-SHA256 {CREDENTIAL}, {SIGNED}, {signature}"),
            format!("AWS4-HMAC-SHA256  {signature} ,\t{CREDENTIAL} , {SIGNED} "),
        ] {
            let authorization = read_value(&value).unwrap();
            assert_eq!(authorization.credential.access_key, "AKID");
            assert_eq!(authorization.date.to_string(), "20130524T000000Z");
            assert_eq!(authorization.signed_headers.as_bytes(), b"host;x-amz-date");
            assert_eq!(authorization.signature.to_string(), "0f".repeat(32));
            assert!(!authorization.is_presigned());
        }
    }

    #[test]
    fn the_algorithm_has_one_spelling() {
        let rest = format!("{CREDENTIAL},{SIGNED},{}", signature());
        for scheme in [
            "AWS4-HMAC-SHA1",
            "aws4-hmac-sha256",
            "AWS4-HMAC-SHA256\t",
            "AWS4",
            " AWS4-HMAC-SHA256",
        ] {
            assert_eq!(read_value(&format!("{scheme} {rest}")).unwrap_err(), Error::Unsupported);
        }
        let refused = Error::AlgorithmRefused(Algorithm::EcdsaP256Sha256);
        assert_eq!(read_value(&format!("AWS4-ECDSA-P256-SHA256 {rest}")).unwrap_err(), refused);
    }

    #[test]
    fn says_what_is_wrong_as_aws_does() {
        let signature = signature();
        let component = |text: &str| HeaderFault::Component(text.into());
        assert_eq!(fault("AWS4-HMAC-SHA256"), HeaderFault::NoComponents);
        assert_eq!(fault("AWS4-HMAC-SHA256 "), HeaderFault::NoComponents);
        for (parts, expected) in [
            (format!("{SIGNED},{signature}"), HeaderFault::Missing("Credential")),
            (format!("{CREDENTIAL},{signature}"), HeaderFault::Missing("SignedHeaders")),
            (format!("{CREDENTIAL},{SIGNED}"), HeaderFault::Missing("Signature")),
            (format!("{CREDENTIAL},{SIGNED},{signature},"), component("")),
            (format!("{CREDENTIAL},{SIGNED},{signature},a=b"), component("a=b")),
            (format!("{CREDENTIAL},{SIGNED},{signature},Signature"), component("Signature")),
            (format!("{CREDENTIAL},{SIGNED},{signature},{SIGNED}"), component(SIGNED)),
            (format!("{CREDENTIAL},SignedHeaders=range,{signature}"), component("range")),
            (format!("{CREDENTIAL},{SIGNED},Signature=0F"), component("0F")),
            (
                format!("Credential=AKID,{SIGNED},{signature}"),
                HeaderFault::Credential(CredentialFault::Malformed),
            ),
        ] {
            assert_eq!(fault(&format!("AWS4-HMAC-SHA256 {parts}")), expected, "{parts}");
        }
    }

    #[test]
    fn the_date_is_x_amz_date_and_else_the_date_header() {
        let value = format!("AWS4-HMAC-SHA256 {CREDENTIAL},{SIGNED},{}", signature());
        let (iso, http) = ("20130524T010203Z", "Fri, 24 May 2013 04:05:06 GMT");
        let date = |headers: &[(&str, &str)]| read(&value, headers).map(|it| it.date.to_string());
        assert_eq!(date(&[("date", http), ("x-amz-date", iso)]).unwrap(), iso);
        assert_eq!(date(&[("date", "nonsense"), ("x-amz-date", iso)]).unwrap(), iso);
        assert_eq!(date(&[("date", http)]).unwrap(), "20130524T040506Z");
        for headers in [
            &[][..],
            &[("x-amz-date", http)],
            &[("x-amz-date", ""), ("date", http)],
            &[("x-amz-date", iso), ("x-amz-date", iso)],
            &[("date", iso)],
            &[("date", http), ("date", http)],
        ] {
            assert_eq!(date(headers), Err(Error::DateInvalid), "{headers:?}");
        }
    }

    #[test]
    fn the_credential_is_of_the_day_on_which_it_is_used() {
        let value = format!("AWS4-HMAC-SHA256 {CREDENTIAL},{SIGNED},{}", signature());
        for date in ["20130523T235959Z", "20130525T000000Z"] {
            let error = read(&value, &[("x-amz-date", date)]).unwrap_err();
            let differs = HeaderFault::Credential(CredentialFault::DateDiffers);
            assert_eq!(error, Error::Header(differs));
        }
        assert!(read(&value, &[("x-amz-date", "20130524T235959Z")]).is_ok());
    }

    #[test]
    fn there_is_one_session_token() {
        let value = format!("AWS4-HMAC-SHA256 {CREDENTIAL},{SIGNED},{}", signature());
        let (date, token) = (("x-amz-date", "20130524T000000Z"), ("x-amz-security-token", "t"));
        let authorization = read(&value, &[date, token]).unwrap();
        assert!(authorization.session_token.unwrap().matches(b"t"));
        let error = read(&value, &[date, token, token]).unwrap_err();
        assert_eq!(error, Error::Repeated(SECURITY_TOKEN.into()));
    }
}
