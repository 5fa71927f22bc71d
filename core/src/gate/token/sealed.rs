//! A token as it came, of which nothing can be trusted before a key has opened it, or Keystone was asked.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::known::{Found, Known, KnownTokens};
use super::opened::Opened;
use crate::config::TokenRules;
use crate::fernet::{self, Envelope, MalformedEnvelope};
use crate::jws::{self, MalformedToken, SignedToken};
use crate::keys::{Keys, TokenKeys};
use crate::refusal::Rejection;
use crate::secret::Secret;
use crate::token::{Delegation, Payload, PayloadError};

/// The text of a token, checked as far as it can be without a key.
#[derive(Debug)]
pub(super) enum Sealed {
    /// Keys have opened it before, for another request.
    Known(Rc<Known>),
    /// Nothing is known of it but its layout.
    New {
        form: Form,
        /// The text itself, where it is needed once more: to ask Keystone about it, or to remember it.
        text: Option<Rc<Secret>>,
    },
}

#[derive(Debug)]
pub(super) enum Form {
    Fernet(Envelope),
    Jws(Box<SignedToken>),
}

/// Why a token was not opened.
#[derive(Debug)]
pub(super) enum Unopened<T = Sealed> {
    /// No key made it. It comes back, since the keys may be out of date.
    NoKey(T),
    /// It is none, whatever the keys.
    Never(Rejection),
}

impl Sealed {
    pub(super) fn from_text(
        text: &[u8],
        rules: &TokenRules,
        tokens: &KnownTokens,
    ) -> Result<Self, Rejection> {
        let comes_again = match tokens.find(text) {
            Found::Known(known) => return Ok(Self::Known(known)),
            Found::Seen => true,
            Found::Nothing => false,
        };
        let form = Form::from_text(text, rules.max_length)?;
        let is_needed = comes_again || is_asked_about(rules);
        let text = is_needed.then(|| Rc::new(Secret::new(text.to_vec())));
        Ok(Self::New { form, text })
    }

    /// The text itself, where Keystone is to be asked about it.
    pub(super) fn text(&self) -> Option<&Rc<Secret>> {
        match self {
            Self::Known(known) => Some(&known.text),
            Self::New { text, .. } => text.as_ref(),
        }
    }

    /// Whether it is known to be no application credential's, which alone have access rules.
    pub(super) fn has_no_rules(&self) -> bool {
        match self {
            Self::Known(known) => {
                !matches!(known.opened.payload.delegation, Delegation::ApplicationCredential { .. })
            }
            Self::New { .. } => false,
        }
    }

    /// Opens it, unless just these keys have done so before.
    pub(super) fn open(
        self,
        keys: &Keys,
        rules: &TokenRules,
        tokens: &KnownTokens,
    ) -> Result<Rc<Opened>, Unopened> {
        let (form, text) = match self {
            Self::Known(known) if known.generation == keys.generation => {
                return Ok(Rc::clone(&known.opened));
            }
            Self::Known(known) => {
                let text = Rc::clone(&known.text);
                let form = Form::from_text(text.expose(), rules.max_length);
                (form.map_err(Unopened::Never)?, Some(text))
            }
            Self::New { form, text } => (form, text),
        };
        match form.open(&keys.keys) {
            Ok((payload, issued_at, is_signed)) => {
                let asked = text.clone().filter(|_| is_asked_about(rules));
                let opened = Rc::new(Opened::new(payload, issued_at, is_signed, asked));
                if let Some(text) = text {
                    tokens.remember(text, keys.generation, &opened);
                }
                Ok(opened)
            }
            Err(Unopened::NoKey(form)) => Err(Unopened::NoKey(Self::New { form, text })),
            Err(Unopened::Never(rejection)) => Err(Unopened::Never(rejection)),
        }
    }
}

/// Whether Keystone itself is asked about each token.
fn is_asked_about(rules: &TokenRules) -> bool {
    rules.records.as_ref().is_some_and(|records| records.keystone().is_some())
}

/// What a token says, when it was issued, and whether it may not be used before.
type Said = (Payload, u64, bool);

impl Form {
    fn from_text(text: &[u8], max_length: usize) -> Result<Self, Rejection> {
        if SignedToken::is_meant_by(text) {
            let token = SignedToken::from_text(text, max_length).map_err(|error| match error {
                MalformedToken::TooLong => Rejection::TokenTooLong,
                MalformedToken::Header
                | MalformedToken::NotBase64Url
                | MalformedToken::Parts
                | MalformedToken::Signature => Rejection::TokenMalformed,
            });
            return token.map(Box::new).map(Self::Jws);
        }
        let envelope = Envelope::from_text(text, max_length).map_err(|error| match error {
            MalformedEnvelope::TooLong => Rejection::TokenTooLong,
            MalformedEnvelope::Length
            | MalformedEnvelope::NotBase64Url
            | MalformedEnvelope::Version => Rejection::TokenMalformed,
        });
        envelope.map(Self::Fernet)
    }

    fn open(self, keys: &TokenKeys) -> Result<Said, Unopened<Self>> {
        match (self, keys) {
            (Self::Fernet(envelope), TokenKeys { fernet: Some(ring), .. }) => {
                match envelope.open(ring) {
                    Ok(opened) => read(&opened),
                    Err(fernet::OpenError::NoKey(envelope)) => {
                        Err(Unopened::NoKey(Self::Fernet(envelope)))
                    }
                    Err(fernet::OpenError::Padding) => {
                        Err(Unopened::Never(Rejection::TokenMalformed))
                    }
                }
            }
            (Self::Jws(token), TokenKeys { jws: Some(keys), .. }) => match token.open(keys) {
                Ok(jws::Opened { issued_at, payload }) => Ok((payload, issued_at, true)),
                Err(jws::OpenError::NoKey(token)) => {
                    Err(Unopened::NoKey(Self::Jws(Box::new(token))))
                }
                Err(jws::OpenError::Claims) => Err(Unopened::Never(Rejection::PayloadMalformed)),
            },
            (form, _) => Err(Unopened::NoKey(form)),
        }
    }
}

fn read<T>(opened: &fernet::Opened) -> Result<Said, Unopened<T>> {
    let payload = Payload::decode(&opened.payload).map_err(|error| match error {
        PayloadError::Malformed => Rejection::PayloadMalformed,
        PayloadError::UnknownVersion(_) => Rejection::PayloadVersionUnknown,
    });
    let payload = payload.map_err(Unopened::Never)?;
    Ok((payload, opened.issued_at, false))
}
