//! Requests at the gate, from their heads to their verdicts.

mod signature;
mod token;
