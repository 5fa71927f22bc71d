//! What a rule says of requests to S3.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::place::is_bucket;
use super::{Bucket, Keys, S3Operations, S3Request};
use crate::acl::reading::Readings;
use crate::acl::{Action, PathTemplate};

/// Requests by what they ask of S3; what is not named is not looked at.
#[derive(Clone, Debug, Default)]
pub struct S3Pattern {
    /// The operations.
    pub operations: Option<S3Operations>,
    /// The buckets; none stands for any, and for no bucket.
    pub buckets: Vec<BucketPattern>,
    /// The keys.
    pub key: Option<PathTemplate>,
}

/// One bucket, or all whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPattern {
    name: Box<str>,
    is_beginning: bool,
}

impl S3Pattern {
    /// Whether it is about a request, in a rule of this kind: what cannot be known is as if it fitted one
    /// that denies, and only that.
    pub(in crate::acl) fn is_about(
        &self,
        request: &S3Request<'_>,
        keys: &Readings<'_>,
        action: Action,
    ) -> bool {
        let covers = |known: Option<bool>| known.unwrap_or(action == Action::Deny);
        self.operations.is_none_or(|these| covers(request.operation.map(|it| these.have(it))))
            && (self.buckets.is_empty() || covers(self.has_bucket(&request.bucket)))
            && self.key.as_ref().is_none_or(|key| covers(has_key(key, &request.keys, keys, action)))
    }

    fn has_bucket(&self, bucket: &Bucket<'_>) -> Option<bool> {
        match bucket {
            Bucket::None => Some(false),
            Bucket::Named(name) => Some(self.buckets.iter().any(|pattern| pattern.matches(name))),
            Bucket::Unknown => None,
        }
    }
}

fn has_key(
    template: &PathTemplate,
    keys: &Keys<'_>,
    readings: &Readings<'_>,
    action: Action,
) -> Option<bool> {
    match (keys, action) {
        (Keys::None, _) => Some(false),
        (Keys::One(_), _) => readings.is_under(template, action),
        (Keys::Below(_), Action::Allow) => {
            readings.fits(action, |start| template.matches_all_below(start))
        }
        (Keys::Below(_), Action::Deny) => {
            readings.fits(action, |start| template.matches_some_below(start))
        }
        (Keys::Unknown, _) => None,
    }
}

impl BucketPattern {
    /// A name such as `photos`, or `photos-*` for all that begin so. `None` for what no bucket can be
    /// called.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (name, is_beginning) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        let is_name = is_bucket(name.as_bytes()) || (name.is_empty() && is_beginning);
        (is_name && name.len() <= MAX_BUCKET).then(|| Self { name: name.into(), is_beginning })
    }

    fn matches(&self, name: &[u8]) -> bool {
        let own = self.name.as_bytes();
        if self.is_beginning { name.starts_with(own) } else { name == own }
    }
}

/// The longest name, in bytes: before 2018 AWS had some of that length.
const MAX_BUCKET: usize = 255;
