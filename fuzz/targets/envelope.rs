//! The text of a token: it has one spelling, and nothing but a key opens it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::fernet::{Envelope, Key, KeyRing};

fuzz_target!(|text: &[u8]| {
    let key = Key::new(&[1; 16], &[2; 16]);
    let ring = KeyRing::new([(1, key.clone())]).expect("one key is a ring");

    // A fuzzer cannot forge an HMAC: what opens would be a finding.
    if let Ok(envelope) = Envelope::from_text(text, 4096) {
        assert!(envelope.open(&ring).is_err());
    }
    // Whatever is sealed comes back, and its text is the only one for it.
    let sealed = key.seal_text(7, &[3; 16], text);
    let opened = Envelope::from_text(sealed.as_bytes(), usize::MAX)
        .expect("a sealed text has the layout")
        .open(&ring)
        .expect("its key opens it");
    assert_eq!(opened.payload, text);
});
