//! Who gets keys: bearer tokens, TLS, client certificates, and their change while the server runs.

use std::fs;
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use voussoir_core::record::TOKEN_KEYS_PATH;

use crate::authority::{Authority, TLS, TlsClient};
use crate::world::{AUTHORIZATION, Files, Running, TOKEN, ask, soon};

#[tokio::test]
async fn bearer_tokens_change_without_a_restart() {
    let files = Files::new();
    let server = Running::start(&files, "--bearer-tokens @/tokens").await;
    let status = async |token: &str| {
        let header = format!("authorization: Bearer {token}\r\n");
        server.get(TOKEN_KEYS_PATH, &header).await.status
    };
    let other = "fedcba9876543210-token";
    assert_eq!((status(TOKEN).await, status(other).await), (200, 401));

    fs::write(files.path("tokens"), format!("{TOKEN}\n{other}\n")).unwrap();
    assert!(soon(async || status(other).await == 200).await);
    assert_eq!(status(TOKEN).await, 200, "both are valid");

    fs::write(files.path("tokens"), format!("{other}\n")).unwrap();
    assert!(soon(async || status(TOKEN).await == 401).await);

    fs::write(files.path("tokens"), "").unwrap();
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(status(other).await, 200, "an empty file is refused");
}

#[tokio::test]
async fn keys_travel_over_tls() {
    let files = Files::new();
    let authority = Authority::new();
    authority.write_server_files(&files);
    let server = Running::start(&files, &format!("{TLS} --bearer-tokens @/tokens")).await;
    for version in [&TLS12, &TLS13] {
        let client = TlsClient { version, ..TlsClient::trusting(&authority) };
        let answer = client.get(&server, TOKEN_KEYS_PATH, AUTHORIZATION).await.unwrap();
        assert_eq!(answer.keys(), [1, 0]);
    }
    let client = TlsClient { alpn: b"h2", ..TlsClient::trusting(&authority) };
    let stream = client.connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let strangers = Authority::new();
    assert!(TlsClient::trusting(&strangers).connect(&server).await.is_err());
    assert!(ask(&mut server.connect().await, "/healthz", "").await.is_none(), "plain HTTP");
}

#[tokio::test]
async fn with_a_client_ca_keys_are_for_its_certificates_and_probes_for_all() {
    let files = Files::new();
    let (authority, clients) = (Authority::new(), Authority::new());
    authority.write_server_files(&files);
    fs::write(files.path("clients.crt"), clients.0.pem()).unwrap();
    let server = Running::start(&files, &format!("{TLS} --client-ca @/clients.crt")).await;

    for version in [&TLS12, &TLS13] {
        let known = TlsClient {
            certificate: Some(clients.issue("edge")),
            version,
            ..TlsClient::trusting(&authority)
        };
        assert_eq!(known.get(&server, TOKEN_KEYS_PATH, "").await.unwrap().keys(), [1, 0]);

        let unknown = TlsClient { version, ..TlsClient::trusting(&authority) };
        let answer = unknown.get(&server, TOKEN_KEYS_PATH, AUTHORIZATION).await.unwrap();
        assert_eq!(answer.status, 403);
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(unknown.get(&server, path, "").await.unwrap().status, 200);
        }

        let stranger = TlsClient {
            certificate: Some(authority.issue("edge")),
            version,
            ..TlsClient::trusting(&authority)
        };
        assert!(stranger.get(&server, "/healthz", "").await.is_none(), "of another authority");
    }
}

#[tokio::test]
async fn certificates_change_without_a_restart() {
    let files = Files::new();
    let (old, new) = (Authority::new(), Authority::new());
    old.write_server_files(&files);
    let server = Running::start(&files, &format!("{TLS} --bearer-tokens @/tokens")).await;
    let trusted = async |authority: &Authority| {
        TlsClient::trusting(authority).get(&server, "/healthz", "").await.is_some()
    };
    let mut held = TlsClient::trusting(&old).connect(&server).await.unwrap();
    assert!(trusted(&old).await);

    fs::write(files.path("tls.crt"), new.issue("keyserver").0).unwrap();
    sleep(Duration::from_millis(2500)).await;
    assert!(trusted(&old).await, "a certificate without its key is refused");

    new.write_server_files(&files);
    assert!(soon(async || trusted(&new).await).await);
    assert!(!trusted(&old).await);
    assert!(ask(&mut held, "/healthz", "").await.is_some(), "a connection stays");
}
