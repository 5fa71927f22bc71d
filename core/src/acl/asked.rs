//! What a request asks for, as rules look at it.

use alloc::borrow::Cow;
use core::net::IpAddr;

use super::rule;
use crate::head::{RequestHead, parameters};
use crate::sigv4::{Plus, percent_decode};

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
        let headers = head.iter().filter(|(name, _)| is_copy_source(name));
        let headers = headers.map(|(_, value)| Some(Cow::from(value)));
        let mut values = headers.chain(copy_sources_of_query(head.query()));
        let value = values.next()?;
        // Which of two a store would read is not known, nor what stands behind an access point.
        let is_unknown = values.next().is_some();
        let path = value.filter(|value| !is_unknown && !value.starts_with(b"arn:"));
        let path = path.map(|value| {
            let path = value.split(|byte| *byte == b'?').next().unwrap_or_default();
            let is_whole = path.starts_with(b"/");
            if is_whole { path.to_vec().into() } else { [b"/", path].concat().into() }
        });
        Some(Self { method: Some(b"GET"), path, ..Self::of(head) })
    }
}

/// Those of presigned URLs, into whose queries SDKs move headers of Amazon's; `None` for one that cannot be
/// read.
fn copy_sources_of_query(query: &[u8]) -> impl Iterator<Item = Option<Cow<'_, [u8]>>> {
    parameters(query).filter_map(|(name, value)| {
        let decode = |side| percent_decode(side, Plus::Space).ok();
        is_copy_source(&decode(name)?).then(|| decode(value))
    })
}

/// CGI and WSGI read underscores as hyphens. Names of headers are in lower case, those of parameters need not
/// be.
fn is_copy_source(name: &[u8]) -> bool {
    let folded = name.iter().map(|byte| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    });
    folded.eq(*b"x-amz-copy-source")
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::format;

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

    #[test]
    fn so_does_one_whose_header_was_moved_into_the_query() {
        let copied = |path: &str, more: &[(&[u8], &[u8])]| {
            let headers = [&[(&b":path"[..], path.as_bytes())], more].concat();
            Asked::of_copied(RequestHead::new(&headers)).map(|it| it.path.map(Cow::into_owned))
        };
        assert_eq!(copied("/b/k?a=x-amz-copy-source&x-amz-copy-source-range=1", &[]), None);
        for name in ["x-amz-copy-source", "X-Amz-Copy-Source", "X%2damz_Copy-%53ource"] {
            let path = format!("/b/new?acl&{name}=b%2Fa%2520b%3FversionId%3D1");
            assert_eq!(copied(&path, &[]), Some(Some(b"/b/a%20b".to_vec())));
            assert_eq!(copied(&path, &[(b"x-amz-copy-source", b"b/k")]), Some(None));
            assert_eq!(copied(&format!("{path}&{name}=b"), &[]), Some(None));
            assert_eq!(copied(&format!("/b/new?{name}=b/%zz"), &[]), Some(None));
            assert_eq!(copied(&format!("/b/new?{name}"), &[]), Some(Some(b"/".to_vec())));
        }
    }
}
