//! The query of a request to S3, as far as it tells what is asked for.

use alloc::borrow::Cow;

use super::operation::COPY_SOURCE;
use crate::head;
use crate::sigv4::{Plus, percent_decode as decode};

/// What a query tells.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    /// Those that tell operations apart, by their names in order.
    telling: [&'static str; MAX_TELLING],
    count: usize,
    /// What the keys in a list begin with, as it was sent.
    pub(super) prefix: Option<&'a [u8]>,
    /// What the client calls the operation, as AWS's SDKs do.
    pub(super) x_id: Option<&'a [u8]>,
}

impl<'a> Parameters<'a> {
    /// Reads a query. `None` if a store may take it for another operation than the next one does: it has a
    /// parameter that no operation of AWS's has, one that tells operations apart and is there twice or with
    /// a value that it cannot have, or one that stands for a header that does.
    pub(super) fn of(query: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        // Some servers part parameters there, too.
        if query.contains(&b';') {
            return None;
        }
        for (number, (name, value)) in head::parameters(query).enumerate() {
            let name = decode(name, Plus::Space).ok()?;
            if number == MAX_PARAMETERS {
                return None;
            }
            if let Some((name, takes)) = TELLING.iter().find(|(it, _)| it.as_bytes() == &*name) {
                takes.value(value).then_some(())?;
                this.add(name)?;
            } else if !this.is_known(&name, value) {
                return None;
            }
        }
        Some(this)
    }

    /// Adds one that tells operations apart; `None` if it is there already, or too many are.
    pub(super) fn add(&mut self, name: &'static str) -> Option<()> {
        let these = self.telling.get(..self.count)?;
        let place = these.binary_search(&name).err()?;
        self.count += 1;
        let these = self.telling.get_mut(place..self.count)?;
        *these.last_mut()? = name;
        these.rotate_right(1);
        Some(())
    }

    pub(super) fn telling(&self) -> &[&'static str] {
        self.telling.get(..self.count).unwrap_or_default()
    }

    /// Whether a parameter leaves the operation what it is.
    fn is_known(&mut self, name: &[u8], value: &'a [u8]) -> bool {
        match name {
            b"prefix" => self.prefix.replace(value).is_none(),
            b"x-id" => self.x_id.replace(value).is_none(),
            _ if starts_with_ignoring_case(name, b"x-amz-") => {
                !SOURCES.iter().any(|source| starts_with_ignoring_case(name, source))
            }
            // "Amazon S3 ignores query-string parameters that start with x-" (its user guide, "Custom
            // access log information").
            _ => name.starts_with(b"x-") || MODIFYING.iter().any(|it| it.as_bytes() == name),
        }
    }
}

/// Which values a parameter may have.
#[derive(Clone, Copy, Debug)]
enum Takes {
    Nothing,
    Number,
    Two,
    Text,
}

impl Takes {
    fn value(self, value: &[u8]) -> bool {
        match self {
            Self::Nothing => value.is_empty(),
            Self::Number => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            Self::Two => value == b"2",
            Self::Text => !value.is_empty(),
        }
    }
}

/// What a parameter stands for, if it is a text that is decoded once. Whether a plus sign is one, servers do
/// not agree.
pub(super) fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    decode(value, Plus::Literal).ok().filter(|_| !value.contains(&b'+'))
}

fn starts_with_ignoring_case(text: &[u8], beginning: &[u8]) -> bool {
    text.get(..beginning.len()).is_some_and(|text| text.eq_ignore_ascii_case(beginning))
}

/// The parameters that tell operations apart.
const TELLING: [(&str, Takes); 46] = [
    ("abac", Takes::Nothing),
    ("accelerate", Takes::Nothing),
    ("acl", Takes::Nothing),
    ("analytics", Takes::Nothing),
    ("annotation", Takes::Nothing),
    ("annotationName", Takes::Text),
    ("attributes", Takes::Nothing),
    ("cors", Takes::Nothing),
    ("delete", Takes::Nothing),
    ("encryption", Takes::Nothing),
    ("id", Takes::Text),
    ("intelligent-tiering", Takes::Nothing),
    ("inventory", Takes::Nothing),
    ("legal-hold", Takes::Nothing),
    ("lifecycle", Takes::Nothing),
    ("list-type", Takes::Two),
    ("location", Takes::Nothing),
    ("logging", Takes::Nothing),
    ("metadataAnnotationTable", Takes::Nothing),
    ("metadataConfiguration", Takes::Nothing),
    ("metadataInventoryTable", Takes::Nothing),
    ("metadataJournalTable", Takes::Nothing),
    ("metadataTable", Takes::Nothing),
    ("metrics", Takes::Nothing),
    ("notification", Takes::Nothing),
    ("object-lock", Takes::Nothing),
    ("ownershipControls", Takes::Nothing),
    ("partNumber", Takes::Number),
    ("policy", Takes::Nothing),
    ("policyStatus", Takes::Nothing),
    ("publicAccessBlock", Takes::Nothing),
    ("renameObject", Takes::Nothing),
    ("replication", Takes::Nothing),
    ("requestPayment", Takes::Nothing),
    ("restore", Takes::Nothing),
    ("retention", Takes::Nothing),
    ("select", Takes::Nothing),
    ("select-type", Takes::Two),
    ("session", Takes::Nothing),
    ("tagging", Takes::Nothing),
    ("torrent", Takes::Nothing),
    ("uploadId", Takes::Text),
    ("uploads", Takes::Nothing),
    ("versioning", Takes::Nothing),
    ("versions", Takes::Nothing),
    ("website", Takes::Nothing),
];

/// Those that do not.
const MODIFYING: [&str; 25] = [
    "annotation-prefix",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "marker",
    "max-annotation-results",
    "max-buckets",
    "max-directory-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
];

/// Headers of which a parameter may take the place, and that name an object beside that of the path.
const SOURCES: [&[u8]; 2] = [COPY_SOURCE.as_bytes(), b"x-amz-rename-source"];

/// `partNumber`, `uploadId` and the source of a copy.
const MAX_TELLING: usize = 3;

/// More than a client has a use for.
const MAX_PARAMETERS: usize = 128;
