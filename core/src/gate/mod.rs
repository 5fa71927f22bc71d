//! The state machine of one request.
//!
//! It knows no host and no clock. **Hand in one [`Input`], carry out the one [`Effect`] that comes
//! back, then wait for the next input.** Until an effect says [`Effect::Forward`], nothing of the
//! request may pass: [`Gate::is_open`] is the one place to ask, in every callback.
//!
//! ```text
//!            Head                    Keys
//!   New ─────┬─────▶ AwaitKeys ───────────────▶ Decided: forwarded
//!            │         │    ▲ no key opens it,   ▲  │
//!            │         └────┘ are there newer?   │  └─ or refused
//!            │                                   │
//!            │ signed       SigningKey           │ the body passes, piece by piece
//!            └─────▶ AwaitSigningKey ────────▶ Passing ──▶ verified, or refused
//!                      │    ▲ it is there: is the key still good?
//!                      ▼    │
//!                    AwaitBody   the hash of the body is signed
//! ```
//!
//! Where the body must be complete, whoever would be forwarded waits in `AwaitRest` until it is. A token
//! that is bound to a client certificate is compared with it in between (`AwaitCertificate`).
//!
//! No credentials, malformed, bypassed: decided without a key. `token/` has what is particular
//! about tokens, `signature.rs` what is about signatures, `body.rs` their bodies, `complete_body.rs`
//! bodies that must be complete, `route.rs` with which settings a request is looked at, `authorize.rs` what
//! the sender may do, `schema.rs` what its API's document says of the request, `response.rs` the service's
//! answers, `trail.rs` what the audit log learns.

mod authorize;
mod body;
mod budget;
mod complete_body;
mod exchange;
mod mechanism;
mod response;
mod route;
mod schema;
mod signature;
mod token;
mod trail;
mod verdict;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::time::Duration;

use crate::acl::{Decision, Matched};
use crate::config::{Config, Mode};
use crate::head::RequestHead;
use crate::identity::{HeaderEdits, IdentityHeaders};
use crate::listener_check;
use crate::refusal::aws::{Fault, Manner};
use crate::refusal::{BodyFault, Rejection, Reply, SignatureFault, Unknown, keystone};
use crate::schema::Outcome;
use crate::sigv4::Form;
use crate::time::UnixTime;
use body::Passing;
pub use budget::Budget;
use complete_body::{Arriving, AwaitRest, Came};
pub use exchange::{Effect, Input};
pub use mechanism::Mechanism;
use signature::Signed;
use token::{
    AwaitCatalog, AwaitCertificate, AwaitIdentity, AwaitKeys, AwaitRevocations, AwaitValidation,
};
pub use token::{KnownTokens, MAX_KNOWN_TOKENS};
pub use trail::{Trail, UNDECIDED};
pub use verdict::Verdict;

/// One request on its way.
#[derive(Debug)]
pub struct Gate {
    config: Rc<Config>,
    /// The place of the route whose settings these are, if they are one's.
    route: Option<usize>,
    state: State,
    /// How a signed request wants to be answered; any other is answered as Keystone does.
    manner: Option<Box<Manner>>,
    /// What of bodies may be held back, of all requests together.
    budget: Rc<Budget>,
    /// The tokens that were opened lately, of all requests together.
    known: Rc<KnownTokens>,
    /// The body, as far as it has come, where it must be complete.
    arriving: Option<Box<Arriving>>,
    /// By which kind of credentials it is decided.
    mechanism: Mechanism,
    /// Whether it is decided by its tokens, or by having none.
    is_about_tokens: bool,
    /// Which rules of the access control list are about it, if there is a list.
    matched: Option<Matched>,
    /// Which are about the object that it copies, if it does.
    matched_copied: Option<Box<Matched>>,
    /// What the list has decided, until somebody counts it.
    decision: Option<Decision>,
    /// What the audit log will be told, if there is one.
    trail: Option<Box<Trail>>,
    /// What the document of its API says of it, if there is one.
    schema: Option<Box<schema::Held>>,
    /// What that came to, until somebody counts it.
    schema_outcome: Option<(usize, Outcome)>,
}

