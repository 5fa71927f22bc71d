//! The steps of the core whose cost is measured: each a closure that does one of them.
//!
//! What a step needs is made beforehand. Its inputs go through [`black_box`], so that no compiler
//! works anything out once and for all.
#![allow(clippy::expect_used, reason = "a benchmark whose inputs are wrong must not run")]

mod signed;
mod token;

use std::hint::black_box;

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
