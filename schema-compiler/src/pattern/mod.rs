//! Regular expressions (ECMA-262, as JSON Schema has them), compiled into automata that look at each character
//! of a text once. What needs more than that (look-around, references back, word boundaries), and what becomes too
//! large, is refused.

mod automaton;
mod parse;

pub(crate) use automaton::compile;
