//! A request with any headers at any gate: nothing passes that no token or rule lets pass, and
//! never with an identity that the client has claimed, nor without the whole of a body that must be
//! complete.
#![no_main]

use std::rc::Rc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use voussoir_core::access_keys::AccessKey;
use voussoir_core::access_rules::PlainPath;
use voussoir_core::catalogs::ServiceCatalog;
use voussoir_core::certificate::ClientCertificate;
use voussoir_core::config::Config;
use voussoir_core::fernet::{Key, KeyRing};
use voussoir_core::gate::{Budget, Effect, Gate, Input, KnownTokens, Verdict};
use voussoir_core::head::RequestHead;
use voussoir_core::identities::Identity;
use voussoir_core::identity::{Part, claims, is_identity_header};
use voussoir_core::keys::Keys;
use voussoir_core::record::{
    AccessKeyFault, CatalogRequest, IdentityFault, IdentityRequest, RevocationEvent,
    ValidationFault,
};
use voussoir_core::refusal::{Rejection, Unknown};
use voussoir_core::revocation::RevocationSet;
use voussoir_core::sigv4::{Credential, SigningKey};
use voussoir_core::time::UnixTime;
use voussoir_core::validations::{Validation, ValidationRequest};

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    shadow: bool,
    is_end: bool,
    anonymous: bool,
    headers: Vec<(&'a [u8], &'a [u8])>,
    /// Whether bodies must be complete, and JSON of at most 64 bytes.
    complete: bool,
    /// Whether there is a list that allows to members what is under `/v1`.
    acl: bool,
    identity: Source,
    /// Whether there are keys where Keystone itself is asked.
    keyless: bool,
    /// Whether questions about tokens are answered, where there are records.
    validation: bool,
    /// Whether the request is one, for which `subject_payload` is sealed into an `x-subject-token`.
    asks: bool,
    subject_payload: Option<&'a [u8]>,
    /// A payload to seal into an `x-auth-token` with a right HMAC.
    payload: Option<&'a [u8]>,
    /// The same for `x-service-token`.
    service_payload: Option<&'a [u8]>,
    now: u64,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Keys {
        right: bool,
        generation: u64,
    },
    Unknown,
    /// A record with these roles, and with access rules for `/v1/**` if there are any.
    Identity {
        role: Role,
        rules: bool,
    },
    Certificate(Certificate),
    NoIdentity,
    /// Keystone's answer, of somebody with this role whose token ends in this second.
    Validation {
        role: Role,
        expires_at: u64,
        body: Option<Vec<u8>>,
    },
    NoValidation {
        forbidden: bool,
    },
    /// What was revoked: all up to a second, or nothing.
    Revocations {
        issued_before: Option<u64>,
    },
    Catalog,
    SigningKey,
    NoAccessKey,
    HeadAgain,
    Late,
    Body {
        piece: Vec<u8>,
        is_end: bool,
    },
    Trailers,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Certificate {
    None,
    Untold,
    Known,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Role {
    Member,
    Service,
}

/// What is known of the certificate `certificate`.
fn client_certificate(what: Certificate) -> ClientCertificate {
    let sha256 = "03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72";
    let told = b"Cert=-----BEGIN CERTIFICATE-----Y2VydGlmaWNhdGU=-----END CERTIFICATE-----";
    let headers = [(&b"x-forwarded-client-cert"[..], &told[..])];
    let head = RequestHead::new(&headers);
    match what {
        Certificate::None => ClientCertificate::of(None, head),
        Certificate::Untold => {
            ClientCertificate::of(Some(sha256.as_bytes()), RequestHead::new(&[]))
        }
        Certificate::Known => {
            let known = ClientCertificate::of(Some(sha256.as_bytes()), head);
            assert!(matches!(known, ClientCertificate::Known(_)));
            known
        }
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Service => "service",
        }
    }
}

/// What tells what tokens do not.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Source {
    Nothing,
    Records,
    Keystone,
}

