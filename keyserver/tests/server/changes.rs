//! From what changes to the feed.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use voussoir_core::record::{CHANGES_PATH, Change, Changes, Cursor};

use crate::signing_keys::Store;
use crate::world::{Files, Running, soon};

/// What an edge knows of the feed.
struct Edge<'a> {
    server: &'a Running,
    cursor: Cursor,
}

impl<'a> Edge<'a> {
    /// Begins once the server has something to tell.
    async fn new(server: &'a Running) -> Self {
        assert!(soon(async || server.get(CHANGES_PATH, "").await.status == 200).await);
        let answer = server.get(CHANGES_PATH, "").await;
        let answer = Changes::from_json(answer.body.as_bytes(), None).unwrap();
        assert_eq!((answer.changes, answer.more), (vec![], false));
        Self { server, cursor: answer.cursor }
    }

    async fn changes(&mut self) -> Vec<Change> {
        let answer = self.server.get(&Cursor::path(Some(&self.cursor)), "").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = Changes::from_json(answer.body.as_bytes(), Some(&self.cursor)).unwrap();
        self.cursor = answer.cursor;
        answer.changes
    }

    /// The next changes, which have to come within a second.
    async fn told(&mut self) -> Vec<Change> {
        let begun = Instant::now();
        loop {
            let changes = self.changes().await;
            if !changes.is_empty() {
                return changes;
            }
            assert!(begun.elapsed() < Duration::from_secs(1), "nothing is told");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn server(files: &Files, flags: &str) -> Running {
    let flags = format!("--allow-unauthenticated --change-poll 100ms {flags}");
    Running::start(files, &flags).await
}

#[tokio::test]
async fn every_command_on_the_store_is_told_and_to_every_server() {
    let files = Files::new();
    let store = Store(&files);
    store.create("");
    let (one, other) = (server(&files, Store::FLAGS).await, server(&files, Store::FLAGS).await);
    let (mut edge, mut elsewhere) = (Edge::new(&one).await, Edge::new(&other).await);
    let created = store.create("");
    let access_key = created["access_key"].as_str().unwrap();
    let expected = [Change::AccessKey(access_key.into())];
    assert_eq!(edge.told().await, expected);
    assert_eq!(elsewhere.told().await, expected);
    for command in ["disable", "enable", "delete"] {
        assert!(store.keys(&format!("{command} {access_key}")).status.success());
        assert_eq!(edge.told().await, expected, "{command}");
        assert_eq!(elsewhere.told().await, expected, "{command}");
    }
    assert_eq!(edge.changes().await, []);
    let keys: Vec<String> =
        (0..5).map(|_| store.create("")["access_key"].as_str().unwrap().to_owned()).collect();
    let mut told = Vec::new();
    while told.len() < keys.len() {
        told.extend(edge.told().await);
    }
    assert_eq!(told, keys.into_iter().map(Change::AccessKey).collect::<Vec<_>>(), "in order");
}

#[tokio::test]
async fn a_rotation_is_told() {
    let files = Files::new();
    let server = server(&files, "").await;
    let mut edge = Edge::new(&server).await;
    files.rotate(2);
    assert_eq!(edge.told().await, [Change::TokenKeys]);
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_makes_the_feed_silent() {
    let files = Files::new();
    let store = Store(&files);
    store.create("");
    let server = server(&files, Store::FLAGS).await;
    let mut edge = Edge::new(&server).await;
    let content = fs::read(files.path("store.db")).unwrap();
    fs::write(files.path("store.db"), "rubbish").unwrap();
    let status = async || server.get(CHANGES_PATH, "").await.status;
    assert!(soon(async || status().await == 503).await);
    let answer = server.get(CHANGES_PATH, "").await;
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["error"]["code"], json!(503));

    fs::write(files.path("store.db"), content).unwrap();
    assert!(soon(async || status().await == 200).await);
    let created = store.create("");
    let expected = Change::AccessKey(created["access_key"].as_str().unwrap().into());
    assert!(edge.told().await.contains(&expected));
}

#[tokio::test]
async fn a_server_that_just_started_knows_no_cursor_of_before() {
    let files = Files::new();
    let first = server(&files, "").await;
    let edge = Edge::new(&first).await;
    let second = server(&files, "").await;
    Edge::new(&second).await;
    let answer = second.get(&Cursor::path(Some(&edge.cursor)), "").await;
    assert_eq!(answer.status, 410, "{}", answer.body);
    let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["error"]["title"], json!("Gone"));
}
