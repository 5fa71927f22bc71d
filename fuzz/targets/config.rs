//! A configuration, as JSON text or as a binary `google.protobuf.Struct`: read, or refused in words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::config::Config;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = Config::parse(bytes) {
        assert!(!error.field().is_empty());
        assert!(!error.to_string().is_empty());
    }
});
