//! What must hold for every body, however it is cut, changed or flooded.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::super::chunk_line::MAX_LINE;
use super::super::trailer::MAX_TRAILERS;
use super::super::{Algorithm, BodyError, BodyVerifier, Framing, Output};
use super::reference::unsigned_chunks;
use super::{CRC32, DATA, MAX_CHUNK, SOME_CRC32, chunked, run, signer};

#[test]
fn a_body_that_is_cut_anywhere_is_incomplete() {
    let signer = signer();
    let trailer = signer.body_with_trailer(&[DATA], "x-amz-checksum-crc32", CRC32);
    let mut unsigned = unsigned_chunks(&[DATA]);
    unsigned.extend(format!("x-amz-checksum-crc32:{CRC32}\r\n\r\n").bytes());
    for (framing, body) in [
        (Framing::Signed(signer.seed()), signer.body(&[DATA])),
        (Framing::SignedTrailer(signer.seed(), SOME_CRC32), trailer),
        (Framing::UnsignedTrailer(SOME_CRC32), unsigned),
    ] {
        for length in 0..body.len() {
            let chunked = chunked(framing, DATA.len(), Output::Decoded);
            let mut verifier = BodyVerifier::chunked(chunked, None);
            let result = run(&mut verifier, &[&body[..length]], true);
            // Before the trailers, it is the trailers that are missing.
            let is_right = match (framing, &result) {
                (_, Ok(_)) => length == body.len() - 2,
                (Framing::UnsignedTrailer(_), Err(BodyError::Trailer)) => {
                    body[..length].ends_with(b"\r\n0\r\n")
                }
                (_, Err(error)) => *error == BodyError::Incomplete,
            };
            assert!(is_right, "{framing:?} cut at {length}: {result:?}");
        }
    }
}

#[test]
fn no_byte_of_an_unverified_chunk_comes_out() {
    let signer = signer();
    let chunks = [&[b'x'; 9000][..], &[b'y'; 8192], &[b'z'; 100]];
    let data = chunks.concat();
    let (name, sha1) = (Algorithm::Sha1.header(), "Fdg4+rEmlEXeI8M9wmeBydatazs=");
    for (framing, body) in [
        (Framing::Signed(signer.seed()), signer.body(&chunks)),
        (
            Framing::SignedTrailer(signer.seed(), Some(Algorithm::Sha1)),
            signer.body_with_trailer(&chunks, name, sha1),
        ),
    ] {
        // Where in the body each chunk is complete, and with it how much of the data.
        let mut ends: Vec<(usize, usize)> = Vec::new();
        for chunk in chunks {
            let (wire, decoded) = ends.last().copied().unwrap_or_default();
            let line = format!("{:x};chunk-signature=\r\n", chunk.len()).len() + 64;
            ends.push((wire + line + chunk.len() + 2, decoded + chunk.len()));
        }
        for output in [Output::Decoded, Output::AsSent] {
            let mut verifier = BodyVerifier::chunked(chunked(framing, data.len(), output), None);
            let mut out = Vec::new();
            for (at, byte) in (1..).zip(&body) {
                out.extend(verifier.push(&[*byte], false).unwrap());
                let complete = ends.iter().rfind(|(wire, _)| *wire <= at);
                let (wire, decoded) = complete.copied().unwrap_or_default();
                let may_be_out = match output {
                    Output::AsSent => wire,
                    Output::Decoded => decoded.saturating_sub(1),
                };
                assert_eq!(out.len(), may_be_out, "{output:?} at {at}");
                assert!(verifier.held() <= MAX_LINE + MAX_CHUNK + 2);
            }
            // All is right, and still trailers of HTTP could follow instead of the end.
            out.extend(verifier.push(b"", true).unwrap());
            assert_eq!(out, if output == Output::Decoded { &data[..] } else { &body });
        }
    }
}

