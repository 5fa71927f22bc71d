//! The router, called without a network.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, Request};
use tokio::sync::watch;
use tower::ServiceExt as _;
use voussoir_core::record::{
    AccessKeyFault, CatalogAnswer, CatalogRequest, Change, Changes, Denial, FernetKey,
    IdentityFault, KeySet, Revocations,
};
use voussoir_core::secret::Secret;

use super::*;
use crate::access_keys::{AccessKeys, Says};
use crate::bearer_tokens::BearerTokens;
use crate::clock;
use crate::database::{Database, Purpose};
use crate::keystone::{self, Events, Watched};
use crate::reload::FromFiles as _;

const TOKENS: &str = "0123456789abcdef-one\n0123456789abcdef-two\n";
const BEARER: &str = "Bearer 0123456789abcdef-two";
const KEYS: &str = r#"{"fernet":[{"id":2,"key":"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="},{"id":0,"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}"#;

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A server, and the senders of what it watches.
struct World {
    context: Arc<Context>,
    keys: watch::Sender<Option<Arc<Published>>>,
    peer: Peer,
}

impl World {
    /// With keys, known to clients by bearer tokens.
    fn new() -> Self {
        let world = Self::with(false, Some(TOKENS));
        let key = |id, letter: &str| FernetKey {
            id,
            key: Secret::new(format!("{}A=", letter.repeat(42)).into_bytes()),
        };
        let keys = KeySet { fernet: vec![key(2, "B"), key(0, "A")], ..KeySet::default() };
        world.keys.send_replace(Published::new(&keys).map(Arc::new));
        world
    }

    fn with(certificate: bool, tokens: Option<&str>) -> Self {
        let tokens = tokens.map(|tokens| {
            let tokens = BearerTokens::from_files(&[Secret::new(tokens.into())]).unwrap();
            watch::Sender::new(Arc::new(tokens)).subscribe()
        });
        let keys = watch::Sender::new(None);
        let metrics = Arc::new(Metrics::new());
        let ended = watch::Sender::new(false).subscribe();
        let feed = Feed::new(Duration::from_secs(1), Arc::clone(&metrics));
        let context = Context {
            access: Access { certificate, tokens },
            feed: Arc::new(feed),
            keys: Some(keys.subscribe()),
            revocations: None,
            catalogs: None,
            schemas: None,
            sources: Sources::new(Vec::new(), Arc::clone(&metrics), &ended),
            identities: None,
            metrics,
            allowance: Allowance::new(),
        };
        let peer = Peer { address: "192.0.2.1:7".parse().unwrap(), has_certificate: false };
        Self { context: Arc::new(context), keys, peer }
    }

