//! Validations that are answered in Keystone's place: `GET` and `HEAD /v3/auth/tokens`, by which a
//! service asks what a token is worth. What Keystone 30 would say is said here, from the token and
//! from what the key server tells of it.
//!
//! | File | What |
//! |---|---|
//! | `question.rs` | which requests are such questions, and what they ask |
//! | `policy.rs` | who may ask |
//! | `answer.rs` | the JSON about a token |

mod answer;
mod policy;
mod question;

pub use answer::{MAX_ANSWER, Subject};
pub use policy::{can_authorize, may_ask};
pub use question::{Action, PATH, Question, SERVICE_TYPE};
