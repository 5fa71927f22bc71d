//! Tokens, one after another: each is opened, known and not revoked, or it is none.
//!
//! ```text
//!   for each token:       Keys                     Identity                    Revocations
//!            AwaitKeys ─────────▶ AwaitIdentity ─────────────▶ AwaitRevocations ─────────▶ good,
//!                        genuine, not      Keystone would take              not revoked     or bad
//!                        expired           such a token now
//! ```
//!
//! A token that is bound to a client certificate is compared with it as soon as it is known to be genuine
//! (`AwaitCertificate`), unless it is only asked about. What follows then, the next token or the end,
//! depends on what they are looked at for: `request.rs` has a request with a user's token and perhaps a
//! service's, which comes first; `validation.rs` a question about a token, which comes after the asker's.
//! Where a catalogue is wanted, it comes last (`AwaitCatalog`). Where Keystone itself is asked
//! (`keystone.rs`), its answer takes the place of the last two, and without a key server of all three.
//! Without records (`token.identity: payload`) the end is after the keys, and only the user's token is
//! looked at.

mod keystone;
mod known;
mod opened;
mod request;
mod sealed;
mod text;
mod validation;
mod verified;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

pub(super) use self::keystone::AwaitValidation;
pub use self::known::{KnownTokens, MAX_KNOWN_TOKENS};
pub(super) use self::opened::Opened;
use self::request::Tokens;
use self::sealed::{Sealed, Unopened};
use self::validation::Validation;
use self::verified::Verified;
use super::{Effect, Gate, State};
use crate::catalogs::ServiceCatalog;
use crate::certificate::ClientCertificate;
use crate::config::{Config, RecordRules, TokenRules};
use crate::head::RequestHead;
use crate::identities::Identity;
use crate::keys::Keys;
use crate::record::{CatalogRequest, IdentityFault};
use crate::refusal::Rejection;
use crate::revocation::RevocationSet;
use crate::time::UnixTime;
use crate::token::Delegation;

/// A token on its way to the key that opens it.
#[derive(Debug)]
pub(super) struct AwaitKeys {
    sealed: Sealed,
    /// The generation of keys that did not open it, after which newer ones were asked for.
    tried: Option<u64>,
    purpose: Purpose,
}

/// A genuine token that is bound to a client certificate.
#[derive(Debug)]
pub(super) struct AwaitCertificate {
    token: Bound,
    purpose: Purpose,
}

/// Who says that it is.
#[derive(Debug)]
enum Bound {
    /// The token itself.
    Opened(Rc<Opened>),
    /// Keystone, when it was asked.
    Verified(Verified),
}

/// A genuine token, of which Keystone has to be heard.
#[derive(Debug)]
pub(super) struct AwaitIdentity {
    token: Rc<Opened>,
    purpose: Purpose,
}

/// A token that Keystone would take, unless it was revoked.
#[derive(Debug)]
pub(super) struct AwaitRevocations {
    token: Verified,
    purpose: Purpose,
}

/// The last token is good, and its catalogue is wanted.
#[derive(Debug)]
pub(super) struct AwaitCatalog {
    token: Verified,
    purpose: Purpose,
}

/// What a token is looked at for, and what is known besides.
#[derive(Debug)]
enum Purpose {
    /// Whether a request may pass, and in whose name.
    Request(Tokens),
    /// What to answer to a question about a token.
    Validation(Validation),
}

/// What a request asks for, as access rules look at it.
#[derive(Debug, Default)]
struct Asked {
    method: Vec<u8>,
    path: Vec<u8>,
}

impl Asked {
    fn of(head: RequestHead<'_>) -> Self {
        let copied = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
        Self { method: copied(head.method()), path: copied(head.path()) }
    }
}