fn identity(request: IdentityRequest, role: Role, rules: bool) -> Rc<Identity> {
    let role = role.name();
    let rules = if rules {
        r#"[{"id":"x","service":"compute","path":"/v1/**","method":"GET"}]"#
    } else {
        "null"
    };
    let record = format!(
        r#"{{"user":{{"id":"u"}},"roles":[{{"name":"{role}"}}],"application_credential":
             {{"id":"a","name":"a","restricted":true,"access_rules":{rules}}}}}"#
    );
    let record = serde_json::from_str(&record).expect("it is valid");
    Rc::new(Identity { request, record })
}

/// What Keystone would say; nothing, if it makes no sense.
fn validation(
    request: &ValidationRequest,
    role: Role,
    expires_at: u64,
    body: Option<Vec<u8>>,
) -> Option<Rc<Validation>> {
    let body = body.unwrap_or_else(|| {
        let (role, end) = (role.name(), UnixTime::from_secs(expires_at));
        format!(
            r#"{{"token":{{"user":{{"id":"u"}},"roles":[{{"name":"{role}"}}],"methods":[],
                 "project":{{"id":"p"}},"audit_ids":["AQEBAQEBAQEBAQEBAQEBAQ"],
                 "expires_at":"{end}","issued_at":"2027-01-15T08:00:00.000000Z"}}}}"#
        )
        .into_bytes()
    });
    Validation::from_json(request, &body).ok().map(Rc::new)
}

fn revoked(issued_before: Option<u64>) -> Rc<RevocationSet> {
    let mut set = RevocationSet::new(10, 1);
    if let Some(issued_before) = issued_before {
        set.add(&RevocationEvent { issued_before, ..RevocationEvent::default() });
    }
    Rc::new(set)
}

