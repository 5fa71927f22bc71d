//! The compact form: checked as far as it can be before a key is asked for.

use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::Signature;
use sha2::{Digest as _, Sha256};

use super::PublicKeys;
use super::claims::Claims;
use crate::split;
use crate::token::{MalformedPayload, Payload};

/// A text with the layout of a signed token. Nothing of it can be trusted yet.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// What the signature is of: header and claims as they were sent.
    sha256: [u8; 32],
    claims: Vec<u8>,
    signature: Signature,
}

/// What a token says whose signature a key verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When the token was made by its own words, in seconds since 1970.
    pub issued_at: u64,
    /// Everything else.
    pub payload: Payload,
}

/// A text that cannot be a signed token, whatever the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MalformedToken {
    /// The header is not the one of ES256, in one of the two spellings there are: another algorithm,
    /// another member, white space.
    Header,
    /// Claims or signature are not the one canonical base64url spelling of any bytes.
    NotBase64Url,
    /// Not three parts with a dot between each two.
    Parts,
    /// Not 64 bytes, or a number in it that is 0 or not below the order of the curve.
    Signature,
    /// Longer than the limit that the caller set.
    TooLong,
}

/// Why a token was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// A key verifies the signature, but the claims are none that Keystone writes. Whoever has the
    /// private key signed them so.
    Claims,
    /// None of the keys verifies the signature. The token comes back, since the keys may be out of
    /// date.
    NoKey(SignedToken),
}

impl SignedToken {
    /// Whether a text is meant to be a signed token rather than a Fernet token: the two begin
    /// differently, since a header begins with a brace and an envelope with its version.
    #[must_use]
    pub fn is_meant_by(text: &[u8]) -> bool {
        text.starts_with(b"eyJ")
    }

    /// Reads the text of a token, of at most `max_length` bytes.
    pub fn from_text(text: &[u8], max_length: usize) -> Result<Self, MalformedToken> {
        if text.len() > max_length {
            return Err(MalformedToken::TooLong);
        }
        let mut parts = split::parts(text, b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MalformedToken::Parts);
        };
        let signed = text.get(..header.len() + 1 + claims.len()).unwrap_or_default();
        if !HEADERS.iter().any(|known| known.as_bytes() == header) {
            return Err(MalformedToken::Header);
        }
        let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedToken::NotBase64Url);
        let (claims, signature) = (decode(claims)?, decode(signature)?);
        let signature = Signature::from_slice(&signature).map_err(|_| MalformedToken::Signature)?;
        Ok(Self { sha256: Sha256::digest(signed).into(), claims, signature })
    }

    /// Reads the claims if one of the keys verifies the signature.
    pub fn open(self, keys: &PublicKeys) -> Result<Opened, OpenError> {
        if !keys.iter().any(|key| key.verifies(&self.sha256, &self.signature)) {
            return Err(OpenError::NoKey(self));
        }
        let opened = Claims::from_json(&self.claims).and_then(Claims::open);
        opened.map_err(|MalformedPayload| OpenError::Claims)
    }
}

/// Shows the length of the claims alone: a token is a credential.
impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedToken({} bytes)", self.claims.len())
    }
}

/// `{"alg":"ES256","typ":"JWT"}` and `{"typ":"JWT","alg":"ES256"}`: what Keystone writes with today's
/// library for JWS, and with earlier ones. A header with anything else in it, such as `crit`, would change
/// what a token means.
const HEADERS: [&str; 2] =
    ["eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9", "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9"];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_headers_are_spelled_right() {
        for (encoded, json) in HEADERS
            .into_iter()
            .zip([r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"ES256"}"#])
        {
            assert_eq!(encoded, URL_SAFE_NO_PAD.encode(json));
            assert!(SignedToken::is_meant_by(encoded.as_bytes()));
        }
        assert!(!SignedToken::is_meant_by(b"gAAAAAB"));
    }
}
