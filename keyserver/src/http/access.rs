//! Who may have keys: everything that the server was configured to ask for is asked for.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch::Receiver;

use super::error::Error;
use super::{Context, Peer};
use crate::bearer_tokens::BearerTokens;

/// What an edge must show.
pub(crate) struct Access {
    /// A certificate that TLS verified.
    pub(crate) certificate: bool,
    /// One of these tokens.
    pub(crate) tokens: Option<Receiver<Arc<BearerTokens>>>,
}

/// Why an edge gets no keys. The log tells which; the client hears less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No client certificate, where one is required.
    NoCertificate,
    /// No `Authorization: Bearer`, or more than one.
    NoToken,
    /// A bearer token that is not one of ours.
    WrongToken,
}

/// Lets a request through to the keys, or refuses it.
pub(super) async fn require(
    State(context): State<Arc<Context>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let peer = request.extensions().get::<Peer>();
    context.access.check(peer, request.headers()).map_err(Error::Refused)?;
    Ok(next.run(request).await)
}

impl Access {
    fn check(&self, peer: Option<&Peer>, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.certificate && !peer.is_some_and(|peer| peer.has_certificate) {
            return Err(Refusal::NoCertificate);
        }
        if let Some(tokens) = &self.tokens {
            let presented = bearer_token(headers).ok_or(Refusal::NoToken)?;
            if !tokens.borrow().contain(presented) {
                return Err(Refusal::WrongToken);
            }
        }
        Ok(())
    }
}

/// The token of the one `Authorization` header (RFC 6750, section 2.1). The scheme's case does not
/// matter (RFC 9110, section 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let token = token.strip_prefix(b" ")?.trim_ascii();
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "no client certificate",
            Self::NoToken => "no bearer token",
            Self::WrongToken => "wrong bearer token",
        })
    }
}

const SCHEME: &[u8] = b"Bearer";
