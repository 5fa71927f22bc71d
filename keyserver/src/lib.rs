//! Voussoir's key server: it reads Keystone's Fernet key repository and hands the keys to the
//! proxies that check tokens.
//!
//! In reading order: [`cli`] and [`config`] say what is asked for, [`server`] puts the parts
//! together, `key_repository` finds out which keys are in force, `http` answers with them, and
//! `connection` bounds what a client can do. `docs/key-server.md` documents the protocol, the
//! command line and the operation.

mod bearer_tokens;
pub mod cli;
mod clock;
pub mod config;
mod connection;
pub mod demo;
mod file;
mod http;
mod key_repository;
pub mod logging;
mod metrics;
mod open_files;
mod reload;
pub mod server;
mod settle;
mod tls;
