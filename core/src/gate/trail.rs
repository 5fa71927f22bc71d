//! What a request leaves behind for the audit log: who asked for what, and how it was decided.
//!
//! It is noted where it is found out, and read when the request is over. Without an audit log nothing is
//! noted, and nothing allocated.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::token::Opened;
use super::{Effect, Gate, Mechanism, Verdict};
use crate::access_keys::AccessKey;
use crate::acl::{Caller, Decision};
use crate::audit::{Credential, Facts, Request};
use crate::config::{Config, FilterState};
use crate::head::RequestHead;
use crate::identities::Identity;
use crate::record::Delegation;
use crate::sigv4;
use crate::time::UnixTime;

/// What a request has left behind.
#[derive(Debug)]
pub struct Trail {
    began: UnixTime,
    request: Request,
    sender: Sender,
    /// Whether there is such an access key as the signature names, whoever has made it.
    is_access_key: bool,
    /// Whether all that the sender has shown is good.
    is_confirmed: bool,
    /// Whom the service's token stands for.
    service: Option<Rc<Identity>>,
    /// What the access control list has said.
    decision: Option<Decision>,
    verdict: Option<Verdict>,
    decided: Option<UnixTime>,
}

/// Whom the credentials name.
#[derive(Debug)]
enum Sender {
    /// There are none.
    Nobody,
    /// A token that nobody has opened.
    Token,
    /// A genuine token, and whom Keystone presents for it, where that is known.
    Known(Rc<Opened>, Option<Rc<Identity>>),
    /// A signature with an access key that nothing is known of.
    Signature(Option<Rc<sigv4::Credential>>),
    /// A genuine signature.
    AccessKey(Rc<AccessKey>),
}

impl Gate {
    /// What there is for the audit log, once.
    pub fn take_trail(&mut self) -> Option<Box<Trail>> {
        self.trail.take()
    }

    pub(super) fn begin_trail(&mut self, now: UnixTime, head: RequestHead<'_>) {
        let Some(rules) = &self.config.audit else { return };
        let is_shown = rules.filter_state == FilterState::Summary;
        self.trail = Request::of(head, &rules.rules, is_shown).map(|request| {
            Box::new(Trail {
                began: now,
                request,
                sender: Sender::Nobody,
                is_access_key: false,
                is_confirmed: false,
                service: None,
                decision: None,
                verdict: None,
                decided: None,
            })
        });
    }

    /// Notes how the request is decided; the last word counts.
    pub(super) fn note(&mut self, now: Option<UnixTime>, effect: &Effect) {
        let Some(trail) = &mut self.trail else { return };
        let verdict = effect.verdict();
        if verdict.is_some() {
            trail.verdict = verdict;
            trail.decided = now.or(trail.decided);
        }
    }

    pub(super) fn note_token(&mut self) {
        self.mechanism = Mechanism::Token;
        self.note_sender(|| Sender::Token);
    }

    pub(super) fn note_opened(&mut self, token: &Rc<Opened>, identity: Option<&Rc<Identity>>) {
        self.note_sender(|| Sender::Known(Rc::clone(token), identity.cloned()));
    }

    pub(super) fn note_service(&mut self, identity: &Rc<Identity>) {
        if let Some(trail) = &mut self.trail {
            trail.service = Some(Rc::clone(identity));
        }
    }

    pub(super) fn note_signature(&mut self, credential: Option<&Rc<sigv4::Credential>>) {
        self.mechanism = Mechanism::SigV4;
        self.note_sender(|| Sender::Signature(credential.cloned()));
    }

    pub(super) fn note_access_key(&mut self, key: &Rc<AccessKey>) {
        self.note_sender(|| Sender::AccessKey(Rc::clone(key)));
    }

    /// Notes that there is such an access key as the signature names.
    pub(super) fn note_that_access_key_is_one(&mut self) {
        if let Some(trail) = &mut self.trail {
            trail.is_access_key = true;
        }
    }

