//! What a request asks for, as rules look at it.

use alloc::borrow::Cow;
use core::net::IpAddr;

use super::rule;
use crate::head::RequestHead;

/// What is asked for, how and from where, as far as it is known.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub(super) method: Option<&'a [u8]>,
    pub(super) host: Option<&'a [u8]>,
    /// Without the query.
    pub(super) path: Option<Cow<'a, [u8]>>,
    pub(super) source: Option<IpAddr>,
}

impl<'a> Asked<'a> {
    /// What a request with this head asks for itself.
    #[must_use]
    pub fn of(head: RequestHead<'a>) -> Self {
        let (method, path) = (head.method(), head.path().map(Cow::from));
        Self { method, host: rule::host(head), path, source: head.source() }
    }

    /// What it reads besides, if it is a copy: S3's `x-amz-copy-source`, of `CopyObject` and `UploadPartCopy`,
    /// names an object as a path does, with or without its first slash.
    #[must_use]
    pub fn of_copied(head: RequestHead<'a>) -> Option<Self> {
        let mut values = head.iter().filter(|(name, _)| is_copy_source(name));
        let (_, value) = values.next()?;
        // Which of two a store would read is not known, nor what stands behind an access point.
        let is_unknown = values.next().is_some() || value.starts_with(b"arn:");
        let path = value.split(|byte| *byte == b'?').next().filter(|_| !is_unknown);
        let path = path.map(|path| match path {
            [b'/', ..] => path.into(),
            _ => [b"/", path].concat().into(),
        });
        Some(Self { method: Some(b"GET"), path, ..Self::of(head) })
    }
}

/// CGI and WSGI read underscores as hyphens.
fn is_copy_source(name: &[u8]) -> bool {
    let folded = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte });
    folded.eq(*b"x-amz-copy-source")
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_copy_reads_what_one_header_names() {
        let copied = |headers: &[(&[u8], &[u8])]| {
            Asked::of_copied(RequestHead::new(headers)).map(|it| it.path.map(Cow::into_owned))
        };
        assert_eq!(copied(&[(b"x-amz-copy-source-if-match", b"x")]), None);
        for name in [&b"x-amz-copy-source"[..], b"x_amz_copy-source"] {
            assert_eq!(copied(&[(name, b"/b/k?versionId=1")]), Some(Some(b"/b/k".to_vec())));
            assert_eq!(copied(&[(name, b"b/k")]), Some(Some(b"/b/k".to_vec())));
            assert_eq!(copied(&[(name, b"arn:aws:s3:r:1:accesspoint/p/object/k")]), Some(None));
            assert_eq!(copied(&[(name, b"b/k"), (b"x-amz-copy-source", b"b/k")]), Some(None));
        }
    }
}
