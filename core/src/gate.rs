//! The state machine of one request.
//!
//! It knows no host and no clock. **Hand in one [`Input`], carry out the one [`Effect`] that comes
//! back, then wait for the next input.** Until an effect says [`Effect::Forward`], nothing of the
//! request may pass: [`Gate::is_open`] is the one place to ask, in every callback.
//!
//! ```text
//!            Head                    Keys
//!   New ───────────▶ AwaitKeys ───────────────▶ Decided: forwarded
//!    │                 │    ▲ no key opens it,   ▲  │
//!    │                 └────┘ are there newer?   │  └─ or refused
//!    └───────────────────────────────────────────┘
//!       no token, malformed, bypassed: decided without a key
//! ```

use alloc::rc::Rc;
use core::time::Duration;

use crate::config::{Config, Missing, Mode};
use crate::fernet::{Envelope, MalformedEnvelope, OpenError, Opened};
use crate::head::RequestHead;
use crate::identity::{CREDENTIALS, HeaderEdits};
use crate::keys::Keys;
use crate::refusal::{Rejection, Reply, Unknown};
use crate::time::UnixTime;
use crate::token::{Payload, PayloadError};

/// One request on its way.
#[derive(Debug)]
pub struct Gate {
    config: Rc<Config>,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    /// The token's layout is right, and now it needs keys.
    AwaitKeys(AwaitKeys),
    Decided {
        is_open: bool,
    },
}

#[derive(Debug)]
struct AwaitKeys {
    envelope: Envelope,
    /// The generation of keys that did not open it, after which newer ones were asked for.
    tried: Option<u64>,
}

/// What the world tells a request.
#[derive(Debug)]
pub enum Input<'a> {
    /// The request's head has arrived, and what [`crate::identity::claims`] finds in it was removed.
    Head(RequestHead<'a>),
    /// The head cannot be had: the host failed.
    NoHead,
    /// Keys, as [`Effect::NeedKeys`] asked for them.
    Keys(&'a Keys),
    /// There are no such keys, and why.
    NoKeys {
        /// Why.
        cause: Unknown,
        /// When it may be worth another try.
        retry_after: Duration,
    },
}

/// What a request asks of the world.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing: the input came too late, all is decided.
    Nothing,
    /// Hold the request, and hand in keys when they are there: any that may be used, or (after
    /// these did not open the token) newer ones than those of a generation.
    NeedKeys {
        /// The generation that is not new enough.
        newer_than: Option<u64>,
    },
    /// Edit the headers and let the request pass, body and all.
    Forward(HeaderEdits, Verdict),
    /// Answer in the service's place.
    Refuse(Reply, Verdict),
}

/// How a request was decided, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With a valid token.
    Allowed,
    /// Without one, because the configuration leaves that to the service.
    Anonymous(Rejection),
    /// Without one, because none was needed.
    Bypassed,
    /// Not allowed; in shadow mode it was forwarded all the same.
    Rejected(Rejection),
    /// It could not be known; in shadow mode it was forwarded all the same.
    Unavailable(Unknown),
}

impl Verdict {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Allowed, Self::Bypassed]
            .into_iter()
            .chain(Rejection::ALL.map(Self::Rejected))
            .chain(Rejection::ALL.map(Self::Anonymous))
            .chain(Unknown::ALL.map(Self::Unavailable))
    }

    /// What metrics call it.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Anonymous(_) => "anonymous",
            Self::Bypassed => "bypassed",
            Self::Rejected(_) => "rejected",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The machine-readable reason, `none` where none is needed.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Allowed | Self::Bypassed => "none",
            Self::Anonymous(rejection) | Self::Rejected(rejection) => rejection.reason(),
            Self::Unavailable(cause) => cause.reason(),
        }
    }
}

impl Gate {
    /// A request that has told nothing yet.
    #[must_use]
    pub fn new(config: Rc<Config>) -> Self {
        Self { config, state: State::New }
    }

