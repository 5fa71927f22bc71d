//! The cases that the authors of Swift's `test/s3api/test_input_errors.py` ran against AWS.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::super::{Algorithm, BodyError, BodyVerifier, Framing, Output};
use super::reference::{sha256, unsigned_chunks};
use super::{
    CRC32, DATA, MAX_CHUNK, OTHER_CRC32, SOME_CRC32, chunked, of_data, run, signer, verdict,
};

fn unsigned(declared: Option<Algorithm>, end: &str) -> Result<(), BodyError> {
    let mut body = unsigned_chunks(&[DATA]);
    body.extend(end.bytes());
    of_data(Framing::UnsignedTrailer(declared), &body)
}

fn signed(edit: impl Fn(String) -> String) -> Result<(), BodyError> {
    let signer = signer();
    let body = String::from_utf8(signer.body(&[DATA])).unwrap();
    of_data(Framing::Signed(signer.seed()), edit(body).as_bytes())
}

fn signed_trailer(declared: Option<Algorithm>, trailers: &str) -> Result<(), BodyError> {
    let signer = signer();
    let (mut body, last) = signer.chunks(&[DATA]);
    let canonical = format!("x-amz-checksum-crc32:{CRC32}\n");
    let trailers = trailers
        .replace("CRC32", CRC32)
        .replace("SIGNATURE", &signer.sign_trailers(&last, &canonical))
        .replace("LAST", &last);
    body.extend(trailers.bytes());
    of_data(Framing::SignedTrailer(signer.seed(), declared), &body)
}

fn is_signature_of(result: Result<(), BodyError>, algorithm: &str) -> bool {
    matches!(result, Err(BodyError::Signature { string_to_sign, .. })
        if string_to_sign.starts_with(algorithm))
}

const INCOMPLETE: Result<(), BodyError> = Err(BodyError::Incomplete);
const MALFORMED: Result<(), BodyError> = Err(BodyError::Trailer);

#[test]
fn the_last_line_break_may_be_missing_but_not_by_half() {
    assert_eq!(signed(|body| body), Ok(()));
    assert_eq!(signed(|body| body[..body.len() - 2].into()), Ok(()));
    assert_eq!(signed(|body| body[..body.len() - 1].into()), INCOMPLETE);
    assert_eq!(unsigned(None, "\r\n"), Ok(()));
    assert_eq!(unsigned(None, ""), Ok(()));
    assert_eq!(unsigned(None, "\r"), INCOMPLETE);
    assert_eq!(unsigned(None, "\n"), INCOMPLETE);
}

#[test]
fn line_feeds_alone_do_not_end_lines() {
    assert_eq!(signed(|body| body.replace("\r\n", "\n")), INCOMPLETE);
    assert_eq!(signed(|body| body.replace("\r\n", "\r")), INCOMPLETE);
    assert_eq!(signed(|body| body.replace("as is\r\n", "as is\n\r")), INCOMPLETE);
}

#[test]
fn a_chunk_without_data_ends_the_body_wherever_it_stands() {
    let mut body = unsigned_chunks(&[&DATA[..4]]);
    body.extend_from_slice(b"\r\n");
    body.extend(unsigned_chunks(&[&DATA[4..]]));
    let expected = u64::try_from(DATA.len()).unwrap();
    let error = Err(BodyError::Length { expected, provided: 4 });
    assert_eq!(of_data(Framing::UnsignedTrailer(None), &body), error);
}

#[test]
fn a_body_that_is_longer_than_declared_is_refused_before_the_surplus_passes() {
    let expected = u64::try_from(DATA.len()).unwrap();
    let error = Err(BodyError::Length { expected, provided: 2 * expected });
    let twice = DATA.repeat(2);
    assert_eq!(of_data(Framing::UnsignedTrailer(None), &unsigned_chunks(&[&twice])), error);
    let signer = signer();
    assert_eq!(of_data(Framing::Signed(signer.seed()), &signer.body(&[&twice])), error);
}

