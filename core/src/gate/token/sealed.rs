//! A token as it came, of which nothing can be trusted before a key has opened it, or Keystone was asked.

use alloc::boxed::Box;
use alloc::rc::Rc;

use crate::config::{RecordRules, TokenRules};
use crate::fernet::{self, Envelope, MalformedEnvelope};
use crate::jws::{self, MalformedToken, SignedToken};
use crate::keys::TokenKeys;
use crate::refusal::Rejection;
use crate::secret::Secret;
use crate::token::{Payload, PayloadError};

/// The text of a token, checked as far as it can be without a key.
#[derive(Debug)]
pub(super) struct Sealed {
    form: Form,
    /// The text itself, where Keystone is to be asked about it.
    pub(super) text: Option<Rc<Secret>>,
}

#[derive(Debug)]
enum Form {
    Fernet(Envelope),
    Jws(Box<SignedToken>),
}

/// What a token says that a key has opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) payload: Payload,
    /// When it was issued, in seconds.
    pub(super) issued_at: u64,
    /// Whether it may not be used before. Keystone looks at that time in signed tokens alone.
    pub(super) is_signed: bool,
    /// Its text, where Keystone is asked about it.
    pub(super) text: Option<Rc<Secret>>,
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
    pub(super) fn from_text(text: &[u8], rules: &TokenRules) -> Result<Self, Rejection> {
        let form = Form::from_text(text, rules.max_length)?;
        let is_asked_about = rules.records.as_ref().and_then(RecordRules::keystone).is_some();
        let text = is_asked_about.then(|| Rc::new(Secret::new(text.to_vec())));
        Ok(Self { form, text })
    }

    pub(super) fn open(self, keys: &TokenKeys) -> Result<Opened, Unopened> {
        let Self { form, text } = self;
        match form.open(keys) {
            Ok(opened) => Ok(Opened { text, ..opened }),
            Err(Unopened::NoKey(form)) => Err(Unopened::NoKey(Self { form, text })),
            Err(Unopened::Never(rejection)) => Err(Unopened::Never(rejection)),
        }
    }
}

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

    fn open(self, keys: &TokenKeys) -> Result<Opened, Unopened<Self>> {
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
                Ok(jws::Opened { issued_at, payload }) => {
                    Ok(Opened { payload, issued_at, is_signed: true, text: None })
                }
                Err(jws::OpenError::NoKey(token)) => {
                    Err(Unopened::NoKey(Self::Jws(Box::new(token))))
                }
                Err(jws::OpenError::Claims) => Err(Unopened::Never(Rejection::PayloadMalformed)),
            },
            (form, _) => Err(Unopened::NoKey(form)),
        }
    }
}

fn read<T>(opened: &fernet::Opened) -> Result<Opened, Unopened<T>> {
    let payload = Payload::decode(&opened.payload).map_err(|error| match error {
        PayloadError::Malformed => Rejection::PayloadMalformed,
        PayloadError::UnknownVersion(_) => Rejection::PayloadVersionUnknown,
    });
    let payload = payload.map_err(Unopened::Never)?;
    Ok(Opened { payload, issued_at: opened.issued_at, is_signed: false, text: None })
}
