//! What a signature is good for: one day, one region, one service.

use alloc::string::String;
use core::fmt;

use super::date::Day;

/// A credential's scope; written `20130524/us-east-1/s3/aws4_request`.
///
/// The region and the service are the client's words until a signature under the key that was
/// derived for them verifies. They are short and plain, so that they can be part of a cache's key
/// and of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    day: Day,
    region: String,
    service: String,
}

/// A credential: an access key and the scope of the key that was derived from its secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credential {
    /// The id of the access key, 1 to [`MAX_ACCESS_KEY`] printable characters.
    pub access_key: String,
    /// The scope.
    pub scope: Scope,
}

/// Which of the two ways to write a canonical request a service follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// All of AWS but S3: the path is normalised, and as the wire has it encoded once more; a body
    /// that nothing is said of is hashed.
    General,
    /// S3: a key may be any text, `..` and `//` too, so its path is taken as it is; and the request
    /// says how its body is bound.
    S3,
}

/// What is wrong with a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialFault {
    /// The day in it is not the day of the request's date.
    DateDiffers,
    /// The day in it is not in the form `yyyyMMdd`.
    DateInvalid(String),
    /// It has not the five parts, or one of them is empty, too long or not of plain characters.
    Malformed,
    /// It does not end with `aws4_request`.
    Terminal(String),
}

impl Scope {
    /// A scope, if region and service are names.
    #[must_use]
    pub fn new(day: Day, region: &str, service: &str) -> Option<Self> {
        let is_scope = is_name(region) && is_name(service);
        is_scope.then(|| Self { day, region: region.into(), service: service.into() })
    }

    /// The day, in UTC.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day
    }

    /// The region, as in `us-east-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The service, as in `s3`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// How the service has its requests written.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        Dialect::of(&self.service)
    }

    /// Whether a text can be a region or a service.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        is_name(text)
    }
}

impl Dialect {
    /// How a service has its requests written.
    #[must_use]
    pub fn of(service: &str) -> Self {
        if S3_SERVICES.contains(&service) { Self::S3 } else { Self::General }
    }
}

impl Credential {
    /// Reads `ACCESS_KEY/yyyyMMdd/region/service/aws4_request`, from the right: the access key may
    /// have slashes in it.
    pub fn from_text(text: &[u8]) -> Result<Self, CredentialFault> {
        let text = str::from_utf8(text).map_err(|_| CredentialFault::Malformed)?;
        if text.len() > MAX_CREDENTIAL {
            return Err(CredentialFault::Malformed);
        }
        let mut parts = text.rsplitn(5, '/');
        let mut part = || parts.next().ok_or(CredentialFault::Malformed);
        let (terminal, service, region, day, access_key) =
            (part()?, part()?, part()?, part()?, part()?);
        if terminal != TERMINAL {
            return Err(CredentialFault::Terminal(terminal.into()));
        }
        if !is_access_key(access_key) {
            return Err(CredentialFault::Malformed);
        }
        let day =
            Day::from_text(day.as_bytes()).map_err(|_| CredentialFault::DateInvalid(day.into()))?;
        let scope = Scope::new(day, region, service).ok_or(CredentialFault::Malformed)?;
        Ok(Self { access_key: access_key.into(), scope })
    }

    /// Puts one together, if the day is one in the form `yyyyMMdd` and the rest can be what it is
    /// said to be.
    #[must_use]
    pub fn from_parts(access_key: &str, day: &[u8], region: &str, service: &str) -> Option<Self> {
        let scope = Scope::new(Day::from_text(day).ok()?, region, service)?;
        is_access_key(access_key).then(|| Self { access_key: access_key.into(), scope })
    }
}

/// Whether a text can be the id of an access key.
#[must_use]
pub fn is_access_key(text: &str) -> bool {
    (1..=MAX_ACCESS_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Scope {
    /// Writes it as the string to sign has it.
    pub(super) fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        self.day.write(to)?;
        for part in ["/", &self.region, "/", &self.service, "/", TERMINAL] {
            to.write_str(part)?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The last part of every scope, and the last message on the way to a signing key.
pub(super) const TERMINAL: &str = "aws4_request";
/// The most bytes in an access key's id, as in AWS's IAM.
pub const MAX_ACCESS_KEY: usize = 128;
/// The most bytes in the name of a region or a service; AWS's longest have about 30.
pub const MAX_NAME: usize = 64;
/// An access key, four slashes, a day, two names and `aws4_request` do not need more.
const MAX_CREDENTIAL: usize = MAX_ACCESS_KEY + 2 * MAX_NAME + 32;
/// What the SDKs sign in S3's way: its signing names, which are not all its endpoints' names.
const S3_SERVICES: [&str; 4] = ["s3", "s3-object-lambda", "s3-outposts", "s3express"];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    fn read(text: &str) -> Result<Credential, CredentialFault> {
        Credential::from_text(text.as_bytes())
    }

    #[test]
    fn is_written_as_it_is_signed() {
        let credential = read("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request").unwrap();
        assert_eq!(credential.access_key, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(credential.scope.to_string(), "20130524/us-east-1/s3/aws4_request");
        assert_eq!(credential.scope.dialect(), Dialect::S3);
    }

    #[test]
    fn an_access_key_may_have_slashes_in_it() {
        for access_key in ["a/b", "/", "//20130524/", "a%2Fb", "0123456789abcdef0123456789abcdef"] {
            let text = format!("{access_key}/20130524/eu/sts/aws4_request");
            let credential = read(&text).unwrap();
            assert_eq!(credential.access_key, access_key);
            assert_eq!(credential.scope.dialect(), Dialect::General);
        }
    }

    #[test]
    fn says_what_is_wrong_as_aws_does() {
        let long = "a".repeat(129);
        for (text, fault) in [
            ("", CredentialFault::Malformed),
            ("AKID", CredentialFault::Malformed),
            ("20130524/eu/s3/aws4_request", CredentialFault::Malformed),
            ("/20130524/eu/s3/aws4_request", CredentialFault::Malformed),
            ("a b/20130524/eu/s3/aws4_request", CredentialFault::Malformed),
            ("é/20130524/eu/s3/aws4_request", CredentialFault::Malformed),
            ("a/20130524//s3/aws4_request", CredentialFault::Malformed),
            ("a/20130524/e u/s3/aws4_request", CredentialFault::Malformed),
            ("a/20130524/eu//aws4_request", CredentialFault::Malformed),
            (&format!("{long}/20130524/eu/s3/aws4_request"), CredentialFault::Malformed),
            (&format!("a/20130524/{}/s3/aws4_request", &long[..65]), CredentialFault::Malformed),
            ("a/2013-05-24/eu/s3/aws4_request", CredentialFault::DateInvalid("2013-05-24".into())),
            ("a/20130229/eu/s3/aws4_request", CredentialFault::DateInvalid("20130229".into())),
            ("a/20130524/eu/s3/aws4_Request", CredentialFault::Terminal("aws4_Request".into())),
            ("a/20130524/eu/s3/", CredentialFault::Terminal(String::new())),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
    }
}
