//! From the key repository to the answer.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use voussoir_core::record::TOKEN_KEYS_PATH;

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
