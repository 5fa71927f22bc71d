//! Where tokens stand in a request.

use super::known::KnownTokens;
use super::sealed::Sealed;
use crate::config::TokenRules;
use crate::head::RequestHead;
use crate::identity::{SERVICE_TOKEN, TOKENS};
use crate::refusal::Rejection;

/// The token of the user.
pub(super) fn of_user(
    head: RequestHead<'_>,
    rules: &TokenRules,
    tokens: &KnownTokens,
) -> Result<Sealed, Rejection> {
    token(head).and_then(|text| Sealed::from_text(text, rules, tokens))
}

/// The token of a service that asks on the user's behalf, if there is one.
pub(super) fn of_service(
    head: RequestHead<'_>,
    rules: &TokenRules,
    tokens: &KnownTokens,
) -> Result<Option<Sealed>, Rejection> {
    let mut values = head.values(SERVICE_TOKEN);
    let first = values.next().filter(|value| !value.is_empty());
    if values.next().is_some() {
        return Err(Rejection::TokenAmbiguous);
    }
    let sealed = first.map(|text| Sealed::from_text(text, rules, tokens)).transpose();
    sealed.map_err(|_| Rejection::ServiceTokenInvalid)
}

/// The one token of a request: keystonemiddleware looks at `X-Auth-Token`, else `X-Storage-Token`.
///
/// Services and middleware differ in which they believe where there are several. One name twice is
/// ambiguous whatever the values; both names once do no harm if they say the same.
fn token(head: RequestHead<'_>) -> Result<&[u8], Rejection> {
    let mut values = TOKENS.into_iter().flat_map(|name| head.values(name));
    let first = values.next().ok_or(Rejection::TokenMissing)?;
    if TOKENS.into_iter().any(|name| head.values(name).nth(1).is_some())
        || values.any(|other| other != first)
    {
        return Err(Rejection::TokenAmbiguous);
    }
    // An empty header is as good as none to keystonemiddleware, and so it is called here.
    if first.is_empty() { Err(Rejection::TokenMissing) } else { Ok(first) }
}
