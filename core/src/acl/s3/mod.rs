//! What a request asks of S3: which operation, in which bucket, on which keys.
//!
//! S3 tells its operations apart by the method, by whether the path names a bucket and a key, and by
//! parameters of the query ([`S3Operation`] has the table). Stores differ in what they make of what AWS
//! does not describe, of two such parameters at a time above all: such a request is not known to be any
//! operation.

mod operation;
mod pattern;
mod place;
mod query;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use alloc::borrow::Cow;
use alloc::vec::Vec;

pub use operation::{S3Operation, S3Operations};
pub use pattern::{BucketPattern, S3Pattern};
pub use place::{BaseHosts, Bucket};

use crate::head::{RequestHead, parameters};
use crate::sigv4::{Plus, percent_decode};
use operation::{COPY_SOURCE, Reach};
use place::Place;
use query::Parameters;

/// What a request asks of S3, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Request<'a> {
    /// The operation.
    pub operation: Option<S3Operation>,
    /// The bucket.
    pub bucket: Bucket<'a>,
    /// The keys.
    pub keys: Keys<'a>,
}

/// Which keys a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys<'a> {
    /// None.
    None,
    /// This one: as a path, with a slash before it and percent-encoded.
    One(Cow<'a, [u8]>),
    /// All that begin so; in the same form.
    Below(Cow<'a, [u8]>),
    /// It may be about any.
    Unknown,
}

impl<'a> S3Request<'a> {
    /// What a request with this head asks for, of a store that is known by these hosts.
    #[must_use]
    pub fn of(head: RequestHead<'a>, hosts: &BaseHosts) -> Self {
        let mut authorities = head.values(b":authority");
        let authority = authorities.next().filter(|_| authorities.next().is_none());
        let place = Place::of(hosts, authority, head.path().unwrap_or_default());
        let operation = operation(head, &place);
        let Place { bucket, key, .. } = place;
        let Some((operation, prefix)) = operation else {
            return Self { operation: None, bucket, keys: Keys::Unknown };
        };
        let keys = match operation.reach() {
            Reach::None => Keys::None,
            Reach::Key => key.map_or(Keys::Unknown, Keys::One),
            Reach::Prefix => below(prefix.unwrap_or_default()).map_or(Keys::Unknown, Keys::Below),
            Reach::Unseen => Keys::Unknown,
        };
        Self { operation: Some(operation), bucket, keys }
    }

    /// What a copy reads, whose source is this: `/bucket/key`, or without its first slash.
    pub(super) fn of_copied(source: Cow<'a, [u8]>) -> Self {
        match source {
            Cow::Borrowed(source) => Self::of_source(source),
            Cow::Owned(source) => S3Request::of_source(&source).into_owned(),
        }
    }

    fn of_source(source: &'a [u8]) -> Self {
        let place = Place::of_names(source.strip_prefix(b"/").unwrap_or(source));
        Self {
            operation: S3Operation::named("GetObject"),
            bucket: place.bucket,
            keys: place.key.map_or(Keys::Unknown, Keys::One),
        }
    }

    fn into_owned<'b>(self) -> S3Request<'b> {
        let owned = |text: Cow<'_, [u8]>| Cow::Owned(text.into_owned());
        let bucket = match self.bucket {
            Bucket::None => Bucket::None,
            Bucket::Named(name) => Bucket::Named(owned(name)),
            Bucket::Unknown => Bucket::Unknown,
        };
        let keys = match self.keys {
            Keys::None => Keys::None,
            Keys::One(key) => Keys::One(owned(key)),
            Keys::Below(keys) => Keys::Below(owned(keys)),
            Keys::Unknown => Keys::Unknown,
        };
        S3Request { operation: self.operation, bucket, keys }
    }

    /// Of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { operation: None, bucket: Bucket::Unknown, keys: Keys::Unknown }
    }

    /// What is known of keys as a path.
    pub(super) fn key(&self) -> Option<&[u8]> {
        match &self.keys {
            Keys::One(path) | Keys::Below(path) => Some(path),
            Keys::None | Keys::Unknown => None,
        }
    }
}

/// The operation, and the prefix of what it lists.
fn operation<'a>(
    head: RequestHead<'a>,
    place: &Place<'_>,
) -> Option<(S3Operation, Option<&'a [u8]>)> {
    let mut parameters = Parameters::of(head.query())?;
    if let Some(source) = copy_source(head) {
        // Without a slash, it names a source to some stores only.
        let CopySource::Named(source) = source else { return None };
        source.contains(&b'/').then_some(())?;
        parameters.add(COPY_SOURCE)?;
    }
    let operation = S3Operation::of(head.method()?, place.level?, parameters.telling())?;
    let is_called_so = |name: &[u8]| name == operation.name().as_bytes();
    parameters.x_id.is_none_or(is_called_so).then_some((operation, parameters.prefix))
}

/// The source of a copy.
pub(super) enum CopySource<'a> {
    /// This one, to all stores.
    Named(Cow<'a, [u8]>),
    /// It may be any.
    Unknown,
}

/// The source of a copy, if there is any: `x-amz-copy-source`, or the parameter that SDKs make of it in
/// presigned URLs.
pub(super) fn copy_source(head: RequestHead<'_>) -> Option<CopySource<'_>> {
    let headers = head.iter().filter(|(name, _)| is_copy_source(name));
    // CGI and WSGI read underscores as hyphens, and others do not.
    let headers =
        headers.map(|(name, value)| (name == COPY_SOURCE.as_bytes()).then_some(Cow::from(value)));
    let parameters = parameters(head.query()).filter_map(|(name, value)| {
        let decode = |side| percent_decode(side, Plus::Space).ok();
        is_copy_source(&decode(name)?).then(|| decode(value))
    });
    let mut sources = headers.chain(parameters);
    // Which of two a store would read is not known.
    match (sources.next()?, sources.next()) {
        (Some(source), None) => Some(CopySource::Named(source)),
        _ => Some(CopySource::Unknown),
    }
}

/// Names of headers are in lower case, those of parameters need not be.
fn is_copy_source(name: &[u8]) -> bool {
    let folded = name.iter().map(|byte| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    });
    folded.eq(COPY_SOURCE.bytes())
}

/// The path that keys with a prefix begin with.
fn below(prefix: &[u8]) -> Option<Cow<'_, [u8]>> {
    let prefix = query::text(prefix)?;
    let path: Vec<u8> = [b"/", &*prefix].concat();
    // What stands in it as a percent sign is one.
    Some(crate::access_rules::encode(path.into(), |byte| byte != b'%'))
}
