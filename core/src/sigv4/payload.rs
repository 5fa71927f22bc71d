//! How a signature binds the body: `x-amz-content-sha256`, and what holds where it is missing.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::authorization::Algorithm;
use super::encoding::hex_bytes;
use super::error::Error;
use super::form::QUERY_CONTENT_SHA256;
use super::header::CONTENT_SHA256;
use super::query::Query;
use super::scope::Dialect;
use crate::head::RequestHead;

/// What a signature says of the body.
///
/// It is read from the very text that is the last line of the canonical request. So nobody but the
/// signer can choose it, and it chooses only how the body is checked, never whether the head is
/// (CVE-2025-31489 in minio).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// The SHA-256 of the whole body is part of the canonical request and is not in the head: all
    /// services but S3. Nothing can be verified before the body is there.
    HashOfBody,
    /// The body has to have this SHA-256.
    Sha256([u8; 32]),
    /// The body comes in chunks (`aws-chunked`).
    Streaming(Streaming),
    /// Nothing.
    Unsigned,
}

/// The kinds of a body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// Every chunk has a signature: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    Signed,
    /// Every chunk has a signature, and so have the trailers that follow them:
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    SignedTrailer,
    /// No chunk has one; a checksum may follow as a trailer: `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
}

impl Payload {
    /// What the value of `x-amz-content-sha256` says, of which there may be none.
    pub(super) fn of(
        sent: Option<&[u8]>,
        dialect: Dialect,
        is_presigned: bool,
    ) -> Result<Self, Error> {
        let Some(sent) = sent else {
            return match (dialect, is_presigned) {
                (Dialect::General, _) => Ok(Self::HashOfBody),
                (Dialect::S3, true) => Ok(Self::Unsigned),
                (Dialect::S3, false) => Err(Error::ContentSha256Missing),
            };
        };
        if [ECDSA, ECDSA_TRAILER].contains(&sent) {
            return Err(Error::AlgorithmRefused(Algorithm::EcdsaP256Sha256));
        }
        let payload = match KEYWORDS.iter().find(|(keyword, _)| *keyword == sent) {
            Some((_, payload)) => *payload,
            None => hex_bytes(&sent.to_ascii_lowercase())
                .map(Self::Sha256)
                .ok_or_else(|| Error::ContentSha256Invalid(sent.into()))?,
        };
        match payload {
            Self::Streaming(_) if is_presigned => Err(Error::ContentSha256Mismatch(sent.into())),
            // Chunks are S3's alone.
            Self::Streaming(_) if dialect != Dialect::S3 => {
                Err(Error::ContentSha256Invalid(sent.into()))
            }
            payload => Ok(payload),
        }
    }

    /// The last line of the canonical request: the value as it was sent, in upper case if it was.
    /// It is not known yet where a body is needed first.
    pub(super) fn line(self, sent: Option<&[u8]>) -> Option<Vec<u8>> {
        match (self, sent) {
            (Self::HashOfBody, _) => None,
            (_, Some(sent)) => Some(sent.into()),
            (_, None) => Some(UNSIGNED.into()),
        }
    }
}

/// The value of `x-amz-content-sha256`.
///
/// A presigned URL may have it among its parameters or as a signed header (an unsigned one is
/// refused like any other). Where it is in both places, both have to say the same.
pub(super) fn content_sha256<'a>(
    head: RequestHead<'a>,
    presigned: Option<Query<'a>>,
) -> Result<Option<Cow<'a, [u8]>>, Error> {
    let header = head.single(CONTENT_SHA256).map_err(|_| Error::Repeated(CONTENT_SHA256.into()))?;
    let parameter = presigned.and_then(|query| query.value(QUERY_CONTENT_SHA256));
    let parameter = parameter.transpose().map_err(|_| Error::Uri)?;
    match (header, parameter) {
        (Some(header), Some(parameter)) if *header != *parameter => {
            Err(Error::ContentSha256Mismatch(header.into()))
        }
        (header, parameter) => Ok(parameter.or(header.map(Cow::from))),
    }
}

