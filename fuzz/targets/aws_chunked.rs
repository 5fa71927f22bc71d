//! A body in chunks, whole and in pieces: the verdict and the output are the same, memory is bounded,
//! and nothing comes out of a signed body, since a fuzzer cannot sign.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use voussoir_core::sigv4::body::{
    Algorithm, BodyError, BodyVerifier, Chunked, Framing, Output, Seed,
};
use voussoir_core::sigv4::{AmzDate, Day, Scope, Signature, SigningKey};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_signed: bool,
    has_trailers: bool,
    checksum: Option<u8>,
    as_sent: bool,
    decoded_length: u16,
    parts: Vec<Part<'a>>,
    cuts: Vec<u8>,
}

/// Some bytes, or what a fuzzer finds only after a long time.
#[derive(Arbitrary, Debug)]
enum Part<'a> {
    Bytes(&'a [u8]),
    Chunk(&'a [u8]),
    LargeChunk(u8),
    Last,
}

fuzz_target!(|input: Input<'_>| {
    let body = body(&input.parts, input.is_signed);
    let whole = run(&input, &[&body]);
    let mut rest = &body[..];
    let mut pieces = Vec::new();
    for cut in &input.cuts {
        let (piece, tail) = rest.split_at(rest.len().min(usize::from(*cut)));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    assert_eq!(run(&input, &pieces), whole);

    if let Ok(out) = whole {
        assert!(!input.is_signed, "a signature was forged");
        if input.as_sent {
            assert_eq!(out, body);
        } else {
            assert_eq!(out.len(), usize::from(input.decoded_length));
        }
    }
});

fn body(parts: &[Part<'_>], is_signed: bool) -> Vec<u8> {
    let signature =
        if is_signed { format!(";chunk-signature={}", "0".repeat(64)) } else { String::new() };
    let chunk = |data: &[u8], line_end: &str| {
        [format!("{:x}{signature}\r\n", data.len()).as_bytes(), data, line_end.as_bytes()].concat()
    };
    let mut body = Vec::new();
    for part in parts {
        body.extend(match part {
            Part::Bytes(bytes) => bytes.to_vec(),
            Part::Chunk(data) => chunk(data, "\r\n"),
            Part::LargeChunk(extra) => chunk(&vec![*extra; 8192 + usize::from(*extra)], "\r\n"),
            Part::Last => chunk(b"", ""),
        });
    }
    body
}

fn run(input: &Input<'_>, pieces: &[&[u8]]) -> Result<Vec<u8>, BodyError> {
    let signing_key = &SigningKey::new([7; 32]);
    let signature = Signature::from_hex(&[b'a'; 64]).expect("64 digits");
    let day = Day::from_text(b"20130524").expect("a day");
    let scope = &Scope::new(day, "us-east-1", "s3").expect("two names");
    let date = AmzDate::from_iso8601(b"20130524T000000Z").expect("a date");
    let seed = Seed { signing_key, date, scope, signature };
    let checksum = input.checksum.map(|n| Algorithm::ALL[usize::from(n) % Algorithm::ALL.len()]);
    let mut verifier = BodyVerifier::chunked(
        Chunked {
            framing: match (input.is_signed, input.has_trailers) {
                (true, false) => Framing::Signed(seed),
                (true, true) => Framing::SignedTrailer(seed, checksum),
                (false, _) => Framing::UnsignedTrailer(checksum),
            },
            decoded_length: input.decoded_length.into(),
            max_chunk: MAX_CHUNK,
            output: if input.as_sent { Output::AsSent } else { Output::Decoded },
        },
        None,
    );
    let mut out = Vec::new();
    for piece in pieces {
        out.extend(verifier.push(piece, false)?);
        assert!(verifier.held() <= MAX_CHUNK + 1280);
        assert!(!input.is_signed || out.is_empty(), "unverified bytes came out");
    }
    out.extend(verifier.push(b"", true)?);
    assert!(verifier.is_verified());
    Ok(out)
}

const MAX_CHUNK: usize = 8300;
