//! What is kept of a request's head for its event: as much of it as an event shows.

use alloc::boxed::Box;

use super::path::MAX_READ;
use super::rule::{Matched, Rules};
use crate::head::RequestHead;
use crate::split;

/// What a request asks for, and how.
#[derive(Debug)]
pub(crate) struct Request {
    /// None if there will be no event of it.
    pub(super) matched: Option<Matched>,
    pub(super) method: Box<[u8]>,
    /// With the query. It may have secrets in it, and is only shown without.
    pub(super) path: Box<[u8]>,
    pub(super) host: Option<Box<[u8]>>,
    pub(super) agent: Option<Box<[u8]>>,
    /// What the proxy calls it.
    pub(super) id: Option<Box<[u8]>>,
    /// What the services call it that have made it on somebody's behalf.
    pub(super) global_id: Option<Box<[u8]>>,
}

impl Request {
    /// What is kept of this head. `None` if there will be no event of it, whatever becomes of it, and nothing
    /// else is to be shown of it.
    pub(crate) fn of(head: RequestHead<'_>, rules: &Rules, is_shown: bool) -> Option<Self> {
        let matched = rules.matched(head);
        if matched.is_none() && !is_shown {
            return None;
        }
        let first = |name: &[u8], most: usize| {
            let value = head.values(name).next()?;
            Some(Box::from(value.get(..most).unwrap_or(value)))
        };
        // Numbers that are no such thing would only be somebody's text.
        let id = |name: &[u8]| {
            let value = head.single(name).ok().flatten()?;
            let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            let is_plain = (1..=MAX_ID).contains(&value.len()) && value.iter().all(is_id);
            is_plain.then(|| Box::from(value))
        };
        Some(Self {
            matched,
            method: first(b":method", MAX_METHOD).unwrap_or_default(),
            path: first(b":path", MAX_READ + 1).unwrap_or_default(),
            host: first(b":authority", MAX_HOST),
            agent: first(b"user-agent", MAX_HOST),
            id: id(b"x-request-id"),
            global_id: id(b"x-openstack-request-id"),
        })
    }

    /// The path without its query.
    pub(super) fn plain_path(&self) -> &[u8] {
        split::before(&self.path, b'?')
    }
}

const MAX_METHOD: usize = 32;
/// The longest name of a host (RFC 1035, section 2.3.4), and as much of what a client calls itself.
const MAX_HOST: usize = 255;
/// `req-` and a UUID have 40.
const MAX_ID: usize = 64;
