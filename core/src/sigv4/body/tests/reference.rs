//! A signer for the tests, straight from the formulas of AWS's documentation and of nothing else.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::super::Seed;
use crate::sigv4::{AmzDate, Day, Scope, Signature, SigningKey};

/// What the documentation's examples are signed with.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &str = "20130524T000000Z";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

pub(super) struct Signer {
    key: [u8; 32],
    signing_key: SigningKey,
    scope: Scope,
    pub(super) seed: [u8; 64],
}

impl Signer {
    /// The signer of the documentation's examples, for a request with this signature.
    pub(super) fn after(seed: &str) -> Self {
        let key = SCOPE.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
            hmac(&key, part.as_bytes()).to_vec()
        });
        let key = key.try_into().unwrap();
        let scope = Scope::new(Day::from_text(b"20130524").unwrap(), "us-east-1", "s3").unwrap();
        Self {
            key,
            signing_key: SigningKey::new(key),
            scope,
            seed: seed.as_bytes().try_into().unwrap(),
        }
    }

    pub(super) fn seed(&self) -> Seed<'_> {
        let signature = Signature::from_hex(&self.seed).unwrap();
        let date = AmzDate::from_iso8601(DATE.as_bytes()).unwrap();
        Seed { signing_key: &self.signing_key, date, scope: &self.scope, signature }
    }

    fn first(&self) -> String {
        String::from_utf8(self.seed.to_vec()).unwrap()
    }

    pub(super) fn sign_chunk(&self, previous: &str, data: &[u8]) -> String {
        let (nothing, data) = (sha256(b""), sha256(data));
        self.sign(&format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{SCOPE}\n{previous}\n{nothing}\n{data}"
        ))
    }

    pub(super) fn sign_trailers(&self, previous: &str, canonical: &str) -> String {
        let hash = sha256(canonical.as_bytes());
        self.sign(&format!("AWS4-HMAC-SHA256-TRAILER\n{DATE}\n{SCOPE}\n{previous}\n{hash}"))
    }

    fn sign(&self, string_to_sign: &str) -> String {
        hex(&hmac(&self.key, string_to_sign.as_bytes()))
    }

    /// A body in signed chunks, up to and with the line of the chunk without data, and the last
    /// signature.
    pub(super) fn chunks(&self, chunks: &[&[u8]]) -> (Vec<u8>, String) {
        let (mut body, mut previous) = (Vec::new(), self.first());
        for chunk in chunks {
            previous = self.sign_chunk(&previous, chunk);
            body.extend(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        previous = self.sign_chunk(&previous, b"");
        body.extend(format!("0;chunk-signature={previous}\r\n").bytes());
        (body, previous)
    }

    /// A whole body without trailers.
    pub(super) fn body(&self, chunks: &[&[u8]]) -> Vec<u8> {
        let (mut body, _) = self.chunks(chunks);
        body.extend_from_slice(b"\r\n");
        body
    }

    /// A whole body with one trailer and its signature.
    pub(super) fn body_with_trailer(&self, chunks: &[&[u8]], name: &str, value: &str) -> Vec<u8> {
        let (mut body, last) = self.chunks(chunks);
        let signature = self.sign_trailers(&last, &format!("{name}:{value}\n"));
        let trailers = format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n");
        body.extend(trailers.bytes());
        body
    }
}

/// A body in chunks without signatures, up to and with the line of the chunk without data.
pub(super) fn unsigned_chunks(chunks: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend(format!("{:x}\r\n", chunk.len()).bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    body
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().into()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
