//! An event of CADF (DMTF DSP0262), as keystonemiddleware's audit filter and pycadf write them: who did
//! what to what, when, from where, and how it ended.
//!
//! It names credentials by what is no secret: a token by its audit id, an access key by its id.

use alloc::string::String;
use core::fmt::Write as _;
use core::time::Duration;

use super::id::EventId;
use super::json::{Json, List};
use super::names::UNKNOWN;
use super::path::{self, MAX_PATH};
use super::request::Request;
use super::rule::Outcome;
use super::secrets::without_token;
use crate::acl::{Attribute, Caller};
use crate::config::{AuditRules, Mode};
use crate::source::SourceAddress;
use crate::split;
use crate::time::{self, UnixTime};

/// What a gate knows of a request that is over.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) began: UnixTime,
    /// When it was decided, if it was.
    pub(crate) decided: Option<UnixTime>,
    pub(crate) request: &'a Request,
    /// `token`, `sigv4` or `none`.
    pub(crate) mechanism: &'static str,
    /// How it was decided, as metrics call it.
    pub(crate) verdict: &'static str,
    /// Why, likewise.
    pub(crate) reason: &'static str,
    /// The rule of the access control list that decided, and what it said.
    pub(crate) rule: Option<(&'a str, &'static str)>,
    /// Whom the request comes from, as far as its credentials say so.
    pub(crate) caller: Caller<'a>,
    /// Whether that is so.
    pub(crate) is_confirmed: bool,
    pub(crate) credential: Option<Credential<'a>>,
    /// The user of the service that asks on the caller's behalf.
    pub(crate) service: Option<&'a str>,
}

/// What a request came with.
#[derive(Debug, Default)]
pub(crate) struct Credential<'a> {
    /// The audit id of a token, or the id of an access key; nothing of what nobody has opened.
    pub(crate) id: Option<&'a str>,
    /// The audit id of the first token of the chain.
    pub(crate) chain_id: Option<&'a str>,
    /// Of which kind the token is.
    pub(crate) kind: Option<&'static str>,
    pub(crate) access_token_id: Option<&'a str>,
    pub(crate) application_credential_id: Option<&'a str>,
    pub(crate) trust_id: Option<&'a str>,
    /// Who acts, where the caller is a trustor.
    pub(crate) trustee_user_id: Option<&'a str>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// When.
    pub at: UnixTime,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) id: EventId,
    pub(super) facts: &'a Facts<'a>,
    pub(super) end: End,
    /// The client's address, as the proxy knows it.
    pub(super) source: Option<SourceAddress>,
    /// What the proxy is called that has seen it.
    pub(super) observer: &'a str,
    pub(super) rules: &'a AuditRules,
    pub(super) mode: Mode,
}