#[test]
fn bytes_after_the_end_are_dropped_and_not_sent_on() {
    let signer = signer();
    let bodies = [
        (Framing::Signed(signer.seed()), signer.body(&[DATA])),
        (
            Framing::SignedTrailer(signer.seed(), SOME_CRC32),
            signer.body_with_trailer(&[DATA], "x-amz-checksum-crc32", CRC32),
        ),
        (Framing::UnsignedTrailer(None), {
            let mut body = unsigned_chunks(&[DATA]);
            body.extend_from_slice(b"\r\n");
            body
        }),
    ];
    for (framing, body) in bodies {
        for junk in [&b"\r\n"[..], b"\xff\xde\xad\xbe\xef\xff", b"bonus: trailer\r\n"] {
            let body = [&body, junk].concat();
            let of = |output| {
                verdict(&body, |length| {
                    BodyVerifier::chunked(chunked(framing, DATA.len(), output), length)
                })
            };
            assert_eq!(of(Output::Decoded).as_deref(), Ok(DATA));
            assert_eq!(of(Output::AsSent), Err(BodyError::Incomplete));
        }
    }
}

#[test]
fn a_declared_trailer_must_be_there_and_right() {
    let crc32 = |end: &str| unsigned(SOME_CRC32, &end.replace("CRC32", CRC32));
    assert_eq!(crc32("x-amz-checksum-crc32:CRC32\r\n\r\n"), Ok(()));
    assert_eq!(crc32("x-amz-checksum-crc32: CRC32\r\n"), Ok(()));
    assert_eq!(crc32("X-AMZ-Checksum-cRc32: CRC32\r\n"), Ok(()));
    assert_eq!(crc32("x-amz-checksum-crc32: CRC32\n\r\n\r\n"), Ok(()));
    for line in [
        "x-amz-checksum-crc32: CRC32\n",
        "x-amz-checksum-crc32: CRC32\r",
        "x-amz-checksum-crc32: CRC32",
    ] {
        assert_eq!(crc32(line), INCOMPLETE, "{line:?}");
    }
    let wrong = format!("x-amz-checksum-crc32:{OTHER_CRC32}\r\n");
    assert_eq!(crc32(&wrong), Err(BodyError::Checksum(Algorithm::Crc32)));
    let error = Err(BodyError::ChecksumValue(Algorithm::Crc32));
    assert_eq!(crc32("x-amz-checksum-crc32: not-base-64\r\n"), error);
    assert_eq!(crc32("x-amz-checksum-crc32:\r\n"), error);
}

#[test]
fn trailers_that_were_not_declared_are_malformed() {
    let line = format!("x-amz-checksum-crc32:{CRC32}\r\n");
    assert_eq!(unsigned(None, &line), MALFORMED);
    assert_eq!(unsigned(SOME_CRC32, ""), MALFORMED);
    assert_eq!(unsigned(SOME_CRC32, "\r\n"), MALFORMED);
    assert_eq!(unsigned(SOME_CRC32, &format!("\r\n{line}")), MALFORMED);
    assert_eq!(unsigned(Some(Algorithm::Crc32c), &line), MALFORMED);
    assert_eq!(unsigned(Some(Algorithm::Crc32c), "x-amz-checksum-bad: a\r\n"), MALFORMED);
    assert_eq!(unsigned(SOME_CRC32, &format!("{line}bonus: trailer\r\n")), MALFORMED);
    assert_eq!(unsigned(SOME_CRC32, "no trailer\r\n"), MALFORMED);
}

#[test]
fn of_two_trailers_with_one_name_the_last_counts() {
    let line = |value| format!("x-amz-checksum-crc32:{value}\r\n");
    assert_eq!(unsigned(SOME_CRC32, &(line(OTHER_CRC32) + &line(CRC32))), Ok(()));
    let error = Err(BodyError::Checksum(Algorithm::Crc32));
    assert_eq!(unsigned(SOME_CRC32, &(line(CRC32) + &line(OTHER_CRC32))), error);
}

