//! The answers that cases come down to, in short.

use crate::request::Request;

pub(crate) const GENUINE: &str = "200";
pub(crate) const MISMATCH: &str = "403 SignatureDoesNotMatch";
pub(crate) const NOT_SIGNED: &str = "403 AccessDenied";
pub(crate) const AMBIGUOUS: &str = "400 InvalidArgument";

pub(crate) fn check(request: &Request, answer: &str) {
    assert_eq!(request.answer(), answer, "{request:?}");
}
