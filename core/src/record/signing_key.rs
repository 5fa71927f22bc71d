//! A signing key and whom it signs for: `POST /v1/signing-keys`.
//!
//! What is sent is the key of one access key, day, region and service. The secret that it was
//! derived from never leaves the key server, and neither do the two keys on the way, which would
//! sign for more than was asked.

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

use serde::{Serialize, Serializer};

use super::{CredentialRecord, InvalidRecord};
use crate::json::{self, FromJson, Json, Reader, deserialize_as_json, from_fields, one_of};
use crate::sigv4::{Credential, Hex, SigningKey, hex_bytes};

/// Where signing keys are asked for.
pub const SIGNING_KEYS_PATH: &str = "/v1/signing-keys";

/// The most bytes of a question. The longest access key takes 1024 of them.
pub const MAX_SIGNING_KEY_REQUEST_BYTES: usize = 8 * 1024;

/// The most bytes of an answer.
pub const MAX_SIGNING_KEY_BYTES: usize = 64 * 1024;

/// Which key is wanted: the parts of a credential, as a signature names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SigningKeyRequest {
    /// The access key.
    pub access_key: String,
    /// The day, in the form `yyyyMMdd`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: String,
}

/// A signing key, and the identity behind the access key.
#[derive(Clone, Debug, Serialize)]
pub struct SigningKeyAnswer {
    /// The question: an edge believes no answer to another one.
    #[serde(flatten)]
    pub request: SigningKeyRequest,
    /// The key: 64 hexadecimal digits.
    #[serde(serialize_with = "write_key")]
    pub signing_key: SigningKey,
    /// Whom it signs for.
    pub credential: CredentialRecord,
}

/// Why an access key opens nothing: the reason of a [`Denial`](super::Denial).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccessKeyFault {
    /// It was switched off, or its user, project or domain was, or it has no role left.
    AccessKeyDisabled,
    /// It has ended, or what it came from has.
    AccessKeyExpired,
    /// There is none of that name.
    AccessKeyUnknown,
}

/// Why bytes are no signing key. None of it shows a byte of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSigningKey {
    /// Not JSON of the right shape.
    Json,
    /// The key of something else.
    OtherRequest,
    /// The record.
    Record(InvalidRecord),
    /// More than [`MAX_SIGNING_KEY_BYTES`].
    TooLong,
}

from_fields! { SigningKeyRequest { access_key, date, region, service } }
from_fields! { SigningKeyAnswer { signing_key, credential, ..request } }
deserialize_as_json!(SigningKeyRequest, SigningKeyAnswer, AccessKeyFault);

impl FromJson for AccessKeyFault {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        one_of(json, reader, &Self::ALL.map(|fault| (fault.reason(), fault)))
            .unwrap_or(Self::AccessKeyUnknown)
    }
}

/// From 64 hexadecimal digits. What is wrong with them does not show them.
impl FromJson for SigningKey {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let digits = json.as_text().unwrap_or_default();
        Self::new(hex_bytes(digits.as_bytes()).unwrap_or_else(|| {
            reader.note("not 64 hexadecimal digits");
            [0; 32]
        }))
    }
}

impl SigningKeyRequest {
    /// The question for the key of a credential.
    #[must_use]
    pub fn new(credential: &Credential) -> Self {
        let Credential { access_key, scope } = credential;
        Self {
            access_key: access_key.clone(),
            date: scope.day().to_string(),
            region: scope.region().into(),
            service: scope.service().into(),
        }
    }

    /// Which key is wanted, if it can be one.
    #[must_use]
    pub fn credential(&self) -> Option<Credential> {
        let Self { access_key, date, region, service } = self;
        Credential::from_parts(access_key, date.as_bytes(), region, service)
    }

    /// Reads a question from JSON.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let is_short = json.len() <= MAX_SIGNING_KEY_REQUEST_BYTES;
        is_short.then(|| json::read(json).ok()).flatten()
    }

    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Four texts: there is nothing in them that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl SigningKeyAnswer {
    /// Reads the answer to a question from JSON.
    pub fn from_json(json: &[u8], request: &SigningKeyRequest) -> Result<Self, InvalidSigningKey> {
        if json.len() > MAX_SIGNING_KEY_BYTES {
            return Err(InvalidSigningKey::TooLong);
        }
        let answer: Self = json::read(json).map_err(|_| InvalidSigningKey::Json)?;
        if answer.request != *request {
            return Err(InvalidSigningKey::OtherRequest);
        }
        answer.credential.check().map_err(InvalidSigningKey::Record)?;
        Ok(answer)
    }
}

