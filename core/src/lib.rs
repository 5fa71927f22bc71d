//! What Voussoir decides: whether a request is authentic, and what to do about it.
//!
//! Everything here is a value that goes in or a value that comes out. There is no host, no clock,
//! no I/O and no randomness; the same core runs inside a proxy's WebAssembly engine, in native
//! tests and in fuzzers, and built alone as WebAssembly it imports nothing.
//!
//! ```text
//!             Input + now                       Want, Event + now
//!   request ─────────────▶ gate::Gate ◀─ Keys ─ keys::KeyStore ◀───────────── shared data,
//!           ◀─────────────     │      ◀─ records ─ cache::Cache ──────────────▶ key server
//!               Effect         │                                     Action
//!                              ▼                      ▼
//!          fernet, jws, token, sigv4, identity   record, fetch
//! ```
//!
//! **The contract of all machines: hand in one input, carry out what comes back, then wait.**
//! [`gate::Gate`] answers each input with one effect; [`keys::KeyStore`], [`cache::Cache`] and
//! [`feed::ChangeFeed`] are drained until they have no more actions.
//!
//! Read [`gate`] first, then [`keys`] and [`cache`], then [`feed`], by which every worker learns what
//! has changed; [`fernet`], [`jws`], [`token`] and [`sigv4`] are books of their own, and the rest
//! are leaves.

#![no_std]

extern crate alloc;

pub mod access_keys;
pub mod access_rules;
pub mod acl;
pub mod audit;
pub mod bypass;
pub mod cache;
pub mod catalogs;
pub mod certificate;
pub mod complete_body;
pub mod config;
pub mod feed;
pub mod fernet;
pub mod fetch;
#[cfg(test)]
mod fleet;
pub mod gate;
pub mod head;
pub mod identities;
pub mod identity;
mod json;
pub mod jws;
pub mod keys;
pub mod listener_check;
mod mac;
pub mod recent;
pub mod record;
pub mod refusal;
pub mod revocation;
pub mod routes;
mod rows;
pub mod schema;
pub mod secret;
mod shared;
pub mod sigv4;
mod sorted;
pub mod source;
mod split;
pub mod time;
pub mod token;
pub mod validation;
pub mod validations;
