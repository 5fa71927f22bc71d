//! A serialised header map from the host: pairs that came out go in again unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/host/pairs.rs"]
mod pairs;

fuzz_target!(|bytes: &[u8]| {
    if let Some(decoded) = pairs::decode(bytes) {
        let encoded = pairs::encode(&decoded);
        assert_eq!(pairs::decode(&encoded), Some(decoded));
    }
});
