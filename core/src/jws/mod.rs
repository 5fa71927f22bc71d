//! Keystone's signed tokens: `[token] provider = jws`.
//!
//! Such a token is a JWS in its compact form (RFC 7515, section 7.1),
//!
//! ```text
//! base64url(header) . base64url(claims) . base64url(r: 32 bytes | s: 32 bytes)
//! ```
//!
//! with the algorithm ES256 (RFC 7518, section 3.4), made by `keystone/token/providers/jws/core.py`.
//! Nothing in it says which key it was signed with: all of them are tried. Whoever has the public keys can
//! read tokens and can make none.
//!
//! **A token has two spellings.** If `(r, s)` is a signature, so is `(r, n - s)`, which anybody can make
//! of it. Keystone takes both and, since it writes whichever comes out, so must we. Nothing may depend
//! on there being one text only; what is revoked is revoked by what the token says.

mod claims;
mod key;
mod token;
#[cfg(test)]
mod vectors;

pub use key::{InvalidPublicKey, MAX_KEYS, PublicKey, PublicKeys};
pub use token::{MalformedToken, OpenError, Opened, SignedToken};