#[test]
fn every_chunk_needs_its_signature() {
    let chunk = "AWS4-HMAC-SHA256-PAYLOAD";
    let signer = signer();
    let first = signer.sign_chunk(core::str::from_utf8(&signer.seed).unwrap(), DATA);
    let last = signer.sign_chunk(&first, b"");
    assert_eq!(of_data(Framing::Signed(signer.seed()), &unsigned_chunks(&[DATA])), INCOMPLETE);
    for signature in [&first, &last] {
        assert_eq!(signed(|body| body.replace(signature, "")), INCOMPLETE);
        for wrong in ["invalid", &"0".repeat(64), &signature.to_uppercase(), &signature[..63]] {
            assert!(is_signature_of(signed(|body| body.replace(signature, wrong)), chunk));
        }
    }
    assert!(is_signature_of(signed(|body| body.replace("bytes", "BYTES")), chunk));
}

#[test]
fn chunks_without_signatures_have_none() {
    let signer = signer();
    assert_eq!(of_data(Framing::UnsignedTrailer(None), &signer.body(&[DATA])), INCOMPLETE);
}

#[test]
fn spaces_in_a_chunk_line_are_tolerated_and_parameters_are_not() {
    assert_eq!(signed(|body| body.replace(';', " ; ")), Ok(()));
    assert_eq!(signed(|body| body.replace('=', " = ")), Ok(()));
    let before = signed(|body| body.replace(';', ";extra=param;"));
    assert!(is_signature_of(before, "AWS4-HMAC-SHA256-PAYLOAD"));
    let after = signed(|body| body.replacen("\r\n", ";extra=param\r\n", 1));
    assert_eq!(after, INCOMPLETE);
    assert_eq!(signed(|body| format!("-{body}")), INCOMPLETE);
}

#[test]
fn signed_trailers_need_a_declaration_and_a_signature() {
    let trailer = "AWS4-HMAC-SHA256-TRAILER";
    let line = "x-amz-checksum-crc32:CRC32\r\n";
    let with = |rest: &str| signed_trailer(SOME_CRC32, &format!("{line}{rest}"));
    assert_eq!(with("x-amz-trailer-signature:SIGNATURE\r\n\r\n"), Ok(()));
    assert_eq!(with("x-amz-trailer-signature:SIGNATURE\r\n"), Ok(()));
    assert_eq!(with("x-amz-trailer-signature: SIGNATURE \r\n"), Ok(()));
    assert_eq!(with(""), INCOMPLETE);
    assert_eq!(with("x-amz-trailer-signature:\r\n"), INCOMPLETE);
    assert!(is_signature_of(with("x-amz-trailer-signature:LAST\r\n"), trailer));
    assert!(is_signature_of(with("bonus:b\r\nx-amz-trailer-signature:SIGNATURE\r\n"), trailer));
    assert_eq!(signed_trailer(SOME_CRC32, ""), INCOMPLETE);
    assert_eq!(signed_trailer(None, ""), INCOMPLETE);
    assert_eq!(signed_trailer(None, "x-amz-trailer-signature:SIGNATURE\r\n"), INCOMPLETE);
    let undeclared = format!("{line}x-amz-trailer-signature:SIGNATURE\r\n");
    assert_eq!(signed_trailer(None, &undeclared), INCOMPLETE);
    assert_eq!(signed_trailer(Some(Algorithm::Sha1), &undeclared), MALFORMED);
}

#[test]
fn a_signed_checksum_is_checked_too() {
    let signer = signer();
    let body = signer.body_with_trailer(&[DATA], "x-amz-checksum-crc32", OTHER_CRC32);
    let result = of_data(Framing::SignedTrailer(signer.seed(), SOME_CRC32), &body);
    assert_eq!(result, Err(BodyError::Checksum(Algorithm::Crc32)));
}

