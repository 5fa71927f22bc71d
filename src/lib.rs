//! Voussoir: a proxy-wasm filter that checks Keystone's tokens and AWS's signatures inside the proxy.
//!
//! Here is glue and nothing else: callbacks become inputs of `voussoir_core`, its effects become
//! host calls. What is decided, and why, is in the core.
//!
//! ```text
//!   http.rs ──┐                        ┌── gate::Gate, one per request
//!             ├── worker/ ◀────────────┤
//!   root.rs ──┘       │                └── keys::KeyStore, cache::Cache,
//!                     │                    RevocationList, ChangeFeed: per worker
//!                  host/ ── the ABI, the one place with `unsafe`
//! ```

// Off WebAssembly there is no host to link with. What can be tested natively is in the core, and in
// `host/pairs.rs`.
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
mod phases;
#[cfg(target_arch = "wasm32")]
mod root;
#[cfg(target_arch = "wasm32")]
mod worker;

#[cfg(target_arch = "wasm32")]
mod start {
    proxy_wasm::main! {{
        // Also makes a panic say where it was. Nothing here logs through the SDK.
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Warn);
        proxy_wasm::set_root_context(|context_id| Box::new(crate::root::Root::new(context_id)));
    }}
}
