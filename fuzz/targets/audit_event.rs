//! A request with any headers and any end: its event is one line of JSON within its limit, and has nothing
//! in it that was put where secrets stand.
#![no_main]

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use voussoir_core::audit::{AuditLog, End, MAX_EVENT};
use voussoir_core::config::Config;
use voussoir_core::fernet::{Key, KeyRing};
use voussoir_core::gate::{Budget, Effect, Gate, Input, KnownTokens};
use voussoir_core::head::RequestHead;
use voussoir_core::identities::Identity;
use voussoir_core::keys::Keys;
use voussoir_core::refusal::Unknown;
use voussoir_core::source::SourceAddress;
use voussoir_core::time::UnixTime;

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    shadow: bool,
    method: &'a [u8],
    /// What the path begins with.
    before: &'a [u8],
    /// A parameter whose value is a secret, and how each character of it is written.
    parameter: Parameter,
    escapes: Vec<u8>,
    after: &'a [u8],
    headers: Vec<(Header, &'a [u8])>,
    /// A payload to seal into an `x-auth-token` with a right HMAC.
    payload: Option<&'a [u8]>,
    /// The user's name, where Keystone knows the user.
    name: Option<&'a str>,
    now: u64,
    took: u32,
    status: Option<u16>,
    /// As the proxy writes it, and anything else.
    source: Result<(IpAddr, u16), &'a str>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Parameter {
    Signature,
    SecurityToken,
    TempUrlSig,
    Token,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Header {
    Agent,
    Host,
    RequestId,
    GlobalRequestId,
}

impl Parameter {
    fn name(self) -> &'static str {
        match self {
            Self::Signature => "X-Amz-Signature",
            Self::SecurityToken => "X-Amz-Security-Token",
            Self::TempUrlSig => "temp_url_sig",
            Self::Token => "token",
        }
    }
}

impl Header {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Agent => b"user-agent",
            Self::Host => b":authority",
            Self::RequestId => b"x-request-id",
            Self::GlobalRequestId => b"x-openstack-request-id",
        }
    }
}

/// What nobody would send by chance.
const SECRET: &str = "Hunter2.Hunter2.Hunter2";

/// Whether it is in these bytes, however often they are percent-encoded.
fn has_secret(bytes: &[u8]) -> bool {
    let mut bytes = bytes.to_vec();
    for _ in 0..8 {
        if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
            return true;
        }
        let (mut decoded, mut rest) = (Vec::new(), bytes.as_slice());
        while let Some((byte, after)) = rest.split_first() {
            let digits = after.get(..2).filter(|_| *byte == b'%');
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            let escaped = digits.and_then(|digits| {
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
            });
            decoded.push(escaped.unwrap_or(*byte));
            rest = if escaped.is_some() { &after[2..] } else { after };
        }
        bytes = decoded;
    }
    false
}

/// Whether all texts of an event are without it.
fn is_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => !has_secret(text.as_bytes()),
        Value::Array(values) => values.iter().all(is_clean),
        Value::Object(members) => members.values().all(is_clean),
        _ => true,
    }
}

fn is_about(bytes: &[u8], secret: &str) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    secret.to_lowercase().split('.').any(|part| text.contains(part)) || has_secret(bytes)
}

