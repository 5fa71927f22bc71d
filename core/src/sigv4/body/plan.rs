//! What the head of a request announces about its body, and whether that can be.

use super::{Algorithm, trailer};
use crate::head::RequestHead;
use crate::sigv4::error::Error;
use crate::sigv4::payload::{Payload, Streaming};
use crate::sigv4::scope::Dialect;

/// What is to be done with the body of a request, by its head.
///
/// [`Verified::body_verifier`](crate::sigv4::Verified::body_verifier) does it, but for the one hash
/// that is needed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It comes in chunks, `aws-chunked`.
    Chunked {
        /// How the chunks are signed.
        streaming: Streaming,
        /// The checksum that `x-amz-trailer` declares: it follows the chunks as a trailer.
        checksum: Option<Algorithm>,
        /// The bytes of data in all chunks, by `x-amz-decoded-content-length`.
        decoded_length: u64,
    },
    /// All of it has to be hashed before anything can be verified:
    /// [`Claim::with_body_sha256`](crate::sigv4::Claim::with_body_sha256). So it is in all services
    /// but S3.
    HashFirst,
    /// It has to have this SHA-256.
    Hashed([u8; 32]),
    /// The signature says nothing of it.
    Unbound,
}

impl Body {
    /// What these headers announce. What contradicts itself is refused here, as no key could make it
    /// good.
    ///
    /// Only S3 knows trailers: to another service, `x-amz-trailer` is a header like any other.
    pub(in crate::sigv4) fn of(
        payload: Payload,
        dialect: Dialect,
        head: RequestHead<'_>,
    ) -> Result<Self, Error> {
        let checksum = match dialect {
            Dialect::General => None,
            Dialect::S3 => declared_checksum(head)?,
        };
        let (streaming, checksum) = match (payload, checksum) {
            (Payload::HashOfBody, None) => return Ok(Self::HashFirst),
            (Payload::Sha256(sha256), None) => return Ok(Self::Hashed(sha256)),
            (Payload::Unsigned, None) => return Ok(Self::Unbound),
            (Payload::Streaming(streaming), None) => (streaming, None),
            (
                Payload::Streaming(
                    streaming @ (Streaming::SignedTrailer | Streaming::UnsignedTrailer),
                ),
                Some(checksum),
            ) => (streaming, Some(checksum)),
            (_, Some(_)) => return Err(Error::TrailerUnexpected),
        };
        Ok(Self::Chunked { streaming, checksum, decoded_length: decoded_length(head)? })
    }
}

/// The checksum in `x-amz-trailer`. There is one of a body, and so it is not in a header as well.
fn declared_checksum(head: RequestHead<'_>) -> Result<Option<Algorithm>, Error> {
    let trailer = head.single(TRAILER).map_err(|_| Error::Repeated(TRAILER.into()))?;
    let checksum = trailer.map(trailer::declared_checksum).transpose()?;
    let is_checksum = |name| Algorithm::from_header(name).is_some();
    if checksum.is_some() && head.names().any(is_checksum) {
        return Err(Error::ChecksumSeveral);
    }
    Ok(checksum)
}

fn decoded_length(head: RequestHead<'_>) -> Result<u64, Error> {
    let text = head.single(b"x-amz-decoded-content-length").ok().flatten();
    let digits = text.filter(|text| !text.is_empty()).ok_or(Error::DecodedLengthMissing)?;
    digits
        .iter()
        .try_fold(0_u64, |length, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            length.checked_mul(10)?.checked_add(digit.into())
        })
        .ok_or(Error::DecodedLengthMissing)
}

const TRAILER: &[u8] = b"x-amz-trailer";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec::Vec;

    const LENGTH: (&str, &str) = ("x-amz-decoded-content-length", "5");
    const DECLARED: (&str, &str) = ("x-amz-trailer", "x-amz-checksum-crc32");
    const STREAMING: [Streaming; 3] =
        [Streaming::Signed, Streaming::SignedTrailer, Streaming::UnsignedTrailer];

    fn s3(payload: Payload, headers: &[(&str, &str)]) -> Result<Body, Error> {
        of(payload, Dialect::S3, headers)
    }

    fn of(payload: Payload, dialect: Dialect, headers: &[(&str, &str)]) -> Result<Body, Error> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        Body::of(payload, dialect, RequestHead::new(&headers))
    }

    #[test]
    fn a_body_in_chunks_has_a_length_and_perhaps_a_checksum() {
        for streaming in STREAMING {
            let body = Body::Chunked { streaming, checksum: None, decoded_length: 5 };
            assert_eq!(s3(Payload::Streaming(streaming), &[LENGTH]), Ok(body));
            let checksum = Some(Algorithm::Crc32);
            let body = Body::Chunked { streaming, checksum, decoded_length: 5 };
            let expected = match streaming {
                Streaming::Signed => Err(Error::TrailerUnexpected),
                Streaming::SignedTrailer | Streaming::UnsignedTrailer => Ok(body),
            };
            assert_eq!(s3(Payload::Streaming(streaming), &[LENGTH, DECLARED]), expected);
        }
    }

    #[test]
    fn the_length_is_a_number() {
        for payload in STREAMING.map(Payload::Streaming) {
            let length = |text| s3(payload, &[("x-amz-decoded-content-length", text)]);
            for (text, expected) in
                [("0", 0), ("0066560", 66_560), ("18446744073709551615", u64::MAX)]
            {
                let body = length(text);
                assert!(
                    matches!(body, Ok(Body::Chunked { decoded_length, .. }) if decoded_length == expected),
                    "{text}"
                );
            }
            for text in ["", "-1", "+1", " 1", "1 ", "0x1", "1e3", "a", "18446744073709551616"] {
                assert_eq!(length(text), Err(Error::DecodedLengthMissing), "{text}");
            }
            assert_eq!(s3(payload, &[]), Err(Error::DecodedLengthMissing));
            assert_eq!(s3(payload, &[LENGTH, LENGTH]), Err(Error::DecodedLengthMissing));
        }
    }

    #[test]
    fn only_after_chunks_there_are_trailers() {
        for payload in [Payload::Sha256([0; 32]), Payload::Unsigned] {
            assert_eq!(s3(payload, &[DECLARED]), Err(Error::TrailerUnexpected));
        }
        let general = of(Payload::HashOfBody, Dialect::General, &[DECLARED]);
        assert_eq!(general, Ok(Body::HashFirst));
    }

    #[test]
    fn a_trailer_is_a_checksum_and_the_only_one() {
        for payload in [Payload::Unsigned, Payload::Streaming(Streaming::UnsignedTrailer)] {
            let unsupported = s3(payload, &[LENGTH, ("x-amz-trailer", "content-md5")]);
            assert_eq!(unsupported, Err(Error::TrailerUnsupported));
            for name in ["x-amz-checksum-crc32", "x-amz-checksum-sha256"] {
                let several = s3(payload, &[LENGTH, DECLARED, (name, "AAAAAA==")]);
                assert_eq!(several, Err(Error::ChecksumSeveral), "{name}");
            }
            let repeated = s3(payload, &[LENGTH, DECLARED, DECLARED]);
            assert_eq!(repeated, Err(Error::Repeated(b"x-amz-trailer".into())));
        }
        // These say more of the one checksum, and are none.
        let more = [LENGTH, DECLARED, ("x-amz-checksum-algorithm", "CRC32")];
        assert!(s3(Payload::Streaming(Streaming::UnsignedTrailer), &more).is_ok());
    }
}