impl Event<'_> {
    /// Writes it as one line of JSON, at most [`MAX_EVENT`] bytes.
    pub(super) fn write(&self, out: &mut String) {
        let Self { id, facts, end, rules, .. } = self;
        let Facts { began, decided, request, .. } = facts;
        let mut event = Json::begin(out);
        event.word("typeURI", "http://schemas.dmtf.org/cloud/audit/1.0/event");
        event.word("eventType", "activity");
        event.display("id", id);
        event.display("eventTime", &Timestamp(*began));
        event.text("action", rules.names.action(&request.method, request.plain_path()));
        event.word("outcome", Outcome::of(end.status).name());
        self.write_reason(&mut event);
        event.object("initiator", |initiator| self.write_initiator(initiator));
        event.object("target", |target| self.write_target(target));
        event.object("observer", |observer| {
            observer.text("id", self.observer);
            observer.text("typeURI", &rules.observer.type_uri);
            observer.optional("name", rules.observer.name.as_deref());
        });
        event.written("requestPath", MAX_PATH, |text| {
            path::write(text, &request.path, &rules.masked_parameters);
        });
        event.list("tags", |tags| self.write_tags(tags));
        event.list("measurements", |list| {
            write_duration(list, "request", REQUEST, end.at.since(*began));
            if let Some(decided) = decided {
                write_duration(list, "decision", DECISION, decided.since(*began));
            }
        });
        event.finish();
    }

    fn write_reason(&self, event: &mut Json<'_>) {
        let (status, rule) = (self.end.status, self.facts.rule);
        if status.is_none() && rule.is_none() {
            return;
        }
        event.object("reason", |reason| {
            if let Some(status) = status {
                reason.word("reasonType", "HTTP");
                reason.display("reasonCode", &status);
            }
            if let Some((rule, _)) = rule {
                reason.word("policyType", "voussoir/acl");
                reason.text("policyId", rule);
            }
        });
    }

    fn write_initiator(&self, initiator: &mut Json<'_>) {
        let Facts { request, caller, credential, .. } = self.facts;
        initiator.text("id", caller.user_id.unwrap_or(UNKNOWN));
        initiator.word("typeURI", "service/security/account/user");
        initiator.optional("name", caller.value(Attribute::UserName));
        initiator.optional("domain", caller.value(Attribute::UserDomainId));
        initiator.optional("project_id", caller.project_id);
        initiator.optional("domain_id", caller.domain_id);
        initiator.optional("system_scope", caller.value(Attribute::System));
        if let Some(it) = credential {
            initiator.object("credential", |json| {
                json.word("type", self.facts.mechanism);
                json.text("token", it.id.unwrap_or(UNKNOWN));
                let status = if self.facts.is_confirmed { "Confirmed" } else { "Invalid" };
                json.word("identity_status", status);
                if let Some(kind) = it.kind {
                    json.word("kind", kind);
                }
                json.optional("audit_chain_id", it.chain_id);
                json.optional("access_token_id", it.access_token_id);
                json.optional("application_credential_id", it.application_credential_id);
                json.optional("trust_id", it.trust_id);
                json.optional("trustee_user_id", it.trustee_user_id);
            });
        }
        initiator.object("host", |host| {
            if let Some(source) = &self.source {
                host.text("address", source.as_str());
            }
            if let Some(agent) = &request.agent {
                host.bytes("agent", without_token(agent));
            }
        });
        for (name, id) in [("request_id", &request.id), ("global_request_id", &request.global_id)] {
            if let Some(id) = id {
                initiator.bytes(name, id);
            }
        }
    }

    fn write_target(&self, target: &mut Json<'_>) {
        let (request, resource) = (self.facts.request, &self.rules.target);
        target.text("id", resource.id.as_deref().unwrap_or(UNKNOWN));
        target.written("typeURI", MAX_TYPE, |text| {
            self.rules.names.write_type(text, &resource.type_uri, request.plain_path());
        });
        target.optional("name", resource.name.as_deref());
        if let Some(host) = &request.host {
            // Before it, there may be a password (RFC 3986, section 3.2.1).
            let host = split::behind_last(host, b'@');
            let host = without_token(host);
            target.list("addresses", |list| list.object(|address| address.bytes("url", host)));
        }
    }

    fn write_tags(&self, tags: &mut List<'_>) {
        let Facts { request, mechanism, verdict, reason, rule, service, .. } = self.facts;
        let method = core::str::from_utf8(&request.method).unwrap_or(UNKNOWN);
        // As pycadf's `generate_name_value_tag` has it.
        for (name, value) in [
            ("method?value=", Some(method)),
            ("mechanism?value=", Some(mechanism)),
            ("verdict?value=", Some(verdict)),
            ("reason?value=", Some(reason)),
            ("mode?value=", Some(self.mode.name())),
            ("acl?value=", rule.map(|(_, action)| action)),
            ("service_user_id?value=", *service),
        ] {
            if let Some(value) = value {
                tags.written(|text| {
                    text.push_word(name);
                    text.push_str(value);
                });
            }
        }
    }
}

/// Writes the same in short, for an access log: who, with what, and how it was decided.
pub(super) fn write_summary(out: &mut String, facts: &Facts<'_>) {
    let Facts { caller, credential, mechanism, verdict, reason, rule, .. } = facts;
    let mut summary = Json::begin(out);
    summary.word("verdict", verdict);
    summary.word("reason", reason);
    summary.optional("rule", rule.map(|(rule, _)| rule));
    summary.word("mechanism", mechanism);
    summary.word("identity_status", if facts.is_confirmed { "Confirmed" } else { "Invalid" });
    summary.optional("user_id", caller.user_id);
    summary.optional("user_name", caller.value(Attribute::UserName));
    summary.optional("project_id", caller.project_id);
    summary.optional("domain_id", caller.domain_id);
    summary.optional("system_scope", caller.value(Attribute::System));
    summary.optional("credential", credential.as_ref().and_then(|it| it.id));
    summary.finish();
}

fn write_duration(
    list: &mut List<'_>,
    name: &'static str,
    metric_id: &'static str,
    duration: Duration,
) {
    list.object(|measurement| {
        measurement.display("result", &time::micros(duration));
        measurement.object("metric", |metric| {
            metric.word("metricId", metric_id);
            metric.word("unit", "us");
            metric.word("name", name);
        });
    });
}

/// A time as pycadf writes it: `2026-11-22T06:21:32.000000+0000`.
struct Timestamp(UnixTime);

impl core::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut text = String::new();
        write!(text, "{}", self.0)?;
        f.write_str(text.strip_suffix('Z').unwrap_or(&text))?;
        f.write_str("+0000")
    }
}

/// The most bytes of an event. There are some thirty texts of at most 515 bytes in it, and the path.
pub const MAX_EVENT: usize = 16 * 1024;

/// The most bytes of the type of a target.
const MAX_TYPE: usize = 512;

/// What the two measured times are known by, everywhere and always.
const REQUEST: &str = "5f0c1f4e-6d5b-5c59-9a60-2f2ce0a3f0a1";
const DECISION: &str = "b7c3d6c2-93a4-5d0e-8c5a-0f6c1b1c7e52";
