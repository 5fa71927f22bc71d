//! From a request's head to a verdict on its signature, in two steps with a key in between.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::authorization::Authorization;
use super::body::{Body, BodyVerifier, Chunked, Framing, Output, Seed};
use super::canonical::CanonicalRequest;
use super::encoding::Hex;
use super::error::Error;
use super::form::Form;
use super::header;
use super::payload::{self, Payload, Streaming};
use super::query::Query;
use super::scope::Credential;
use super::signature::{SigningKey, string_to_sign};
use crate::head::RequestHead;
use crate::time::UnixTime;

/// What a request claims: all that is left of its head, while a key is looked for.
///
/// It can be well-formed, of now and complete, and false all the same.
#[derive(Clone, Debug)]
pub struct Claim {
    authorization: Rc<Authorization>,
    request: CanonicalRequest,
    body: Body,
    /// The last line of the canonical request, as soon as it is known.
    payload_line: Option<Vec<u8>>,
    max_skew: Duration,
}

/// A claim that a key verified: the head is what the owner of the access key signed.
///
/// The body is not verified yet: that is for [`Verified::body_verifier`].
#[derive(Clone, Debug)]
pub struct Verified {
    /// Who signed and when. The signature in it is the seed of the chunks' chain.
    pub authorization: Rc<Authorization>,
    /// What is to be done with the body.
    pub body: Body,
    /// The canonical request that was signed.
    pub canonical_request: Vec<u8>,
    /// The text that was signed.
    pub string_to_sign: String,
}

/// Why a claim was not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unverified {
    /// The hash of the body is needed first: [`Claim::with_body_sha256`].
    BodyNeeded,
    /// The key did not make the signature.
    Mismatch(Mismatch),
    /// It ended while a key was looked for.
    Stale(Error),
}

/// What S3 tells a client whose signature does not match, so that it can find the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The canonical request as we would write it.
    pub canonical_request: Vec<u8>,
    /// The string to sign as we would write it.
    pub string_to_sign: String,
}

impl Claim {
    /// Reads the head of a request, and refuses what no key could make good. A request without
    /// credentials claims nothing.
    ///
    /// AWS refuses in the order of parsing, date, payload, key, unsigned headers. Here the key
    /// comes last, as it may cost a call, and a flood of nonsense should not cost any.
    pub fn from_head(
        head: RequestHead<'_>,
        now: UnixTime,
        max_skew: Duration,
    ) -> Result<Option<Self>, Error> {
        let (authorization, presigned) = match Form::of(head) {
            Form::Ambiguous => return Err(Error::Ambiguous),
            Form::Header(value) => (Authorization::from_header(value, head)?, None),
            Form::None => return Ok(None),
            Form::Other => return Err(Error::Unsupported),
            Form::Query(query) => (Authorization::from_query(query)?, Some(query)),
            Form::SigV2 => return Err(Error::V2Refused),
        };
        Self::new(head, authorization, presigned, now, max_skew).map(Some)
    }

    fn new(
        head: RequestHead<'_>,
        authorization: Authorization,
        presigned: Option<Query<'_>>,
        now: UnixTime,
        max_skew: Duration,
    ) -> Result<Self, Error> {
        let dialect = authorization.credential.scope.dialect();
        let max_skew = max_skew.min(dialect.max_skew());
        let sent = payload::content_sha256(head, presigned)?;
        let payload = Payload::of(sent.as_deref(), dialect, authorization.is_presigned())?;
        authorization.check_freshness(now, max_skew)?;
        let not_signed = authorization.signed_headers.missing(head, authorization.is_presigned());
        if !not_signed.is_empty() {
            return Err(Error::HeadersNotSigned(not_signed));
        }
        if let Some(name) = header::repeated(head) {
            return Err(Error::Repeated(name.into()));
        }
        Ok(Self {
            body: Body::of(payload, dialect, head)?,
            request: CanonicalRequest::new(head, &authorization)?,
            payload_line: payload.line(sent.as_deref()),
            authorization: authorization.into(),
            max_skew,
        })
    }

    /// Which key is needed: that of this access key and scope.
    #[must_use]
    pub fn credential(&self) -> &Rc<Credential> {
        &self.authorization.credential
    }

    /// All that the request says of its signature.
    #[must_use]
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// What is to be done with the body, if the claim is true. [`Body::HashFirst`] has to be done
    /// before it can be verified.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body
    }

    /// Completes a claim whose signature covers the hash of the body. It changes no other claim.
    #[must_use]
    pub fn with_body_sha256(mut self, sha256: [u8; 32]) -> Self {
        if self.body == Body::HashFirst {
            self.body = Body::Hashed(sha256);
            self.payload_line = Some(alloc::format!("{}", Hex(&sha256)).into_bytes());
        }
        self
    }

    /// Whether the key made the signature. It has to be the key of [`Claim::credential`].
    pub fn verify(&self, key: &SigningKey, now: UnixTime) -> Result<Verified, Unverified> {
        let authorization = &self.authorization;
        authorization.check_freshness(now, self.max_skew).map_err(Unverified::Stale)?;
        let payload_line = self.payload_line.as_deref().ok_or(Unverified::BodyNeeded)?;

        let mut first = None;
        for canonical_request in self.request.texts(payload_line) {
            let scope = &authorization.credential.scope;
            let string_to_sign = string_to_sign(authorization.date, scope, &canonical_request);
            if key.verifies(&string_to_sign, &authorization.signature) {
                return Ok(Verified {
                    authorization: Rc::clone(authorization),
                    body: self.body,
                    canonical_request,
                    string_to_sign,
                });
            }
            first.get_or_insert((canonical_request, string_to_sign));
        }
        let (canonical_request, string_to_sign) = first.unwrap_or_default();
        Err(Unverified::Mismatch(Mismatch { canonical_request, string_to_sign }))
    }
}

impl Verified {
    /// What verifies the body while it passes; `None` where the signature says nothing of it.
    ///
    /// `key` is the key that verified the head, `max_chunk` the most bytes in one signed chunk, and
    /// `content_length` that of the body as it is sent, where known. A body that had to be hashed
    /// before is verified once more: it is to be the same that is passed on.
    #[must_use]
    pub fn body_verifier(
        &self,
        key: &SigningKey,
        max_chunk: usize,
        output: Output,
        content_length: Option<u64>,
    ) -> Option<BodyVerifier> {
        let (streaming, checksum, decoded_length) = match self.body {
            Body::Chunked { streaming, checksum, decoded_length } => {
                (streaming, checksum, decoded_length)
            }
            Body::Hashed(sha256) => return Some(BodyVerifier::hashed(sha256, content_length)),
            Body::HashFirst | Body::Unbound => return None,
        };
        let seed = Seed {
            signing_key: key,
            date: self.authorization.date,
            scope: &self.authorization.credential.scope,
            signature: self.authorization.signature,
        };
        let framing = match streaming {
            Streaming::Signed => Framing::Signed(seed),
            Streaming::SignedTrailer => Framing::SignedTrailer(seed, checksum),
            Streaming::UnsignedTrailer => Framing::UnsignedTrailer(checksum),
        };
        let chunked = Chunked { framing, decoded_length, max_chunk, output };
        Some(BodyVerifier::chunked(chunked, content_length))
    }
}

#[cfg(test)]
mod tests;
