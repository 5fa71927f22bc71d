//! The head of a signed request: headers that nobody controls are read, and no key is found for them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::head::RequestHead;
use voussoir_core::sigv4::{Claim, DEFAULT_MAX_SKEW, SigningKey};
use voussoir_core::time::UnixTime;

fuzz_target!(|text: &[u8]| {
    // One header a line, `name=value`; what comes before them makes a request of it.
    let mut headers: Vec<(&[u8], &[u8])> =
        vec![(b":method", b"GET"), (b":authority", b"a.example")];
    headers.extend(text.split(|byte| *byte == b'\n').filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'=')?;
        Some((&line[..at], &line[at + 1..]))
    }));
    // 2013-05-24T00:00:00Z, the date of AWS's examples and of the corpus.
    let now = UnixTime::from_secs(1_369_353_600);
    match Claim::from_head(RequestHead::new(&headers), now, DEFAULT_MAX_SKEW) {
        Ok(None) => {}
        // A fuzzer cannot forge an HMAC: what verifies would be a finding.
        Ok(Some(claim)) => {
            let claim = claim.with_body_sha256([0; 32]);
            assert!(claim.verify(&SigningKey::new([7; 32]), now).is_err());
        }
        Err(error) => {
            assert!(matches!(error.status(), 400 | 403 | 411 | 501));
            assert!(!error.to_string().is_empty());
        }
    }
});