#[test]
fn only_the_last_chunk_may_be_smaller_than_8192_bytes() {
    let signer = signer();
    let (x, y, z) = ([b'x'; 15 * 1024], [b'y'; 8 * 1024], [b'z'; 1024]);
    let of = |chunks: &[&[u8]], framing, body: &[u8]| {
        let length = chunks.concat().len();
        run(
            &mut BodyVerifier::chunked(chunked(framing, length, Output::Decoded), None),
            &[body],
            true,
        )
    };
    for (chunks, is_right) in [([&x[..], &y, &z], true), ([&x, &z, &y], false)] {
        let verdicts = [
            of(&chunks, Framing::Signed(signer.seed()), &signer.body(&chunks)),
            of(&chunks, Framing::UnsignedTrailer(None), &unsigned_chunks(&chunks)),
        ];
        let right = Ok(chunks.concat());
        let wrong = Err(BodyError::ChunkTooSmall { chunk: 3, size: 1024 });
        assert_eq!(
            verdicts,
            if is_right { [right.clone(), right] } else { [wrong.clone(), wrong] }
        );
    }
}

#[test]
fn a_signed_chunk_beyond_the_limit_is_refused_by_its_line() {
    let (signer, data) = (signer(), vec![0; MAX_CHUNK + 1]);
    let verifier =
        |framing| BodyVerifier::chunked(chunked(framing, data.len(), Output::Decoded), None);
    let line = &signer.body(&[&data])[..90];
    let size = u64::try_from(data.len()).unwrap();
    let mut verifier_of_signed = verifier(Framing::Signed(signer.seed()));
    assert_eq!(verifier_of_signed.push(line, false), Err(BodyError::ChunkTooLarge { size }));
    // Without signatures nothing is held, and so nothing is too large.
    let body = unsigned_chunks(&[&data]);
    assert_eq!(
        run(&mut verifier(Framing::UnsignedTrailer(None)), &[&body], true),
        Ok(data.clone())
    );
}

#[test]
fn a_wrong_body_of_known_length_is_refused_with_the_piece_that_completes_it() {
    let length = u64::try_from(DATA.len()).ok();
    let mut wrong = BodyVerifier::hashed([0; 32], length);
    assert!(wrong.push(&DATA[..10], false).is_ok());
    assert!(matches!(wrong.push(&DATA[10..], false), Err(BodyError::ContentHash { .. })));
}

#[test]
fn a_hashed_body_is_decided_by_its_hash() {
    let hash = Sha256::digest(DATA).into();
    let result = verdict(DATA, |length| BodyVerifier::hashed(hash, length));
    assert_eq!(result.as_deref(), Ok(DATA));
    let wrong = verdict(DATA, |length| BodyVerifier::hashed([0; 32], length));
    let claimed = "0".repeat(64);
    assert_eq!(wrong, Err(BodyError::ContentHash { claimed, computed: sha256(DATA) }));

    let mut empty = BodyVerifier::hashed(Sha256::digest(b"").into(), Some(0));
    assert_eq!(empty.push(b"", true), Ok(Vec::new()));
    assert!(empty.is_verified());
}

#[test]
fn a_body_of_another_length_than_its_header_says_is_refused() {
    let verifier = || BodyVerifier::hashed(Sha256::digest(&DATA[..10]).into(), Some(10));
    let error = |provided| Err(BodyError::Length { expected: 10, provided });
    assert_eq!(verifier().push(&DATA[..9], true), error(9));
    assert_eq!(verifier().push(&DATA[..11], false), error(11));
    let mut late = BodyVerifier::hashed(Sha256::digest(DATA).into(), None);
    assert!(late.push(DATA, true).is_ok());
    assert_eq!(late.push(b"", true), Ok(Vec::new()));
    assert_eq!(late.push(b"x", false), Err(BodyError::Incomplete));
}
