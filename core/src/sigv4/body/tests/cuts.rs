//! However a body is cut into pieces, the answer is the same: in every mode, with and without a known
//! length, and whatever is wrong with it.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::super::{BodyError, BodyVerifier, Framing, Output};
use super::properties::Random;
use super::reference::{Signer, unsigned_chunks};
use super::{CRC32, DATA, SOME_CRC32, chunked, signer};

/// A way to bind a body, and a body that is bound that way.
struct Mode<'a> {
    framing: Option<Framing<'a>>,
    body: Vec<u8>,
}

fn modes(signer: &Signer) -> [Mode<'_>; 5] {
    let trailer = format!("x-amz-checksum-crc32:{CRC32}\r\n\r\n").into_bytes();
    let unsigned = unsigned_chunks(&[DATA]);
    let trailers = signer.body_with_trailer(&[DATA], "x-amz-checksum-crc32", CRC32);
    let mode = |framing, body| Mode { framing, body };
    [
        mode(None, DATA.to_vec()),
        mode(Some(Framing::Signed(signer.seed())), signer.body(&[DATA])),
        mode(Some(Framing::SignedTrailer(signer.seed(), SOME_CRC32)), trailers),
        mode(Some(Framing::UnsignedTrailer(SOME_CRC32)), [&unsigned[..], &trailer].concat()),
        mode(Some(Framing::UnsignedTrailer(None)), [&unsigned[..], b"\r\n"].concat()),
    ]
}

impl Mode<'_> {
    /// The answer to a body in pieces, with what came out if it was verified.
    fn answer(
        &self,
        output: Output,
        length: Option<u64>,
        pieces: &[&[u8]],
    ) -> Result<Vec<u8>, BodyError> {
        let mut verifier = match self.framing {
            None => BodyVerifier::hashed(Sha256::digest(DATA).into(), length),
            Some(framing) => BodyVerifier::chunked(chunked(framing, DATA.len(), output), length),
        };
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(verifier.push(piece, false)?);
        }
        out.extend(verifier.push(b"", true)?);
        assert!(verifier.is_verified());
        Ok(out)
    }
}

#[test]
fn any_two_cuts_leave_the_answer_as_it_is() {
    let signer = signer();
    for mode in modes(&signer) {
        let body = &mode.body;
        let whole = mode.answer(Output::Decoded, None, &[body]);
        assert_eq!(whole.as_deref(), Ok(DATA));
        for first in 0..=body.len() {
            for second in first..=body.len() {
                let pieces = [&body[..first], &body[first..second], &body[second..]];
                assert_eq!(mode.answer(Output::Decoded, None, &pieces), whole);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_found_wherever_a_body_is_cut() {
    let signer = signer();
    let mut random = Random(11);
    let mut codes = BTreeSet::new();
    for mode in modes(&signer) {
        for round in 0..600 {
            let body = changed(&mode.body, round, &mut random);
            let exact = u64::try_from(body.len()).unwrap();
            let output = [Output::AsSent, Output::Decoded][random.below(2)];
            for length in [None, Some(exact), Some(exact + 1), exact.checked_sub(1)] {
                let whole = mode.answer(output, length, &[&body]);
                for most in [1, 2, 20, 300] {
                    let pieces = cut(&body, most, &mut random);
                    let answer = mode.answer(output, length, &pieces);
                    assert_eq!(answer, whole, "{:?} {output:?} {length:?}", mode.framing);
                }
                codes.insert(whole.map_or_else(|error| error.code(), |_| "verified"));
            }
        }
    }
    let all = [
        "BadDigest",
        "IncompleteBody",
        "InvalidChunkSizeError",
        "InvalidRequest",
        "MalformedTrailerError",
        "SignatureDoesNotMatch",
        "XAmzContentSHA256Mismatch",
        "verified",
    ];
    // All but `EntityTooLarge`, which takes larger bodies than these.
    assert!(codes.iter().eq(&all), "{codes:?}");
}

/// A body with one thing wrong with it, or, now and then, nothing.
fn changed(body: &[u8], round: usize, random: &mut Random) -> Vec<u8> {
    let (at, other) = (random.below(body.len()), random.below(body.len()));
    let mut body = body.to_vec();
    match round % 6 {
        0 => body[at] ^= 1 << random.below(8),
        1 => body.truncate(at),
        2 => body.insert(at, b"\r\n;=0:x"[random.below(7)]),
        3 => drop(body.remove(at)),
        4 => body.swap(at, other),
        _ => body.extend_from_within(at.max(body.len() - other % 3)..),
    }
    body
}

fn cut<'a>(body: &'a [u8], most: usize, random: &mut Random) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((1 + random.below(most)).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}
