//! TLS (RFC 8446, RFC 5246): the certificate by which edges know this server, and the authorities
//! whose certificates it knows edges by.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use voussoir_core::secret::Secret;

use crate::reload::FromFiles;

/// What a handshake needs. Versions are TLS 1.2 and 1.3, the suites are rustls' own choice.
pub(crate) struct Tls(pub(crate) Arc<ServerConfig>);

impl Tls {
    fn new(
        certificate: &[u8],
        private_key: &[u8],
        client_ca: Option<&[u8]>,
    ) -> Result<Self, InvalidTls> {
        let chain = certificates(certificate).ok_or(InvalidTls::Certificate)?;
        // The parser's errors are not told: they quote what they stumbled over.
        let key = PrivateKeyDer::from_pem_slice(private_key).map_err(|_| InvalidTls::PrivateKey)?;

        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(InvalidTls::Pair)?;
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(client_ca) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(client_ca).ok_or(InvalidTls::ClientCa(None))? {
                    roots.add(authority).map_err(|why| InvalidTls::ClientCa(Some(why)))?;
                }
                // A client may come without a certificate, because probes and Prometheus have
                // none; it then gets no keys (`http/auth.rs`). One that is presented must be good.
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(InvalidTls::Verifier)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        // Checks that the key belongs to the certificate, and with that, that a pair of files is
        // not half replaced.
        let mut config = builder.with_single_cert(chain, key).map_err(InvalidTls::Pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl FromFiles for Tls {
    const FILES: &'static str = "tls";
    type Error = InvalidTls;

    fn from_files(contents: &[Secret]) -> Result<Self, InvalidTls> {
        let mut contents = contents.iter().map(Secret::expose);
        Self::new(
            contents.next().unwrap_or_default(),
            contents.next().unwrap_or_default(),
            contents.next(),
        )
    }
}

/// The certificates in a PEM file (RFC 7468); `None` if there is none, or a broken one.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}

/// Why files are no TLS configuration.
#[derive(Debug)]
pub(crate) enum InvalidTls {
    /// No certificate in PEM.
    Certificate,
    /// No certificate of an authority in PEM, or one that cannot be used.
    ClientCa(Option<rustls::Error>),
    /// The certificate and the private key do not belong together, or are of no use.
    Pair(rustls::Error),
    /// No private key in PEM.
    PrivateKey,
    /// The authorities cannot be used.
    Verifier(VerifierBuilderError),
}

impl fmt::Display for InvalidTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("--tls-certificate is no certificate chain in PEM"),
            Self::ClientCa(None) => f.write_str("--client-ca is no certificate in PEM"),
            Self::ClientCa(Some(why)) => write!(f, "--client-ca cannot be used: {why}"),
            Self::Pair(why) => {
                write!(f, "--tls-certificate and --tls-private-key cannot be used together: {why}")
            }
            Self::PrivateKey => f.write_str("--tls-private-key is no unencrypted key in PEM"),
            Self::Verifier(why) => write!(f, "--client-ca cannot be used: {why}"),
        }
    }
}

impl Error for InvalidTls {}
