//! The last steps of Signature Version 4: the key, the text that is signed, the signature.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::authorization::Algorithm;
use super::date::AmzDate;
use super::encoding::{Hex, hex_bytes};
use super::scope::{Scope, TERMINAL};
use crate::mac::hmac_sha256;

/// The key that signs for one access key in one [`Scope`]: derived from the secret, not the secret.
///
/// From a stolen one nobody gets to the secret, nor to the key of another day, region or service.
/// `Debug` does not show it, and it is wiped when it is dropped.
#[derive(Clone)]
pub struct SigningKey {
    bytes: Zeroizing<[u8; 32]>,
    mac: Hmac<Sha256>,
}

/// A signature, as a request claims it or as a key made it.
///
/// There is no `PartialEq`: [`SigningKey::verifies`] is the one way to compare, and it takes the
/// same time wherever two signatures differ, which others had to learn (minio a6318dbda, s3s 616).
///
/// ```
/// # use voussoir_core::sigv4::{Signature, SigningKey};
/// fn is_genuine(key: &SigningKey, claimed: &Signature) -> bool {
///     key.verifies("AWS4-HMAC-SHA256...", claimed)
/// }
/// ```
///
/// ```compile_fail,E0369
/// # use voussoir_core::sigv4::{Signature, SigningKey};
/// fn is_genuine(key: &SigningKey, claimed: &Signature) -> bool {
///     key.sign("AWS4-HMAC-SHA256...") == *claimed
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl SigningKey {
    /// A key that was derived elsewhere.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self { mac: hmac_sha256(&*bytes), bytes }
    }

    /// Derives the key from an access key's secret. This is for the key server: no proxy should
    /// ever see a secret.
    ///
    /// ```text
    /// HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service), "aws4_request")
    /// ```
    #[must_use]
    pub fn derive(secret: &[u8], scope: &Scope) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret);

        let next = |key: &[u8], message: &str| {
            Zeroizing::new(<[u8; 32]>::from(
                hmac_sha256(key).chain_update(message).finalize().into_bytes(),
            ))
        };
        let of_day = next(&first, &alloc::format!("{}", scope.day()));
        let of_region = next(&*of_day, scope.region());
        let of_service = next(&*of_region, scope.service());
        Self::new(*next(&*of_service, TERMINAL))
    }

    /// The key itself, for the answer of the key server.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Signs a string to sign.
    #[must_use]
    pub fn sign(&self, string_to_sign: &str) -> Signature {
        Signature(self.mac.clone().chain_update(string_to_sign).finalize().into_bytes().into())
    }

    /// Whether `signature` is the signature of a string to sign, compared in constant time.
    #[must_use]
    pub fn verifies(&self, string_to_sign: &str, signature: &Signature) -> bool {
        self.mac.clone().chain_update(string_to_sign).verify_slice(&signature.0).is_ok()
    }
}

impl Signature {
    /// Reads 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        hex_bytes(text).map(Self)
    }
}

/// The text that a request's signature signs.
#[must_use]
pub fn string_to_sign(date: AmzDate, scope: &Scope, canonical_request: &[u8]) -> String {
    let hash = Sha256::digest(canonical_request);
    let mut text = String::with_capacity(TYPICAL_STRING_TO_SIGN);
    // A string takes whatever there is memory for.
    let _ = write_string_to_sign(&mut text, date, scope, &hash);
    text
}

/// Without the machinery of `fmt`, which is slow for what every signature needs.
fn write_string_to_sign(
    to: &mut dyn fmt::Write,
    date: AmzDate,
    scope: &Scope,
    hash: &[u8],
) -> fmt::Result {
    to.write_str(Algorithm::HmacSha256.name())?;
    to.write_char('\n')?;
    date.write(to)?;
    to.write_char('\n')?;
    scope.write(to)?;
    to.write_char('\n')?;
    Hex(hash).write(to)
}

/// Bytes; with a long region it is more.
const TYPICAL_STRING_TO_SIGN: usize = 160;

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// As the request spells it.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::sigv4::date::Day;
    use alloc::format;
    use alloc::string::ToString;

    /// "Examples of how to derive a signing key for Signature Version 4", in AWS's General Reference.
    #[test]
    fn derives_the_documented_key() {
        let scope = Scope::new(Day::from_text(b"20150830").unwrap(), "us-east-1", "iam").unwrap();
        let key = SigningKey::derive(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope);
        let hex = Hex(key.expose()).to_string();
        assert_eq!(hex, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }

    #[test]
    fn verifies_its_own_signatures_and_no_others() {
        let key = SigningKey::new([7; 32]);
        let signature = key.sign("text");
        assert!(key.verifies("text", &signature));
        assert!(!key.verifies("Text", &signature));
        assert!(!SigningKey::new([8; 32]).verifies("text", &signature));
        for bit in 0..256 {
            let mut other = signature;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verifies("text", &other));
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        assert_eq!(format!("{:?}", SigningKey::new([7; 32])), "SigningKey(..)");
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let text = "0123456789abcdef".repeat(4);
        assert_eq!(Signature::from_hex(text.as_bytes()).unwrap().to_string(), text);
        for other in [text.to_uppercase(), text[1..].into(), format!("{text}0"), String::new()] {
            assert!(Signature::from_hex(other.as_bytes()).is_none());
        }
    }
}
