//! The bytes inside a token, as if their HMAC were right: a fuzzer could never forge one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::token::Payload;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = Payload::decode(bytes) {
        assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
    }
});