impl Gate {
    pub(super) fn on_keys(&mut self, now: UnixTime, waiting: AwaitKeys, keys: &Keys) -> Effect {
        let AwaitKeys { sealed, tried, purpose } = waiting;
        // The same keys again: there are no newer ones.
        if tried == Some(keys.generation) {
            return self.bad(purpose, Rejection::TokenNotAuthentic);
        }
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else { return self.fail() };
        match sealed.open(keys, rules, &self.known) {
            Ok(token) => {
                self.note_owner(&purpose, &token, None);
                match token.check(now, rules, purpose.window(rules)) {
                    Ok(()) => self.genuine(token, purpose, rules),
                    Err(rejection) => self.bad(purpose, rejection),
                }
            }
            Err(Unopened::NoKey(sealed)) if tried.is_none() => {
                self.need_keys(sealed, Some(keys.generation), purpose)
            }
            Err(Unopened::NoKey(_)) => self.bad(purpose, Rejection::TokenNotAuthentic),
            Err(Unopened::Never(rejection)) => self.bad(purpose, rejection),
        }
    }

    fn genuine(&mut self, token: Rc<Opened>, purpose: Purpose, rules: &TokenRules) -> Effect {
        if token.is_bound() && purpose.is_used() {
            return self.need_certificate(Bound::Opened(token), purpose);
        }
        self.used_by_its_owner(token, purpose, rules)
    }

    pub(super) fn on_certificate(
        &mut self,
        waiting: AwaitCertificate,
        certificate: &ClientCertificate,
    ) -> Effect {
        let AwaitCertificate { token, purpose } = waiting;
        let config = Rc::clone(&self.config);
        let payload = match &token {
            Bound::Opened(token) | Bound::Verified(Verified { token, .. }) => &token.payload,
        };
        let (Some(of_tokens), Delegation::Oauth2Credential { thumbprint }) =
            (&config.token, &payload.delegation)
        else {
            return self.fail();
        };
        if let Err(rejection) = certificate.check(thumbprint) {
            return self.bad(purpose, rejection);
        }
        match (token, rules(&config)) {
            (Bound::Opened(token), _) => self.used_by_its_owner(token, purpose, of_tokens),
            (Bound::Verified(token), Some((_, rules))) => self.good(token, purpose, rules),
            (Bound::Verified(_), None) => self.fail(),
        }
    }

    fn used_by_its_owner(
        &mut self,
        token: Rc<Opened>,
        purpose: Purpose,
        rules: &TokenRules,
    ) -> Effect {
        if rules.records.is_none() {
            return self.pass_payload(&token, rules);
        }
        if let Some(text) = &token.text {
            return self.need_validation(Rc::clone(text), purpose);
        }
        let Some(question) = token.question().map(Rc::clone) else {
            return self.bad(purpose, Rejection::TokenKindRefused);
        };
        self.state = State::AwaitIdentity(AwaitIdentity { token, purpose });
        Effect::NeedIdentity(question)
    }

    pub(super) fn on_identity(&mut self, waiting: AwaitIdentity, identity: Rc<Identity>) -> Effect {
        let AwaitIdentity { token, purpose } = waiting;
        self.note_owner(&purpose, &token, Some(&identity));
        let token = Verified { token, identity, heard: None };
        self.state = State::AwaitRevocations(AwaitRevocations { token, purpose });
        Effect::NeedRevocations
    }

    pub(super) fn on_no_identity(
        &mut self,
        waiting: AwaitIdentity,
        fault: IdentityFault,
    ) -> Effect {
        self.bad(waiting.purpose, Rejection::Identity(fault))
    }

    pub(super) fn on_revocations(
        &mut self,
        now: UnixTime,
        waiting: AwaitRevocations,
        revoked: &RevocationSet,
    ) -> Effect {
        let AwaitRevocations { token, purpose } = waiting;
        let config = Rc::clone(&self.config);
        let Some((of_tokens, rules)) = rules(&config) else { return self.fail() };
        if token.is_revoked(revoked) {
            return self.bad(purpose, Rejection::TokenRevoked);
        }
        // It may have waited for a while.
        match token.check(now, of_tokens, purpose.window(of_tokens)) {
            Ok(()) => self.good(token, purpose, rules),
            Err(rejection) => self.bad(purpose, rejection),
        }
    }

