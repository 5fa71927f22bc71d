//! Whether requests are what an API's document says: its paths, methods, parameters and JSON bodies.
//!
//! An OpenAPI document is compiled natively (`schema-compiler/`), where whatever cannot be told here is
//! refused by its name, into a [`Document`]: paths, and a table of nodes that refer to each other by their
//! numbers. Here it is interpreted.
//!
//! ```text
//!   head ──▶ Schemas: which document is it for? ──▶ Document: which operation? are its parameters right?
//!                                                      │
//!   body, whole ──▶ Json: where its values are ────────┴──▶ Checking: does the value fit the node?
//! ```
//!
//! Whoever sends a body chooses how much work it is. So a text is read once into a flat list of places
//! ([`json::Json`]), nothing recurses on it, and every step of a check is taken out of a budget ([`MAX_WORK`]).

mod checking;
mod document;
mod documents;
mod fault;
mod json;
mod media_type;
mod node;
mod number;
mod operation;
mod parameter;
mod pattern;
mod read;
mod requests;

pub use checking::{MAX_HEAD_WORK, MAX_WORK};
pub use document::Document;
pub use documents::{Action, BETWEEN_WARNINGS, Documents, Event, Report};
pub use fault::{MAX_POINTER, Violation};
pub use json::MAX_VALUES;
pub use operation::{Announced, Expected, Flaw};
pub use read::{InvalidDocument, VERSION};
pub use requests::{Enforcement, Governed, Outcome, Schemas};