fn catalog() -> Rc<ServiceCatalog> {
    let record = serde_json::from_str(r#"{"services":[]}"#).expect("it is valid");
    Rc::new(ServiceCatalog { request: CatalogRequest::default(), record })
}

fn signing_key() -> Rc<AccessKey> {
    let credential = Credential::from_text(b"A/20270115/r/s3/aws4_request").expect("it is valid");
    let record = serde_json::from_str(r#"{"user":{"id":"u"}}"#).expect("it is valid");
    Rc::new(AccessKey::new(credential, SigningKey::new([7; 32]), record))
}

fuzz_target!(|request: Request<'_>| {
    let answers = request.identity == Source::Records && request.validation;
    let asks_keystone = request.identity == Source::Keystone;
    let has_records = request.identity != Source::Nothing;
    let is_keyless = asks_keystone && request.keyless;
    let signatures = r#""sigv4":{"services":["s3","sqs"]},"#;
    let acl = r#""acl":{"rules":[
        {"name":"members","action":"allow","to":[{"paths":["/v1/**"]}],
         "when":[{"key":"roles","values":["member"]}]},
        {"name":"private","action":"deny","to":[{"paths":["/v1/private/**"]}]}]},"#;
    let config = format!(
        r#"{{"mode":"{}","missing":"{}",{}{}{}{}
             "token":{{"www_authenticate_uri":"http://k","identity":"{}"{}}},
             "hold_headers":true,"require_complete_body":[{}],
             "bypass":[{{"path_prefix":"/public/"}}],"bypass_cors_preflight":true}}"#,
        if request.shadow { "shadow" } else { "enforce" },
        if request.anonymous { "anonymous" } else { "reject" },
        if is_keyless { "" } else { r#""keyserver":{"cluster":"k"},"# },
        if asks_keystone { r#""keystone":{"cluster":"k"},"# } else { "" },
        if is_keyless { "" } else { signatures },
        if request.acl { acl } else { "" },
        match request.identity {
            Source::Nothing => "payload",
            Source::Records => "records",
            Source::Keystone => "keystone",
        },
        if answers { r#","serve_validation":true"# } else { "" },
        if request.complete { r#"{"path_prefix":"/","max":"64B"}"# } else { "" },
    );
    let mut gate = Gate::new(
        Rc::new(Config::parse(config.as_bytes()).expect("it is valid")),
        Rc::new(Budget::new(1 << 20)),
        Rc::new(KnownTokens::new(16, 1)),
    );
    let key = |n| Key::new(&[n; 16], &[n; 16]);
    let seal = |payload| key(1).seal_text(0, &[0; 16], payload);
    let (token, service_token) = (request.payload.map(seal), request.service_payload.map(seal));
    let subject = request.subject_payload.map(seal);
    let mut headers = request.headers.clone();
    if request.asks {
        headers.splice(..0, [(&b":method"[..], &b"GET"[..]), (b":path", b"/v3/auth/tokens")]);
        headers.extend(subject.as_ref().map(|token| (&b"x-subject-token"[..], token.as_bytes())));
    }
    headers.extend(token.as_ref().map(|token| (&b"x-auth-token"[..], token.as_bytes())));
    let service_token = service_token.as_ref().map(|token| token.as_bytes());
    headers.extend(service_token.map(|token| (&b"x-service-token"[..], token)));
    let head = RequestHead::new(&headers);
    let found = claims(head, Part::Headers);
    for (name, _) in &headers {
        assert!(!is_identity_header(name) || found.contains(name));
    }
    let now = UnixTime::from_micros(request.now);

    let mut effects = vec![gate.handle(now, Input::Head { head, is_end: request.is_end })];
    let (mut body, mut has_ended) = (Vec::new(), request.is_end);
    let demands = request.complete && !request.is_end;
    for step in request.steps {
        let needs = effects.last();
        let was_decided = !matches!(
            needs,
            Some(
                Effect::NeedKeys { .. }
                    | Effect::NeedCertificate
                    | Effect::NeedIdentity(_)
                    | Effect::NeedValidation(_)
                    | Effect::NeedRevocations
                    | Effect::NeedCatalog(_)
                    | Effect::NeedRest { .. }
                    | Effect::NeedSigningKey(_)
            )
        );
        let question = match needs {
            Some(Effect::NeedIdentity(question)) => (**question).clone(),
            _ => serde_json::from_str(r#"{"user":"u","scope":"unscoped"}"#).expect("it is valid"),
        };
        let asked = match needs {
            Some(Effect::NeedValidation(asked)) => Some(asked.clone()),
            _ => None,
        };
        let was_open = gate.is_open();
        match &step {
            Step::Body { piece, is_end } if !has_ended => {
                body.extend_from_slice(piece);
                has_ended = *is_end;
            }
            Step::Trailers => has_ended = true,
            // Nothing comes after the end.
            Step::Body { .. } => continue,
            _ => {}
        }
        let effect = match step {
            Step::Keys { right, generation } => {
                let ring = KeyRing::new([(1, key(if right { 1 } else { 2 }))]).expect("a ring");
                gate.handle(now, Input::Keys(Rc::new(Keys { keys: ring.into(), generation })))
            }
            Step::Unknown => {
                let cause = Unknown::KeysUnavailable;
                gate.handle(now, Input::Unknown { cause, retry_after: Duration::from_secs(1) })
            }
            Step::Identity { role, rules } => {
                gate.handle(now, Input::Identity(identity(question, role, rules)))
            }
            Step::Certificate(certificate) => {
                gate.handle(now, Input::Certificate(client_certificate(certificate)))
            }
            Step::NoIdentity => gate.handle(now, Input::NoIdentity(IdentityFault::UserDisabled)),
            Step::Validation { role, expires_at, body } => {
                let Some(asked) = asked else { continue };
                let Some(said) = validation(&asked, role, expires_at, body) else { continue };
                gate.handle(now, Input::Validation(said))
            }
            Step::NoValidation { forbidden: true } => {
                gate.handle(now, Input::NoValidation(ValidationFault::Forbidden))
            }
            Step::NoValidation { forbidden: false } => {
                gate.handle(now, Input::NoValidation(ValidationFault::Denied))
            }
            Step::Revocations { issued_before } => {
                gate.handle(now, Input::Revocations(revoked(issued_before)))
            }
            Step::Catalog => gate.handle(now, Input::Catalog(catalog())),
            Step::SigningKey => gate.handle(now, Input::SigningKey(signing_key())),
            Step::NoAccessKey => {
                gate.handle(now, Input::NoAccessKey(AccessKeyFault::AccessKeyUnknown))
            }
            Step::Late => gate.handle(now, Input::Late),
            Step::HeadAgain => gate.handle(now, Input::Head { head, is_end: request.is_end }),
            Step::Body { piece, is_end } => gate.handle(now, Input::Body { piece: &piece, is_end }),
            Step::Trailers => gate.handle(now, Input::Trailers),
        };
        if was_decided {
            // Nobody here can sign: no body is on its way that would have to be looked at.
            let passes = match effect {
                Effect::Nothing => true,
                Effect::Pass { replacement: None, verdict } => {
                    was_open && (verdict.is_none() || (demands && request.shadow))
                }
                _ => false,
            };
            assert!(passes, "{effect:?}");
            assert_eq!(gate.is_open(), was_open);
            break;
        }
        if effect != Effect::Nothing {
            effects.push(effect);
        }
    }

    let decisions: Vec<_> = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Forward(..) | Effect::Refuse(..)))
        .collect();
    assert!(decisions.len() <= 1, "decided twice");
    assert_eq!(gate.is_open(), matches!(decisions.first(), Some(Effect::Forward(..))));
    assert!(!gate.reads_status() || (gate.is_open() && has_records && !request.shadow));
    // Nobody learns anything of a token without a token of their own.
    if let Some(Effect::Refuse(reply, Verdict::Answered(rejection))) = decisions.first() {
        assert!(answers && request.payload.is_some());
        assert_eq!(reply.status == 200, rejection.is_none());
        for (_, value) in &reply.headers {
            assert!(!value.contains(char::is_control), "{value:?}");
        }
    }
    if let Some(Effect::Forward(edits, verdict)) = decisions.first() {
        let is_confirmed = edits.set.contains(&("x-identity-status", String::from("Confirmed")));
        if demands && !request.shadow {
            assert!(has_ended && body.len() <= 64);
            let text = std::str::from_utf8(&body).expect("it is JSON");
            assert!(body.is_empty() || serde_json::from_str::<IgnoredAny>(text).is_ok());
        }
        let Some(verdict) = *verdict else {
            // What becomes of it is said when the body has ended.
            assert!(demands && request.shadow);
            return;
        };
        // Beside a good token, that of a service may be left to the service that is asked.
        let is_good = matches!(
            verdict,
            Verdict::Allowed
                | Verdict::Answered(_)
                | Verdict::Anonymous(Rejection::ServiceTokenInvalid)
                | Verdict::Rejected(Rejection::AclDenied)
        );
        if request.acl && matches!(verdict, Verdict::Allowed | Verdict::Anonymous(_)) {
            let path = head.path().and_then(PlainPath::new).expect("a path that a rule allows");
            let segments: Vec<_> = path.as_bytes().split(|byte| *byte == b'/').collect();
            assert!(segments.len() > 1 && segments[1] == b"v1" && has_records && is_confirmed);
            assert!(segments.get(2).is_none_or(|segment| *segment != b"private"));
        }
        assert_eq!(is_confirmed, is_good);
        match verdict {
            // Without keys, Keystone may have taken whatever has the form of a token.
            Verdict::Allowed => assert!(is_keyless || request.payload.is_some()),
            Verdict::Answered(_) => assert!(answers && request.shadow && request.payload.is_some()),
            Verdict::Anonymous(_) => assert!(request.anonymous),
            Verdict::Rejected(_) | Verdict::Unavailable(_) => assert!(request.shadow),
            Verdict::Bypassed => {}
            Verdict::ListenerCheck => panic!("nobody checks"),
        }
        for (_, value) in &edits.set {
            assert!(!value.contains(char::is_control), "{value:?}");
        }
    }
});