    pub(super) fn on_catalog(
        &mut self,
        now: UnixTime,
        waiting: AwaitCatalog,
        catalog: &ServiceCatalog,
    ) -> Effect {
        let AwaitCatalog { token, purpose } = waiting;
        let config = Rc::clone(&self.config);
        let Some((of_tokens, _)) = rules(&config) else { return self.fail() };
        if let Err(rejection) = token.check(now, of_tokens, purpose.window(of_tokens)) {
            return self.bad(purpose, rejection);
        }
        let catalog = token.catalog(&catalog.record);
        match purpose {
            Purpose::Request(tokens) => self.finish(&tokens, &Ok(token), Some(&catalog)),
            Purpose::Validation(asked) => self.answer(asked, &token, Some(&catalog)),
        }
    }

    /// The token that was looked at is good.
    fn good(&mut self, token: Verified, purpose: Purpose, rules: &RecordRules) -> Effect {
        match purpose {
            Purpose::Request(tokens) => self.good_of_request(token, tokens, rules),
            Purpose::Validation(asked) => self.good_of_validation(token, asked),
        }
    }

    /// The token that was looked at is none.
    fn bad(&mut self, purpose: Purpose, rejection: Rejection) -> Effect {
        match purpose {
            Purpose::Request(tokens) => self.bad_of_request(tokens, rejection),
            Purpose::Validation(asked) => self.bad_of_validation(&asked, rejection),
        }
    }

    /// Notes whose token it is that is being looked at.
    fn note_owner(
        &mut self,
        purpose: &Purpose,
        token: &Rc<Opened>,
        identity: Option<&Rc<Identity>>,
    ) {
        match (purpose.is_about_sender(), identity) {
            (true, _) => self.note_opened(token, identity),
            (false, Some(identity)) if purpose.is_used() => self.note_service(identity),
            (false, _) => {}
        }
    }

    /// The way of a token begins with the keys, where there are any.
    fn look_at(&mut self, sealed: Sealed, purpose: Purpose) -> Effect {
        match sealed.text().filter(|_| self.config.keyserver.is_none()) {
            Some(text) => self.need_validation(Rc::clone(text), purpose),
            None => self.need_keys(sealed, None, purpose),
        }
    }

    fn need_keys(&mut self, sealed: Sealed, tried: Option<u64>, purpose: Purpose) -> Effect {
        self.state = State::AwaitKeys(AwaitKeys { sealed, tried, purpose });
        Effect::NeedKeys { newer_than: tried }
    }

    fn need_certificate(&mut self, token: Bound, purpose: Purpose) -> Effect {
        self.state = State::AwaitCertificate(Box::new(AwaitCertificate { token, purpose }));
        Effect::NeedCertificate
    }

    fn need_catalog(
        &mut self,
        request: CatalogRequest,
        token: Verified,
        purpose: Purpose,
    ) -> Effect {
        self.state = State::AwaitCatalog(Box::new(AwaitCatalog { token, purpose }));
        Effect::NeedCatalog(request)
    }
}

impl Purpose {
    /// Whether whoever sent the token that is being looked at wants to be served with it, so that it must
    /// be its own. To ask about a token one need not be its owner.
    fn is_used(&self) -> bool {
        match self {
            Self::Request(_) => true,
            Self::Validation(asked) => asked.is_about_caller(),
        }
    }

    /// Whether it is the sender's own, and not that of a service that asks on the sender's behalf, or one
    /// that is asked about.
    fn is_about_sender(&self) -> bool {
        match self {
            Self::Request(tokens) => tokens.is_about_user(),
            Self::Validation(asked) => asked.is_about_caller(),
        }
    }

    /// For how long the token may have expired that is being looked at.
    fn window(&self, rules: &TokenRules) -> Duration {
        match self {
            Self::Request(tokens) => tokens.window(rules),
            Self::Validation(asked) => asked.window(rules),
        }
    }
}

/// The rules for tokens, where there are records.
fn rules(config: &Config) -> Option<(&TokenRules, &RecordRules)> {
    let token = config.token.as_ref()?;
    token.records.as_ref().map(|records| (token, records))
}
