//! Requests that pass only with the whole of their bodies.
//!
//! What is wrong with a body is said as soon as it is seen: of its head before anybody is asked about
//! the credentials, of a piece when it comes. But nobody waits for the rest of a body before it is
//! decided that the request may pass otherwise.
//!
//! In shadow mode nothing is held: the body is looked at while it passes.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;

use super::budget::{Budget, Share};
use super::{A_MOMENT, Effect, Gate, Input, SHUT, State, Verdict};
use crate::complete_body::Demands;
use crate::complete_body::json::Checker;
use crate::head::RequestHead;
use crate::identity::HeaderEdits;
use crate::refusal::aws::{Fault, Manner};
use crate::refusal::{BodyFault, Rejection, Unknown};
use crate::sigv4::Form;
use crate::time::UnixTime;

/// A body that must be complete, as far as it has come.
#[derive(Debug)]
pub(super) struct Arriving {
    max: usize,
    until: UnixTime,
    /// None where it may be anything.
    json: Option<Checker>,
    size: usize,
    /// What the host holds of it on our behalf.
    share: Share,
    /// How long it is, where the head says so.
    length: Option<usize>,
    /// Whether it ended with trailers. HTTP/1 has them only after a body of unknown length.
    has_trailers: bool,
    is_complete: bool,
    /// What is to be counted in the end, in shadow mode.
    verdict: Option<Verdict>,
}

/// A request that may pass as soon as its body is complete.
#[derive(Debug)]
pub(super) struct AwaitRest {
    edits: Rc<HeaderEdits>,
    verdict: Option<Verdict>,
    then: State,
}

/// What an input has of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came<'a> {
    Nothing,
    Piece(&'a [u8], bool),
    Trailers,
}

/// Why a body will not be complete.
enum Flaw {
    Fault(BodyFault),
    TooMuchHeld,
}

impl Gate {
    /// Begins to look after the body, where it must be complete; the refusal, if it cannot be.
    pub(super) fn expect_body(
        &mut self,
        now: UnixTime,
        head: RequestHead<'_>,
        is_end: bool,
    ) -> Option<Effect> {
        if is_end {
            return None;
        }
        let config = Rc::clone(&self.config);
        let demands = [config.complete_body.demands(head), self.schema_demands()];
        let demands = demands.into_iter().flatten().reduce(Demands::and)?;
        match Arriving::of(now, head, demands, &self.budget) {
            Ok(arriving) => {
                self.arriving = Some(Box::new(arriving));
                None
            }
            Err(fault) => {
                let is_signed = !matches!(Form::of(head), Form::None | Form::Other);
                if let Some(rules) = &config.sigv4
                    && (is_signed || config.token.is_none())
                {
                    self.manner = Some(Box::new(Manner::of(head, rules, None)));
                }
                Some(self.refuse_body(fault))
            }
        }
    }

    /// Whether the body is taken in before the request may pass.
    pub(super) fn collects(&self) -> bool {
        self.arriving.is_some() && self.enforces()
    }

    /// Takes in what came of the body of a request that has not passed; the refusal, if it will not.
    pub(super) fn collect(&mut self, now: UnixTime, came: Came<'_>) -> Option<Effect> {
        let (enforces, is_open) = (self.enforces(), self.is_open());
        let arriving = self.arriving.as_mut()?;
        if !enforces {
            // What has come is shown again when the request passes, but not that it has ended so.
            if !is_open && matches!(came, Came::Trailers) {
                self.arriving = None;
            }
            return None;
        }
        let flaw = match arriving.take_in(now, came) {
            Ok(()) if arriving.share.resize(arriving.size) => return None,
            Ok(()) => Flaw::TooMuchHeld,
            Err(fault) => Flaw::Fault(fault),
        };
        Some(match flaw {
            Flaw::Fault(fault) => self.refuse_body(fault),
            Flaw::TooMuchHeld => {
                self.arriving = None;
                self.unknown(Unknown::TooMuchHeld, A_MOMENT)
            }
        })
    }

    /// Lets a request whose body must be complete pass no sooner than it is.
    pub(super) fn hold(&mut self, now: UnixTime, came: Came<'_>, effect: Effect) -> Effect {
        debug_assert!(self.arriving.is_some(), "nothing waits for a body");
        if !self.enforces() {
            return self.watch(now, came, effect);
        }
        match effect {
            Effect::Forward(edits, verdict) => {
                let then = core::mem::replace(&mut self.state, SHUT);
                self.await_rest(now, AwaitRest { edits, verdict, then })
            }
            Effect::Nothing => match core::mem::replace(&mut self.state, SHUT) {
                State::AwaitRest(waiting) if self.is_complete() => self.await_rest(now, *waiting),
                state => {
                    self.state = state;
                    Effect::Nothing
                }
            },
            Effect::Refuse(..) => {
                self.arriving = None;
                effect
            }
            effect => effect,
        }
    }

