//! The chain of signatures through a body: each chunk's signature covers the one before it, the
//! first that of the request itself.
//!
//! AWS documents it in "Signature calculations for the authorization header", under "transferring
//! payload in multiple chunks" and "including trailing headers".

use alloc::format;
use alloc::string::{String, ToString as _};
use core::fmt;

use super::BodyError;
use crate::sigv4::encoding::Hex;
use crate::sigv4::{AmzDate, Scope, Signature, SigningKey};

/// What a verified request hands to its body.
#[derive(Clone, Copy)]
pub struct Seed<'a> {
    /// The signing key of the request's scope.
    pub signing_key: &'a SigningKey,
    /// The request's date.
    pub date: AmzDate,
    /// The scope of its credential, in which the key is good.
    pub scope: &'a Scope,
    /// The signature of the request.
    pub signature: Signature,
}

/// The chain as far as it has been verified.
pub(super) struct Chain {
    key: SigningKey,
    /// The lines in the middle of every string to sign.
    date_and_scope: String,
    previous: Signature,
}

impl Chain {
    pub(super) fn new(seed: Seed<'_>) -> Self {
        Self {
            key: seed.signing_key.clone(),
            date_and_scope: format!("{}\n{}", seed.date, seed.scope),
            previous: seed.signature,
        }
    }

    /// Adds a chunk to the chain, if its signature is right.
    pub(super) fn add_chunk(&mut self, hash: [u8; 32], signature: &[u8]) -> Result<(), BodyError> {
        self.add(
            format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{SHA256_OF_NOTHING}\n{}",
                self.date_and_scope,
                self.previous,
                Hex(&hash),
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
                "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}",
                self.date_and_scope,
                self.previous,
                Hex(&hash),
            ),
            signature,
        )
    }

    fn add(&mut self, string_to_sign: String, signature: &[u8]) -> Result<(), BodyError> {
        let is_right = |provided: &Signature| self.key.verifies(&string_to_sign, provided);
        let Some(right) = Signature::from_hex(signature).filter(is_right) else {
            let provided = String::from_utf8_lossy(signature).to_string();
            return Err(BodyError::Signature { string_to_sign, provided });
        };
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
    use crate::sigv4::Day;
    use sha2::{Digest as _, Sha256};

    fn scope() -> Scope {
        Scope::new(Day::from_text(b"20130524").unwrap(), "us-east-1", "s3").unwrap()
    }

    fn seed<'a>(signing_key: &'a SigningKey, scope: &'a Scope) -> Seed<'a> {
        Seed {
            signing_key,
            date: AmzDate::from_iso8601(b"20130524T000000Z").unwrap(),
            scope,
            signature: Signature::from_hex(&[b'a'; 64]).unwrap(),
        }
    }

    #[test]
    fn a_wrong_signature_comes_back_with_what_should_have_been_signed() {
        let hash = Sha256::digest(b"chunk").into();
        let Err(BodyError::Signature { string_to_sign, provided }) =
            Chain::new(seed(&SigningKey::new([7; 32]), &scope())).add_chunk(hash, b"0badc0de\xff")
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
        let (key, scope) = (SigningKey::new([7; 32]), scope());
        assert_eq!(format!("{:?}", seed(&key, &scope)), "Seed(..)");
        assert_eq!(format!("{:?}", Chain::new(seed(&key, &scope))), "Chain(..)");
    }
}
