//! What S3 does with each kind of body, and what must hold for all of them.

mod cases;
mod cuts;
mod properties;
mod reference;
mod vectors;

use alloc::vec::Vec;

use super::{Algorithm, BodyError, BodyVerifier, Chunked, Framing, Output};
use reference::Signer;

const DATA: &[u8] = b"thirty-three bytes of data, as is";
/// Of [`DATA`].
const CRC32: &str = "3ciJrA==";
/// Of something else.
const OTHER_CRC32: &str = "y/Q5Jg==";
const MAX_CHUNK: usize = 20_000;

fn signer() -> Signer {
    Signer::after("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
}

fn chunked(framing: Framing<'_>, decoded_length: usize, output: Output) -> Chunked<'_> {
    let decoded_length = u64::try_from(decoded_length).unwrap();
    Chunked { framing, decoded_length, max_chunk: MAX_CHUNK, output }
}

/// Pushes the pieces one by one, and the end with the last of them or after it.
fn run(verifier: &mut BodyVerifier, pieces: &[&[u8]], end: bool) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::new();
    for (number, piece) in (1..).zip(pieces) {
        out.extend(verifier.push(piece, end && number == pieces.len())?);
    }
    assert!(end || !verifier.is_verified(), "verified before its end");
    out.extend(verifier.push(b"", true)?);
    assert!(verifier.is_verified());
    assert_eq!(verifier.held(), 0);
    Ok(out)
}

/// The verdict on a body, which is the same for every single cut of it.
fn verdict(
    body: &[u8],
    verifier: impl Fn(Option<u64>) -> BodyVerifier,
) -> Result<Vec<u8>, BodyError> {
    let length = u64::try_from(body.len()).ok();
    let whole = run(&mut verifier(None), &[body], false);
    let mut known = verifier(length);
    let complete = known.push(body, false);
    let all = complete.and_then(|out| {
        assert!(!known.is_verified() && whole.as_ref().is_ok_and(|whole| out.len() < whole.len()));
        Ok([out, known.push(b"", true)?].concat())
    });
    assert_eq!(all, whole, "with a known length");
    for cut in 0..=body.len() {
        let pieces = [&body[..cut], &body[cut..]];
        assert_eq!(run(&mut verifier(None), &pieces, cut % 2 == 0), whole, "cut at {cut}");
    }
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(run(&mut verifier(None), &bytes, true), whole, "byte by byte");
    whole
}

/// The verdict on [`DATA`] in this form: both outputs agree, and each puts out what it says.
fn of_data(framing: Framing<'_>, body: &[u8]) -> Result<(), BodyError> {
    let [decoded, as_sent] = [Output::Decoded, Output::AsSent].map(|output| {
        verdict(body, |length| BodyVerifier::chunked(chunked(framing, DATA.len(), output), length))
    });
    match &decoded {
        Ok(out) => {
            assert_eq!(out, DATA);
            assert_eq!(as_sent.as_deref(), Ok(body));
        }
        Err(error) => assert_eq!(as_sent.as_ref(), Err(error)),
    }
    decoded.map(drop)
}

const SOME_CRC32: Option<Algorithm> = Some(Algorithm::Crc32);
