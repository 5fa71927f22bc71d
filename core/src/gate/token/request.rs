//! A request with a token, or with two: that of its user, and that of a service which asks on the
//! user's behalf. The service's is looked at first, since it may allow the user's to have expired.

use alloc::rc::Rc;
use core::time::Duration;

use super::opened::Opened;
use super::sealed::Sealed;
use super::verified::Verified;
use super::{Asked, Purpose, text};
use crate::acl::Caller;
use crate::config::{RecordRules, TokenRules};
use crate::gate::{Effect, Gate, Verdict};
use crate::head::RequestHead;
use crate::identity::{HeaderEdits, IdentityHeaders};
use crate::record::Catalog;
use crate::refusal::Rejection;
use crate::refusal::aws::Fault;
use crate::secret::Secret;
use crate::validation::Question;

/// What is known of a request's tokens, beside that which is being looked at.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The user's, while the service's is being looked at, or why it is none.
    user: Option<Result<Sealed, Rejection>>,
    /// The service's, once it was looked at: whether it is good.
    service: Option<Result<Verified, Rejection>>,
    asked: Asked,
}

impl Gate {
    pub(in crate::gate) fn on_token(&mut self, head: RequestHead<'_>) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else {
            return self.reject_token(Rejection::CredentialsMissing);
        };
        self.is_about_tokens = true;
        let user = text::of_user(head, rules, &self.known);
        if !matches!(user, Err(Rejection::TokenMissing)) {
            self.note_token();
        }
        let Some(records) = &rules.records else {
            return match user {
                Ok(sealed) => self.look_at(sealed, Purpose::Request(Tokens::default())),
                Err(rejection) => self.reject_token(rejection),
            };
        };
        if records.serve_validation
            && let Some(question) = Question::of(head, rules.max_length)
        {
            return self.on_question(question, user);
        }
        let service = text::of_service(head, rules, &self.known);
        let may_have_rules =
            !matches!((&user, &service), (Ok(user), Ok(None)) if user.has_no_rules());
        let asked = if may_have_rules { Asked::of(head) } else { Asked::default() };
        match (user, service) {
            (_, Err(Rejection::TokenAmbiguous)) => self.reject_token(Rejection::TokenAmbiguous),
            // There is nothing more to say to a request that is refused anyway.
            (Err(rejection), _) | (_, Err(rejection)) if !self.is_left_to_service(rejection) => {
                self.reject_token(rejection)
            }
            (user, Ok(Some(service))) => {
                let tokens = Tokens { user: Some(user), service: None, asked };
                self.look_at(service, Purpose::Request(tokens))
            }
            (user, service) => {
                let service = service.err().map(Err);
                self.look_at_user(Tokens { user: Some(user), service, asked })
            }
        }
    }

    /// The token that was looked at is good.
    pub(super) fn good_of_request(
        &mut self,
        token: Verified,
        mut tokens: Tokens,
        rules: &RecordRules,
    ) -> Effect {
        if !token.may(rules.service_type.as_deref(), &tokens.asked) {
            return self.bad_of_request(tokens, Rejection::AccessRules);
        }
        if tokens.user.is_some() {
            let is_taken = !rules.service_token_roles_required || token.has_service_role(rules);
            if !is_taken {
                return self.bad_of_request(tokens, Rejection::ServiceTokenInvalid);
            }
            tokens.service = Some(Ok(token));
            return self.look_at_user(tokens);
        }
        // Keystone itself has told it with the rest.
        if let Some(validation) = token.heard.clone() {
            let catalog = validation.catalog.as_ref().filter(|_| rules.catalog);
            return self.finish(&tokens, &Ok(token), catalog);
        }
        match rules.catalog.then(|| token.catalog_request()).flatten() {
            Some(request) => self.need_catalog(request, token, Purpose::Request(tokens)),
            None => self.finish(&tokens, &Ok(token), None),
        }
    }

    /// The token that was looked at is none.
    pub(super) fn bad_of_request(&mut self, mut tokens: Tokens, rejection: Rejection) -> Effect {
        if tokens.user.is_none() {
            return self.finish(&tokens, &Err(rejection), None);
        }
        if !self.is_left_to_service(Rejection::ServiceTokenInvalid) {
            return self.reject_token(Rejection::ServiceTokenInvalid);
        }
        tokens.service = Some(Err(rejection));
        self.look_at_user(tokens)
    }

    /// The service's token was looked at, or there is none.
    fn look_at_user(&mut self, mut tokens: Tokens) -> Effect {
        match tokens.user.take() {
            Some(Ok(sealed)) => self.look_at(sealed, Purpose::Request(tokens)),
            Some(Err(rejection)) => self.finish(&tokens, &Err(rejection), None),
            None => self.fail(),
        }
    }

    /// All tokens were looked at.
    pub(super) fn finish(
        &mut self,
        tokens: &Tokens,
        user: &Result<Verified, Rejection>,
        catalog: Option<&Catalog>,
    ) -> Effect {
        let config = Rc::clone(&self.config);
        let Some(rules) = &config.token else { return self.fail() };
        let rejection = match (user, &tokens.service) {
            (Err(rejection), _) => Some(*rejection),
            (Ok(_), Some(Err(_))) => Some(Rejection::ServiceTokenInvalid),
            (Ok(_), Some(Ok(_)) | None) => None,
        };
        if let Some(rejection) = rejection.filter(|rejection| !self.is_left_to_service(*rejection))
        {
            return self.reject_token(rejection);
        }
        let caller = user.as_ref().map_or_else(|_| Caller::default(), Verified::caller);
        let verdict = match (self.authorize(&caller), rejection) {
            (Verdict::Allowed, Some(rejection)) => Verdict::Anonymous(rejection),
            (Verdict::Rejected(_), Some(rejection)) if user.is_err() => {
                return self.reject_token(rejection);
            }
            (Verdict::Rejected(denied), _) if self.enforces() => return self.reject_token(denied),
            (verdict, _) => verdict,
        };
        if let (Ok(user), None, None) = (user, &tokens.service, catalog) {
            let told = user.token.told(self.route, Some(&user.identity), || {
                let mut headers = IdentityHeaders::new(&config.identity_headers);
                user.present(&mut headers, rules);
                self.trimmed(headers, rules)
            });
            return self.forward(told, verdict);
        }
        let mut headers = IdentityHeaders::new(&config.identity_headers);
        match user {
            Ok(user) => {
                user.present(&mut headers, rules);
                if let Some(catalog) = catalog {
                    headers.set_catalog(catalog);
                }
            }
            Err(_) => headers.set_invalid(),
        }
        match &tokens.service {
            Some(Ok(Verified { identity, .. })) => headers.set_service(&identity.record),
            Some(Err(_)) => headers.set_service_invalid(),
            None => {}
        }
        let edits = match rejection {
            Some(_) => headers.into_edits(),
            None => self.trimmed(headers, rules),
        };
        self.forward(edits, verdict)
    }

    /// Without records, what the token says itself is all there is.
    pub(super) fn pass_payload(&mut self, token: &Opened, rules: &TokenRules) -> Effect {
        let verdict = if self.config.acl.is_some() {
            self.authorize(&token.caller())
        } else {
            self.note_decision(None, true);
            Verdict::Allowed
        };
        if let Verdict::Rejected(denied) = verdict
            && self.enforces()
        {
            return self.reject_token(denied);
        }
        let told = token.told(self.route, None, || {
            let mut headers = IdentityHeaders::new(&self.config.identity_headers);
            headers.set_identity(&token.payload, token.issued_at, rules);
            self.trimmed(headers, rules)
        });
        self.forward(told, verdict)
    }

    /// Leaves to the service the tokens that it has to see, beside what it is told.
    ///
    /// Only tokens that were checked here are taken away: without a verdict, or in shadow mode, the
    /// service has to look at them itself.
    fn trimmed(&self, headers: IdentityHeaders<'_>, rules: &TokenRules) -> HeaderEdits {
        let mut edits = headers.into_edits();
        if self.enforces() && !rules.forward {
            edits.strip_token();
            if rules.records.is_some() {
                edits.strip_service_token();
            }
        }
        edits
    }

    fn reject_token(&mut self, rejection: Rejection) -> Effect {
        // Whoever is answered in AWS's manner brought no token that could be wrong.
        self.reject(rejection, &Fault::of_missing_credentials())
    }
}

impl Tokens {
    /// Whether it is the user's that is being looked at.
    pub(super) fn is_about_user(&self) -> bool {
        self.user.is_none()
    }

    /// The text of the service's token, if the user's is being looked at, and Keystone may tell the
    /// service what it does not tell the user.
    pub(super) fn voucher(&self, rules: &RecordRules) -> Option<Rc<Secret>> {
        match (&self.user, &self.service) {
            (None, Some(Ok(service))) if service.has_service_role(rules) => {
                service.token.text.clone()
            }
            _ => None,
        }
    }

    /// For how long the token may have expired that is being looked at: a user's, beside the token of
    /// a service that has the role for it.
    pub(super) fn window(&self, rules: &TokenRules) -> Duration {
        match (&self.user, &self.service, &rules.records) {
            (None, Some(Ok(service)), Some(records)) if service.has_service_role(records) => {
                records.allow_expired_window
            }
            _ => Duration::ZERO,
        }
    }
}
