//! Voussoir: a proxy-wasm filter that checks Keystone's tokens and AWS's signatures inside the proxy.
//!
//! Here is glue and nothing else: callbacks become inputs of `voussoir_core`, its effects become
//! host calls. What is decided, and why, is in the core.
//!
//! ```text
//!              contexts.rs ──┬── http.rs ──┐             ┌── gate::Gate, one per request
//!                   ▲        │             ├── worker/ ◀─┤
//!                   │        └── root.rs ──┘     │       └── keys::KeyStore, cache::Cache,
//!   proxy ──▶ host/callbacks.rs                  │           RevocationList, ChangeFeed: per worker
//!         ◀────── host/ ◀────────────────────────┘
//!                   the ABI, the one place with `unsafe`
//! ```

// Off WebAssembly there is no host to link with. What can be tested natively is in the core, and in
// `host/pairs.rs`.
#[cfg(target_arch = "wasm32")]
mod contexts;
#[cfg(target_arch = "wasm32")]
mod host;
#[cfg(target_arch = "wasm32")]
mod http;
#[cfg(target_arch = "wasm32")]
mod metrics;
#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "host/pairs.rs"]
mod pairs;
#[cfg(target_arch = "wasm32")]
mod root;
#[cfg(target_arch = "wasm32")]
mod worker;