fuzz_target!(|request: Request<'_>| {
    // What stands elsewhere is no secret.
    let texts = [request.method, request.before, request.after];
    let others = request.headers.iter().map(|(_, value)| *value);
    let name = request.name.map(str::as_bytes);
    if texts.into_iter().chain(others).chain(name).any(|text| is_about(text, SECRET)) {
        return;
    }
    let mode = if request.shadow { "shadow" } else { "enforce" };
    let config = format!(
        r#"{{"mode":"{mode}","keyserver":{{"cluster":"k"}},"sigv4":{{}},
             "token":{{"www_authenticate_uri":"http://k"}},
             "audit":{{"log":true,"target":{{"type_uri":"service/compute"}},
                 "path_keywords":{{"servers":"server"}},"custom_actions":{{"reboot":"start/reboot"}}}}}}"#
    );
    let config = Rc::new(Config::parse(config.as_bytes()).expect("it is valid"));
    let known = Rc::new(KnownTokens::new(16, 1));
    let mut gate = Gate::new(Rc::clone(&config), Rc::new(Budget::new(1 << 20)), known);

    let key = |n| Key::new(&[n; 16], &[n; 16]);
    let token = request.payload.map(|payload| key(1).seal_text(0, &[0; 16], payload));
    let mut parameter = Vec::new();
    let plain = [request.parameter.name(), "=", SECRET].concat();
    for (index, byte) in plain.bytes().enumerate() {
        // Not the equals sign itself, or there would be no parameter.
        match request.escapes.get(index).copied().unwrap_or_default() % 4 {
            1 if byte != b'=' => parameter.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            2 if byte != b'=' => parameter.extend_from_slice(format!("%25{byte:02X}").as_bytes()),
            _ => parameter.push(byte),
        }
    }
    let path = [request.before, b"?", &parameter, b"&", request.after].concat();
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", request.method),
        (b":path", &path),
        (b"x-auth-token", token.as_ref().map_or(SECRET.as_bytes(), |token| token.as_bytes())),
        (b"x-service-token", SECRET.as_bytes()),
        (b"cookie", SECRET.as_bytes()),
    ];
    headers.extend(request.headers.iter().map(|(header, value)| (header.name(), *value)));
    let head = RequestHead::new(&headers);
    let now = UnixTime::from_micros(request.now);
    let mut effect = gate.handle(now, Input::Head { head, is_end: true });
    for _ in 0..8 {
        let input = match &effect {
            Effect::NeedKeys { .. } => {
                let ring = KeyRing::new([(1, key(1))]).expect("one key is enough");
                Input::Keys(Rc::new(Keys { keys: ring.into(), generation: 1 }))
            }
            Effect::NeedIdentity(question) if request.name.is_some() => {
                let record = serde_json::json!({"user": {"id": "u", "name": request.name}});
                let record = serde_json::from_value(record).expect("it is a record");
                Input::Identity(Rc::new(Identity { request: (**question).clone(), record }))
            }
            Effect::NeedIdentity(_) | Effect::NeedRevocations | Effect::NeedSigningKey(_) => {
                Input::Unknown { cause: Unknown::KeysUnavailable, retry_after: Default::default() }
            }
            _ => break,
        };
        effect = gate.handle(now, input);
    }

    let trail = gate.take_trail().expect("there is one of every request");
    let rules = config.audit.as_ref().expect("it is configured");
    let mut log = AuditLog::new(rules, Some("edge"), 1);
    let at = UnixTime::from_micros(request.now.saturating_add(request.took.into()));
    let end = End { at, status: request.status };
    let event =
        log.record(&config, &trail, end, || source(&request)).expect("there are all events");
    assert!(event.len() <= MAX_EVENT);
    assert!(event.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    let read: Value = serde_json::from_str(event).expect("it is JSON");
    assert!(is_clean(&read), "{event}");
    if let Some(token) = token {
        assert!(!event.contains(&token[..64]));
    }
    let summary: Value = serde_json::from_str(log.summary(&config, &trail)).expect("it is JSON");
    assert!(is_clean(&summary));
});

fn source(request: &Request<'_>) -> Option<SourceAddress> {
    match request.source {
        Ok(socket) => {
            let socket = SocketAddr::from(socket);
            let source = SourceAddress::from_socket(&socket.to_string()).expect("it is one");
            // An address is what it says, whoever reads it.
            assert_eq!(source.as_str().parse(), Ok(socket.ip()));
            Some(source)
        }
        Err(text) => SourceAddress::from_socket(text),
    }
}
