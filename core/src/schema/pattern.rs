//! Sets of texts: patterns and formats, compiled into automata that look at each character once.

use alloc::string::String;
use alloc::vec::Vec;

/// A set of texts.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// What a text of it must do, for people: `match ^[a-z]+$`, `be a uuid`.
    pub(super) says: String,
    /// The first is where a text begins.
    pub(super) states: Vec<State>,
}

/// What may follow.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Whether the text may end here.
    pub(super) is_end: bool,
    /// Characters from the first to the second, and the state behind them; in order.
    pub(super) steps: Vec<(u32, u32, usize)>,
}

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut state = self.states.first();
        for character in text.chars().map(u32::from) {
            let Some(State { steps, .. }) = state else { return false };
            let step = steps.partition_point(|(_, last, _)| *last < character);
            let step = steps.get(step).filter(|(first, _, _)| *first <= character);
            state = step.and_then(|(_, _, next)| self.states.get(*next));
        }
        state.is_some_and(|state| state.is_end)
    }
}
