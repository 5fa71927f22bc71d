//! The chain of signatures through a body: each chunk's signature covers the one before it, the
//! first that of the request itself.
//!
//! AWS documents it in "Signature calculations for the authorization header", under "transferring
//! payload in multiple chunks" and "including trailing headers".

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::BodyError;
use super::hex::Hex;
use crate::mac::hmac_sha256;

/// What a verified request hands to its body.
#[derive(Clone, Copy)]
pub struct Seed<'a> {
    /// The signing key of the request's scope.
    pub signing_key: &'a [u8; 32],
    /// The request's time as it was signed, such as `20130524T000000Z`.
    pub date: &'a str,
    /// The scope as it was signed, such as `20130524/us-east-1/s3/aws4_request`.
    pub scope: &'a str,
    /// The signature of the request, in lower-case hexadecimal digits.
    pub signature: &'a [u8; 64],
}

/// The chain as far as it has been verified.
pub(super) struct Chain {
    key: Hmac<Sha256>,
    date: String,
    scope: String,
    previous: Hex,
}

impl Chain {
    pub(super) fn new(seed: Seed<'_>) -> Self {
        Self {
            key: hmac_sha256(seed.signing_key),
            date: seed.date.into(),
            scope: seed.scope.into(),
            previous: Hex::from_text(*seed.signature),
        }
    }

    /// Adds a chunk to the chain, if its signature is right.
    pub(super) fn add_chunk(&mut self, hash: [u8; 32], signature: &[u8]) -> Result<(), BodyError> {
        self.add(
            format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{SHA256_OF_NOTHING}\n{}",
                self.date,
                self.scope,
                self.previous,
                Hex::of(hash),
            ),
            signature,
        )
    }

    /// Adds the trailers, by the hash of their canonical form.
    pub(super) fn add_trailers(
        &mut self,
        hash: [u8; 32],
        signature: &[u8],
    ) -> Result<(), BodyError> {
        self.add(
            format!(
                "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
                self.date,
                self.scope,
                self.previous,
                Hex::of(hash),
            ),
            signature,
        )
    }

    fn add(&mut self, string_to_sign: String, signature: &[u8]) -> Result<(), BodyError> {
        let mac = self.key.clone().chain_update(string_to_sign.as_bytes());
        let right = Hex::of(mac.finalize().into_bytes().into());
        if !right.matches(signature) {
            let provided = String::from_utf8_lossy(signature).to_string();
            return Err(BodyError::Signature { string_to_sign, provided });
        }
        self.previous = right;
        Ok(())
    }
}

impl fmt::Debug for Seed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(..)")
    }
}

/// The hash of an empty string stands in every chunk's string to sign.
const SHA256_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use sha2::Digest as _;

    const SEED: Seed<'_> = Seed {
        signing_key: &[7; 32],
        date: "20130524T000000Z",
        scope: "20130524/us-east-1/s3/aws4_request",
        signature: &[b'a'; 64],
    };

    #[test]
    fn a_wrong_signature_comes_back_with_what_should_have_been_signed() {
        let hash = Sha256::digest(b"chunk").into();
        let Err(BodyError::Signature { string_to_sign, provided }) =
            Chain::new(SEED).add_chunk(hash, b"0badc0de\xff")
        else {
            panic!("a wrong signature was accepted");
        };
        assert_eq!(
            string_to_sign,
            "AWS4-HMAC-SHA256-PAYLOAD\n\
             20130524T000000Z\n\
             20130524/us-east-1/s3/aws4_request\n\
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
             6c87f68371b28954707ebb92afee7ccffb74c6f71ec8fea8a98cf6104289585b"
        );
        assert_eq!(provided, "0badc0de\u{fffd}");
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{SEED:?}"), "Seed(..)");
        assert_eq!(format!("{:?}", Chain::new(SEED)), "Chain(..)");
    }
}
