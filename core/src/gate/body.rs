//! The body of a signed request that was let through: verified while it passes.

use alloc::rc::Rc;

use super::budget::{Budget, Share};
use super::signature::Refusal;
use super::{A_MOMENT, Effect, Gate, State, Verdict};
use crate::config::Mode;
use crate::refusal::aws::{Fault, SignedText};
use crate::refusal::{Rejection, SignatureFault, Unknown};
use crate::sigv4::body::BodyVerifier;

/// A body on its way.
#[derive(Debug)]
pub(super) struct Passing {
    verifier: BodyVerifier,
    /// For the client whose chunk has a wrong signature.
    signed: SignedText,
    /// How the request is decided if its body is right.
    verdict: Verdict,
    /// What is held of the body.
    share: Share,
}

impl Passing {
    pub(super) fn new(
        verifier: BodyVerifier,
        signed: SignedText,
        verdict: Verdict,
        budget: &Rc<Budget>,
    ) -> Self {
        Self { verifier, signed, verdict, share: Share::of(budget) }
    }
}

impl Gate {
    pub(super) fn on_passing_body(&mut self, piece: &[u8], is_end: bool) -> Effect {
        let State::Passing(passing) = &mut self.state else { return self.fail() };
        let was_verified = passing.verifier.is_verified();
        let output = match passing.verifier.push(piece, is_end) {
            Ok(output) => output,
            Err(error) => {
                let fault = Fault::of_body(&error, &passing.signed);
                return self.refuse_rest(&(fault, SignatureFault::from(&error)));
            }
        };
        if !passing.share.resize(passing.verifier.held()) {
            return self.stop(Unknown::TooMuchHeld);
        }
        let is_verified = passing.verifier.is_verified();
        let verdict = passing.verdict;
        Effect::Pass {
            replacement: self.enforces().then_some(output),
            verdict: (is_verified && !was_verified).then_some(verdict),
        }
    }

    /// The rest of the body cannot be verified. In shadow mode it follows as it is.
    fn stop(&mut self, cause: Unknown) -> Effect {
        if self.enforces() {
            return self.unknown(cause, A_MOMENT);
        }
        self.state = State::Decided { is_open: true, takes_trailers: true };
        Effect::Pass { replacement: None, verdict: Some(Verdict::Unavailable(cause)) }
    }

    /// Trailers after a head that was let through: no signature covers them, and with them a body
    /// of unknown length ends without a last piece.
    pub(super) fn refuse_trailers(&mut self) -> Effect {
        self.refuse_rest(&(Fault::of_trailers(), SignatureFault::TrailersRefused))
    }

    /// Refuses a request whose head has passed. In shadow mode the rest of it follows.
    fn refuse_rest(&mut self, refusal: &Refusal) -> Effect {
        if self.enforces() {
            return self.refuse_signature(refusal);
        }
        self.state = State::Decided { is_open: true, takes_trailers: true };
        let verdict = Some(Verdict::Rejected(Rejection::Signature(refusal.1)));
        Effect::Pass { replacement: None, verdict }
    }

    /// Whether refusals are carried out.
    pub(super) fn enforces(&self) -> bool {
        self.config.mode == Mode::Enforce
    }
}
