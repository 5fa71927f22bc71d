//! The server over real connections, and the program itself. One binary, since each is linked with
//! all of the server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is all tests, and what helps them"
)]

mod access;
mod authority;
mod changes;
mod keys;
mod misbehaviour;
mod program;
mod signing_keys;
mod world;