    /// Notes that all that the sender has shown is good, and what it may do.
    pub(super) fn note_decision(&mut self, decision: Option<Decision>, is_confirmed: bool) {
        if let Some(trail) = &mut self.trail {
            trail.decision = decision;
            trail.is_confirmed |= is_confirmed;
        }
    }

    fn note_sender(&mut self, sender: impl FnOnce() -> Sender) {
        if let Some(trail) = &mut self.trail {
            trail.sender = sender();
        }
    }
}

impl Trail {
    /// All that is known, as events tell it.
    pub(crate) fn facts<'a>(&'a self, config: &'a Config) -> Facts<'a> {
        let service = self.service.as_ref().map(|identity| &*identity.record.user.id);
        let rule = self.decision.zip(config.acl.as_ref());
        Facts {
            began: self.began,
            decided: self.decided,
            request: &self.request,
            mechanism: self.sender.mechanism().name(),
            verdict: self.verdict.map_or(UNDECIDED, Verdict::outcome),
            reason: self.verdict.map_or("none", Verdict::reason),
            rule: rule.map(|(decision, acl)| (acl.name(decision.rule), decision.action.name())),
            caller: self.sender.caller(),
            is_confirmed: self.is_confirmed,
            credential: self.sender.credential(self.is_access_key, config),
            service,
        }
    }
}

impl Sender {
    fn mechanism(&self) -> Mechanism {
        match self {
            Self::Nobody => Mechanism::None,
            Self::Token | Self::Known(..) => Mechanism::Token,
            Self::Signature(_) | Self::AccessKey(_) => Mechanism::SigV4,
        }
    }

    fn caller(&self) -> Caller<'_> {
        match self {
            Self::Nobody | Self::Token | Self::Signature(_) => Caller::default(),
            Self::Known(_, Some(identity)) => Caller::from(&identity.record),
            Self::Known(token, None) => token.caller(),
            Self::AccessKey(key) => key.caller(),
        }
    }

    fn credential(&self, is_access_key: bool, config: &Config) -> Option<Credential<'_>> {
        Some(match self {
            Self::Nobody => return None,
            Self::Token | Self::Signature(None) => Credential::default(),
            Self::Signature(Some(credential)) => {
                let id = Some(&*credential.access_key);
                let id = id.filter(|id| is_access_key || looks_like_one(id, config));
                Credential { id, ..Credential::default() }
            }
            Self::Known(token, identity) => of_token(token, identity.as_deref()),
            Self::AccessKey(key) => {
                let mut known =
                    Credential { id: Some(&key.credential.access_key), ..Credential::default() };
                match &key.record.delegation {
                    Some(Delegation::AccessToken(id)) => known.access_token_id = Some(id),
                    Some(Delegation::ApplicationCredential(id)) => {
                        known.application_credential_id = Some(id);
                    }
                    Some(Delegation::Trust(id)) => known.trust_id = Some(id),
                    None => {}
                }
                known
            }
        })
    }
}

/// Whether what stands in the place of an access key, and is none that is known, begins as all do. Else it is not
/// shown: clients have been seen to send their secrets there.
fn looks_like_one(id: &str, config: &Config) -> bool {
    let prefix = config.sigv4.as_ref().map_or("", |rules| &rules.access_key_prefix);
    !prefix.is_empty() && id.starts_with(prefix)
}

fn of_token<'a>(token: &'a Opened, identity: Option<&'a Identity>) -> Credential<'a> {
    let record = identity.map(|identity| &identity.record);
    let trust = record.and_then(|record| record.trust.as_ref());
    let oauth1 = record.and_then(|record| record.oauth1.as_ref());
    let (id, chain_id) = token.audit_ids();
    let caller = token.caller();
    Credential {
        id: Some(id),
        chain_id,
        kind: Some(token.payload.kind().name()),
        access_token_id: oauth1.map(|oauth1| &*oauth1.access_token_id),
        application_credential_id: caller.application_credential,
        trust_id: trust.map(|trust| &*trust.id),
        trustee_user_id: trust.map(|trust| &*trust.trustee_user_id),
    }
}

/// What a request is called that ended before it was decided, where others are called by their verdicts.
pub const UNDECIDED: &str = "undecided";
