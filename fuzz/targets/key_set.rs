//! A key server's body: what is read is written again as it was understood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::record::KeySet;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(keys) = KeySet::from_json(bytes)
        && let Ok(ring) = keys.ring()
    {
        let json = serde_json::to_vec(&keys).expect("a key set is text");
        let again = KeySet::from_json(&json).expect("it is read again").ring();
        assert_eq!(again.expect("it is the same ring").len(), ring.len());
    }
});
