//! Tokens: the steps, and a request from its head to its verdict where all that it asks for is known.

use std::hint::black_box;
use std::rc::Rc;

use voussoir_core::audit::{AuditLog, End};
use voussoir_core::config::Config;
use voussoir_core::fernet::{Envelope, Key, KeyRing};
use voussoir_core::gate::{Effect, Gate, Input, MAX_KNOWN_TOKENS};
use voussoir_core::identities::Identity;
use voussoir_core::keys::Keys;
use voussoir_core::record::IdentityRecord;
use voussoir_core::revocation::RevocationSet;
use voussoir_core::source::SourceAddress;
use voussoir_core::time::UnixTime;
use voussoir_core::token::{AuditId, AuditIds, Delegation, Expiry, Id, Methods, Payload, Scope};

use crate::{Case, Shared};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// So many distinct tokens that one has been forgotten when it comes again.
const DISTINCT: u16 = 20_000;

/// Enough for any token of Keystone's.
const MAX_LENGTH: usize = 4096;

const CONFIG: &[u8] = br#"{"keyserver": {"cluster": "keyserver"},
    "token": {"www_authenticate_uri": "http://keystone/v3", "identity": "records"}}"#;

/// Which tells a service no more than Envoy's own `jwt_authn` does.
const LEAN: &[u8] =
    br#"{"keyserver": {"cluster": "keyserver"}, "identity_headers": ["X-User-Id", "X-Project-Id"],
    "token": {"www_authenticate_uri": "http://keystone/v3", "identity": "records",
              "challenge_service_401": false}}"#;

/// With an event for each request, and who sent it for the access log.
const AUDITED: &[u8] = br#"{"keyserver": {"cluster": "keyserver"},
    "token": {"www_authenticate_uri": "http://keystone/v3", "identity": "records"},
    "audit": {"log": true, "filter_state": "summary"}}"#;

const RECORD: &str = r#"{
    "user": {"id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "name": "ann",
             "domain": {"id": "default", "name": "Default"}},
    "project": {"id": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "name": "storage",
                "domain": {"id": "default", "name": "Default"}},
    "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}]}"#;

pub(crate) fn cases() -> Vec<Case> {
    let (ring, payload, token) = (ring(), payload().encode(), token());
    let open = {
        let token = token.clone();
        move || {
            let envelope = Envelope::from_text(black_box(token.as_bytes()), MAX_LENGTH);
            envelope.expect("a token").open(&ring).expect("of this key")
        }
    };
    let decode = move || Payload::decode(black_box(&payload)).expect("a payload");
    vec![
        Case::new("fernet-open", open),
        Case::new("payload-decode", decode),
        Case::new("gate-token", request(CONFIG, vec![token.clone()])),
        Case::new("gate-token-event", audited(vec![token])),
        Case::new("gate-new-token", request(CONFIG, (0..DISTINCT).map(distinct_token).collect())),
        Case::new(
            "gate-new-token-lean",
            request(LEAN, (0..DISTINCT).map(distinct_token).collect()),
        ),
    ]
}

fn key(n: u8) -> Key {
    Key::new(&[n; 16], &[n; 16])
}

fn ring() -> KeyRing {
    KeyRing::new([(2, key(2)), (1, key(1)), (0, key(3))]).expect("a ring")
}

/// Of a project, as most are; sealed with the newest key.
fn token() -> String {
    sealed(&payload())
}

/// One of the same user, with an audit id of its own.
fn distinct_token(number: u16) -> String {
    let [one, other] = number.to_be_bytes();
    let own = AuditId(std::array::from_fn(|place| if place % 2 == 0 { one } else { other }));
    sealed(&Payload { audit_ids: AuditIds { own, chain: None }, ..payload() })
}

fn sealed(payload: &Payload) -> String {
    key(2).seal_text(1_799_999_940, &[9; 16], &payload.encode())
}

fn payload() -> Payload {
    Payload {
        user_id: Id::uuid([0xaa; 16]),
        methods: Methods::Bits(2),
        expires_at: Expiry::from_seconds(1_800_003_600.0).expect("a time"),
        audit_ids: AuditIds { own: AuditId([1; 16]), chain: None },
        scope: Scope::Project(Id::uuid([0xbb; 16])),
        delegation: Delegation::None,
    }
}

/// Such a request, and what the audit log makes of it.
fn audited(tokens: Vec<String>) -> impl FnMut() -> usize {
    let config = Config::parse(AUDITED).expect("a configuration");
    let mut log = AuditLog::new(config.audit.as_ref().expect("it is there"), Some("edge"), 1);
    let mut request = request(AUDITED, tokens);
    move || {
        let mut gate = request();
        let trail = gate.take_trail().expect("it is kept");
        let settings = gate.settings();
        let summary = log.summary(settings, &trail).len();
        let end = End { at: NOW, status: Some(200) };
        let source = || SourceAddress::from_socket("203.0.113.9:4711");
        log.record(settings, &trail, end, source).map_or(0, str::len) + summary
    }
}

/// A request with one token after another.
fn request(config: &[u8], tokens: Vec<String>) -> impl FnMut() -> Gate + use<> {
    let shared = Shared::new(config, MAX_KNOWN_TOKENS);
    let keys = Rc::new(Keys { keys: ring().into(), generation: 1 });
    let record: IdentityRecord = serde_json::from_str(RECORD).expect("a record");
    let revoked = Rc::new(RevocationSet::new(1000, 1));
    let mut identity: Option<Rc<Identity>> = None;
    let mut next = (0..tokens.len()).cycle();
    move || {
        let token = next.next().and_then(|number| tokens.get(number)).expect("a token");
        let headers: [(&[u8], &[u8]); 12] = [
            (b":method", b"GET"),
            (b":path", b"/v2.1/servers/detail?limit=100"),
            (b":authority", b"compute.example:8774"),
            (b":scheme", b"https"),
            (b"user-agent", b"openstacksdk/4.0.0 keystoneauth1/5.8.0 python-requests/2.32.3"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"accept", b"application/json"),
            (b"x-openstack-request-id", b"req-5d1c2b8e-3b0c-4a7e-9f1c-0a2b3c4d5e6f"),
            (b"openstack-api-version", b"compute 2.96"),
            (b"x-auth-token", token.as_bytes()),
            (b"x-forwarded-for", b"203.0.113.9"),
            (b"x-request-id", b"0b6f2f5c-7a52-4c4c-8b8e-6f3b0a3f4a11"),
        ];
        shared.pass(NOW, &headers, |effect| match effect {
            Effect::NeedKeys { .. } => Some(Input::Keys(Rc::clone(&keys))),
            Effect::NeedIdentity(request) => {
                let known = identity.get_or_insert_with(|| {
                    Rc::new(Identity { request: (**request).clone(), record: record.clone() })
                });
                Some(Input::Identity(Rc::clone(known)))
            }
            Effect::NeedRevocations => Some(Input::Revocations(Rc::clone(&revoked))),
            _ => None,
        })
    }
}