#[derive(Debug)]
enum State {
    New,
    /// The token's layout is right, and now it needs keys.
    AwaitKeys(AwaitKeys),
    /// The token is genuine, and bound to a client certificate.
    AwaitCertificate(Box<AwaitCertificate>),
    /// The token is genuine, and it has to be known what Keystone makes of it.
    AwaitIdentity(AwaitIdentity),
    /// Keystone would take it, unless it was revoked.
    AwaitRevocations(AwaitRevocations),
    /// Keystone has to say what the token is.
    AwaitValidation(Box<AwaitValidation>),
    /// All tokens are good, and the service wants the catalogue of the user's.
    AwaitCatalog(Box<AwaitCatalog>),
    /// The request is signed, well and now, and needs the key.
    AwaitSigningKey(Box<Signed>),
    /// There is a key, and what was signed is the hash of the body.
    AwaitBody(Box<Signed>),
    /// The request may pass as soon as its body is complete.
    AwaitRest(Box<AwaitRest>),
    /// The head was let through, and the body is being verified.
    Passing(Box<Passing>),
    Decided {
        is_open: bool,
        /// Whether trailers may follow.
        takes_trailers: bool,
    },
}

impl Gate {
    /// A request that has told nothing yet, one of those that share this configuration, this budget and
    /// what is known of tokens.
    #[must_use]
    pub fn new(config: Rc<Config>, budget: Rc<Budget>, known: Rc<KnownTokens>) -> Self {
        Self {
            config,
            route: None,
            state: State::New,
            manner: None,
            budget,
            known,
            arriving: None,
            mechanism: Mechanism::None,
            is_about_tokens: false,
            matched: None,
            matched_copied: None,
            decision: None,
            trail: None,
            schema: None,
            schema_outcome: None,
        }
    }

