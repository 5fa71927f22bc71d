//! Where a request to S3 goes: which bucket it names, and which key.
//!
//! A bucket is named by the first segment of the path (`/bucket/key`), or by the host
//! (`bucket.s3.example.com/key`), and everything behind it is the key: AWS's "Virtual hosting of general
//! purpose buckets".

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::operation::Level;
use crate::acl::HostPattern;
use crate::sigv4::{Plus, percent_decode as decode, percent_decode_complete as decode_complete};
use crate::split;

/// A bucket, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket<'a> {
    /// The request names none.
    None,
    /// It names this one.
    Named(Cow<'a, [u8]>),
    /// It may name any.
    Unknown,
}

/// The hosts of a store whose buckets are names under them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseHosts {
    /// In lower case.
    names: Vec<String>,
}

/// What host and path name.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// `None` if servers may take the path for one of another level.
    pub(super) level: Option<Level>,
    pub(super) bucket: Bucket<'a>,
    /// The key with a slash before it, in which encoded slashes are slashes; as a path it may be no plain
    /// one.
    pub(super) key: Option<Cow<'a, [u8]>>,
}

impl BaseHosts {
    /// These hosts, without ports. Else the place of the first that is no name of a host, or that is
    /// under another one, so that it may be that one's bucket.
    pub fn new(names: &[String]) -> Result<Self, usize> {
        let names: Vec<_> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let is_under = |name: &str, other: &String| {
            name.strip_suffix(&**other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        for (place, name) in names.iter().enumerate() {
            let mut others = names.iter().enumerate().filter(|(other, _)| *other != place);
            let is_own = !others.any(|(_, other)| is_under(name, other));
            if !is_own || name.starts_with('*') || HostPattern::new(name).is_none() {
                return Err(place);
            }
        }
        Ok(Self { names })
    }

    /// Whether there is none, so that all buckets are in paths.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What an authority has before one of the hosts: nothing, or a bucket. `None` for any other.
    fn bucket_in<'a>(&self, authority: &'a [u8]) -> Option<&'a [u8]> {
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        let host = match authority.iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let (host, port) = authority.split_at_checked(colon)?;
                port.strip_prefix(b":").filter(|port| port.iter().all(is_digit))?;
                host
            }
            None => authority,
        };
        self.names.iter().find_map(|name| {
            let (before, end) = host.split_at_checked(host.len().checked_sub(name.len())?)?;
            if !end.eq_ignore_ascii_case(name.as_bytes()) {
                return None;
            }
            match before {
                b"" => Some(before),
                _ => before.strip_suffix(b".").filter(|bucket| !bucket.is_empty()),
            }
        })
    }
}

impl<'a> Place<'a> {
    /// What an authority and a path without a query name.
    pub(super) fn of(hosts: &BaseHosts, authority: Option<&'a [u8]>, path: &'a [u8]) -> Self {
        if hosts.is_empty() {
            return Self::of_path(path);
        }
        match authority.and_then(|authority| hosts.bucket_in(authority)) {
            Some(b"") => Self::of_path(path),
            // DNS knows no letters in upper case, and a store might.
            Some(name) if is_bucket(name) && !name.iter().any(u8::is_ascii_uppercase) => {
                Self::within(name.into(), path)
            }
            Some(_) | None => Self::unknown(),
        }
    }

    fn of_path(path: &'a [u8]) -> Self {
        match path.strip_prefix(b"/") {
            None => Self::unknown(),
            Some(b"") => Self { level: Some(Level::Service), bucket: Bucket::None, key: None },
            Some(names) => Self::of_names(names),
        }
    }

    /// What `bucket/key` names.
    pub(super) fn of_names(names: &'a [u8]) -> Self {
        let end = names.iter().position(|byte| *byte == b'/').unwrap_or(names.len());
        let Some((name, key)) = names.split_at_checked(end) else { return Self::unknown() };
        match decode(name, Plus::Literal) {
            Ok(name) if is_bucket(&name) => Self::within(name, key),
            _ => Self::unknown(),
        }
    }

    fn within(bucket: Cow<'a, [u8]>, key: &'a [u8]) -> Self {
        if matches!(key, b"" | b"/") {
            return Self { level: Some(Level::Bucket), bucket: Bucket::Named(bucket), key: None };
        }
        match Landing::of(key) {
            Landing::Elsewhere => Self::unknown(),
            Landing::Nowhere => Self { level: None, bucket: Bucket::Named(bucket), key: None },
            Landing::Object => Self {
                level: Some(Level::Object),
                bucket: Bucket::Named(bucket),
                key: with_slashes(key),
            },
        }
    }

    pub(super) fn unknown() -> Self {
        Self { level: None, bucket: Bucket::Unknown, key: None }
    }
}

/// Where servers may end up that tidy a path up, which a key is to S3 itself no more than any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Landing {
    /// At some object of the bucket.
    Object,
    /// Perhaps at the bucket itself.
    Nowhere,
    /// Perhaps outside of it.
    Elsewhere,
}

impl Landing {
    fn of(key: &[u8]) -> Self {
        // As often as any server decodes a path.
        let Ok(once) = decode(key, Plus::Literal) else { return Self::Elsewhere };
        let mut landing = Self::Object;
        for key in [&*once, &*decode_complete(&once)] {
            let mut segments = key.split(|byte| matches!(byte, b'/' | b'\\')).map(name);
            let leads_up =
                |name: &[u8]| name.starts_with(b"..") && name.iter().copied().all(is_nothing);
            if segments.clone().any(leads_up) {
                return Self::Elsewhere;
            }
            if segments.all(|name| name.iter().copied().all(is_nothing)) {
                landing = Self::Nowhere;
            }
        }
        landing
    }
}

/// A segment without what servers may drop of it: parameters, and spaces around it.
fn name(segment: &[u8]) -> &[u8] {
    split::before(segment, b';').trim_ascii()
}

/// Whether a byte by itself makes no name to some server.
fn is_nothing(byte: u8) -> bool {
    matches!(byte, b'.' | b' ' | b'%') || byte.is_ascii_control()
}

/// A key in which encoded slashes are slashes, as they are to S3. `None` if an escape is incomplete.
fn with_slashes(key: &[u8]) -> Option<Cow<'_, [u8]>> {
    let is_slash = |text: &[u8]| matches!(text, [b'%', b'2', b'F' | b'f']);
    if !key.windows(3).any(is_slash) {
        return Some(key.into());
    }
    let mut with = Vec::with_capacity(key.len());
    let mut rest = key;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            with.push(*byte);
            continue;
        }
        let ([high, low], after) = after.split_first_chunk()?;
        if is_slash(&[b'%', *high, *low]) {
            with.push(b'/');
        } else {
            with.extend([b'%', *high, *low]);
        }
        rest = after;
    }
    Some(with.into())
}

/// Whether it can be a bucket's name at some store: letters, digits, dots, hyphens and underscores, and not
/// dots alone.
pub(super) fn is_bucket(name: &[u8]) -> bool {
    let is_of_names = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    name.iter().all(is_of_names) && name.iter().any(|byte| *byte != b'.')
}