impl AccessKeyFault {
    /// All there are.
    pub const ALL: [Self; 3] =
        [Self::AccessKeyDisabled, Self::AccessKeyExpired, Self::AccessKeyUnknown];

    /// The word for it, in the key server's answer and in metrics and logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccessKeyDisabled => "access_key_disabled",
            Self::AccessKeyExpired => "access_key_expired",
            Self::AccessKeyUnknown => "access_key_unknown",
        }
    }
}

impl fmt::Display for InvalidSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("not the JSON of a signing key"),
            Self::OtherRequest => f.write_str("the key of another access key or scope"),
            Self::Record(error) => write!(f, "credential.{error}"),
            Self::TooLong => write!(f, "longer than {MAX_SIGNING_KEY_BYTES} bytes"),
        }
    }
}

impl core::error::Error for InvalidSigningKey {}

fn write_key<S: Serializer>(key: &SigningKey, serializer: S) -> Result<S::Ok, S::Error> {
    let digits = zeroize::Zeroizing::new(format!("{}", Hex(key.expose())));
    serializer.serialize_str(&digits)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::Denial;
    use serde_json::json;

    const KEY: &str = "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378";

    fn request() -> SigningKeyRequest {
        let credential = Credential::from_text(b"AKID/20130524/us-east-1/s3/aws4_request").unwrap();
        SigningKeyRequest::new(&credential)
    }

    fn answer(changes: &serde_json::Value) -> Result<SigningKeyAnswer, InvalidSigningKey> {
        let mut answer = json!({
            "access_key": "AKID", "date": "20130524", "region": "us-east-1", "service": "s3",
            "signing_key": KEY,
            "credential": {"user": {"id": "u1"}, "roles": []},
        });
        answer.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        SigningKeyAnswer::from_json(answer.to_string().as_bytes(), &request())
    }

    #[test]
    fn a_question_is_read_as_it_is_written() {
        let json = request().to_json();
        assert_eq!(SigningKeyRequest::from_json(json.as_bytes()), Some(request()));
        assert_eq!(
            json,
            r#"{"access_key":"AKID","date":"20130524","region":"us-east-1","service":"s3"}"#
        );
        let odd = SigningKeyRequest { date: "20130532".into(), ..request() };
        assert_eq!(odd.credential(), None);
        let odd = SigningKeyRequest { region: "us east".into(), ..request() };
        assert_eq!(odd.credential(), None);
        assert_eq!(SigningKeyRequest::new(&request().credential().unwrap()), request());
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let answer = answer(&json!({})).unwrap();
        assert_eq!(format!("{}", Hex(answer.signing_key.expose())), KEY);
        let json = serde_json::to_vec(&answer).unwrap();
        assert!(SigningKeyAnswer::from_json(&json, &request()).is_ok());
        assert!(!format!("{answer:?}").contains("dbb8"));
    }

    #[test]
    fn believes_no_answer_to_another_question() {
        for field in ["access_key", "date", "region", "service"] {
            let error = answer(&json!({field: "20130525"})).unwrap_err();
            assert_eq!(error, InvalidSigningKey::OtherRequest);
        }
    }

    #[test]
    fn refuses_what_is_no_answer() {
        for changes in [
            json!({"signing_key": ""}),
            json!({"signing_key": KEY.to_uppercase()}),
            json!({"signing_key": 7}),
            json!({"credential": {}}),
            json!({"credential": {"user": {"id": "u"}, "delegation": {"magic": "m"}}}),
        ] {
            assert_eq!(answer(&changes).unwrap_err(), InvalidSigningKey::Json, "{changes}");
        }
        let error = answer(&json!({"credential": {"user": {"id": ""}}})).unwrap_err();
        assert_eq!(error, InvalidSigningKey::Record(InvalidRecord::Text("user")));
        let long = " ".repeat(MAX_SIGNING_KEY_BYTES + 1);
        let error = SigningKeyAnswer::from_json(long.as_bytes(), &request()).unwrap_err();
        assert_eq!(error, InvalidSigningKey::TooLong);
    }

    #[test]
    fn a_denial_says_why() {
        let denial = |json: &str| Denial::from_json(json.as_bytes()).map(|denial| denial.reason);
        for fault in AccessKeyFault::ALL {
            let json = format!(r#"{{"error":{{"code":404,"reason":"{}"}}}}"#, fault.reason());
            assert_eq!(denial(&json), Some(fault));
        }
        assert_eq!(denial(r#"{"error":{"code":404,"title":"Not Found"}}"#), None);
        assert_eq!(denial(r#"{"error":{"reason":"moon phase"}}"#), None);
        assert_eq!(denial(""), None);
    }
}
