//! An authority that issues certificates for the tests, and clients that trust it.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::world::{Answer, Files, Running, ask};

/// An authority that signs certificates for the tests.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key in PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn write_server_files(&self, files: &Files) {
        let (certificate, key) = self.issue("keyserver");
        fs::write(files.path("tls.crt"), certificate).unwrap();
        fs::write(files.path("tls.key"), key).unwrap();
    }
}

pub(crate) struct TlsClient<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) certificate: Option<(String, String)>,
    pub(crate) alpn: &'static [u8],
    pub(crate) version: &'static SupportedProtocolVersion,
}

impl<'a> TlsClient<'a> {
    pub(crate) fn trusting(authority: &'a Authority) -> Self {
        Self { authority, certificate: None, alpn: b"http/1.1", version: &TLS13 }
    }

    pub(crate) async fn connect(&self, server: &Running) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let provider = ring::default_provider();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let name = ServerName::try_from("keyserver").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await
    }

    /// The answer over a new connection; `None` if there is no connection, or it ends before.
    pub(crate) async fn get(&self, server: &Running, path: &str, headers: &str) -> Option<Answer> {
        ask(&mut self.connect(server).await.ok()?, path, headers).await
    }
}

/// The flags for the files that [`Authority::write_server_files`] writes.
pub(crate) const TLS: &str = "--tls-certificate @/tls.crt --tls-private-key @/tls.key";
