//! What a client gets instead of the service: "not allowed" and "cannot know" are different types.
//!
//! Why is one of a closed set of reasons, for metrics and logs. How it is told follows from the
//! credentials: a token's holder is answered as Keystone answers ([`keystone`]), whoever signs as
//! AWS does ([`aws`]).

mod answers;
pub mod aws;
pub mod keystone;
mod reason;

use alloc::string::String;
use alloc::vec::Vec;

pub use answers::{Answers, InvalidTemplate, Template};
pub use reason::{BodyFault, Rejection, SchemaFault, SignatureFault, Unknown};

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status: 400 to 503, or 200 where a question is answered.
    pub status: u16,
    /// Names in lower case. Values have nothing from the client in them, but for a request id of
    /// letters, digits and dashes, and a token that was asked about and is one.
    pub headers: Vec<(String, String)>,
    /// JSON or XML.
    pub body: String,
    /// What the proxy's access log shows as response-code details.
    pub details: String,
}
