//! The steps of the core whose cost is measured: each a closure that does one of them.
//!
//! What a step needs is made beforehand. Its inputs go through [`black_box`], so that no compiler
//! works anything out once and for all.
#![allow(clippy::expect_used, reason = "a benchmark whose inputs are wrong must not run")]

mod signed;
mod token;

use std::hint::black_box;
use std::rc::Rc;

use voussoir_core::config::Config;
use voussoir_core::gate::{Budget, Effect, Gate, Input, KnownTokens, Verdict};
use voussoir_core::head::RequestHead;
use voussoir_core::time::UnixTime;

/// One step of the core.
pub struct Case {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Does it once.
    pub step: Box<dyn FnMut()>,
}

impl Case {
    fn new<T>(name: &'static str, mut step: impl FnMut() -> T + 'static) -> Self {
        Self { name, step: Box::new(move || drop(black_box(step()))) }
    }
}

/// All of them, from the smallest to the largest.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut all = token::cases();
    all.extend(signed::cases());
    all
}

/// What the requests of one worker share.
struct Shared {
    config: Rc<Config>,
    budget: Rc<Budget>,
    known: Rc<KnownTokens>,
}

impl Shared {
    /// With room for so many tokens.
    fn new(config: &[u8], tokens: usize) -> Self {
        Self {
            config: Rc::new(Config::parse(config).expect("a configuration")),
            budget: Rc::new(Budget::new(1 << 20)),
            known: Rc::new(KnownTokens::new(tokens, 1)),
        }
    }

    /// Takes a request without a body from its head to its verdict. `tell` has what it asks for, as on any
    /// request but the first; the host's part is not in it.
    fn pass(
        &self,
        now: UnixTime,
        headers: &[(&[u8], &[u8])],
        mut tell: impl FnMut(&Effect) -> Option<Input<'static>>,
    ) -> Gate {
        let Self { config, budget, known } = self;
        let mut gate = Gate::new(Rc::clone(config), Rc::clone(budget), Rc::clone(known));
        let head = RequestHead::new(black_box(headers));
        let mut effect = gate.handle(now, Input::Head { head, is_end: true });
        while let Some(input) = tell(&effect) {
            effect = gate.handle(now, input);
        }
        assert!(matches!(effect, Effect::Forward(_, Some(Verdict::Allowed))), "{effect:?}");
        drop(black_box(effect));
        gate
    }
}
