//! Whether a request is what its API's document says: its head as soon as that is there, its body when it has
//! come. Nobody is told before it is decided that the request may pass otherwise.
//!
//! What is to be enforced waits with its body as one does whose body must be complete, which looks after time
//! and size. What is only to be reported passes, and its body is looked at on its way.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::budget::Share;
use super::complete_body::Came;
use super::{A_MOMENT, Effect, Gate, SHUT, Verdict};
use crate::bypass;
use crate::complete_body::Demands;
use crate::config::Mode;
use crate::head::RequestHead;
use crate::refusal::aws::Fault;
use crate::refusal::{Rejection, Unknown, keystone};
use crate::schema::{Announced, Document, Enforcement, Expected, Flaw, Governed, Outcome};

/// What is known of a request that is held against a document.
#[derive(Debug)]
pub(super) struct Held {
    /// The place of the document in the configuration.
    place: usize,
    /// Whether the request is refused if it is not as the document says.
    is_enforced: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is decided by its head.
    Known(Result<(), Flaw>),
    /// There is no document yet.
    Unavailable,
    /// Its body is to come.
    Body(Box<Body>),
}

/// A body, as far as it has come.
#[derive(Debug)]
struct Body {
    document: Rc<Document>,
    expected: Expected,
    bytes: Vec<u8>,
    most: usize,
    /// How long it is, where the head says so.
    length: Option<usize>,
    share: Share,
}

impl Gate {
    /// Finds the document that a request with this head is held against, and what that says of it.
    pub(super) fn match_schema(&mut self, head: RequestHead<'_>, is_end: bool) {
        let config = Rc::clone(&self.config);
        let Some(place) = config.schemas.place_for(head) else { return };
        let Some(governed) = config.schemas.all.get(place) else { return };
        // Browsers ask before they do what a document knows.
        if config.bypass.cors_preflight && bypass::is_cors_preflight(head) {
            return;
        }
        let is_enforced =
            config.mode == Mode::Enforce && governed.enforcement == Enforcement::Enforce;
        let share = if is_enforced { Share::of } else { Share::of_report };
        let state = State::of(head, is_end, governed, share(&self.budget));
        self.schema = Some(Box::new(Held { place, is_enforced, state }));
    }

    /// What is demanded of the body, so that it can be looked at before it passes.
    pub(super) fn schema_demands(&self) -> Option<Demands> {
        let held = self.schema.as_ref().filter(|held| held.is_enforced)?;
        let governed = self.config.schemas.all.get(held.place)?;
        let State::Body(_) = held.state else { return None };
        Some(Demands { max: governed.max_body, within: governed.within, json: false })
    }

    /// Nothing is waited for from now on but the rest of the body, of which there is a copy here.
    pub(super) fn schema_waits(&mut self) {
        if let Some(held) = &mut self.schema
            && let State::Body(body) = &mut held.state
        {
            body.share.wait();
        }
    }

    /// Whether pieces of the body of a request that passes are looked at.
    pub(super) fn watches_schema(&self) -> bool {
        self.schema.as_ref().is_some_and(|held| matches!(held.state, State::Body(_)))
    }

    /// Takes in what came of a body. What passes anyway is looked at when it does: what came before is shown
    /// once more then.
    pub(super) fn take_in_for_schema(&mut self, came: Came<'_>) -> Option<Effect> {
        let is_open = self.is_open();
        let held = self.schema.as_mut()?;
        let State::Body(body) = &mut held.state else { return None };
        let (piece, is_end) = match came {
            Came::Nothing => return None,
            Came::Piece(piece, is_end) => (piece, is_end),
            Came::Trailers => (&[][..], true),
        };
        if held.is_enforced == is_open {
            // Trailers are not shown twice, and without them nobody says that the body has ended.
            let is_lost = !is_open && matches!(came, Came::Trailers);
            if is_lost {
                self.count_schema(Outcome::Unchecked);
            }
            return None;
        }
        let size = body.bytes.len().saturating_add(piece.len());
        if size > body.most {
            self.count_schema(Outcome::TooLong);
            return None;
        }
        if !body.share.resize(size) {
            let is_enforced = held.is_enforced;
            self.count_schema(Outcome::Unchecked);
            return is_enforced.then(|| {
                self.arriving = None;
                self.unknown(Unknown::TooMuchHeld, A_MOMENT)
            });
        }
        body.bytes.extend_from_slice(piece);
        // When all has come that the head says, the service may have answered.
        if is_open && (is_end || body.length == Some(size)) {
            let outcome = body.check();
            self.count_schema(Outcome::of(&outcome));
        }
        None
    }

