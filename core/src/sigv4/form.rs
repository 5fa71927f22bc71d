//! Which way a request says who signed it: decided here, once, for everybody.
//!
//! A verifier that looks in one place and a consumer that looks in another have been the end of
//! many a signature (CVE-2026-41145 in minio, CVE-2022-2385 in aws-iam-authenticator). So what the
//! other files read comes out of [`Form`], and a request that can be read in two ways is not read
//! at all.

use super::encoding::{self, Plus};
use super::query::Query;
use crate::head::RequestHead;

/// Where the credentials of a request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// In more than one place, or in one that could be read in two ways.
    Ambiguous,
    /// In its `Authorization` header, whose value this is.
    Header(&'a [u8]),
    /// Nowhere.
    None,
    /// In an `Authorization` header, but of another scheme: `Bearer`, `Basic`.
    Other,
    /// In its query: a presigned URL.
    Query(Query<'a>),
    /// In its header or its query, after the manner of Signature Version 2.
    SigV2,
}

impl<'a> Form<'a> {
    /// Finds the credentials of a request.
    #[must_use]
    pub fn of(head: RequestHead<'a>) -> Self {
        let mut values = head.values(b"authorization");
        let header = values.next().map(Self::of_header);
        if values.next().is_some() {
            return Self::Ambiguous;
        }
        match (header, Self::of_query(Query::new(head.query()))) {
            (None, form) | (Some(form), Self::None) => form,
            (Some(_), _) => Self::Ambiguous,
        }
    }

    /// By the first letters alone, and in any case: `AWS4-HMAC-SHA1` and `aws4-hmac-sha256` are for
    /// the parser to refuse, not for anyone else to believe.
    fn of_header(value: &'a [u8]) -> Self {
        let mut words = value.split(|byte| matches!(byte, b' ' | b'\t'));
        let scheme = words.find(|word| !word.is_empty()).unwrap_or_default();
        match scheme.split_first_chunk::<4>() {
            Some((prefix, _)) if prefix.eq_ignore_ascii_case(b"AWS4") => Self::Header(value),
            _ if scheme.eq_ignore_ascii_case(b"AWS") => Self::SigV2,
            _ => Self::Other,
        }
    }

    /// Each parameter of a presigned URL may be there once, in the one spelling that AWS documents.
    fn of_query(query: Query<'a>) -> Self {
        let mut seen = [false; PRESIGNED.len()];
        let mut is_v2 = false;
        for parameter in query.parameters() {
            // What cannot be decoded is no parameter of ours, and the canonical query refuses it.
            let Ok(name) = encoding::decode(parameter.name, Plus::Space) else { continue };
            is_v2 |= SIG_V2.contains(&&*name);
            for (seen, ours) in seen.iter_mut().zip(PRESIGNED) {
                if name.eq_ignore_ascii_case(ours) {
                    if *seen || parameter.name != ours {
                        return Self::Ambiguous;
                    }
                    *seen = true;
                }
            }
        }
        match (seen.contains(&true), is_v2) {
            (true, true) => Self::Ambiguous,
            (true, false) => Self::Query(query),
            (false, true) => Self::SigV2,
            (false, false) => Self::None,
        }
    }
}

/// Whether a decoded name is one of a presigned URL's parameters.
pub(super) fn is_presigned_parameter(name: &[u8]) -> bool {
    PRESIGNED.contains(&name)
}

pub(super) const ALGORITHM: &[u8] = b"X-Amz-Algorithm";
pub(super) const CREDENTIAL: &[u8] = b"X-Amz-Credential";
pub(super) const DATE: &[u8] = b"X-Amz-Date";
pub(super) const EXPIRES: &[u8] = b"X-Amz-Expires";
pub(super) const SECURITY_TOKEN: &[u8] = b"X-Amz-Security-Token";
pub(super) const SIGNATURE: &[u8] = b"X-Amz-Signature";
pub(super) const SIGNED_HEADERS: &[u8] = b"X-Amz-SignedHeaders";
/// In the query it is a part of what is signed, unlike the header of the same name.
pub(super) const QUERY_CONTENT_SHA256: &[u8] = b"X-Amz-Content-Sha256";

/// Any one of them makes a presigned URL, though perhaps not a whole one.
const PRESIGNED: [&[u8]; 8] = [
    ALGORITHM,
    CREDENTIAL,
    QUERY_CONTENT_SHA256,
    DATE,
    EXPIRES,
    SECURITY_TOKEN,
    SIGNATURE,
    SIGNED_HEADERS,
];
/// `Expires` is too common a word to mean anything without these.
const SIG_V2: [&[u8]; 2] = [b"AWSAccessKeyId", b"Signature"];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec::Vec;

    /// A word for the form of a request of this path and these `Authorization` headers.
    fn form(path: &str, authorization: &[&str]) -> &'static str {
        let mut headers: Vec<(&[u8], &[u8])> = Vec::from([(&b":path"[..], path.as_bytes())]);
        headers.extend(authorization.iter().map(|value| (&b"authorization"[..], value.as_bytes())));
        match Form::of(RequestHead::new(&headers)) {
            Form::Ambiguous => "ambiguous",
            Form::Header(_) => "header",
            Form::None => "none",
            Form::Other => "other",
            Form::Query(_) => "query",
            Form::SigV2 => "v2",
        }
    }

    #[test]
    fn one_place_makes_a_form() {
        for (expected, path, authorization) in [
            ("none", "/", &[][..]),
            ("none", "/?acl&Expires=5&signature=x&X-Amz-Meta=1", &[]),
            ("header", "/", &["AWS4-HMAC-SHA256 Credential=..."]),
            ("header", "/", &["AWS4-HMAC-SHA1 Credential=..."]),
            ("header", "/", &["\taws4-hmac-sha256\tCredential=..."]),
            ("other", "/", &["Bearer AWS4-HMAC-SHA256"]),
            ("other", "/", &[""]),
            ("v2", "/", &["AWS AKID:sig"]),
            ("v2", "/", &["aws AKID:sig"]),
            ("v2", "/?AWSAccessKeyId=a&Signature=b&Expires=1", &[]),
            ("v2", "/?%53ignature=b", &[]),
            ("query", "/?X-Amz-Signature=a", &[]),
            ("query", "/?X-Amz-Date=a&X-Amz-Algorithm=b", &[]),
            ("query", "/?x&X-Amz-Expires", &[]),
        ] {
            assert_eq!(form(path, authorization), expected, "{path} {authorization:?}");
        }
    }

    #[test]
    fn two_places_are_ambiguous() {
        for (path, authorization) in [
            ("/", &["AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 a"][..]),
            ("/", &["AWS4-HMAC-SHA256 a", "Bearer b"]),
            ("/", &["Bearer b", ""]),
            ("/?X-Amz-Signature=a", &["AWS4-HMAC-SHA256 a"]),
            ("/?X-Amz-Content-Sha256=a", &["AWS4-HMAC-SHA256 a"]),
            ("/?x-amz-signature=a", &["AWS4-HMAC-SHA256 a"]),
            ("/?X-Amz-Signature=a", &["Bearer b"]),
            ("/?X-Amz-Signature=a", &["AWS a:b"]),
            ("/?Signature=a", &["AWS4-HMAC-SHA256 a"]),
            ("/?Signature=a&X-Amz-Signature=b", &[]),
            ("/?X-Amz-Signature=a&X-Amz-Signature=a", &[]),
            ("/?X-Amz-Date=a&X-Amz-Signature=a&X-Amz-Date=b", &[]),
        ] {
            assert_eq!(form(path, authorization), "ambiguous", "{path} {authorization:?}");
        }
    }

    #[test]
    fn a_second_spelling_is_ambiguous_even_alone() {
        for path in [
            "/?X%2DAmz-Signature=a",
            "/?X%2dAmz%2DSignature=a",
            "/?x-amz-signature=a",
            "/?X-AMZ-DATE=a",
            "/?%58-Amz-Security-Token=a",
            "/?X-Amz-Signature=a&x%2damz-signature=b",
        ] {
            assert_eq!(form(path, &[]), "ambiguous", "{path}");
        }
    }
}
