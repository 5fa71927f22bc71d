//! What Voussoir decides: whether a request is authentic, and what to do about it.
//!
//! Everything here is a value that goes in or a value that comes out. There is no host, no clock,
//! no I/O and no randomness; the same core runs inside a proxy's WebAssembly engine, in native
//! tests and in fuzzers, and built alone as WebAssembly it imports nothing.
//!
//! ```text
//!             Input + now                       Want, Event + now
//!   request ─────────────▶ gate::Gate ◀─ Keys ─ keys::KeyStore ◀───────────── shared data,
//!           ◀─────────────     │      ◀─ a key  access_keys::   ─────────────▶ key server
//!               Effect         │             ─ AccessKeyStore       Action
//!                              ▼                      ▼
//!               fernet, token, sigv4, identity   record, fetch
//! ```
//!
//! **The contract of all machines: hand in one input, carry out what comes back, then wait.**
//! [`gate::Gate`] answers each input with one effect; [`keys::KeyStore`],
//! [`access_keys::AccessKeyStore`] and [`feed::ChangeFeed`] are drained until they have no more
//! actions.
//!
//! Read [`gate`] first, then [`keys`] and [`access_keys`], then [`feed`], by which every worker
//! learns what has changed; [`fernet`], [`token`] and [`sigv4`] are books of their own, and the rest
//! are leaves.

#![no_std]

extern crate alloc;

pub mod access_keys;
pub mod bypass;
pub mod config;
pub mod feed;
pub mod fernet;
pub mod fetch;
pub mod gate;
pub mod head;
pub mod identity;
pub mod keys;
pub mod listener_check;
mod mac;
pub mod record;
pub mod refusal;
pub mod secret;
mod shared;
pub mod sigv4;
pub mod time;
pub mod token;
