//! The client's certificate, to which a token may be bound.
//!
//! Keystone binds a token to the SHA-256 of the certificate's *PEM text*
//! (`keystone/common/utils.py`, `get_certificate_thumbprint`), not of its DER as RFC 8705 (section
//! 3.1) has it. Of the certificate that the client has proven to own, the connection tells the
//! SHA-256 of the DER. So the certificate itself is needed as well, and the one place where the proxy
//! tells it is a header, `x-forwarded-client-cert`, that anybody can send. Nothing in that header is
//! believed: a certificate in it counts if its DER has the hash that the connection tells, and the text
//! is written anew from the DER.
//!
//! ```text
//!   header ─▶ forwarded.rs ─▶ DER ── SHA-256 ──▶ equal to the connection's? ─▶ PEM ─▶ Thumbprint
//! ```

mod forwarded;

#[cfg(test)]
mod vectors;

use alloc::string::String;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::head::RequestHead;
use crate::refusal::Rejection;
use crate::sigv4::hex_bytes;

/// What is known of the certificate with which the client has opened the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// There is none.
    None,
    /// There is one, and the proxy does not tell which.
    Untold,
    /// The one with this thumbprint.
    Known(Thumbprint),
}

/// What Keystone calls a certificate by: padded base64url of the SHA-256 of its PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbprint(String);

impl ClientCertificate {
    /// What there is to know from the hash of the certificate that the connection tells, in hexadecimal
    /// digits, and the headers of the request.
    #[must_use]
    pub fn of(sha256: Option<&[u8]>, head: RequestHead<'_>) -> Self {
        let Some(sha256) = sha256 else { return Self::None };
        let Some(sha256) = hex_bytes::<32>(sha256) else { return Self::Untold };
        let told = head.values(HEADER).flat_map(forwarded::certificates);
        let is_own = |der: &[u8]| Sha256::digest(der).as_slice().ct_eq(&sha256).into();
        let own = told.take(MAX_CERTIFICATES).find(|der| is_own(der));
        own.map_or(Self::Untold, |der| Self::Known(Thumbprint::of_der(&der)))
    }

    /// Whether a token with this thumbprint may be used by the client.
    pub fn check(&self, thumbprint: &str) -> Result<(), Rejection> {
        match self {
            Self::None => Err(Rejection::CertificateMissing),
            Self::Untold => Err(Rejection::CertificateUntold),
            Self::Known(own) if own.is(thumbprint) => Ok(()),
            Self::Known(_) => Err(Rejection::CertificateWrong),
        }
    }
}

#[cfg(test)]
impl ClientCertificate {
    pub(crate) fn known(thumbprint: &str) -> Self {
        Self::Known(Thumbprint(thumbprint.into()))
    }
}

impl Thumbprint {
    /// That of the certificate in the text that OpenSSL writes, as web servers give it to Keystone: lines
    /// of 64 characters, each with a newline at its end.
    fn of_der(der: &[u8]) -> Self {
        let mut sha256 = Sha256::new();
        sha256.update(BEGIN);
        for line in STANDARD.encode(der).as_bytes().chunks(64) {
            sha256.update(b"\n");
            sha256.update(line);
        }
        sha256.update(b"\n");
        sha256.update(END);
        sha256.update(b"\n");
        Self(URL_SAFE.encode(sha256.finalize()))
    }

    fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

const HEADER: &[u8] = b"x-forwarded-client-cert";
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The most certificates that are compared. Each proxy on the way may tell one.
const MAX_CERTIFICATES: usize = 16;

#[cfg(test)]
mod tests {
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn only_the_token_of_the_very_certificate_may_be_used() {
        let own = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0=";
        let known = ClientCertificate::known(own);
        assert_eq!(known.check(own), Ok(()));
        let unpadded = own.trim_end_matches('=');
        let other = own.replace('A', "B");
        for bound in ["", unpadded, &other, &own.to_ascii_lowercase(), &format!("{own}=")] {
            assert_eq!(known.check(bound), Err(Rejection::CertificateWrong), "{bound}");
        }
        assert_eq!(ClientCertificate::None.check(own), Err(Rejection::CertificateMissing));
        assert_eq!(ClientCertificate::Untold.check(own), Err(Rejection::CertificateUntold));
        assert_eq!(ClientCertificate::None.check(""), Err(Rejection::CertificateMissing));
    }
}