    async fn answers(&self, method: &str, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).extension(self.peer);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.answer_to(request.body(Body::empty()).unwrap()).await
    }

    async fn answer_to(&self, request: Request<Body>) -> Answer {
        let response = router(Arc::clone(&self.context)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.into()).unwrap(),
        }
    }

    /// With a source of access keys that says one thing.
    fn saying(says: Says) -> Self {
        let mut world = Self::new();
        let context = Arc::get_mut(&mut world.context).unwrap();
        let ended = watch::Sender::new(false).subscribe();
        let sources: Vec<Arc<dyn AccessKeys>> = vec![Arc::new(says)];
        context.sources = Sources::new(sources, Arc::clone(&context.metrics), &ended);
        world
    }

    /// With a Keystone that has revoked the tokens of one user, and has one service; and its database.
    async fn of_keystone() -> (Self, tempfile::TempDir, Arc<Database>) {
        let (directory, database) = keystone::empty_revocations().await;
        let insert = "INSERT INTO revocation_event (user_id) VALUES ('u')";
        database.execute(insert, &[]).await.unwrap();
        keystone::make_catalog_tables(&database).await;
        let insert = "INSERT INTO service (id, type) VALUES ('s', 'compute')";
        database.execute(insert, &[]).await.unwrap();
        let mut world = Self::new();
        let context = Arc::get_mut(&mut world.context).unwrap();
        let events = Events::new(Arc::clone(&database), Arc::clone(&context.metrics));
        context.revocations = Some(RevocationPages::new(Arc::new(events)));
        context.catalogs = Some(Catalogs::new(Arc::clone(&database), false));
        (world, directory, database)
    }

    /// With a directory of one document.
    fn with_schemas() -> (Self, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let api = "openapi: 3.1.0\npaths:\n  /a:\n    get: {}\n";
        std::fs::write(directory.path().join("api.yaml"), api).unwrap();
        let mut world = Self::new();
        let context = Arc::get_mut(&mut world.context).unwrap();
        let metrics = Arc::clone(&context.metrics);
        context.schemas = Some(crate::schemas::watch(directory.path(), metrics).unwrap());
        (world, directory)
    }

    /// Without a key repository.
    fn without_token_keys(mut self) -> Self {
        Arc::get_mut(&mut self.context).unwrap().keys = None;
        self
    }

    /// With identities of a database, on which the statement is executed first.
    async fn with_identities(setup: &'static str) -> (Self, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/keystone.db", directory.path().display()).parse().unwrap();
        let database = Arc::new(Database::open(url, Purpose::Write));
        database.execute(setup, &[]).await.unwrap();
        let mut world = Self::new();
        let context = Arc::get_mut(&mut world.context).unwrap();
        let watched = Watched::new(10, Duration::from_secs(1), Arc::clone(&context.feed));
        let metrics = Arc::clone(&context.metrics);
        context.identities = Some(Identities::new(database, None, Arc::new(watched), metrics));
        (world, directory)
    }

    async fn asked(&self, content_type: &str, body: &str) -> Answer {
        self.asked_at(SIGNING_KEYS_PATH, content_type, body).await
    }

    async fn asked_at(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .extension(self.peer)
            .header(AUTHORIZATION, BEARER)
            .header(CONTENT_TYPE, content_type)
            .body(Body::from(body.to_owned()));
        self.answer_to(request.unwrap()).await
    }

    async fn keys_for(&self, headers: &[(HeaderName, &str)]) -> Answer {
        self.answers("GET", TOKEN_KEYS_PATH, headers).await
    }
}

#[tokio::test]
async fn serves_the_keys_primary_first() {
    let answer = World::new().keys_for(&[(AUTHORIZATION, BEARER)]).await;
    assert_eq!((answer.status, &*answer.body), (200, KEYS));
    assert_eq!(answer.header(CONTENT_TYPE), "application/json");
    assert_eq!(answer.header(ETAG).len(), 34);
}

#[tokio::test]
async fn answers_304_to_who_holds_them() {
    let world = World::new();
    let etag = world.keys_for(&[(AUTHORIZATION, BEARER)]).await.header(ETAG).to_owned();
    for held in [&etag, &format!("W/{etag}"), &format!("\"x\", {etag}"), "*"] {
        let answer = world.keys_for(&[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, held)]).await;
        assert_eq!((answer.status, &*answer.body), (304, ""), "{held}");
        assert_eq!(answer.header(ETAG), etag);
        assert_eq!(answer.header(CONTENT_TYPE), "");
    }
    let answer = world
        .keys_for(&[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, &etag)])
        .await;
    assert_eq!(answer.status, 304, "in the second of two headers");
    let answer = world.keys_for(&[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, "\"x\"")]).await;
    assert_eq!((answer.status, &*answer.body), (200, KEYS));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::new();
    let answer = world.answers("HEAD", TOKEN_KEYS_PATH, &[(AUTHORIZATION, BEARER)]).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
    assert_eq!(answer.header(CONTENT_LENGTH), KEYS.len().to_string());
    assert_eq!(answer.header(ETAG).len(), 34);
}