    /// By which kind of credentials the request is decided, as far as it has told.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the request was let through, so that its body and trailers may follow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Passing(_) | State::Decided { is_open: true, .. })
    }

    /// Whether the pieces of the body have to be read, and handed in as they are.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        match &self.state {
            State::AwaitSigningKey(signed) | State::AwaitBody(signed) => {
                signed.reads_body() || self.collects()
            }
            State::AwaitRest(_) | State::Passing(_) => true,
            State::New
            | State::AwaitKeys(_)
            | State::AwaitCertificate(_)
            | State::AwaitIdentity(_)
            | State::AwaitRevocations(_)
            | State::AwaitValidation(_)
            | State::AwaitCatalog(_) => self.collects(),
            State::Decided { is_open, .. } => {
                *is_open && (self.arriving.is_some() || self.watches_schema())
            }
        }
    }

    /// Takes in one input at the time `now`.
    pub fn handle(&mut self, now: UnixTime, input: Input<'_>) -> Effect {
        let mut effect = self.take_in(now, input);
        // Else there would be series that are not there from the start.
        debug_assert!(effect.verdict().is_none_or(|verdict| self.mechanism.can_be(verdict)));
        self.note(Some(now), &effect);
        if let (Effect::Forward(edits, _), Some(class)) = (&mut effect, &self.config.quota_class) {
            Rc::make_mut(edits).set_quota_class(class);
        }
        effect
    }

    fn take_in(&mut self, now: UnixTime, input: Input<'_>) -> Effect {
        let came = Came::of(&input);
        if let Some(refusal) = self.collect(now, came) {
            return refusal;
        }
        if let Some(refusal) = self.take_in_for_schema(came) {
            return refusal;
        }
        let mut effect = self.step(now, input);
        // An effect is large, and to hand it on is to copy it.
        if self.schema.is_some() {
            effect = self.hold_against_schema(effect);
        }
        if self.arriving.is_some() {
            effect = self.hold(now, came, effect);
        }
        effect
    }

    fn step(&mut self, now: UnixTime, input: Input<'_>) -> Effect {
        match input {
            Input::Body { piece, is_end } => self.on_body(piece, is_end),
            Input::Trailers => self.on_trailers(),
            Input::Late => self.on_late(),
            Input::Unknown { cause, retry_after } => self.on_unknown(cause, retry_after),
            input => self.on_told(now, input),
        }
    }

    /// The head, or what was asked for.
    fn on_told(&mut self, now: UnixTime, input: Input<'_>) -> Effect {
        // A decision is final, whatever else arrives.
        if let State::Decided { .. } = self.state {
            return Effect::Nothing;
        }
        match (core::mem::replace(&mut self.state, SHUT), input) {
            (State::New, Input::Head { head, is_end }) => self.on_head(now, head, is_end),
            (State::AwaitKeys(waiting), Input::Keys(keys)) => self.on_keys(now, waiting, &keys),
            (State::AwaitCertificate(waiting), Input::Certificate(certificate)) => {
                self.on_certificate(*waiting, &certificate)
            }
            (State::AwaitIdentity(waiting), Input::Identity(identity)) => {
                self.on_identity(waiting, identity)
            }
            (State::AwaitIdentity(waiting), Input::NoIdentity(fault)) => {
                self.on_no_identity(waiting, fault)
            }
            (State::AwaitRevocations(waiting), Input::Revocations(revoked)) => {
                self.on_revocations(now, waiting, &revoked)
            }
            (State::AwaitValidation(waiting), Input::Validation(validation)) => {
                self.on_validation(now, *waiting, validation)
            }
            (State::AwaitValidation(waiting), Input::NoValidation(fault)) => {
                self.on_no_validation(*waiting, fault)
            }
            (State::AwaitCatalog(waiting), Input::Catalog(catalog)) => {
                self.on_catalog(now, *waiting, &catalog)
            }
            (State::AwaitSigningKey(signed), Input::SigningKey(key)) => {
                self.on_signing_key(now, signed, &key)
            }
            (State::AwaitSigningKey(signed), Input::NoAccessKey(fault)) => {
                self.on_no_access_key(&signed, fault)
            }
            // The host failed, or called back in an order that does not occur. Shadow mode has no
            // say in it: what the client claims about its identity could not be taken out.
            (_, _) => self.fail(),
        }
    }

    /// What was asked for cannot be had.
    fn on_unknown(&mut self, cause: Unknown, retry_after: Duration) -> Effect {
        match self.state {
            State::AwaitKeys(_)
            | State::AwaitIdentity(_)
            | State::AwaitRevocations(_)
            | State::AwaitValidation(_)
            | State::AwaitCatalog(_)
            | State::AwaitSigningKey(_)
            | State::AwaitBody(_)
            | State::AwaitRest(_) => self.unknown(cause, retry_after),
            State::Decided { .. } => Effect::Nothing,
            State::New | State::AwaitCertificate(_) | State::Passing(_) => self.fail(),
        }
    }

    fn on_body(&mut self, piece: &[u8], is_end: bool) -> Effect {
        match &mut self.state {
            // In Envoy's mode `allow_on_headers_stop_iteration` the body comes while a key is
            // waited for.
            State::AwaitSigningKey(signed) => {
                signed.take_in(piece, is_end);
                Effect::Nothing
            }
            State::AwaitBody(_) => self.on_awaited_body(piece, is_end),
            State::Passing(_) => self.on_passing_body(piece, is_end),
            State::Decided { is_open: true, .. } => {
                Effect::Pass { replacement: None, verdict: None }
            }
            // Of a request with a token the body is not looked at, and the host holds it.
            State::AwaitKeys(_)
            | State::AwaitCertificate(_)
            | State::AwaitIdentity(_)
            | State::AwaitRevocations(_)
            | State::AwaitValidation(_)
            | State::AwaitCatalog(_)
            | State::AwaitRest(_)
            | State::Decided { .. } => Effect::Nothing,
            State::New => self.fail(),
        }
    }

    fn on_trailers(&mut self) -> Effect {
        match &self.state {
            State::AwaitRest(waiting) if waiting.takes_trailers() => Effect::Nothing,
            State::AwaitSigningKey(_) | State::AwaitBody(_) | State::AwaitRest(_) => {
                self.refuse_signature(&(Fault::of_trailers(), SignatureFault::TrailersRefused))
            }
            State::Passing(_) | State::Decided { is_open: true, takes_trailers: false } => {
                self.refuse_trailers()
            }
            State::AwaitKeys(_)
            | State::AwaitCertificate(_)
            | State::AwaitIdentity(_)
            | State::AwaitRevocations(_)
            | State::AwaitValidation(_)
            | State::AwaitCatalog(_)
            | State::Decided { .. } => Effect::Nothing,
            State::New => self.fail(),
        }
    }

    /// The body has not come in time.
    fn on_late(&mut self) -> Effect {
        match self.state {
            State::AwaitBody(_) | State::AwaitRest(_) => self.refuse_body(BodyFault::Late),
            State::Decided { .. } => Effect::Nothing,
            _ => self.fail(),
        }
    }

    /// The host could not carry out [`Effect::Forward`]: the gate closes again, and what comes back
    /// is to be tried instead.
    pub fn abort(&mut self) -> Effect {
        if matches!(self.state, State::Decided { is_open: false, .. }) {
            return Effect::Nothing;
        }
        let effect = self.fail();
        self.note(None, &effect);
        effect
    }

    fn fail(&mut self) -> Effect {
        let cause = Unknown::HostFailure;
        let reply = self.unknown_reply(cause, A_MOMENT);
        self.state = SHUT;
        self.arriving = None;
        Effect::Refuse(reply, Verdict::Unavailable(cause))
    }

    fn on_head(&mut self, now: UnixTime, head: RequestHead<'_>, is_end: bool) -> Effect {
        if let Some(reply) = self.listener_check(head) {
            self.state = SHUT;
            return Effect::Refuse(reply, Verdict::ListenerCheck);
        }
        let is_in_doubt = self.choose_settings(head);
        self.begin_trail(now, head);
        if is_in_doubt {
            return self.refuse_in_doubt(head);
        }
        self.match_schema(head, is_end);
        if let Some(refusal) = self.expect_body(now, head, is_end) {
            return refusal;
        }
        if self.config.bypass.covers(head) {
            return self.forward(HeaderEdits::default(), Verdict::Bypassed);
        }
        self.match_rules(head);
        let Some(rules) = &self.config.sigv4 else { return self.on_token(head) };
        match Form::of(head) {
            Form::None | Form::Other if self.config.token.is_some() => self.on_token(head),
            Form::None => {
                self.manner = Some(Box::new(Manner::of(head, rules, None)));
                self.reject(Rejection::CredentialsMissing, &Fault::of_missing_credentials())
            }
            _ => self.on_signed(now, head, is_end),
        }
    }

    /// The answer, if it is ourselves who ask.
    fn listener_check(&self, head: RequestHead<'_>) -> Option<Reply> {
        let rules = self.config.sigv4.as_ref()?;
        rules.listener_check.as_ref()?;
        listener_check::answer(&self.config.keyserver.as_ref()?.server, head)
    }

    /// "Not allowed": a refusal, unless the configuration leaves the decision to the service.
    fn reject(&mut self, rejection: Rejection, fault: &Fault) -> Effect {
        if self.may_be_anonymous(rejection) {
            return self.forward_invalid(Some(Verdict::Anonymous(rejection)));
        }
        let reply = match &self.manner {
            Some(manner) => fault.reply(manner, rejection.reason(), &self.config),
            None => keystone::rejection(rejection, &self.config),
        };
        let reply = if rejection == Rejection::AclDenied { self.with_rule(reply) } else { reply };
        self.refuse(reply, Verdict::Rejected(rejection))
    }

    /// "Cannot know": never an identity, and never anonymous either.
    fn unknown(&mut self, cause: Unknown, retry_after: Duration) -> Effect {
        let reply = self.unknown_reply(cause, retry_after);
        self.refuse(reply, Verdict::Unavailable(cause))
    }

    fn unknown_reply(&self, cause: Unknown, retry_after: Duration) -> Reply {
        match &self.manner {
            Some(manner) => {
                Fault::of_unknown(retry_after).reply(manner, cause.reason(), &self.config)
            }
            None => keystone::unknown(cause, retry_after, &self.config),
        }
    }

    /// The one place where a request is refused, or in shadow mode would have been.
    fn refuse(&mut self, reply: Reply, verdict: Verdict) -> Effect {
        match self.config.mode {
            Mode::Enforce => {
                self.state = SHUT;
                Effect::Refuse(reply, verdict)
            }
            Mode::Shadow => self.forward_invalid(Some(verdict)),
        }
    }

    fn forward_invalid(&mut self, verdict: Option<Verdict>) -> Effect {
        let mut headers = IdentityHeaders::new(&self.config.identity_headers);
        headers.set_invalid();
        let edits = headers.into_edits();
        self.state = State::Decided { is_open: true, takes_trailers: true };
        Effect::Forward(Rc::new(edits), verdict)
    }

    /// The one place where a request is let through whose body needs no look.
    fn forward(&mut self, edits: impl Into<Rc<HeaderEdits>>, verdict: Verdict) -> Effect {
        self.state = State::Decided { is_open: true, takes_trailers: true };
        Effect::Forward(edits.into(), Some(verdict))
    }
}

/// The state in which nothing passes, which is also the one of a gate that is just being worked on.
const SHUT: State = State::Decided { is_open: false, takes_trailers: false };

/// How long a client should wait after a fault that needs no repair.
const A_MOMENT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
