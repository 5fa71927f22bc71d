//! Fernet: the sealed envelope that Keystone's tokens travel in.
//!
//! A token is the base64url form, without padding, of
//!
//! ```text
//! 0x80 | timestamp: u64, big endian | IV: 16 bytes | AES-128-CBC(PKCS #7) | HMAC-SHA-256: 32 bytes
//! ```
//!
//! where the HMAC covers everything before it (the Fernet specification, version 0x80; Keystone's
//! `keystone/token/token_formatters.py`). This module knows the envelope only; what is inside it is
//! [`crate::token`]'s.

mod envelope;
mod key;
mod ring;

pub use envelope::{Envelope, MalformedEnvelope, OpenError, Opened};
pub use key::{InvalidKey, Key};
pub use ring::{KeyRing, MAX_KEYS};