    /// Whether the request was let through, so that its body and trailers may follow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Decided { is_open: true })
    }

    /// Takes in one input at the time `now`.
    pub fn handle(&mut self, now: UnixTime, input: Input<'_>) -> Effect {
        // A decision is final, whatever else arrives.
        if matches!(self.state, State::Decided { .. }) {
            return Effect::Nothing;
        }
        match (core::mem::replace(&mut self.state, State::New), input) {
            (State::New, Input::Head(head)) => self.on_head(head),
            (State::AwaitKeys(waiting), Input::Keys(keys)) => self.on_keys(now, waiting, keys),
            (State::AwaitKeys(_), Input::NoKeys { cause, retry_after }) => {
                self.unknown(cause, retry_after)
            }
            // The host failed, or called back in an order that does not occur. Shadow mode has no
            // say in it: what the client claims about its identity could not be taken out.
            (State::New | State::AwaitKeys(_) | State::Decided { .. }, _) => self.abort(),
        }
    }

    /// The host could not carry out [`Effect::Forward`]: the gate closes again, and what comes back
    /// is to be tried instead.
    pub fn abort(&mut self) -> Effect {
        if matches!(self.state, State::Decided { is_open: false }) {
            return Effect::Nothing;
        }
        self.state = State::Decided { is_open: false };
        let cause = Unknown::HostFailure;
        Effect::Refuse(cause.reply(&self.config, A_MOMENT), Verdict::Unavailable(cause))
    }

    fn on_head(&mut self, head: RequestHead<'_>) -> Effect {
        if self.config.bypass.covers(head) {
            return self.forward(HeaderEdits::default(), Verdict::Bypassed);
        }
        match token(head).and_then(|text| self.envelope(text)) {
            Ok(envelope) => self.need_keys(envelope, None),
            Err(rejection) => self.reject(rejection),
        }
    }

    fn envelope(&self, text: &[u8]) -> Result<Envelope, Rejection> {
        Envelope::from_text(text, self.config.token.max_length).map_err(|error| match error {
            MalformedEnvelope::TooLong => Rejection::TokenTooLong,
            MalformedEnvelope::Length
            | MalformedEnvelope::NotBase64Url
            | MalformedEnvelope::Version => Rejection::TokenMalformed,
        })
    }

    fn on_keys(&mut self, now: UnixTime, waiting: AwaitKeys, keys: &Keys) -> Effect {
        // The same keys again: there are no newer ones.
        if waiting.tried == Some(keys.generation) {
            return self.reject(Rejection::TokenNotAuthentic);
        }
        match waiting.envelope.open(&keys.ring) {
            Ok(opened) => match self.accept(now, &opened) {
                Ok(payload) => {
                    let mut edits = HeaderEdits::default();
                    edits.set_identity(&payload, opened.issued_at, &self.config.token);
                    self.forward(edits, Verdict::Allowed)
                }
                Err(rejection) => self.reject(rejection),
            },
            Err(OpenError::NoKey(envelope)) if waiting.tried.is_none() => {
                self.need_keys(envelope, Some(keys.generation))
            }
            Err(OpenError::NoKey(_)) => self.reject(Rejection::TokenNotAuthentic),
            Err(OpenError::Padding) => self.reject(Rejection::TokenMalformed),
        }
    }

    /// Whether a genuine token is one to accept, now.
    fn accept(&self, now: UnixTime, opened: &Opened) -> Result<Payload, Rejection> {
        let payload = Payload::decode(&opened.payload).map_err(|error| match error {
            PayloadError::Malformed => Rejection::PayloadMalformed,
            PayloadError::UnknownVersion(_) => Rejection::PayloadVersionUnknown,
        })?;
        if payload.expires_at.is_past(now) {
            return Err(Rejection::TokenExpired);
        }
        if !self.config.token.kinds.contains(&payload.kind()) {
            return Err(Rejection::TokenKindRefused);
        }
        Ok(payload)
    }

    fn need_keys(&mut self, envelope: Envelope, newer_than: Option<u64>) -> Effect {
        self.state = State::AwaitKeys(AwaitKeys { envelope, tried: newer_than });
        Effect::NeedKeys { newer_than }
    }

    /// "Not allowed": a refusal, unless the configuration leaves the decision to the service.
    ///
    /// An ambiguous request is refused also then: the service would decide on a token of its own
    /// choice.
    fn reject(&mut self, rejection: Rejection) -> Effect {
        let is_left_to_service =
            self.config.missing == Missing::Anonymous && rejection != Rejection::TokenAmbiguous;
        if is_left_to_service {
            return self.forward_invalid(Verdict::Anonymous(rejection));
        }
        let reply = rejection.reply(&self.config);
        self.refuse(reply, Verdict::Rejected(rejection))
    }

    /// "Cannot know": never an identity, and never anonymous either.
    fn unknown(&mut self, cause: Unknown, retry_after: Duration) -> Effect {
        let reply = cause.reply(&self.config, retry_after);
        self.refuse(reply, Verdict::Unavailable(cause))
    }

    /// The one place where a request is refused, or in shadow mode would have been.
    fn refuse(&mut self, reply: Reply, verdict: Verdict) -> Effect {
        match self.config.mode {
            Mode::Enforce => {
                self.state = State::Decided { is_open: false };
                Effect::Refuse(reply, verdict)
            }
            Mode::Shadow => self.forward_invalid(verdict),
        }
    }

    fn forward_invalid(&mut self, verdict: Verdict) -> Effect {
        let mut edits = HeaderEdits::default();
        edits.set_invalid();
        self.forward(edits, verdict)
    }

    /// The one place where a request is let through.
    fn forward(&mut self, mut edits: HeaderEdits, verdict: Verdict) -> Effect {
        // Only a token that was checked here is taken away: without a verdict, or in shadow mode,
        // the service has to look at it itself.
        let is_spent = verdict == Verdict::Allowed && self.config.mode == Mode::Enforce;
        if is_spent && !self.config.token.forward {
            edits.strip_credential();
        }
        self.state = State::Decided { is_open: true };
        Effect::Forward(edits, verdict)
    }
}

/// The one token of a request: keystonemiddleware looks at `X-Auth-Token`, else `X-Storage-Token`.
///
/// Services and middleware differ in which they believe where there are several. One name twice is
/// ambiguous whatever the values; both names once do no harm if they say the same.
fn token(head: RequestHead<'_>) -> Result<&[u8], Rejection> {
    let mut values = CREDENTIALS.into_iter().flat_map(|name| head.values(name));
    let first = values.next().ok_or(Rejection::TokenMissing)?;
    if CREDENTIALS.into_iter().any(|name| head.values(name).nth(1).is_some())
        || values.any(|other| other != first)
    {
        return Err(Rejection::TokenAmbiguous);
    }
    // An empty header is as good as none to keystonemiddleware, and so it is called here.
    if first.is_empty() { Err(Rejection::TokenMissing) } else { Ok(first) }
}

/// How long a client should wait after a fault that needs no repair.
const A_MOMENT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