#[tokio::test]
async fn every_answer_says_which_protocol_and_is_not_stored() {
    let world = World::new();
    for (method, path) in [
        ("GET", TOKEN_KEYS_PATH),
        ("POST", TOKEN_KEYS_PATH),
        ("GET", HEALTHZ_PATH),
        ("GET", READYZ_PATH),
        ("GET", METRICS_PATH),
        ("POST", SIGNING_KEYS_PATH),
        ("GET", CHANGES_PATH),
        ("GET", "/nothing"),
    ] {
        for headers in [&[][..], &[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, "*")]] {
            let answer = world.answers(method, path, headers).await;
            let protocol = HeaderName::from_static(PROTOCOL_HEADER);
            assert_eq!(answer.header(protocol), PROTOCOL_VERSION, "{method} {path}");
            assert_eq!(answer.header(CACHE_CONTROL), "no-store", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn keys_need_one_valid_bearer_token() {
    let world = World::new();
    for value in [BEARER, "bearer 0123456789abcdef-one", "BEARER   0123456789abcdef-one  "] {
        assert_eq!(world.keys_for(&[(AUTHORIZATION, value)]).await.status, 200, "{value}");
    }
    for (value, challenge) in [
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        ("Basic 0123456789abcdef-one", "Bearer"),
        ("Bearer0123456789abcdef-one", "Bearer"),
        ("Bearer ", "Bearer error=\"invalid_token\""),
        ("Bearer 0123456789abcdef-on", "Bearer error=\"invalid_token\""),
        ("Bearer 0123456789abcdef-one 0123456789abcdef-two", "Bearer error=\"invalid_token\""),
    ] {
        let answer = world.keys_for(&[(AUTHORIZATION, value)]).await;
        assert_eq!(answer.status, 401, "{value}");
        assert_eq!(answer.header(WWW_AUTHENTICATE), challenge, "{value}");
        assert!(!answer.body.contains("0123"), "{}", answer.body);
    }
    assert_eq!(world.keys_for(&[]).await.status, 401);
    let twice = [(AUTHORIZATION, BEARER), (AUTHORIZATION, BEARER)];
    assert_eq!(world.keys_for(&twice).await.status, 401);
}

#[tokio::test]
async fn nothing_is_told_of_the_keys_without_a_bearer_token() {
    let world = World::new();
    let answer = world.keys_for(&[(IF_NONE_MATCH, "*")]).await;
    assert_eq!((answer.status, answer.header(ETAG)), (401, ""));
}

#[tokio::test]
async fn keys_need_a_certificate_and_a_token_where_both_are_asked_for() {
    let mut world = World::with(true, Some(TOKENS));
    world.keys.send_replace(World::new().keys.borrow().clone());
    assert_eq!(world.keys_for(&[(AUTHORIZATION, BEARER)]).await.status, 403);
    world.peer.has_certificate = true;
    assert_eq!(world.keys_for(&[]).await.status, 401);
    assert_eq!(world.keys_for(&[(AUTHORIZATION, BEARER)]).await.status, 200);
}

#[tokio::test]
async fn without_keys_nothing_is_ready_but_all_is_healthy() {
    let world = World::with(false, None);
    for path in [TOKEN_KEYS_PATH, READYZ_PATH] {
        let answer = world.answers("GET", path, &[(IF_NONE_MATCH, "*")]).await;
        assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"), "{path}");
    }
    assert_eq!(world.answers("GET", HEALTHZ_PATH, &[]).await.body, r#"{"status":"ok"}"#);
    let answer = World::new().answers("GET", READYZ_PATH, &[]).await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"status":"ready"}"#));
}

#[tokio::test]
async fn errors_are_json_with_code_title_and_message() {
    let world = World::with(true, None);
    for (method, path, expected, title) in [
        ("GET", TOKEN_KEYS_PATH, 403, "Forbidden"),
        ("GET", READYZ_PATH, 503, "Service Unavailable"),
        ("GET", "/", 404, "Not Found"),
        ("DELETE", HEALTHZ_PATH, 405, "Method Not Allowed"),
    ] {
        let answer = world.answers(method, path, &[]).await;
        assert_eq!(answer.status, expected, "{path}");
        assert_eq!(answer.header(CONTENT_TYPE), "application/json", "{path}");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["error"]["code"], expected, "{path}");
        assert_eq!(body["error"]["title"], title, "{path}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let world = World::new();
    for path in [TOKEN_KEYS_PATH, CHANGES_PATH, HEALTHZ_PATH, READYZ_PATH, METRICS_PATH] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
            let answer = world.answers(method, path, &[(AUTHORIZATION, BEARER)]).await;
            assert_eq!((answer.status, answer.header(ALLOW)), (405, "GET,HEAD"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_what_we_know_of_them() {
    let world = World::new();
    world.keys_for(&[]).await;
    world.answers("GET", "/secret-in-the-path", &[]).await;
    let metrics = world.answers("GET", METRICS_PATH, &[]).await;
    assert!(metrics.header(CONTENT_TYPE).starts_with("application/openmetrics-text"));
    for line in [
        "voussoir_keyserver_requests_total{path=\"/v1/token-keys\",status=\"401\"} 1",
        "voussoir_keyserver_requests_total{path=\"other\",status=\"404\"} 1",
    ] {
        assert!(metrics.body.contains(line), "{}", metrics.body);
    }
    assert!(!metrics.body.contains("secret"));
}

#[tokio::test]
async fn what_a_source_says_becomes_the_answer() {
    for fault in [
        AccessKeyFault::AccessKeyDisabled,
        AccessKeyFault::AccessKeyExpired,
        AccessKeyFault::AccessKeyUnknown,
    ] {
        let world = World::saying(Says::Denied(fault));
        let answer = world.asked("application/json", &question()).await;
        assert_eq!((answer.status, answer.header(RETRY_AFTER)), (404, ""));
        assert_eq!(Denial::from_json(answer.body.as_bytes()), Some(Denial { reason: fault }));
        let metric = format!("signing_keys_total{{outcome=\"{}\"}} 1", fault.reason());
        assert!(world.context.metrics.to_string().contains(&metric));
    }
    let world = World::saying(Says::Schema);
    let answer = world.asked("application/json", &question()).await;
    assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"));
    assert_eq!(world.keys_for(&[(AUTHORIZATION, BEARER)]).await.status, 200);
    assert_eq!(world.answers("GET", READYZ_PATH, &[]).await.status, 200);
}

#[tokio::test]
async fn what_is_not_configured_is_not_found_and_that_is_no_denial() {
    let answer = World::new().asked("application/json", &question()).await;
    assert_eq!(answer.status, 404);
    assert_eq!(Denial::<AccessKeyFault>::from_json(answer.body.as_bytes()), None);
    assert!(answer.body.contains("--store"), "{}", answer.body);
    let world = World::saying(Says::Schema).without_token_keys();
    let answer = world.keys_for(&[(AUTHORIZATION, BEARER)]).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("--fernet-keys"), "{}", answer.body);
    // Without any other keys, a database that was never reached is not ready.
    assert_eq!(world.answers("GET", READYZ_PATH, &[]).await.status, 503);
}

/// Keystone's `ec2tokens` and `s3tokens` answered whoever asked (CVE-2025-65073, USN-7857-1), so that whoever
/// saw a presigned URL got a token for it. What is derived of a secret is for known proxies alone.
#[tokio::test]
async fn a_signing_key_needs_what_the_other_keys_need() {
    let world = World::saying(Says::Schema);
    let answer = world.answers("POST", SIGNING_KEYS_PATH, &[]).await;
    assert_eq!((answer.status, answer.header(WWW_AUTHENTICATE)), (401, "Bearer"));
    let answer = World::with(true, None).answers("POST", SIGNING_KEYS_PATH, &[]).await;
    assert_eq!(answer.status, 403);
}

/// A question of today.
fn question() -> String {
    let today = clock::now().to_string()[..10].replace('-', "");
    format!(r#"{{"access_key":"AKID","date":"{today}","region":"us-east-1","service":"s3"}}"#)
}

/// A question for an identity.
const IDENTITY: &str = r#"{"user":"u","scope":"unscoped"}"#;

#[tokio::test]
async fn an_identity_that_cannot_be_looked_up_is_no_denial() {
    let answer = World::new().asked_at(IDENTITIES_PATH, "application/json", IDENTITY).await;
    assert_eq!(answer.status, 404);
    assert_eq!(Denial::<IdentityFault>::from_json(answer.body.as_bytes()), None);
    assert!(answer.body.contains("--keystone-database"), "{}", answer.body);
    let (world, _directory) = World::with_identities("CREATE TABLE other (id TEXT)").await;
    let answer = world.asked_at(IDENTITIES_PATH, "application/json", IDENTITY).await;
    assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"));
    assert_eq!(Denial::<IdentityFault>::from_json(answer.body.as_bytes()), None);
    let metrics = world.context.metrics.to_string();
    assert!(metrics.contains("identities_total{outcome=\"unavailable\"} 1"), "{metrics}");
    assert!(
        metrics.contains("lookup_duration_seconds_count{result=\"unavailable\"} 1"),
        "{metrics}"
    );
}

/// `docs/openapi/keyserver.yaml` names exactly the answers to GET and POST that there are. An answer
/// 200 to POST takes a store or a Keystone; the tests of the whole server have the one, those of the
/// integration the other.
#[tokio::test]
async fn the_openapi_file_agrees_with_the_router() {
    let ready = World::new();
    let unready = World::with(true, None);
    let mut unready_but_known = World::with(true, None);
    unready_but_known.peer.has_certificate = true;

    let mut given = Vec::new();
    for path in [TOKEN_KEYS_PATH, HEALTHZ_PATH, READYZ_PATH, METRICS_PATH] {
        for world in [&ready, &unready, &unready_but_known] {
            for headers in [
                &[][..],
                &[(AUTHORIZATION, BEARER)],
                &[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, "*")],
            ] {
                given.push((path.to_owned(), world.answers("GET", path, headers).await.status));
            }
        }
    }
    let world = World::saying(Says::Schema).without_token_keys();
    given.push((TOKEN_KEYS_PATH.into(), world.keys_for(&[(AUTHORIZATION, BEARER)]).await.status));
    for (world, headers) in
        [(&World::new(), &[(AUTHORIZATION, BEARER)][..]), (&World::new(), &[]), (&unready, &[])]
    {
        for after in ["", "?after=x"] {
            let path = format!("{CHANGES_PATH}{after}");
            let status = async || world.answers("GET", &path, headers).await.status;
            given.push((CHANGES_PATH.into(), status().await));
            world.context.feed.checked(clock::now(), Duration::ZERO);
            given.push((CHANGES_PATH.into(), status().await));
        }
    }
    given.append(&mut given_of_keystone(&ready, &unready).await);
    // One that is too large takes hundreds of services: the tests of catalogues have them.
    given.push((CATALOGS_PATH.into(), 500));
    given.push((SIGNING_KEYS_PATH.into(), 200));
    let sealed = World::saying(Says::NoSealKey);
    given.push((
        SIGNING_KEYS_PATH.into(),
        sealed.asked("application/json", &question()).await.status,
    ));
    for world in [&ready, &unready, &World::saying(Says::Schema)] {
        let unasked = world.answers("POST", SIGNING_KEYS_PATH, &[]).await;
        given.push((SIGNING_KEYS_PATH.into(), unasked.status));
    }
    for (content_type, body) in [
        ("application/json", question()),
        ("application/json", String::new()),
        ("application/json", " ".repeat(MAX_SIGNING_KEY_REQUEST_BYTES + 1)),
        ("text/plain", question()),
    ] {
        for world in [
            &World::saying(Says::Denied(AccessKeyFault::AccessKeyUnknown)),
            &World::saying(Says::Schema),
        ] {
            let status = world.asked(content_type, &body).await.status;
            given.push((SIGNING_KEYS_PATH.into(), status));
        }
    }
    given.append(&mut given_of_schemas(&ready, &unready).await);
    given.push((IDENTITIES_PATH.into(), 200));
    let (world, _directory) = World::with_identities("CREATE TABLE other (id TEXT)").await;
    for world in [&ready, &unready, &world] {
        for headers in [&[][..], &[(AUTHORIZATION, BEARER), (CONTENT_TYPE, "application/json")]] {
            let unasked = world.answers("POST", IDENTITIES_PATH, headers).await;
            given.push((IDENTITIES_PATH.into(), unasked.status));
        }
    }
    for (content_type, body) in [
        ("application/json", IDENTITY.to_owned()),
        ("application/json", " ".repeat(MAX_IDENTITY_REQUEST_BYTES + 1)),
        ("text/plain", IDENTITY.to_owned()),
    ] {
        let status = world.asked_at(IDENTITIES_PATH, content_type, &body).await.status;
        given.push((IDENTITIES_PATH.into(), status));
    }
    given.sort();
    given.dedup();
    assert_eq!(described(include_str!("../../../docs/openapi/keyserver.yaml")), given);
}

/// The answers about documents.
async fn given_of_schemas(ready: &World, unready: &World) -> Vec<(String, u16)> {
    let (with_schemas, _directory) = World::with_schemas();
    let mut given = Vec::new();
    for world in [ready, unready, &with_schemas] {
        for headers in
            [&[][..], &[(AUTHORIZATION, BEARER)], &[(AUTHORIZATION, BEARER), (IF_NONE_MATCH, "*")]]
        {
            let answer = world.answers("GET", "/v1/schemas/api", headers).await;
            given.push((SCHEMA_PATH.to_owned(), answer.status));
        }
    }
    given
}

#[tokio::test]
async fn serves_documents_by_their_names() {
    let (world, _directory) = World::with_schemas();
    let known = (AUTHORIZATION, BEARER);
    let answer = world.answers("GET", "/v1/schemas/api", std::slice::from_ref(&known)).await;
    assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (200, "application/json"));
    assert!(answer.body.starts_with("{\"nodes\":"), "{}", answer.body);
    // The entity tag is the digest that a filter's configuration has.
    let digest = <sha2::Sha256 as sha2::Digest>::digest(answer.body.as_bytes());
    let digest = keystone::hex(&digest);
    let etag = format!("\"{digest}\"");
    assert_eq!(answer.header(ETAG), etag);
    let held = [known.clone(), (IF_NONE_MATCH, &*etag)];
    assert_eq!(world.answers("GET", "/v1/schemas/api", &held).await.status, 304);
    for path in ["/v1/schemas/other", "/v1/schemas/", "/v1/schemas", "/v1/schemas/api/x"] {
        let answer = world.answers("GET", path, std::slice::from_ref(&known)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(world.answers("GET", "/v1/schemas/api", &[]).await.status, 401);
}

/// The answers about revocations and catalogues.
async fn given_of_keystone(ready: &World, unready: &World) -> Vec<(String, u16)> {
    let mut given = Vec::new();
    let (of_keystone, _directory, database) = World::of_keystone().await;
    for query in ["", "?after=x", "gone"] {
        if query == "gone" {
            database.execute("DROP TABLE revocation_event", &[]).await.unwrap();
            database.execute("DROP TABLE endpoint", &[]).await.unwrap();
        }
        for (content_type, body) in [
            ("application/json", "{}".to_owned()),
            ("application/json", String::new()),
            ("application/json", " ".repeat(MAX_CATALOG_REQUEST_BYTES + 1)),
            ("text/plain", "{}".into()),
        ] {
            for world in [&of_keystone, ready, unready] {
                let answer = world.asked_at(CATALOGS_PATH, content_type, &body).await;
                given.push((CATALOGS_PATH.into(), answer.status));
            }
        }
        let status = ready.answers("POST", CATALOGS_PATH, &[]).await.status;
        given.push((CATALOGS_PATH.into(), status));
        for (world, headers) in [
            (&of_keystone, &[(AUTHORIZATION, BEARER)][..]),
            (ready, &[(AUTHORIZATION, BEARER)]),
            (ready, &[]),
            (unready, &[]),
        ] {
            let path = format!("{REVOCATIONS_PATH}{}", query.trim_start_matches("gone"));
            let status = world.answers("GET", &path, headers).await.status;
            given.push((REVOCATIONS_PATH.into(), status));
        }
    }
    given
}

#[tokio::test]
async fn changes_are_told_to_those_who_may_have_keys() {
    let world = World::new();
    let path = |after: &str| format!("{CHANGES_PATH}{after}");
    let bearer = [(AUTHORIZATION, BEARER)];
    assert_eq!(world.answers("GET", CHANGES_PATH, &[]).await.status, 401);
    let answer = world.answers("GET", CHANGES_PATH, &bearer).await;
    assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"), "no pass yet");

    world.context.feed.checked(clock::now(), Duration::ZERO);
    let answer = world.answers("GET", &path("?other=1"), &bearer).await;
    assert_eq!(answer.header(CONTENT_TYPE), "application/json");
    let start = Changes::from_json(answer.body.as_bytes(), None).unwrap();
    assert_eq!((&*start.changes, start.more), (&[][..], false));
    world.context.feed.tell(Change::AccessKey("A\"K".into()));
    for query in ["?after=", "?x&after="] {
        let after = path(&format!("{query}{}", start.cursor.as_str()));
        let answer = world.answers("GET", &after, &bearer).await;
        let answer = Changes::from_json(answer.body.as_bytes(), Some(&start.cursor)).unwrap();
        assert_eq!(answer.changes, [Change::AccessKey("A\"K".into())]);
    }
    for query in ["?after", "?after=x"] {
        let answer = world.answers("GET", &path(query), &bearer).await;
        let expected = if query == "?after" { 200 } else { 410 };
        assert_eq!(answer.status, expected, "{query}");
    }
    let cursor = start.cursor.as_str();
    for query in
        ["?after=".to_owned(), "?after=1".into(), format!("?after={cursor}&after={cursor}")]
    {
        let answer = world.answers("GET", &path(&query), &bearer).await;
        assert_eq!(answer.status, 410, "{query}");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["title"]),
            (&410.into(), &"Gone".into())
        );
    }
}

#[tokio::test]
async fn revocations_are_told_to_those_who_may_have_keys() {
    let (world, _directory, database) = World::of_keystone().await;
    let bearer = [(AUTHORIZATION, BEARER)];
    let get = async |query: &str| {
        world.answers("GET", &format!("{REVOCATIONS_PATH}{query}"), &bearer).await
    };
    assert_eq!(world.answers("GET", REVOCATIONS_PATH, &[]).await.status, 401);
    for query in ["", "?after=0", "?x&after=0&y", "?other=7"] {
        let answer = get(query).await;
        assert_eq!(answer.header(CONTENT_TYPE), "application/json");
        let page = Revocations::from_json(answer.body.as_bytes(), 0).unwrap();
        assert_eq!((page.after, page.more, page.events.len()), (1, false, 1), "{query}");
        assert_eq!(page.events[0].user_id.as_deref(), Some("u"));
    }
    let answer = get("?after=18446744073709551615").await;
    assert!(Revocations::from_json(answer.body.as_bytes(), u64::MAX).is_ok(), "{}", answer.body);
    for query in
        ["?after=", "?after=-1", "?after=+1", "?after=1&after=1", "?after=18446744073709551616"]
    {
        assert_eq!(get(query).await.status, 400, "{query}");
    }
    database.execute("DROP TABLE revocation_event", &[]).await.unwrap();
    let answer = get("").await;
    assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"));
    let answer = World::new().answers("GET", REVOCATIONS_PATH, &bearer).await;
    assert_eq!(answer.status, 404, "no edge may think that nothing was revoked");
    assert!(answer.body.contains("--keystone-database"), "{}", answer.body);
}

#[tokio::test]
async fn catalogues_are_told_to_those_who_may_have_keys() {
    let (world, _directory, database) = World::of_keystone().await;
    assert_eq!(world.answers("POST", CATALOGS_PATH, &[]).await.status, 401);
    let ask = async |body: &str| world.asked_at(CATALOGS_PATH, "application/json", body).await;
    for body in [r#"{"project":"p"}"#, "{}"] {
        let answer = ask(body).await;
        assert_eq!(answer.header(CONTENT_TYPE), "application/json");
        let request = CatalogRequest::from_json(body.as_bytes()).unwrap();
        let answer = CatalogAnswer::from_json(answer.body.as_bytes(), &request).unwrap();
        assert_eq!(answer.catalog.services[0].service_type, "compute");
    }
    assert_eq!(ask(r#"{"project":""}"#).await.status, 400);
    database.execute("DROP TABLE endpoint", &[]).await.unwrap();
    let answer = ask("{}").await;
    assert_eq!((answer.status, answer.header(RETRY_AFTER)), (503, "1"));
    let answer = World::new().asked_at(CATALOGS_PATH, "application/json", "{}").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("--keystone-database"), "{}", answer.body);
}

/// The paths and status codes of the file, which are the only lines of their form.
fn described(yaml: &str) -> Vec<(String, u16)> {
    let mut path = String::new();
    let mut described = Vec::new();
    for line in yaml.lines() {
        let line = line.trim();
        if line.starts_with('/') {
            path = line.trim_end_matches(':').to_owned();
        } else if let Some(status) =
            line.strip_prefix('"').and_then(|line| line.strip_suffix("\":"))
        {
            described.push((path.clone(), status.parse().unwrap()));
        }
    }
    described.sort();
    described
}
