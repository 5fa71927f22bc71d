//! From the key repository to the answer.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use voussoir_core::jws::PublicKey;
use voussoir_core::record::{KeySet, TOKEN_KEYS_PATH};

use crate::world::{Files, Running, ask, soon};

#[tokio::test]
async fn a_rotation_shows_within_a_second() {
    let files = Files::new();
    let server = Running::start(&files, "--allow-unauthenticated").await;
    let before = server.get(TOKEN_KEYS_PATH, "").await;
    assert_eq!(before.keys(), [1, 0]);
    let etag = before.head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let held = format!("if-none-match: {etag}\r\n");
    assert_eq!(server.get(TOKEN_KEYS_PATH, &held).await.status, 304);

    files.rotate(2);
    let rotated = Instant::now();
    let mut stream = server.connect().await;
    loop {
        let answer = ask(&mut stream, TOKEN_KEYS_PATH, &held).await.unwrap();
        assert!(rotated.elapsed() < Duration::from_secs(1), "too late");
        if answer.status == 200 {
            assert_eq!(answer.keys(), [2, 1, 0]);
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn half_a_rotation_and_a_vanished_repository_leave_the_last_set_in_force() {
    let files = Files::new();
    let server = Running::start(&files, "--allow-unauthenticated").await;
    fs::rename(files.path("fernet-keys/0"), files.path("fernet-keys/2")).unwrap();
    sleep(Duration::from_millis(700)).await;
    assert_eq!(server.get(TOKEN_KEYS_PATH, "").await.keys(), [1, 0]);
    fs::rename(files.path("fernet-keys"), files.path("elsewhere")).unwrap();
    sleep(Duration::from_millis(700)).await;
    assert_eq!(server.get(TOKEN_KEYS_PATH, "").await.keys(), [1, 0]);
    assert_eq!(server.get("/readyz", "").await.status, 200);
    let metrics = server.get("/metrics", "").await.body;
    for reason in ["no_staged_key", "unreadable"] {
        let metric = format!("voussoir_keyserver_refused_snapshots_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&metric), "{metrics}");
    }
}

#[tokio::test]
async fn a_repository_that_is_filled_later_is_served_then() {
    let files = Files::new();
    fs::rename(files.path("fernet-keys/0"), files.path("0")).unwrap();
    let server = Running::start(&files, "--allow-unauthenticated").await;
    assert_eq!(server.get(TOKEN_KEYS_PATH, "").await.status, 503);
    assert_eq!(server.get("/readyz", "").await.status, 503);
    assert_eq!(server.get("/healthz", "").await.status, 200);
    fs::rename(files.path("0"), files.path("fernet-keys/0")).unwrap();
    assert!(soon(async || server.get("/readyz", "").await.status == 200).await);
    assert_eq!(server.get(TOKEN_KEYS_PATH, "").await.keys(), [1, 0]);
}

#[tokio::test]
async fn public_keys_come_and_go() {
    let vectors = include_str!("../../../tests/vectors/keystone-30-jws.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let pem = |index: usize| vectors["keys"][index].as_str().unwrap();
    let files = Files::new();
    fs::create_dir(files.path("public")).unwrap();
    fs::write(files.path("public/one.pem"), pem(0)).unwrap();
    let flags = "--allow-unauthenticated --jws-public-keys @/public";
    let server = Running::start(&files, flags).await;
    let public = async || {
        let answer = server.get(TOKEN_KEYS_PATH, "").await;
        assert_eq!(answer.keys(), [1, 0], "the Fernet keys are there all the while");
        let keys = KeySet::from_json(answer.body.as_bytes()).unwrap();
        keys.public_keys().unwrap().iter().map(PublicKey::to_base64).collect::<Vec<_>>()
    };
    let one = public().await;
    assert_eq!(one.len(), 1);
    assert!(pem(0).replace('\n', "").contains(&one[0]));

    fs::write(files.path("public/two.pem"), pem(1)).unwrap();
    assert!(soon(async || public().await.len() == 2).await);
    // A file that is no key leaves the last set in force, until it is gone.
    fs::write(files.path("public/README"), "keys").unwrap();
    fs::remove_file(files.path("public/one.pem")).unwrap();
    sleep(Duration::from_millis(700)).await;
    assert_eq!(public().await.len(), 2);
    let metrics = server.get("/metrics", "").await.body;
    assert!(
        metrics.contains("refused_snapshots_total{reason=\"invalid_public_key\"}"),
        "{metrics}"
    );
    fs::remove_file(files.path("public/README")).unwrap();
    assert!(soon(async || public().await.len() == 1).await);
    assert_ne!(public().await, one);
}
