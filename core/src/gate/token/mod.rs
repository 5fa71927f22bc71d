//! A request with a token, or with two: that of its user, and that of a service which asks on the
//! user's behalf. The service's is looked at first, since it may allow the user's to have expired.
//!
//! ```text
//!   for each token:       Keys                     Identity                    Revocations
//!            AwaitKeys ─────────▶ AwaitIdentity ─────────────▶ AwaitRevocations ─────────▶ next token,
//!                        genuine, not      Keystone would take              not revoked     or the end
//!                        expired           such a token now
//! ```
//!
//! Where the service wants the catalogue of the user's token (`token.catalog`), it comes last. Without records (`token.identity: payload`) the end is after the keys, and only the user's token is
//! looked at.

mod sealed;
mod text;
mod verified;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::sealed::{Opened, Sealed, Unopened};
use self::verified::Verified;
use super::{Effect, Gate, State, Verdict};
use crate::catalogs::ServiceCatalog;
use crate::config::{Config, Missing, RecordRules, TokenRules};
use crate::head::RequestHead;
use crate::identities::{Identity, question};
use crate::identity::HeaderEdits;
use crate::keys::Keys;
use crate::record::IdentityFault;
use crate::refusal::Rejection;
use crate::refusal::aws::Fault;
use crate::revocation::RevocationSet;
use crate::time::UnixTime;

/// A token on its way to the key that opens it.
#[derive(Debug)]
pub(super) struct AwaitKeys {
    sealed: Sealed,
    /// The generation of keys that did not open it, after which newer ones were asked for.
    tried: Option<u64>,
    tokens: Tokens,
}

/// A genuine token, of which Keystone has to be heard.
#[derive(Debug)]
pub(super) struct AwaitIdentity {
    token: Opened,
    tokens: Tokens,
}

/// A token that Keystone would take, unless it was revoked.
#[derive(Debug)]
pub(super) struct AwaitRevocations {
    token: Verified,
    tokens: Tokens,
}

/// All tokens are good, and the catalogue of the user's is wanted.
#[derive(Debug)]
pub(super) struct AwaitCatalog {
    user: Verified,
    service: Option<Result<Verified, Rejection>>,
}

/// What is known of a request's tokens, beside that which is being looked at.
#[derive(Debug)]
struct Tokens {
    /// The user's, while the service's is being looked at, or why it is none.
    user: Option<Result<Sealed, Rejection>>,
    /// The service's, once it was looked at: whether it is good.
    service: Option<Result<Verified, Rejection>>,
    asked: Asked,
}

/// What a request asks for, as access rules look at it.
#[derive(Debug, Default)]
struct Asked {
    method: Vec<u8>,
    path: Vec<u8>,
}

