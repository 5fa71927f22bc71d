//! Changes the headers of a request that is let through.

use voussoir_core::head::RequestHead;
use voussoir_core::identity::HeaderEdits;

use crate::host::{self, HostError, pairs};

/// The headers or trailers of a request as they came, and what was removed of them since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) fields: RequestHead<'a>,
    /// The names of all that was removed.
    pub(super) claims: &'a [&'a [u8]],
}

impl Shown<'_> {
    /// Whether the client claimed anything about its identity.
    pub(crate) fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }
}

/// Makes all changes, or says that some may not have been made.
///
/// Each costs a call of the host. Where all headers are known, calls that would change nothing are left
/// out, and many changes are made by one call that sets all headers anew.
pub(super) fn apply(edits: &HeaderEdits, shown: Option<Shown<'_>>) -> Result<(), HostError> {
    match shown {
        Some(shown) if edits.set.len() >= MANY && shown.fields.iter().count() <= MOST_SHOWN => {
            host::set_request_headers(&pairs::encode(&edited(edits, shown)))
        }
        _ => one_by_one(edits, shown),
    }
}

fn one_by_one(edits: &HeaderEdits, shown: Option<Shown<'_>>) -> Result<(), HostError> {
    for name in &edits.remove {
        if shown.is_none_or(|shown| shown.fields.has(name)) {
            host::remove_request_header(name)?;
        }
    }
    for (name, value) in &edits.set {
        // To add is a third cheaper than to replace, and the same where there is nothing to replace.
        if shown.is_some_and(|shown| !shown.fields.has(name.as_bytes())) {
            host::add_request_header(name, value)?;
        } else {
            host::set_request_header(name, value)?;
        }
    }
    Ok(())
}

/// All headers as they are to be: those that came, in their order, and then those that are set.
fn edited<'a>(edits: &'a HeaderEdits, shown: Shown<'a>) -> Vec<(&'a [u8], &'a [u8])> {
    let stays = |name: &[u8]| {
        !shown.claims.contains(&name)
            && !edits.remove.contains(&name)
            && edits.set.iter().all(|(set, _)| set.as_bytes() != name)
    };
    let set = edits.set.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    shown.fields.iter().filter(|(name, _)| stays(name)).chain(set).collect()
}

/// From how many headers on it is cheaper to set all of them anew (Envoy 1.40: one costs a good third of
/// a microsecond by itself, the call for all three and a little for each header).
const MANY: usize = 10;

/// To set all headers anew, Envoy looks for each of the old ones among all of them. Beyond this many, which
/// only a client can bring about, that is not left to it.
const MOST_SHOWN: usize = 64;
