//! Voussoir's key server: it reads Keystone's Fernet key repository and hands the keys to the
//! proxies that check tokens, and it derives signing keys from the secrets of access keys for the
//! proxies that check AWS Signature Version 4.
//!
//! In reading order: [`cli`] and [`config`] say what is asked for, [`server`] puts the parts
//! together, `key_repository` finds out which keys are in force, `access_keys` who knows access keys
//! (`store`: we ourselves, `keystone`: Keystone's database), `changes` what of it has changed, `http` answers with them, and `connection` bounds what a client can do.
//! `schemas` compiles the documents of APIs and serves them. `keys` is the command that fills the store. `docs/key-server.md` documents the protocol, the
//! command line and the operation.

mod access_keys;
mod bearer_tokens;
mod changes;
pub mod cli;
mod clock;
mod complaint;
pub mod config;
mod connection;
pub mod database;
pub mod demo;
mod file;
mod http;
mod key_repository;
pub mod keys;
mod keystone;
pub mod logging;
mod metrics;
mod open_files;
pub mod policy;
mod quantity;
mod reload;
pub mod schemas;
pub mod server;
mod settle;
pub mod store;
mod tls;
