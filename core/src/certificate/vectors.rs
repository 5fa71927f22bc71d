//! Certificates and what Keystone and keystonemiddleware call them by (`tests/vectors/`).

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::ClientCertificate;
use crate::head::RequestHead;
use crate::refusal::Rejection;

#[derive(Deserialize)]
struct File {
    certificates: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    sha256: String,
    forwarded: String,
    thumbprint: String,
}

fn vectors() -> Vec<Vector> {
    let json = include_str!("../../../tests/vectors/client-certificates.json");
    serde_json::from_str::<File>(json).unwrap().certificates
}

fn seen(sha256: &str, forwarded: &[&str]) -> ClientCertificate {
    let headers: Vec<_> =
        forwarded.iter().map(|value| (&b"x-forwarded-client-cert"[..], value.as_bytes())).collect();
    ClientCertificate::of(Some(sha256.as_bytes()), RequestHead::new(&headers))
}

#[test]
fn every_certificate_is_called_as_keystone_calls_it() {
    let vectors = vectors();
    assert!(vectors.len() > 50);
    for Vector { name, sha256, forwarded, thumbprint } in &vectors {
        assert_eq!(seen(sha256, &[forwarded]).check(thumbprint), Ok(()), "{name}");
    }
}

#[test]
fn a_certificate_is_only_believed_to_be_the_connections() {
    let vectors = vectors();
    for (own, other) in vectors.iter().zip(vectors.iter().skip(1)) {
        // Forged: the token is another's, and so is the certificate that the header tells.
        assert_eq!(seen(&own.sha256, &[&other.forwarded]), ClientCertificate::Untold);
        let both = alloc::format!("{},{}", other.forwarded, own.forwarded);
        for forwarded in
            [&[both.as_str()][..], &[&other.forwarded, &own.forwarded], &[&own.forwarded, "Cert="]]
        {
            let seen = seen(&own.sha256, forwarded);
            assert_eq!(seen.check(&own.thumbprint), Ok(()));
            assert_eq!(seen.check(&other.thumbprint), Err(Rejection::CertificateWrong));
        }
    }
}

#[test]
fn without_the_connections_word_there_is_none() {
    let Vector { sha256, forwarded, .. } = &vectors()[0];
    let headers = [(&b"x-forwarded-client-cert"[..], forwarded.as_bytes())];
    let head = RequestHead::new(&headers);
    assert_eq!(ClientCertificate::of(None, head), ClientCertificate::None);
    for sha256 in ["", &sha256[2..], &sha256.replace('a', "g"), &sha256.to_uppercase()] {
        assert_eq!(seen(sha256, &[forwarded]), ClientCertificate::Untold, "{sha256}");
    }
    assert_eq!(seen(sha256, &[]), ClientCertificate::Untold);
    let other = [(&b"x-client-cert"[..], forwarded.as_bytes())];
    let seen = ClientCertificate::of(Some(sha256.as_bytes()), RequestHead::new(&other));
    assert_eq!(seen, ClientCertificate::Untold);
}
