//! Who signed what and when, by the parameters of a presigned URL ("Authenticating Requests: Using
//! Query Parameters" in S3's API reference).

use alloc::borrow::Cow;

use super::authorization::{Algorithm, Authorization};
use super::date::AmzDate;
use super::error::{Error, QueryFault};
use super::form;
use super::header::SignedHeaders;
use super::query::Query;
use super::scope::{Credential, CredentialFault};
use super::signature::Signature;
use crate::secret::Secret;

impl Authorization {
    /// Reads the parameters of a presigned URL; [`form::Form`] made sure that each is there once.
    pub(super) fn from_query(query: Query<'_>) -> Result<Self, Error> {
        let fault = Error::Query;
        let optional = |name| query.value(name).transpose().map_err(|_| Error::Uri);
        let mut required: [Cow<'_, [u8]>; 6] = Default::default();
        for (value, name) in required.iter_mut().zip(REQUIRED) {
            *value = optional(name)?.ok_or(fault(QueryFault::Missing))?;
        }
        let [algorithm, credential, date, expires, signed_headers, signature] = &required;

        let algorithm = Algorithm::from_text(algorithm).ok_or(fault(QueryFault::Algorithm))?;
        if algorithm != Algorithm::HmacSha256 {
            return Err(Error::AlgorithmRefused(algorithm));
        }
        let authorization = Self {
            algorithm,
            credential: Credential::from_text(credential)
                .map_err(|error| fault(QueryFault::Credential(error)))?
                .into(),
            date: AmzDate::from_iso8601(date).map_err(|_| fault(QueryFault::Date))?,
            expires: Some(expires_from_text(expires).map_err(fault)?),
            session_token: optional(form::SECURITY_TOKEN)?.map(|token| Secret::new(token.into())),
            signed_headers: SignedHeaders::from_text(signed_headers)
                .map_err(|_| fault(QueryFault::SignedHeaders))?,
            signature: Signature::from_hex(signature).ok_or(fault(QueryFault::Signature))?,
        };
        if !authorization.is_of_one_day() {
            return Err(fault(QueryFault::Credential(CredentialFault::DateDiffers)));
        }
        Ok(authorization)
    }
}

/// Reads a number of seconds, at most [`MAX_EXPIRES`]. Zero can be read, and is over at once.
fn expires_from_text(text: &[u8]) -> Result<u64, QueryFault> {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(QueryFault::ExpiresNotANumber);
    }
    if is_negative {
        return Err(QueryFault::ExpiresNegative);
    }
    // Of the many digits of a large number none is lost: it stays too large.
    let seconds = digits.iter().fold(0_u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    if seconds > MAX_EXPIRES { Err(QueryFault::ExpiresTooLong) } else { Ok(seconds) }
}

/// In the order in which [`Authorization::from_query`] looks at their values.
const REQUIRED: [&[u8]; 6] = [
    form::ALGORITHM,
    form::CREDENTIAL,
    form::DATE,
    form::EXPIRES,
    form::SIGNED_HEADERS,
    form::SIGNATURE,
];

/// Seven days.
pub const MAX_EXPIRES: u64 = 604_800;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::string::{String, ToString};

    const DIGITS: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
    const PARAMETERS: [(&str, &str); 6] = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host%3Brange"),
        ("X-Amz-Signature", DIGITS),
    ];

    fn read(parameters: &[(&str, &str)]) -> Result<Authorization, Error> {
        let mut query = String::new();
        for (name, value) in parameters {
            query = query + name + "=" + value + "&";
        }
        Authorization::from_query(Query::new(query.as_bytes()))
    }

    /// Reads a presigned URL in which one parameter has another value.
    fn read_with(name: &str, value: &str) -> Result<Authorization, Error> {
        read(&PARAMETERS.map(|(other, old)| (other, if other == name { value } else { old })))
    }

    #[test]
    fn reads_what_aws_documents() {
        let authorization = read(&PARAMETERS).unwrap();
        assert_eq!(authorization.credential.access_key, "AKID");
        let scope = authorization.credential.scope.to_string();
        assert_eq!(scope, "20130524/us-east-1/s3/aws4_request");
        assert_eq!(authorization.date.to_string(), "20130524T000000Z");
        assert_eq!(authorization.expires, Some(86_400));
        assert_eq!(authorization.signed_headers.as_bytes(), b"host;range");
        assert_eq!(authorization.signature.to_string(), DIGITS);
        assert!(authorization.session_token.is_none());
        assert!(authorization.is_presigned());
    }

    #[test]
    fn slashes_and_semicolons_need_no_encoding() {
        assert!(read_with("X-Amz-Credential", "AKID/20130524/us-east-1/s3/aws4_request").is_ok());
        assert!(read_with("X-Amz-SignedHeaders", "host;range").is_ok());
    }

    #[test]
    fn needs_all_six_parameters() {
        for missing in 0..PARAMETERS.len() {
            let mut parameters = PARAMETERS.to_vec();
            parameters.remove(missing);
            assert_eq!(read(&parameters).unwrap_err(), Error::Query(QueryFault::Missing));
        }
    }

    #[test]
    fn says_what_is_wrong_as_aws_does() {
        for (name, value, fault) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA1", QueryFault::Algorithm),
            ("X-Amz-Algorithm", "", QueryFault::Algorithm),
            ("X-Amz-Credential", "AKID", QueryFault::Credential(CredentialFault::Malformed)),
            ("X-Amz-Date", "Fri,%2024%20May%202013%2000:00:00%20GMT", QueryFault::Date),
            (
                "X-Amz-Date",
                "20130525T000000Z",
                QueryFault::Credential(CredentialFault::DateDiffers),
            ),
            ("X-Amz-SignedHeaders", "range", QueryFault::SignedHeaders),
            ("X-Amz-SignedHeaders", "host+range", QueryFault::SignedHeaders),
            ("X-Amz-Signature", "0f", QueryFault::Signature),
        ] {
            assert_eq!(read_with(name, value).unwrap_err(), Error::Query(fault), "{value}");
        }
        assert_eq!(read_with("X-Amz-Signature", "%0").unwrap_err(), Error::Uri);
        let refused = Error::AlgorithmRefused(Algorithm::EcdsaP256Sha256);
        assert_eq!(read_with("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256").unwrap_err(), refused);
    }

    #[test]
    fn it_is_good_for_no_longer_than_a_week() {
        for (text, expires) in [
            ("0", Ok(0)),
            ("1", Ok(1)),
            ("0005", Ok(5)),
            ("604800", Ok(604_800)),
            ("604801", Err(QueryFault::ExpiresTooLong)),
            ("9223372036854775808", Err(QueryFault::ExpiresTooLong)),
            ("99999999999999999999999999", Err(QueryFault::ExpiresTooLong)),
            ("-1", Err(QueryFault::ExpiresNegative)),
            ("1e3", Err(QueryFault::ExpiresNotANumber)),
            ("+5", Err(QueryFault::ExpiresNotANumber)),
            ("%2B5", Err(QueryFault::ExpiresNotANumber)),
            ("", Err(QueryFault::ExpiresNotANumber)),
            ("-", Err(QueryFault::ExpiresNotANumber)),
            ("1.5", Err(QueryFault::ExpiresNotANumber)),
        ] {
            let read = read_with("X-Amz-Expires", text).map(|it| it.expires.unwrap());
            assert_eq!(read, expires.map_err(Error::Query), "{text}");
        }
    }
}
