//! The compiler and what becomes of its documents, from the outside: against the official test suite, against
//! another validator, and with requests to an API. One binary, since each is linked with that validator.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is all tests, and what helps them"
)]

mod common;
mod oracle;
mod refused;
mod requests;
mod suite;
