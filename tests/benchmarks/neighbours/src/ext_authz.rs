//! Checks tokens for Envoy's `ext_authz`.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use voussoir_core::config::Config;
use voussoir_core::fernet::{Key, KeyRing};
use voussoir_core::gate::{Budget, Effect, Gate, Input, KnownTokens, MAX_KNOWN_TOKENS};
use voussoir_core::head::RequestHead;
use voussoir_core::keys::Keys;

use crate::clock::now;

/// What a worker of the filter keeps, too.
pub(crate) struct ExtAuthz {
    config: Rc<Config>,
    budget: Rc<Budget>,
    known: Rc<KnownTokens>,
    keys: Rc<Keys>,
}

const CONFIG: &[u8] = br#"{"keyserver": {"cluster": "none"},
    "token": {"www_authenticate_uri": "http://keystone.example/v3", "identity": "payload"}}"#;

impl ExtAuthz {
    pub(crate) fn new(key: &str) -> Self {
        let key = Key::from_text(key.as_bytes()).expect("a Fernet key");
        let ring = KeyRing::new([(1, key)]).expect("a ring");
        Self {
            config: Rc::new(Config::parse(CONFIG).expect("a configuration")),
            budget: Rc::new(Budget::new(1 << 20)),
            known: Rc::new(KnownTokens::new(MAX_KNOWN_TOKENS, 1)),
            keys: Rc::new(Keys { keys: ring.into(), generation: 1 }),
        }
    }

    pub(crate) fn answer(&self, request: &Request<Incoming>) -> Response<String> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let mut headers = vec![
            (&b":method"[..], request.method().as_str().as_bytes()),
            (b":path", path.as_bytes()),
        ];
        let sent = request.headers().iter();
        headers.extend(sent.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())));
        let mut gate =
            Gate::new(Rc::clone(&self.config), Rc::clone(&self.budget), Rc::clone(&self.known));
        let head = RequestHead::new(&headers);
        let mut effect = gate.handle(now(), Input::Head { head, is_end: true });
        while let Effect::NeedKeys { .. } = effect {
            effect = gate.handle(now(), Input::Keys(Rc::clone(&self.keys)));
        }
        match effect {
            Effect::Forward(edits, _) => {
                let mut response = with_status(StatusCode::OK);
                for (name, value) in &edits.set {
                    if let Ok(value) = HeaderValue::from_str(value) {
                        response.headers_mut().insert(*name, value);
                    }
                }
                response
            }
            Effect::Refuse(reply, _) => {
                with_status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::FORBIDDEN))
            }
            _ => with_status(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

fn with_status(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}
