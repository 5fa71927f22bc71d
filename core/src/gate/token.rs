//! A request with a token: opened with Keystone's keys, then read.

use super::{Effect, Gate, State, Verdict};
use crate::config::TokenRules;
use crate::fernet::{Envelope, MalformedEnvelope, OpenError, Opened};
use crate::head::RequestHead;
use crate::identity::{CREDENTIALS, HeaderEdits};
use crate::keys::Keys;
use crate::refusal::Rejection;
use crate::refusal::aws::Fault;
use crate::time::UnixTime;
use crate::token::{Payload, PayloadError};

/// A token on its way to the key that opens it.
#[derive(Debug)]
pub(super) struct AwaitKeys {
    envelope: Envelope,
    /// The generation of keys that did not open it, after which newer ones were asked for.
    tried: Option<u64>,
}

impl Gate {
    pub(super) fn on_token(&mut self, head: RequestHead<'_>) -> Effect {
        let envelope = match &self.config.token {
            Some(rules) => token(head).and_then(|text| envelope(text, rules)),
            None => Err(Rejection::CredentialsMissing),
        };
        match envelope {
            Ok(envelope) => self.need_keys(envelope, None),
            Err(rejection) => self.reject_token(rejection),
        }
    }

    pub(super) fn on_keys(&mut self, now: UnixTime, waiting: AwaitKeys, keys: &Keys) -> Effect {
        // The same keys again: there are no newer ones.
        if waiting.tried == Some(keys.generation) {
            return self.reject_token(Rejection::TokenNotAuthentic);
        }
        match waiting.envelope.open(&keys.ring) {
            Ok(opened) => match self.accept(now, &opened) {
                Ok(edits) => self.forward(edits, Verdict::Allowed),
                Err(rejection) => self.reject_token(rejection),
            },
            Err(OpenError::NoKey(envelope)) if waiting.tried.is_none() => {
                self.need_keys(envelope, Some(keys.generation))
            }
            Err(OpenError::NoKey(_)) => self.reject_token(Rejection::TokenNotAuthentic),
            Err(OpenError::Padding) => self.reject_token(Rejection::TokenMalformed),
        }
    }

    /// Whether a genuine token is one to accept, now; and if it is, what the service is told.
    fn accept(&self, now: UnixTime, opened: &Opened) -> Result<HeaderEdits, Rejection> {
        let rules = self.config.token.as_ref().ok_or(Rejection::CredentialsMissing)?;
        let payload = Payload::decode(&opened.payload).map_err(|error| match error {
            PayloadError::Malformed => Rejection::PayloadMalformed,
            PayloadError::UnknownVersion(_) => Rejection::PayloadVersionUnknown,
        })?;
        if payload.expires_at.is_past(now) {
            return Err(Rejection::TokenExpired);
        }
        if !rules.kinds.contains(&payload.kind()) {
            return Err(Rejection::TokenKindRefused);
        }
        let mut edits = HeaderEdits::default();
        edits.set_identity(&payload, opened.issued_at, rules);
        // Only a token that was checked here is taken away: without a verdict, or in shadow mode,
        // the service has to look at it itself.
        if self.enforces() && !rules.forward {
            edits.strip_token();
        }
        Ok(edits)
    }

    fn need_keys(&mut self, envelope: Envelope, newer_than: Option<u64>) -> Effect {
        self.state = State::AwaitKeys(AwaitKeys { envelope, tried: newer_than });
        Effect::NeedKeys { newer_than }
    }

    fn reject_token(&mut self, rejection: Rejection) -> Effect {
        // Whoever is answered in AWS's manner brought no token that could be wrong.
        self.reject(rejection, &Fault::of_missing_credentials())
    }
}

fn envelope(text: &[u8], rules: &TokenRules) -> Result<Envelope, Rejection> {
    Envelope::from_text(text, rules.max_length).map_err(|error| match error {
        MalformedEnvelope::TooLong => Rejection::TokenTooLong,
        MalformedEnvelope::Length
        | MalformedEnvelope::NotBase64Url
        | MalformedEnvelope::Version => Rejection::TokenMalformed,
    })
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
