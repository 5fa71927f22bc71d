//! A text that is meant to be a signed token: it is read or refused, and a key does not open what it did not sign.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::jws::{PublicKey, PublicKeys, SignedToken};

fuzz_target!(|input: (&[u8], &[u8])| {
    let (text, pem) = input;
    if let Ok(key) = PublicKey::from_pem(pem) {
        let again = PublicKey::from_base64(key.to_base64().as_bytes());
        assert_eq!(again.as_ref(), Ok(&key));
    }
    if let Ok(token) = SignedToken::from_text(text, 4096) {
        let key = PublicKey::from_base64(KEY.as_bytes()).expect("it is one");
        let keys = PublicKeys::new([key]).expect("there is one");
        // No fuzzer comes by a signature.
        assert!(token.open(&keys).is_err());
    }
});

/// A key from `tests/vectors/keystone-30-jws.json`.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqQ4a7iHXifuRlrcRgniiP7IsFjX5AWLB/3KbEMU5G7NhILTkfO/Ne37VmClovHL8kVJmFZYjlkAV5GDvw9OJuQ==";