    fn await_rest(&mut self, now: UnixTime, waiting: AwaitRest) -> Effect {
        if !self.is_complete() {
            self.state = State::AwaitRest(Box::new(waiting));
            return self.need_rest(now).unwrap_or_else(|| self.fail());
        }
        if let Some(refusal) = self.check_schema_body() {
            return refusal;
        }
        let Some(arriving) = &self.arriving else { return self.fail() };
        let AwaitRest { mut edits, verdict, then } = waiting;
        // Known now, and servers that give each request a process cannot read a body without it.
        let tells_length = arriving.length.is_none() && !arriving.has_trailers;
        if tells_length && self.manner.is_none() {
            let length = ("content-length", format!("{}", arriving.size));
            Rc::make_mut(&mut edits).set.push(length);
        }
        self.arriving = None;
        self.state = then;
        Effect::Forward(edits, verdict)
    }

    /// From now on only the rest of the body is waited for, and not for ever; `None` where it need not be
    /// complete.
    pub(super) fn need_rest(&mut self, now: UnixTime) -> Option<Effect> {
        if !self.enforces() {
            return None;
        }
        let arriving = self.arriving.as_mut()?;
        if arriving.until <= now {
            return Some(self.refuse_body(BodyFault::Late));
        }
        arriving.share.wait();
        let until = arriving.until;
        self.schema_waits();
        Some(Effect::NeedRest { until })
    }

    fn is_complete(&self) -> bool {
        self.arriving.as_ref().is_some_and(|arriving| arriving.is_complete)
    }

    /// Looks at the body of a request that passes whatever it is, for whoever counts.
    fn watch(&mut self, now: UnixTime, came: Came<'_>, effect: Effect) -> Effect {
        let is_open = self.is_open();
        let Some(arriving) = &mut self.arriving else { return effect };
        match effect {
            // It is counted when its body has ended, unless it would not have come so far.
            Effect::Forward(edits, verdict) => {
                if let Some(Verdict::Rejected(_) | Verdict::Unavailable(_)) = verdict {
                    self.arriving = None;
                    return Effect::Forward(edits, verdict);
                }
                arriving.verdict = verdict;
                Effect::Forward(edits, None)
            }
            Effect::Pass { replacement, verdict: Some(verdict) } => {
                self.arriving = None;
                Effect::Pass { replacement, verdict: Some(verdict) }
            }
            Effect::Pass { .. } | Effect::Nothing if is_open => {
                let verdict = match arriving.take_in(now, arriving.ended_by_length(came)) {
                    Ok(()) if !arriving.is_complete => None,
                    Ok(()) => arriving.verdict,
                    Err(fault) => {
                        // One request counts once.
                        self.state = State::Decided { is_open: true, takes_trailers: true };
                        Some(Verdict::Rejected(Rejection::Body(fault)))
                    }
                };
                if verdict.is_some() {
                    self.arriving = None;
                }
                Effect::Pass { replacement: None, verdict }
            }
            effect => effect,
        }
    }

    pub(super) fn refuse_body(&mut self, fault: BodyFault) -> Effect {
        self.arriving = None;
        self.state = SHUT;
        self.reject(Rejection::Body(fault), &Fault::of_incomplete_body(fault))
    }
}

impl Arriving {
    fn of(
        now: UnixTime,
        head: RequestHead<'_>,
        demands: Demands,
        budget: &Rc<Budget>,
    ) -> Result<Self, BodyFault> {
        let Demands { max, within, json } = demands;
        let is_plain = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
        if json && !head.values(b"content-encoding").all(is_plain) {
            return Err(BodyFault::Encoded);
        }
        let length = head.content_length();
        if length.is_some_and(|length| length > max) {
            return Err(BodyFault::TooLong);
        }
        Ok(Self {
            max,
            until: now + within,
            json: json.then(Checker::new),
            size: 0,
            share: Share::of(budget),
            length,
            has_trailers: false,
            is_complete: false,
            verdict: None,
        })
    }

    /// Of a request that passes, the end may not be shown: when all has come that the head says, the
    /// service may have answered.
    fn ended_by_length<'a>(&self, came: Came<'a>) -> Came<'a> {
        match came {
            Came::Piece(piece, _) if self.length == Some(self.size + piece.len()) => {
                Came::Piece(piece, true)
            }
            came => came,
        }
    }

    fn take_in(&mut self, now: UnixTime, came: Came<'_>) -> Result<(), BodyFault> {
        let (piece, is_end) = match came {
            Came::Nothing => return Ok(()),
            Came::Piece(piece, is_end) => (piece, is_end),
            Came::Trailers => {
                self.has_trailers = true;
                (&[][..], true)
            }
        };
        self.size = self.size.saturating_add(piece.len());
        if self.size > self.max {
            return Err(BodyFault::TooLong);
        }
        if let Some(json) = &mut self.json {
            json.push(piece).map_err(|_| BodyFault::NotJson)?;
        }
        if !is_end {
            return if self.until <= now { Err(BodyFault::Late) } else { Ok(()) };
        }
        if let Some(json) = self.json.take()
            && self.size > 0
        {
            json.finish().map_err(|_| BodyFault::NotJson)?;
        }
        self.is_complete = true;
        Ok(())
    }
}

impl AwaitRest {
    /// Whether the request may have trailers when it passes.
    pub(super) fn takes_trailers(&self) -> bool {
        matches!(self.then, State::Decided { takes_trailers: true, .. })
    }
}

impl<'a> Came<'a> {
    pub(super) fn of(input: &Input<'a>) -> Self {
        match input {
            Input::Body { piece, is_end } => Self::Piece(piece, *is_end),
            Input::Trailers => Self::Trailers,
            _ => Self::Nothing,
        }
    }
}