    /// Refuses a request that would pass, if its head is not as the document says.
    pub(super) fn hold_against_schema(&mut self, effect: Effect) -> Effect {
        let Some(held) = &mut self.schema else { return effect };
        match &effect {
            // In shadow mode it would not have come so far.
            Effect::Forward(_, Some(Verdict::Rejected(_) | Verdict::Unavailable(_)))
            | Effect::Refuse(..) => {
                self.schema = None;
                return effect;
            }
            Effect::Forward(..) => {}
            _ => return effect,
        }
        let is_enforced = held.is_enforced;
        let flaw = match &mut held.state {
            State::Body(_) => return effect,
            State::Unavailable => {
                self.count_schema(Outcome::Unavailable);
                if !is_enforced {
                    return effect;
                }
                self.state = SHUT;
                return self.unknown(Unknown::SchemaUnavailable, A_MOMENT);
            }
            State::Known(known) => {
                let known = core::mem::replace(known, Ok(()));
                self.count_schema(Outcome::of(&known));
                known.err()
            }
        };
        match flaw.filter(|_| is_enforced) {
            Some(flaw) => self.refuse_flaw(&flaw),
            None => effect,
        }
    }

    /// Refuses a request whose body has come, if that is not as the document says.
    pub(super) fn check_schema_body(&mut self) -> Option<Effect> {
        let held = self.schema.as_ref().filter(|held| held.is_enforced)?;
        let State::Body(body) = &held.state else { return None };
        let outcome = body.check();
        self.count_schema(Outcome::of(&outcome));
        outcome.err().map(|flaw| self.refuse_flaw(&flaw))
    }

    fn refuse_flaw(&mut self, flaw: &Flaw) -> Effect {
        let fault = flaw.fault();
        let rejection = Rejection::Schema(fault);
        let reply = match &self.manner {
            Some(manner) => Fault::of_flaw(flaw).reply(manner, fault.reason(), &self.config),
            None => keystone::flaw(flaw, &self.config),
        };
        self.arriving = None;
        self.refuse(reply, Verdict::Rejected(rejection))
    }

    /// The check is over.
    fn count_schema(&mut self, outcome: Outcome) {
        if let Some(held) = self.schema.take() {
            self.schema_outcome = Some((held.place, outcome));
        }
    }

    /// The place of the document that a request was held against since this was asked last, and what it came
    /// to, for whoever counts.
    pub fn take_schema_outcome(&mut self) -> Option<(usize, Outcome)> {
        self.schema_outcome.take()
    }
}

impl State {
    /// What there is to say of a head; what is kept of its body is of this share.
    fn of(head: RequestHead<'_>, is_end: bool, governed: &Governed, share: Share) -> Self {
        let Some(document) = governed.document.get() else { return Self::Unavailable };
        let length = head.content_length();
        let announced = Announced { is_end, length };
        match document.check_head(head, announced, governed.refuses_unknown) {
            Err(flaw) => Self::Known(Err(flaw)),
            Ok(Expected::Any) => Self::Known(Ok(())),
            Ok(expected) => Self::Body(Box::new(Body {
                document: Rc::clone(document),
                expected,
                bytes: Vec::new(),
                most: governed.max_body,
                length,
                share,
            })),
        }
    }
}

impl Body {
    fn check(&self) -> Result<(), Flaw> {
        self.document.check_arrived(&self.bytes, &self.expected)
    }
}
