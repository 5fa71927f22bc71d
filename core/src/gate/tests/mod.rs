//! Requests at the gate, from their heads to their verdicts.

mod records;
mod signature;
mod token;
mod validation;
