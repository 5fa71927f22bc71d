//! A request as it arrives, and the verdict on it: what the filter does, without a proxy.

use std::fmt;

use sha2::{Digest as _, Sha256};
use voussoir_core::head::RequestHead;
use voussoir_core::sigv4::body::{BodyError, Output};
use voussoir_core::sigv4::{
    Body, Claim, DEFAULT_MAX_SKEW, Error, Mismatch, SigningKey, Unverified, Verified,
};
use voussoir_core::time::UnixTime;

/// The secret of AWS's signing test suite, and of all access keys here.
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z, the date of the examples in S3's API reference.
pub(crate) const DATE: &str = "20130524T000000Z";
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_369_353_600);
pub(crate) const SHA256_OF_NOTHING: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[derive(Clone)]
pub(crate) struct Request {
    /// Pseudo-headers too, as Envoy has it.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// Why a request is refused.
pub(crate) enum Refused {
    Body(BodyError),
    Head(Error),
    Mismatch(Mismatch),
    /// It claims to be nobody's.
    NoCredentials,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { headers: Vec::new(), body: Vec::new() }
            .with(":method", method)
            .with(":path", path)
            .with(":scheme", "https")
            .with(":authority", "bucket.s3.example")
    }

    /// A request in header form to S3, not signed yet: these headers, and the usual three.
    pub(crate) fn s3(method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::header_form(
            method,
            path,
            headers,
            "s3",
            &[("x-amz-content-sha256", SHA256_OF_NOTHING)],
        )
    }

    /// A request in header form to another service, not signed yet.
    pub(crate) fn general(method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::header_form(method, path, headers, "execute-api", &[])
    }

    fn header_form(
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        service: &str,
        usual: &[(&str, &str)],
    ) -> Self {
        let mut request = Self::new(method, path);
        let mut names = vec!["host"];
        let has = |name| headers.iter().any(|(other, _)| other == name);
        let usual = usual.iter().chain(&[("x-amz-date", DATE)]).filter(|(name, _)| !has(name));
        for (name, value) in usual.chain(headers) {
            request = request.with(name, value);
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        request.authorized(service, &names.join(";"))
    }

    /// With an `Authorization` header that is not signed yet.
    pub(crate) fn authorized(self, service: &str, signed_headers: &str) -> Self {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/{service}/aws4_request,\
             SignedHeaders={signed_headers},Signature={UNSIGNED}"
        );
        self.without("authorization").with("authorization", value)
    }

    /// A presigned URL that is not signed yet, and good for a day.
    pub(crate) fn presigned(method: &str, path: &str, signed_headers: &str) -> Self {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!(
            "{path}{separator}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20130524%2F\
             us-east-1%2Fs3%2Faws4_request&X-Amz-Date={DATE}&X-Amz-Expires=86400&\
             X-Amz-SignedHeaders={}&X-Amz-Signature={UNSIGNED}",
            signed_headers.replace(';', "%3B")
        );
        Self::new(method, &path)
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// With another value of a header that is there, in its place.
    pub(crate) fn but(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        *self.value(name).unwrap_or_else(|| panic!("no {name}")) = value.as_ref().into();
        self
    }

    pub(crate) fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().into();
        self
    }

    /// With one text for another in every header, of which at least one has it.
    pub(crate) fn replacing(mut self, from: &str, to: &str) -> Self {
        assert!(self.replace(from, to), "no {from} in {self:?}");
        self
    }

    /// Puts one text for another in every header; `false` when none has it.
    pub(crate) fn replace(&mut self, from: &str, to: &str) -> bool {
        let mut is_replaced = false;
        for (_, value) in &mut self.headers {
            if let Ok(text) = str::from_utf8(value)
                && text.contains(from)
            {
                *value = text.replace(from, to).into_bytes();
                is_replaced = true;
            }
        }
        is_replaced
    }

    pub(crate) fn value(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        self.headers.iter_mut().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        let (_, value) = self.headers.iter().find(|(other, _)| other == name).unwrap();
        String::from_utf8(value.clone()).unwrap()
    }

    /// The request, signed by the owner of the access key as we understand it.
    pub(crate) fn signed(self) -> Self {
        let signature = match self.verify(NOW) {
            Err(Refused::Mismatch(mismatch)) => {
                let claim = self.claim(NOW).unwrap();
                key(&claim).sign(&mismatch.string_to_sign).to_string()
            }
            other => panic!("{other:?} instead of a string to sign for {self:?}"),
        };
        self.replacing(UNSIGNED, &signature)
    }

    pub(crate) fn claim(&self, now: UnixTime) -> Result<Claim, Refused> {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
        let claim = Claim::from_head(RequestHead::new(&headers), now, DEFAULT_MAX_SKEW);
        claim.map_err(Refused::Head)?.ok_or(Refused::NoCredentials)
    }

    /// Verifies head and body, with the key that a key server would derive.
    pub(crate) fn verify(&self, now: UnixTime) -> Result<Verified, Refused> {
        let mut claim = self.claim(now)?;
        let key = key(&claim);
        if claim.body() == Body::HashFirst {
            claim = claim.with_body_sha256(Sha256::digest(&self.body).into());
        }
        let verified = claim.verify(&key, now).map_err(|unverified| match unverified {
            Unverified::Mismatch(mismatch) => Refused::Mismatch(mismatch),
            Unverified::Stale(error) => Refused::Head(error),
            other => panic!("{other:?}"),
        })?;
        let length = u64::try_from(self.body.len()).unwrap();
        let body = verified.body_verifier(&key, MAX_CHUNK, Output::Decoded, Some(length));
        if let Some(mut body) = body {
            body.push(&self.body, true).map_err(Refused::Body)?;
            assert!(body.is_verified());
        }
        Ok(verified)
    }

    /// The answer in short: `200`, or a status and S3's code.
    pub(crate) fn answer(&self) -> String {
        self.answer_at(NOW)
    }

    pub(crate) fn answer_at(&self, now: UnixTime) -> String {
        match self.verify(now) {
            Ok(_) => "200".into(),
            Err(Refused::Body(error)) => format!("{} {}", error.status(), error.code()),
            Err(Refused::Head(error)) => format!("{} {}", error.status(), error.code()),
            Err(Refused::Mismatch(_)) => "403 SignatureDoesNotMatch".into(),
            Err(Refused::NoCredentials) => "no credentials".into(),
        }
    }
}

pub(crate) fn key(claim: &Claim) -> SigningKey {
    SigningKey::derive(SECRET.as_bytes(), &claim.credential().scope)
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(error) => error.fmt(f),
            Self::Head(error) => error.fmt(f),
            Self::Mismatch(mismatch) => {
                let canonical_request = String::from_utf8_lossy(&mismatch.canonical_request);
                write!(f, "mismatch of\n{canonical_request}\n\n{}\n", mismatch.string_to_sign)
            }
            Self::NoCredentials => f.write_str("no credentials"),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "\n{}", self.body.escape_ascii())
    }
}

/// Stands where the signature will.
const UNSIGNED: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const MAX_CHUNK: usize = 1024 * 1024;
