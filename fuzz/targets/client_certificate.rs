//! Headers that tell client certificates: only one whose DER has the hash that the connection tells is
//! believed, wherever it stands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voussoir_core::certificate::ClientCertificate;
use voussoir_core::head::RequestHead;

/// The SHA-256 of `certificate`, and its text as a proxy tells it.
const SHA256: &[u8] = b"03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72";
const TOLD: &[u8] =
    b"Cert=\"-----BEGIN%20CERTIFICATE-----%0AY2VydGlmaWNhdGU%3D%0A-----END%20CERTIFICATE-----%0A\"";

fuzz_target!(|values: Vec<&[u8]>| {
    let of = |values: &[&[u8]]| {
        let headers: Vec<_> =
            values.iter().map(|value| (&b"x-forwarded-client-cert"[..], *value)).collect();
        ClientCertificate::of(Some(SHA256), RequestHead::new(&headers))
    };
    let own = of(&[TOLD]);
    assert!(matches!(own, ClientCertificate::Known(_)));
    let seen = of(&values);
    assert!(seen == own || seen == ClientCertificate::Untold);
    // What the proxy appends is found, whatever the client has sent.
    let appended = [values.concat().as_slice(), b",", TOLD].concat();
    assert_eq!(of(&[&appended]), own);
});
