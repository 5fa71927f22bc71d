//! A token about which Keystone itself is asked (`token.identity: keystone`).
//!
//! Where there are keys, only a token that one of them opens gets here, one of its time and of a kind
//! that is taken. The token asks about itself; beside a good token of a service, the service asks, since
//! Keystone tells only such of a token that has expired. If it does not tell the service, the token still
//! asks about itself.

use alloc::boxed::Box;
use alloc::rc::Rc;

use super::opened::Opened;
use super::verified::Verified;
use super::{Bound, Purpose, rules};
use crate::gate::{Effect, Gate, State};
use crate::record::ValidationFault;
use crate::refusal::Rejection;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::validations::{Validation, ValidationRequest};

/// A token of which Keystone has to be heard.
#[derive(Debug)]
pub(in crate::gate) struct AwaitValidation {
    text: Rc<Secret>,
    request: ValidationRequest,
    purpose: Purpose,
}

impl Gate {
    /// Asks about the token that is being looked at.
    pub(super) fn need_validation(&mut self, text: Rc<Secret>, purpose: Purpose) -> Effect {
        let voucher = match (&purpose, rules(&self.config)) {
            (Purpose::Request(tokens), Some((_, rules))) => tokens.voucher(rules),
            (Purpose::Request(_) | Purpose::Validation(_), _) => None,
        };
        self.need_validation_by(voucher, text, purpose)
    }

    pub(in crate::gate) fn on_validation(
        &mut self,
        now: UnixTime,
        waiting: AwaitValidation,
        validation: Rc<Validation>,
    ) -> Effect {
        let AwaitValidation { text, request: _, purpose } = waiting;
        let config = Rc::clone(&self.config);
        let Some((of_tokens, rules)) = rules(&config) else { return self.fail() };
        let (payload, issued_at) = (validation.payload.clone(), validation.issued_at);
        let token = Verified {
            token: Rc::new(Opened::new(payload, issued_at, false, Some(text))),
            identity: Rc::clone(&validation.identity),
            heard: Some(validation),
        };
        self.note_owner(&purpose, &token.token, Some(&token.identity));
        match token.check(now, of_tokens, purpose.window(of_tokens)) {
            Ok(()) if token.token.is_bound() && purpose.is_used() => {
                self.need_certificate(Bound::Verified(token), purpose)
            }
            Ok(()) => self.good(token, purpose, rules),
            Err(rejection) => self.bad(purpose, rejection),
        }
    }

    pub(in crate::gate) fn on_no_validation(
        &mut self,
        waiting: AwaitValidation,
        fault: ValidationFault,
    ) -> Effect {
        let AwaitValidation { text, request, purpose } = waiting;
        if request.is_vouched_for() && fault == ValidationFault::Forbidden {
            return self.need_validation_by(None, text, purpose);
        }
        self.bad(purpose, Rejection::Keystone(fault))
    }

    fn need_validation_by(
        &mut self,
        voucher: Option<Rc<Secret>>,
        text: Rc<Secret>,
        purpose: Purpose,
    ) -> Effect {
        let rules = rules(&self.config).map(|(_, rules)| rules);
        let keystone = rules.and_then(|rules| Some((rules.keystone()?, rules.catalog)));
        let Some((keystone, has_catalog)) = keystone else { return self.fail() };
        let request = ValidationRequest::new(keystone, has_catalog, Rc::clone(&text), voucher);
        let waiting = AwaitValidation { text, request: request.clone(), purpose };
        self.state = State::AwaitValidation(Box::new(waiting));
        Effect::NeedValidation(request)
    }
}