impl Gate {
    pub(super) fn on_token(&mut self, head: RequestHead<'_>) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else {
            return self.reject_token(Rejection::CredentialsMissing);
        };
        let user = text::of_user(head, rules);
        if rules.records.is_none() {
            return match user {
                Ok(sealed) => self.need_keys(sealed, None, Tokens::none()),
                Err(rejection) => self.reject_token(rejection),
            };
        }
        let service = text::of_service(head, rules);
        let copied = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
        let asked = Asked { method: copied(head.method()), path: copied(head.path()) };
        match (user, service) {
            (_, Err(Rejection::TokenAmbiguous)) => self.reject_token(Rejection::TokenAmbiguous),
            // There is nothing more to say to a request that is refused anyway.
            (Err(rejection), _) | (_, Err(rejection)) if !self.may_pass(rejection) => {
                self.reject_token(rejection)
            }
            (user, Ok(Some(service))) => {
                let tokens = Tokens { user: Some(user), service: None, asked };
                self.need_keys(service, None, tokens)
            }
            (user, service) => {
                let service = service.err().map(Err);
                self.look_at_user(Tokens { user: Some(user), service, asked })
            }
        }
    }

    pub(super) fn on_keys(&mut self, now: UnixTime, waiting: AwaitKeys, keys: &Keys) -> Effect {
        let AwaitKeys { sealed, tried, tokens } = waiting;
        // The same keys again: there are no newer ones.
        if tried == Some(keys.generation) {
            return self.refuse_token(tokens, Rejection::TokenNotAuthentic);
        }
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else { return self.fail() };
        match sealed.open(&keys.keys) {
            Ok(token) => match token.check(now, rules, tokens.window(rules)) {
                Ok(()) => self.genuine(token, tokens, rules),
                Err(rejection) => self.refuse_token(tokens, rejection),
            },
            Err(Unopened::NoKey(sealed)) if tried.is_none() => {
                self.need_keys(sealed, Some(keys.generation), tokens)
            }
            Err(Unopened::NoKey(_)) => self.refuse_token(tokens, Rejection::TokenNotAuthentic),
            Err(Unopened::Never(rejection)) => self.refuse_token(tokens, rejection),
        }
    }

    fn genuine(&mut self, token: Opened, tokens: Tokens, rules: &TokenRules) -> Effect {
        if rules.records.is_none() {
            let mut edits = HeaderEdits::default();
            edits.set_identity(&token.payload, token.issued_at, rules);
            return self.pass_token(edits, rules);
        }
        let Some(question) = question(&token.payload) else {
            return self.refuse_token(tokens, Rejection::TokenKindRefused);
        };
        self.state = State::AwaitIdentity(Box::new(AwaitIdentity { token, tokens }));
        Effect::NeedIdentity(question)
    }

    pub(super) fn on_identity(&mut self, waiting: AwaitIdentity, identity: Rc<Identity>) -> Effect {
        let AwaitIdentity { token, tokens } = waiting;
        let token = Verified { token, identity };
        self.state = State::AwaitRevocations(Box::new(AwaitRevocations { token, tokens }));
        Effect::NeedRevocations
    }

    pub(super) fn on_no_identity(
        &mut self,
        waiting: AwaitIdentity,
        fault: IdentityFault,
    ) -> Effect {
        self.refuse_token(waiting.tokens, Rejection::Identity(fault))
    }

    pub(super) fn on_revocations(
        &mut self,
        now: UnixTime,
        waiting: AwaitRevocations,
        revoked: &RevocationSet,
    ) -> Effect {
        let AwaitRevocations { token, mut tokens } = waiting;
        let config = Rc::clone(&self.config);
        let Some((of_tokens, rules)) = rules(&config) else { return self.fail() };
        if token.is_revoked(revoked) {
            return self.refuse_token(tokens, Rejection::TokenRevoked);
        }
        // It may have waited for a while.
        if let Err(rejection) = token.check(now, of_tokens, tokens.window(of_tokens)) {
            return self.refuse_token(tokens, rejection);
        }
        if !token.may(rules, &tokens.asked) {
            return self.refuse_token(tokens, Rejection::AccessRules);
        }
        if tokens.user.is_some() {
            let is_taken = !rules.service_token_roles_required || token.has_service_role(rules);
            if !is_taken {
                return self.refuse_token(tokens, Rejection::ServiceTokenInvalid);
            }
            tokens.service = Some(Ok(token));
            return self.look_at_user(tokens);
        }
        match token.catalog_request().filter(|_| rules.catalog) {
            Some(request) => {
                let waiting = AwaitCatalog { user: token, service: tokens.service };
                self.state = State::AwaitCatalog(Box::new(waiting));
                Effect::NeedCatalog(request)
            }
            None => self.finish(tokens.service.as_ref(), &Ok(token), None),
        }
    }

    pub(super) fn on_catalog(
        &mut self,
        now: UnixTime,
        waiting: AwaitCatalog,
        catalog: &ServiceCatalog,
    ) -> Effect {
        let AwaitCatalog { user, service } = waiting;
        let config = Rc::clone(&self.config);
        let Some((of_tokens, _)) = rules(&config) else { return self.fail() };
        if let Err(rejection) = user.check(now, of_tokens, window(service.as_ref(), of_tokens)) {
            return self.finish(service.as_ref(), &Err(rejection), None);
        }
        let json = user.catalog(&catalog.record).to_v2_json();
        self.finish(service.as_ref(), &Ok(user), Some(json))
    }

    /// The service's token was looked at, or there is none.
    fn look_at_user(&mut self, mut tokens: Tokens) -> Effect {
        match tokens.user.take() {
            Some(Ok(sealed)) => self.need_keys(sealed, None, tokens),
            Some(Err(rejection)) => self.finish(tokens.service.as_ref(), &Err(rejection), None),
            None => self.fail(),
        }
    }

    /// The token that is being looked at is none.
    fn refuse_token(&mut self, mut tokens: Tokens, rejection: Rejection) -> Effect {
        if tokens.user.is_none() {
            return self.finish(tokens.service.as_ref(), &Err(rejection), None);
        }
        if !self.may_pass(Rejection::ServiceTokenInvalid) {
            return self.reject_token(Rejection::ServiceTokenInvalid);
        }
        tokens.service = Some(Err(rejection));
        self.look_at_user(tokens)
    }

    /// All tokens were looked at.
    fn finish(
        &mut self,
        service: Option<&Result<Verified, Rejection>>,
        user: &Result<Verified, Rejection>,
        catalog: Option<String>,
    ) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else { return self.fail() };
        let rejection = match (user, service) {
            (Err(rejection), _) => Some(*rejection),
            (Ok(_), Some(Err(_))) => Some(Rejection::ServiceTokenInvalid),
            (Ok(_), Some(Ok(_)) | None) => None,
        };
        if let Some(rejection) = rejection.filter(|rejection| !self.may_pass(*rejection)) {
            return self.reject_token(rejection);
        }
        let mut edits = HeaderEdits::default();
        match user {
            Ok(Verified { token, identity }) => {
                edits.set_user(&identity.record);
                edits.set_token(&token.payload, token.issued_at, rules);
                if let Some(json) = catalog {
                    edits.set_catalog(json);
                }
            }
            Err(_) => edits.set_invalid(),
        }
        match service {
            Some(Ok(Verified { identity, .. })) => edits.set_service(&identity.record),
            Some(Err(_)) => edits.set_service_invalid(),
            None => {}
        }
        match rejection {
            Some(rejection) => self.forward(edits, Verdict::Anonymous(rejection)),
            None => self.pass_token(edits, rules),
        }
    }

    /// Only tokens that were checked here are taken away: without a verdict, or in shadow mode, the
    /// service has to look at them itself.
    fn pass_token(&mut self, mut edits: HeaderEdits, rules: &TokenRules) -> Effect {
        if self.enforces() && !rules.forward {
            edits.strip_token();
            if rules.records.is_some() {
                edits.strip_service_token();
            }
        }
        self.forward(edits, Verdict::Allowed)
    }

    fn need_keys(&mut self, sealed: Sealed, tried: Option<u64>, tokens: Tokens) -> Effect {
        self.state = State::AwaitKeys(Box::new(AwaitKeys { sealed, tried, tokens }));
        Effect::NeedKeys { newer_than: tried }
    }

    /// Whether a request is left to the service that is not allowed for this reason.
    fn may_pass(&self, rejection: Rejection) -> bool {
        let Config { missing, .. } = &*self.config;
        *missing == Missing::Anonymous && rejection.can_be_anonymous()
    }

    fn reject_token(&mut self, rejection: Rejection) -> Effect {
        // Whoever is answered in AWS's manner brought no token that could be wrong.
        self.reject(rejection, &Fault::of_missing_credentials())
    }
}

impl Tokens {
    /// Nothing is known but the one that is being looked at: the user's.
    fn none() -> Self {
        Self { user: None, service: None, asked: Asked::default() }
    }

    /// For how long the token may have expired that is being looked at.
    fn window(&self, rules: &TokenRules) -> Duration {
        if self.user.is_some() { Duration::ZERO } else { window(self.service.as_ref(), rules) }
    }
}

/// For how long a user's token may have expired beside such a service's.
fn window(service: Option<&Result<Verified, Rejection>>, rules: &TokenRules) -> Duration {
    match (service, &rules.records) {
        (Some(Ok(service)), Some(records)) if service.has_service_role(records) => {
            records.allow_expired_window
        }
        _ => Duration::ZERO,
    }
}

/// The rules for tokens, where there are records.
fn rules(config: &Config) -> Option<(&TokenRules, &RecordRules)> {
    let token = config.token.as_ref()?;
    token.records.as_ref().map(|records| (token, records))
}
