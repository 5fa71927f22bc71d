//! Access keys of our own, from `keys create` to a signing key.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use voussoir_core::record::{
    SIGNING_KEYS_PATH, SigningKeyAnswer, SigningKeyRequest, TOKEN_KEYS_PATH,
};
use voussoir_core::sigv4::{Day, Scope, SigningKey};
use voussoir_core::time::UnixTime;

use crate::world::{Answer, Files, Running, soon};

/// A store in the directory of the files.
pub(crate) struct Store<'a>(pub(crate) &'a Files);

impl Store<'_> {
    pub(crate) const FLAGS: &'static str = "--store sqlite:@/store.db --store-key @/store-key";

    pub(crate) fn keys(&self, flags: &str) -> Output {
        self.keys_with(flags, "")
    }

    /// `voussoir-keyserver keys` with something on stdin.
    fn keys_with(&self, flags: &str, stdin: &str) -> Output {
        use std::io::Write as _;
        let (command, flags) = flags.split_once(' ').unwrap_or((flags, ""));
        let words = format!("keys {command} {} {flags}", Self::FLAGS);
        let words = words.replace('@', self.0.0.path().to_str().unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_voussoir-keyserver"))
            .args(words.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn create(&self, flags: &str) -> Value {
        let output = self.keys(&format!("create --format json --user-id u1 {flags}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn list(&self) -> Value {
        serde_json::from_slice(&self.keys("list --format json").stdout).unwrap()
    }
}

impl Running {
    async fn post(&self, content_type: &str, body: &str) -> Answer {
        let mut stream = self.connect().await;
        let head = format!(
            "POST {SIGNING_KEYS_PATH} HTTP/1.1\r\nhost: keyserver\r\ncontent-type: {content_type}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn ask(&self, access_key: &str, date: &str) -> Answer {
        let question = json!({
            "access_key": access_key, "date": date, "region": "us-east-1", "service": "s3",
        });
        self.post("application/json", &question.to_string()).await
    }

    /// The answer to a question of today, which is one.
    async fn key(&self, access_key: &str) -> SigningKeyAnswer {
        self.key_of(access_key, &day(0)).await
    }

    async fn key_of(&self, access_key: &str, date: &str) -> SigningKeyAnswer {
        let answer = self.ask(access_key, date).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let request = SigningKeyRequest {
            access_key: access_key.into(),
            date: date.into(),
            region: "us-east-1".into(),
            service: "s3".into(),
        };
        SigningKeyAnswer::from_json(answer.body.as_bytes(), &request).unwrap()
    }

    async fn reason(&self, access_key: &str) -> Value {
        let answer = self.ask(access_key, &day(0)).await;
        assert_eq!(answer.status, 404, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["error"]["reason"].clone()
    }
}

/// A day some days from now.
fn day(from_now: i64) -> String {
    let now = i64::try_from(now().as_secs()).unwrap() + 86_400 * from_now;
    let time = UnixTime::from_secs(u64::try_from(now).unwrap()).to_string();
    time[..10].replace('-', "")
}

#[expect(clippy::disallowed_methods, reason = "the server under test reads the clock as well")]
fn now() -> UnixTime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixTime::from_secs(now.as_secs())
}

fn derived(secret: &str, date: &str) -> SigningKey {
    let day = Day::from_text(date.as_bytes()).unwrap();
    SigningKey::derive(secret.as_bytes(), &Scope::new(day, "us-east-1", "s3").unwrap())
}

async fn server(files: &Files) -> Running {
    Running::start(files, &format!("--allow-unauthenticated {}", Store::FLAGS)).await
}

#[tokio::test]
async fn a_key_that_was_made_signs_for_its_owner() {
    let files = Files::new();
    let created = Store(&files).create(
        "--user-name Ann --user-domain-id d1 --user-domain-name Users --project-id p1 \
         --project-name Photos --project-domain-id d2 --role member --role reader",
    );
    let access_key = created["access_key"].as_str().unwrap();
    let server = server(&files).await;
    for days in [0, -7] {
        let answer = server.key_of(access_key, &day(days)).await;
        let key = derived(created["secret"].as_str().unwrap(), &day(days));
        assert_eq!(answer.signing_key.expose(), key.expose());
        assert_eq!(
            serde_json::to_value(&answer.credential).unwrap(),
            json!({
                "user": {"id": "u1", "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
                "project": {"id": "p1", "name": "Photos", "domain": {"id": "d2"}},
                "roles": [{"name": "member"}, {"name": "reader"}],
            })
        );
    }
}

#[tokio::test]
async fn a_key_is_switched_off_and_on_and_deleted_at_once() {
    let files = Files::new();
    let store = Store(&files);
    let created = store.create("");
    let access_key = created["access_key"].as_str().unwrap();
    let server = server(&files).await;
    assert_eq!(server.ask(access_key, &day(0)).await.status, 200);
    assert!(store.keys(&format!("disable {access_key}")).status.success());
    assert_eq!(server.reason(access_key).await, "access_key_disabled");
    assert_eq!(store.list()[0]["status"], "disabled");
    assert!(store.keys(&format!("enable {access_key}")).status.success());
    assert!(store.keys(&format!("enable {access_key}")).status.success(), "twice is no fault");
    assert_eq!(server.ask(access_key, &day(0)).await.status, 200);
    assert!(store.keys(&format!("delete {access_key}")).status.success());
    assert_eq!(server.reason(access_key).await, "access_key_unknown");
    for command in ["disable", "enable", "delete"] {
        let output = store.keys(&format!("{command} {access_key}"));
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("there is no access key"));
    }
}

#[tokio::test]
async fn a_temporary_key_ends_and_names_its_session_token_by_hash() {
    let files = Files::new();
    let store = Store(&files);
    let created = store.create("--expires-in 2s --session-token");
    let access_key = created["access_key"].as_str().unwrap();
    let token = created["session_token"].as_str().unwrap();
    let server = server(&files).await;
    let record = server.key(access_key).await.credential;
    assert!(record.session_token_sha256.unwrap().matches(token.as_bytes()));
    assert!(!server.ask(access_key, &day(0)).await.body.contains(token));
    let bytes = fs::read(files.path("store.db")).unwrap();
    assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    assert!(soon(async || server.ask(access_key, &day(0)).await.status == 404).await);
    assert_eq!(server.reason(access_key).await, "access_key_expired");
}

#[tokio::test]
async fn an_access_key_from_elsewhere_is_taken_over() {
    let files = Files::new();
    let store = Store(&files);
    let output =
        store.keys_with("create --user-id u1 --access-key a/B --secret-file -", "s3cret\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = store.keys_with("create --user-id u1 --access-key a/B --secret-file -", "other\n");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"));
    let server = server(&files).await;
    let key = server.key("a/B").await.signing_key;
    assert_eq!(key.expose(), derived("s3cret", &day(0)).expose());
    for other in ["a/b", "A/B", "a/B ", "' OR '1'='1", "%", "a_B", "a/B'--"] {
        if other.contains(' ') {
            assert_eq!(server.ask(other, &day(0)).await.status, 400, "{other}");
        } else {
            assert_eq!(server.reason(other).await, "access_key_unknown", "{other}");
        }
    }
}

#[tokio::test]
async fn what_is_no_question_is_told_why() {
    let files = Files::new();
    let created = Store(&files).create("");
    let access_key = created["access_key"].as_str().unwrap();
    let server = server(&files).await;
    let question = |changes: Value| {
        let mut question = json!({
            "access_key": access_key, "date": day(0), "region": "us-east-1", "service": "s3",
        });
        question.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        question.to_string()
    };
    let good = question(json!({}));
    for (content_type, body, status) in [
        ("application/json", good.clone(), 200),
        ("Application/JSON; charset=utf-8", good.clone(), 200),
        ("application/json", question(json!({"later": 1})), 200),
        ("text/plain", good.clone(), 415),
        ("application/jsonx", good.clone(), 415),
        ("", good.clone(), 415),
        ("application/json", String::new(), 400),
        ("application/json", "[]".into(), 400),
        ("application/json", good[1..].into(), 400),
        ("application/json", question(json!({"access_key": 1})), 400),
        ("application/json", question(json!({"access_key": ""})), 400),
        ("application/json", question(json!({"access_key": "a b"})), 400),
        ("application/json", question(json!({"access_key": "\u{0}"})), 400),
        ("application/json", question(json!({"access_key": "é"})), 400),
        ("application/json", question(json!({"access_key": "a".repeat(129)})), 400),
        ("application/json", question(json!({"region": "us/east"})), 400),
        ("application/json", question(json!({"date": "2026-11-22"})), 400),
        ("application/json", question(json!({"date": day(2)})), 400),
        ("application/json", question(json!({"date": day(-9)})), 400),
        ("application/json", question(json!({"pad": "a".repeat(8 * 1024)})), 413),
    ] {
        let answer = server.post(content_type, &body).await;
        assert_eq!(answer.status, status, "{content_type} {body}");
        assert!(answer.head.contains("voussoir-protocol: 1"), "{}", answer.head);
        if status != 200 {
            let error: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(error["error"]["code"], status);
            assert_eq!(error["error"]["reason"], Value::Null);
        }
    }
    let answer = server.get(SIGNING_KEYS_PATH, "").await;
    assert_eq!(answer.status, 405);
    assert!(answer.head.contains("allow: POST"), "{}", answer.head);
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_takes_nothing_else_down() {
    let files = Files::new();
    Store(&files).create("");
    let server = server(&files).await;
    let metric = |up| format!("voussoir_keyserver_access_key_source_up{{source=\"store\"}} {up}");
    assert!(soon(async || server.get("/metrics", "").await.body.contains(&metric(1))).await);
    fs::write(files.path("store.db"), "rubbish").unwrap();
    let answer = server.ask("VSRAAAAAAAAAAAAAAAAA", &day(0)).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    assert_eq!(server.get(TOKEN_KEYS_PATH, "").await.status, 200);
    assert_eq!(server.get("/readyz", "").await.status, 200);
    let is_down = async || server.get("/metrics", "").await.body.contains(&metric(0));
    assert!(soon(is_down).await || soon(is_down).await, "within the 5 s between two looks");
}

#[tokio::test]
async fn a_store_may_come_to_be_after_the_server() {
    let files = Files::new();
    let store = Store(&files);
    fs::write(files.path("store-key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let server = server(&files).await;
    assert_eq!(server.ask("VSRAAAAAAAAAAAAAAAAA", &day(0)).await.status, 503);
    assert!(!files.path("store.db").exists(), "the server makes nothing");
    let created = store.create("");
    let access_key = created["access_key"].as_str().unwrap();
    assert!(soon(async || server.ask(access_key, &day(0)).await.status == 200).await);
}

#[tokio::test]
async fn a_store_key_is_replaced_without_a_gap() {
    let files = Files::new();
    let store = Store(&files);
    let before = store.create("");
    let server = server(&files).await;
    let old = fs::read_to_string(files.path("store-key")).unwrap();
    let new = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    fs::write(files.path("store-key"), format!("{new}\n{old}")).unwrap();
    let after = store.create("");
    for created in [&before, &after] {
        let access_key = created["access_key"].as_str().unwrap();
        assert!(soon(async || server.ask(access_key, &day(0)).await.status == 200).await);
    }
    // Sealed with the new key: without it, nobody knows of this one, and of others all is known.
    fs::write(files.path("store-key"), &old).unwrap();
    let access_key = after["access_key"].as_str().unwrap();
    assert!(soon(async || server.ask(access_key, &day(0)).await.status == 500).await);
    assert_eq!(server.ask(before["access_key"].as_str().unwrap(), &day(0)).await.status, 200);
}

#[test]
fn a_lost_store_key_is_not_made_anew() {
    let files = Files::new();
    let store = Store(&files);
    store.create("");
    let key = files.path("store-key");
    assert_eq!(mode(&key), 0o600);
    fs::remove_file(&key).unwrap();
    let output = store.keys("create --user-id u1");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not made anew"));
    assert!(!key.exists());
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_filters_would_refuse_is_not_stored() {
    let files = Files::new();
    let store = Store(&files);
    let long = "x".repeat(256);
    for flags in [
        "create --user-id u --role a,b",
        &format!("create --user-id {long}"),
        &format!("create --user-id u --description {long}"),
        "create --user-id u --prefix vsr",
        "create --user-id u --expires-in 0s",
        "create --user-id u --session-token",
        "create --user-id u --access-key a",
        "create",
    ] {
        assert_eq!(store.keys(flags).status.code(), Some(2), "{flags}");
    }
    let output = store.keys_with("create --user-id u --access-key a --secret-file -", "a b");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(store.list(), json!([]));
}

#[tokio::test]
async fn no_list_shows_a_secret_and_the_database_has_none() {
    let files = Files::new();
    let store = Store(&files);
    let created = store.create("--role member --description backup");
    let secret = created["secret"].as_str().unwrap();
    for flags in ["list", "list --format json"] {
        let text = String::from_utf8(store.keys(flags).stdout).unwrap();
        assert!(text.contains("backup") && text.contains("member"), "{text}");
        assert!(!text.contains(secret) && !text.contains("vsrs_"), "{text}");
    }
    let bytes = fs::read(files.path("store.db")).unwrap();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
}