// The keywords are in upper case and in no other.
const UNSIGNED: &[u8] = b"UNSIGNED-PAYLOAD";
const UNSIGNED_TRAILER: &[u8] = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const HMAC: &[u8] = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const HMAC_TRAILER: &[u8] = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const ECDSA: &[u8] = b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
const ECDSA_TRAILER: &[u8] = b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER";
const KEYWORDS: [(&[u8], Payload); 4] = [
    (UNSIGNED, Payload::Unsigned),
    (UNSIGNED_TRAILER, Payload::Streaming(Streaming::UnsignedTrailer)),
    (HMAC, Payload::Streaming(Streaming::Signed)),
    (HMAC_TRAILER, Payload::Streaming(Streaming::SignedTrailer)),
];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const STREAMING: [&[u8]; 3] = [UNSIGNED_TRAILER, HMAC, HMAC_TRAILER];

    fn s3(sent: &[u8]) -> Result<Payload, Error> {
        Payload::of(Some(sent), Dialect::S3, false)
    }

    #[test]
    fn every_value_has_its_meaning() {
        assert_eq!(s3(UNSIGNED), Ok(Payload::Unsigned));
        assert_eq!(s3(&[b'0'; 64]), Ok(Payload::Sha256([0; 32])));
        assert_eq!(s3(&[b'f'; 64]), Ok(Payload::Sha256([0xff; 32])));
        assert_eq!(s3(&[b'F'; 64]), Ok(Payload::Sha256([0xff; 32])));
        assert_eq!(s3(UNSIGNED_TRAILER), Ok(Payload::Streaming(Streaming::UnsignedTrailer)));
        assert_eq!(s3(HMAC), Ok(Payload::Streaming(Streaming::Signed)));
        assert_eq!(s3(HMAC_TRAILER), Ok(Payload::Streaming(Streaming::SignedTrailer)));
    }

    #[test]
    fn no_other_value_has_one() {
        for sent in [
            &b""[..],
            b"unsigned-payload",
            b" UNSIGNED-PAYLOAD",
            b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILERS",
            b"STREAMING-UNSIGNED-PAYLOAD",
            b"required",
            &[b'0'; 63],
            &[b'0'; 65],
            &[b'g'; 64],
        ] {
            assert_eq!(s3(sent), Err(Error::ContentSha256Invalid(sent.into())));
        }
    }

    #[test]
    fn chunks_of_the_other_algorithm_are_refused_by_its_name() {
        let refused = Err(Error::AlgorithmRefused(Algorithm::EcdsaP256Sha256));
        for sent in [ECDSA, ECDSA_TRAILER] {
            for is_presigned in [false, true] {
                assert_eq!(Payload::of(Some(sent), Dialect::S3, is_presigned), refused);
            }
        }
    }

    #[test]
    fn no_presigned_url_has_a_body_in_chunks() {
        for dialect in [Dialect::General, Dialect::S3] {
            for sent in STREAMING {
                let payload = Payload::of(Some(sent), dialect, true);
                assert_eq!(payload, Err(Error::ContentSha256Mismatch(sent.into())));
            }
        }
    }

    #[test]
    fn no_other_service_has_one_either() {
        for sent in STREAMING {
            let payload = Payload::of(Some(sent), Dialect::General, false);
            assert_eq!(payload, Err(Error::ContentSha256Invalid(sent.into())));
        }
    }

    #[test]
    fn without_a_value_it_depends_on_service_and_form() {
        let of = |dialect, is_presigned| Payload::of(None, dialect, is_presigned);
        assert_eq!(of(Dialect::S3, false), Err(Error::ContentSha256Missing));
        assert_eq!(of(Dialect::S3, true), Ok(Payload::Unsigned));
        assert_eq!(of(Dialect::General, false), Ok(Payload::HashOfBody));
        assert_eq!(of(Dialect::General, true), Ok(Payload::HashOfBody));
    }

    #[test]
    fn the_line_is_the_value_as_sent() {
        let sent = [b'F'; 64];
        assert_eq!(s3(&sent).unwrap().line(Some(&sent)).unwrap(), sent);
        assert_eq!(Payload::Unsigned.line(None).unwrap(), UNSIGNED);
        assert_eq!(Payload::HashOfBody.line(None), None);
    }

    #[test]
    fn there_is_one_value() {
        let twice: [(&[u8], &[u8]); 2] = [(CONTENT_SHA256, UNSIGNED), (CONTENT_SHA256, UNSIGNED)];
        assert_eq!(
            content_sha256(RequestHead::new(&twice), None),
            Err(Error::Repeated(CONTENT_SHA256.into()))
        );
        let once = RequestHead::new(&twice[..1]);
        let query = |text| Some(Query::new(text));
        assert_eq!(content_sha256(once, None).unwrap().unwrap(), UNSIGNED);
        let same = query(b"X-Amz-Content-Sha256=UNSIGNED-PAYLOAD");
        assert_eq!(content_sha256(once, same).unwrap().unwrap(), UNSIGNED);
        let other = query(b"X-Amz-Content-Sha256=0");
        assert_eq!(content_sha256(once, other), Err(Error::ContentSha256Mismatch(UNSIGNED.into())));
        assert_eq!(content_sha256(RequestHead::new(&[]), other).unwrap().unwrap().as_ref(), b"0");
        assert_eq!(content_sha256(RequestHead::new(&[]), query(b"")).unwrap(), None);
    }
}
