//! What a request asks for, as rules look at it.

use alloc::borrow::Cow;
use core::net::IpAddr;

use super::rule;
use super::s3::{BaseHosts, CopySource, S3Request, copy_source};
use crate::head::RequestHead;

/// What is asked for, how and from where, as far as it is known.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub(super) method: Option<&'a [u8]>,
    pub(super) host: Option<&'a [u8]>,
    /// Without the query.
    pub(super) path: Option<Cow<'a, [u8]>>,
    pub(super) source: Option<IpAddr>,
    /// What S3 would make of it, where a rule asks that.
    pub(super) s3: Option<S3Request<'a>>,
}

impl<'a> Asked<'a> {
    /// What a request with this head asks for itself; also of S3, if that is known by these hosts.
    #[must_use]
    pub fn of(head: RequestHead<'a>, s3: Option<&BaseHosts>) -> Self {
        Self {
            method: head.method(),
            host: rule::host(head),
            path: head.path().map(Cow::from),
            source: head.source(),
            s3: s3.map(|hosts| S3Request::of(head, hosts)),
        }
    }

    /// What it reads besides, if it is a copy: S3's `x-amz-copy-source`, of `CopyObject` and `UploadPartCopy`,
    /// names an object as a path does, with or without its first slash.
    #[must_use]
    pub fn of_copied(head: RequestHead<'a>, s3: Option<&BaseHosts>) -> Option<Self> {
        let named = match copy_source(head)? {
            CopySource::Named(source) => named_by(source),
            CopySource::Unknown => None,
        };
        let path = named.clone().map(|named| match &*named {
            [b'/', ..] => named,
            _ => [b"/", &*named].concat().into(),
        });
        let s3 = s3.map(|_| named.map_or_else(S3Request::unknown, S3Request::of_copied));
        let (host, source) = (rule::host(head), head.source());
        Some(Self { method: Some(b"GET"), host, path, source, s3 })
    }
}

/// What the source of a copy names, without a version. `None` if it is not known: nothing tells what stands
/// behind an access point, nor what a store makes of other parameters.
fn named_by(source: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let end = source.iter().position(|byte| *byte == b'?').unwrap_or(source.len());
    let (named, query) = source.split_at_checked(end)?;
    let is_version = |query: &[u8]| query.starts_with(b"?versionId=") && !query.contains(&b'&');
    let is_known = !named.is_empty() && !named.starts_with(b"arn:");
    (is_known && (query.is_empty() || is_version(query))).then(|| match source {
        Cow::Borrowed(source) => source.get(..end).unwrap_or_default().into(),
        Cow::Owned(mut source) => {
            source.truncate(end);
            source.into()
        }
    })
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
            let asked = Asked::of_copied(RequestHead::new(headers), None);
            asked.map(|asked| asked.path.map(Cow::into_owned))
        };
        assert_eq!(copied(&[(b"x-amz-copy-source-if-match", b"x")]), None);
        let name = &b"x-amz-copy-source"[..];
        assert_eq!(copied(&[(name, b"/b/k?versionId=1")]), Some(Some(b"/b/k".to_vec())));
        assert_eq!(copied(&[(name, b"b/k")]), Some(Some(b"/b/k".to_vec())));
        for source in
            [&b"arn:aws:s3:r:1:accesspoint/p/object/k"[..], b"", b"b/k?x", b"b/k?versionId=1&x"]
        {
            assert_eq!(copied(&[(name, source)]), Some(None));
        }
        assert_eq!(copied(&[(name, b"b/k"), (name, b"b/k")]), Some(None));
        // What some servers take for it.
        assert_eq!(copied(&[(b"x_amz_copy-source", b"b/k")]), Some(None));
    }

    #[test]
    fn so_does_one_whose_header_was_moved_into_the_query() {
        let copied = |path: &str, more: &[(&[u8], &[u8])]| {
            let headers = [&[(&b":path"[..], path.as_bytes())], more].concat();
            Asked::of_copied(RequestHead::new(&headers), None)
                .map(|it| it.path.map(Cow::into_owned))
        };
        assert_eq!(copied("/b/k?a=x-amz-copy-source&x-amz-copy-source-range=1", &[]), None);
        for name in ["x-amz-copy-source", "X-Amz-Copy-Source", "X%2damz_Copy-%53ource"] {
            let path = format!("/b/new?acl&{name}=b%2Fa%2520b%3FversionId%3D1");
            assert_eq!(copied(&path, &[]), Some(Some(b"/b/a%20b".to_vec())));
            assert_eq!(copied(&path, &[(b"x-amz-copy-source", b"b/k")]), Some(None));
            assert_eq!(copied(&format!("{path}&{name}=b"), &[]), Some(None));
            assert_eq!(copied(&format!("/b/new?{name}=b/%zz"), &[]), Some(None));
            assert_eq!(copied(&format!("/b/new?{name}"), &[]), Some(None));
        }
    }
}
