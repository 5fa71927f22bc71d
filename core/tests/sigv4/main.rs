//! Signature Version 4 from the outside, by the public interface alone: against two independent
//! signers, against the cases that verifiers get wrong, and against those that made the news.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "these are tests")]

mod advisories;
mod botocore;
mod change;
mod chunks;
mod differential;
mod hardest_cases;
mod random;
mod request;
mod sample;
mod suite;
mod verdict;
