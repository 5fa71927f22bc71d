//! Answers in a key server's place: one Fernet key, nothing that changes, and whoever is asked for.
//!
//! A Keystone with a million users would be measured itself where it is the proxy that is to be.

use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use voussoir_core::record::{
    CHANGES_PATH, Domain, IDENTITIES_PATH, IdentityAnswer, IdentityRecord, IdentityRequest,
    Project, REVOCATIONS_PATH, Role, TOKEN_KEYS_PATH, User,
};

use crate::drained;

pub(crate) struct StandIn {
    key_set: String,
}

impl StandIn {
    pub(crate) fn new(key: &str) -> Self {
        Self { key_set: json!({"fernet": [{"id": 1, "key": key}]}).to_string() }
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<String> {
        let mut response = match request.uri().path() {
            TOKEN_KEYS_PATH => self.key_set(&request),
            CHANGES_PATH => Response::new(NO_CHANGES.into()),
            REVOCATIONS_PATH => Response::new(NO_REVOCATIONS.into()),
            IDENTITIES_PATH => identity(request.into_body()).await,
            _ => with_status(StatusCode::NOT_FOUND),
        };
        response.headers_mut().insert("voussoir-protocol", HeaderValue::from_static("1"));
        response
    }

    fn key_set(&self, request: &Request<Incoming>) -> Response<String> {
        let tag = HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\"");
        let mut response = if request.headers().get(IF_NONE_MATCH) == Some(&tag) {
            with_status(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(self.key_set.clone())
        };
        response.headers_mut().insert(ETAG, tag);
        response
    }
}

async fn identity(body: Incoming) -> Response<String> {
    let mut json = Vec::new();
    let is_whole = drained(body, |piece| json.extend_from_slice(piece)).await;
    let request = IdentityRequest::from_json(&json).filter(|_| is_whole);
    let Some(request) = request else { return with_status(StatusCode::BAD_REQUEST) };
    let domain = || Some(Domain { id: "default".into(), name: Some("Default".into()) });
    let project = request.scope.id().map(|id| Project {
        id: id.into(),
        name: Some(format!("project-{id}")),
        domain: domain(),
    });
    let user = request.user.clone();
    let role = |id: &str, name: &str| Role::new(Some(id.into()), name.into());
    let roles = vec![
        role("c8c2e2d3d1a04f1f8c3c2f0f9b6f9f1e", "member"),
        role("41d7a5a9ba0c4d67a0b0de3d0f6f7f24", "reader"),
    ];
    let identity = IdentityRecord {
        user: User { name: Some(format!("user-{user}")), id: user, domain: domain() },
        password_expires_at: None,
        project,
        is_domain: false,
        domain: None,
        is_system: false,
        roles,
        is_admin_project: None,
        trust: None,
        application_credential: None,
        oauth1: None,
        expires_at: None,
    };
    Response::new(IdentityAnswer { request, identity }.to_json())
}

fn with_status(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

const NO_CHANGES: &str = r#"{"cursor": "1", "more": false, "changes": []}"#;
const NO_REVOCATIONS: &str = r#"{"after": 0, "more": false, "events": []}"#;
