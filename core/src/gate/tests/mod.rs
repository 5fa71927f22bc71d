//! Requests at the gate, from their heads to their verdicts.

mod acl;
mod audit;
mod complete_body;
mod keystone;
mod known;
mod records;
mod response;
mod routes;
mod schema;
mod signature;
mod token;
mod validation;

use alloc::rc::Rc;

use super::KnownTokens;

/// Nothing is known of any token.
fn known_tokens() -> Rc<KnownTokens> {
    Rc::new(KnownTokens::new(16, 1))
}
