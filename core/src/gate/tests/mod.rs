//! Requests at the gate, from their heads to their verdicts.

mod complete_body;
mod keystone;
mod records;
mod response;
mod signature;
mod token;
mod validation;