#[test]
fn every_changed_byte_of_a_signed_body_is_noticed() {
    let signer = signer();
    let trailer = signer.body_with_trailer(&[DATA], "x-amz-checksum-crc32", CRC32);
    for (framing, body) in [
        (Framing::Signed(signer.seed()), signer.body(&[DATA])),
        (Framing::SignedTrailer(signer.seed(), SOME_CRC32), trailer),
    ] {
        for at in 0..body.len() {
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff, b'\r' ^ b' '] {
                let mut changed = body.clone();
                changed[at] ^= flip;
                let chunked = chunked(framing, DATA.len(), Output::Decoded);
                let mut verifier = BodyVerifier::chunked(chunked, None);
                match verifier.push(&changed, true) {
                    // The names of trailers have no case, and at the end of a value (which a
                    // line feed may follow) a blank means nothing.
                    Ok(out) => {
                        let is_blank = body[at] == b'\r' && matches!(changed[at], b' ' | b'\t');
                        let is_same = is_blank || changed.eq_ignore_ascii_case(&body);
                        assert!(is_same, "{flip:#x} at {at}");
                        assert_eq!(out, DATA);
                    }
                    Err(error) => assert_eq!(verifier.push(b"", true), Err(error)),
                }
            }
        }
    }
}

#[test]
fn larger_bodies_come_out_the_same_in_pieces_of_any_size() {
    let signer = signer();
    let mut random = Random(7);
    for round in 0..60 {
        let chunks: Vec<Vec<u8>> = (0..round % 5)
            .map(|_| (0..8192 + random.below(5000)).map(|_| random.byte()).collect())
            .collect();
        let slices: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
        let data = chunks.concat();
        let mut with_signatures = signer.body(&slices);
        let mut without = unsigned_chunks(&slices);
        if round % 3 == 0 && !chunks.is_empty() {
            for body in [&mut with_signatures, &mut without] {
                let at = random.below(body.len());
                body[at] ^= 1;
            }
        }
        for (framing, body) in [
            (Framing::Signed(signer.seed()), &with_signatures),
            (Framing::UnsignedTrailer(None), &without),
        ] {
            for output in [Output::Decoded, Output::AsSent] {
                let verifier = || BodyVerifier::chunked(chunked(framing, data.len(), output), None);
                let whole = run(&mut verifier(), &[body], true);
                for _ in 0..4 {
                    let mut rest = &body[..];
                    let mut pieces = Vec::new();
                    while !rest.is_empty() {
                        let most = [1, 100, 10_000][random.below(3)];
                        let (piece, tail) = rest.split_at(random.below(most + 1).min(rest.len()));
                        pieces.push(piece);
                        rest = tail;
                    }
                    assert_eq!(run(&mut verifier(), &pieces, false), whole);
                }
                if round % 3 != 0 {
                    assert_eq!(
                        whole.as_ref(),
                        Ok(if output == Output::Decoded { &data } else { body })
                    );
                }
            }
        }
    }
}

#[test]
fn memory_stays_bounded_whatever_floods_in() {
    let signer = signer();
    let limits = [
        (Framing::Signed(signer.seed()), MAX_LINE + MAX_CHUNK + 2),
        (Framing::SignedTrailer(signer.seed(), SOME_CRC32), MAX_LINE + MAX_CHUNK + 2),
        (Framing::UnsignedTrailer(SOME_CRC32), MAX_LINE + MAX_TRAILERS),
    ];
    for (framing, limit) in limits {
        let is_signed = !matches!(framing, Framing::UnsignedTrailer(_));
        let parameter = if is_signed { ";chunk-signature=0" } else { "" };
        let (last, _) = signer.chunks(&[]);
        let floods = [
            (10_000_000, format!("1{parameter}\r\nx\r\n").repeat(10_000).into_bytes()),
            (10_000_000, vec![b'0'; 100_000]),
            (10_000_000, format!("{MAX_CHUNK:x}{parameter}\r\n{:0>60000}", 0).into_bytes()),
            (
                0,
                [if is_signed { &last } else { &b"0\r\n"[..] }, &b"a:b\r\n".repeat(10_000)]
                    .concat(),
            ),
        ];
        for (decoded_length, flood) in floods {
            for step in [1, 7, 4096, 200_000] {
                let chunked = chunked(framing, decoded_length, Output::AsSent);
                let mut verifier = BodyVerifier::chunked(chunked, None);
                let mut result = Ok(Vec::new());
                for piece in flood.chunks(step) {
                    result = verifier.push(piece, false);
                    assert!(verifier.held() <= limit, "{} > {limit}", verifier.held());
                }
                assert!(result.is_err(), "{framing:?}");
                assert_eq!(verifier.held(), 0, "what is refused is not kept");
            }
        }
    }
}

/// xorshift64: enough to cut bodies, the same ones each time.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}
