//! What is inside a token: Keystone's payloads, all versions.
//!
//! A payload is a MessagePack array that begins with its version; the versions differ in which
//! fields follow, and in which order (`keystone/token/token_formatters.py`, the classes named
//! `…Payload`). A payload holds ids only: no names, no roles, and nothing about whether the user is
//! still enabled.

mod encode;
mod expiry;
mod id;
mod methods;
mod msgpack;
mod payload;
#[cfg(test)]
pub(crate) mod said;
#[cfg(test)]
mod vectors;

pub use expiry::Expiry;
pub use id::{Id, MAX_TEXT};
pub use methods::{MAX_METHODS, MethodNames, Methods};
pub use payload::{
    AuditId, AuditIds, Delegation, Federation, Kind, MAX_GROUPS, Payload, PayloadError, Scope,
};

/// Bytes that are not the payload they claim to be. Whoever holds the key sealed them so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedPayload;
