//! A question about a token, which is answered in Keystone's place. Who asks is looked at first, then
//! the token that is asked about.
//!
//! The order is Keystone's: a caller without a good token learns nothing (401); that the subject is none
//! (404) comes before whether the caller may know (403). Of a genuine subject of which more may be known
//! to Keystone than here, Keystone is asked.

use alloc::rc::Rc;
use core::time::Duration;

use super::sealed::Sealed;
use super::verified::Verified;
use super::{Asked, Purpose, rules};
use crate::config::{Mode, TokenRules};
use crate::gate::{Effect, Gate, SHUT, Verdict};
use crate::identity::IdentityHeaders;
use crate::record::Catalog;
use crate::refusal::{Rejection, Reply, keystone};
use crate::validation::{PATH, Question, SERVICE_TYPE, Subject, can_authorize, may_ask};

/// What is asked, and by whom.
#[derive(Debug)]
pub(super) struct Validation {
    question: Question,
    /// Who asks; not known yet while the caller's own token is being looked at.
    caller: Option<Verified>,
}

impl Gate {
    pub(super) fn on_question(
        &mut self,
        question: Question,
        caller: Result<Sealed, Rejection>,
    ) -> Effect {
        if question.subject == Err(Rejection::TokenAmbiguous) {
            return self.refuse_caller(Rejection::TokenAmbiguous);
        }
        match caller {
            Ok(sealed) => {
                let asked = Validation { question, caller: None };
                self.need_keys(sealed, None, Purpose::Validation(asked))
            }
            Err(rejection) => self.refuse_caller(rejection),
        }
    }

    /// The token that was looked at is good.
    pub(super) fn good_of_validation(&mut self, token: Verified, mut asked: Validation) -> Effect {
        if asked.caller.is_some() {
            return self.good_subject(token, asked);
        }
        let config = Rc::clone(&self.config);
        let Some((of_tokens, _)) = rules(&config) else { return self.fail() };
        let method = asked.question.action.method().into();
        if !token.may(Some(SERVICE_TYPE), &Asked { method, path: PATH.into() }) {
            return self.refuse_caller(Rejection::AccessRules);
        }
        let verdict = self.authorize(&token.caller());
        if let Verdict::Rejected(denied) = verdict {
            return match config.mode {
                Mode::Enforce => self.refuse_caller(denied),
                Mode::Shadow => self.ask_keystone(&token, verdict),
            };
        }
        if !can_authorize(&of_tokens.methods.of(&token.token.payload.methods)) {
            return self.refuse_caller(Rejection::ValidationForbidden);
        }
        asked.caller = Some(token);
        self.look_at_subject(asked)
    }

    fn look_at_subject(&mut self, asked: Validation) -> Effect {
        let config = Rc::clone(&self.config);
        let Some((of_tokens, _)) = rules(&config) else { return self.fail() };
        let sealed = match &asked.question.subject {
            // Keystone's policy comes first where there is nothing to look at.
            Err(Rejection::TokenMissing) if !asked.may_know(None) => {
                return self.refuse_caller(Rejection::ValidationForbidden);
            }
            Err(rejection) => Err(*rejection),
            Ok(text) => Sealed::from_text(text.as_bytes(), of_tokens, &self.known),
        };
        match sealed {
            Ok(sealed) => self.need_keys(sealed, None, Purpose::Validation(asked)),
            Err(rejection) => self.bad_of_validation(&asked, rejection),
        }
    }

    fn good_subject(&mut self, subject: Verified, asked: Validation) -> Effect {
        let Question { knows_access_rules, wants_catalog, .. } = asked.question;
        if subject.has_access_rules() && !knows_access_rules {
            return self.bad_of_validation(&asked, Rejection::AccessRules);
        }
        if !asked.may_know(Some(&subject)) {
            return self.refuse_caller(Rejection::ValidationForbidden);
        }
        match wants_catalog.then(|| subject.catalog_request()).flatten() {
            Some(request) => self.need_catalog(request, subject, Purpose::Validation(asked)),
            None => self.answer(asked, &subject, None),
        }
    }

    /// The token that was looked at is none.
    pub(super) fn bad_of_validation(&mut self, asked: &Validation, rejection: Rejection) -> Effect {
        let Some(caller) = &asked.caller else { return self.refuse_caller(rejection) };
        if rejection.can_be_answered() {
            let reply = keystone::bad_subject(rejection, asked.may_know(None), &self.config);
            self.reply(caller, reply, Verdict::Answered(Some(rejection)))
        } else {
            self.ask_keystone(caller, Verdict::Allowed)
        }
    }

    /// The token that was asked about is good, and the caller may know.
    pub(super) fn answer(
        &mut self,
        asked: Validation,
        subject: &Verified,
        catalog: Option<&Catalog>,
    ) -> Effect {
        let config = Rc::clone(&self.config);
        let (Some((of_tokens, _)), Some(caller), Ok(text)) =
            (rules(&config), asked.caller, asked.question.subject)
        else {
            return self.fail();
        };
        let payload = &subject.token.payload;
        let json = Subject {
            payload,
            issued_at: subject.token.issued_at,
            methods: &of_tokens.methods.of(&payload.methods),
            record: &subject.identity.record,
        }
        .to_json(catalog);
        match json {
            Some(json) => {
                self.reply(&caller, keystone::subject(text, json), Verdict::Answered(None))
            }
            None => self.ask_keystone(&caller, Verdict::Allowed),
        }
    }

    /// Shadow mode leaves the answer to Keystone.
    fn reply(&mut self, caller: &Verified, reply: Reply, verdict: Verdict) -> Effect {
        match self.config.mode {
            Mode::Enforce => {
                self.state = SHUT;
                Effect::Refuse(reply, verdict)
            }
            Mode::Shadow => self.ask_keystone(caller, verdict),
        }
    }

    /// Lets the question pass, as any other request with a good token.
    fn ask_keystone(&mut self, caller: &Verified, verdict: Verdict) -> Effect {
        let config = Rc::clone(&self.config);
        let Some((of_tokens, _)) = rules(&config) else { return self.fail() };
        let mut headers = IdentityHeaders::new(&config.identity_headers);
        caller.present(&mut headers, of_tokens);
        self.forward(headers.into_edits(), verdict)
    }

    /// Whatever `missing` says: Keystone has no other answer to a question of nobody, and a flood of them
    /// must not reach it.
    fn refuse_caller(&mut self, rejection: Rejection) -> Effect {
        let reply = keystone::bad_caller(rejection, &self.config);
        self.refuse(reply, Verdict::Rejected(rejection))
    }
}

impl Validation {
    /// Whether the token that is being looked at is the caller's own.
    pub(super) fn is_about_caller(&self) -> bool {
        self.caller.is_none()
    }

    /// For how long the token may have expired that is being looked at.
    pub(super) fn window(&self, rules: &TokenRules) -> Duration {
        match (&self.caller, &rules.records) {
            (Some(_), Some(records)) if self.question.allows_expired => {
                records.allow_expired_window
            }
            _ => Duration::ZERO,
        }
    }

    /// Whether the caller may know of the subject.
    fn may_know(&self, subject: Option<&Verified>) -> bool {
        let user = subject.map(|subject| alloc::format!("{}", subject.token.payload.user_id));
        self.caller.as_ref().is_some_and(|caller| {
            may_ask(self.question.action, &caller.identity.record, user.as_deref())
        })
    }
}
