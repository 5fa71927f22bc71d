//! Bodies in chunks for signed requests, straight from the formulas of AWS's documentation.

use sha2::{Digest as _, Sha256};
use voussoir_core::sigv4::body::{BodyVerifier, Output};

use crate::request::{DATE, NOW, Request, SHA256_OF_NOTHING, key};

pub(crate) const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
pub(crate) const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
pub(crate) const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
pub(crate) const SENTINELS: [&str; 3] = [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER];
pub(crate) const DATA: &[u8] = b"123456789";
/// Of [`DATA`]: the check value of the CRC catalogue.
pub(crate) const CRC32: &str = "x-amz-checksum-crc32:y/Q5Jg==\r\n";

/// A signed upload of so many bytes in chunks, without its body.
pub(crate) fn upload(sentinel: &str, decoded_length: usize) -> Request {
    let length = decoded_length.to_string();
    let mut headers =
        vec![("x-amz-content-sha256", sentinel), ("x-amz-decoded-content-length", &*length)];
    if sentinel != SIGNED {
        headers.push(("x-amz-trailer", "x-amz-checksum-crc32"));
    }
    Request::s3("PUT", "/key", &headers).signed()
}

/// The upload of [`DATA`] in one chunk, with all that belongs to it.
pub(crate) fn whole(sentinel: &str) -> Request {
    let request = upload(sentinel, DATA.len());
    let body = match sentinel {
        SIGNED => [chunks(&request, &[DATA]).0, b"\r\n".to_vec()].concat(),
        SIGNED_TRAILER => {
            let (mut body, last) = chunks(&request, &[DATA]);
            let signature = sign_trailers(&request, &last, "x-amz-checksum-crc32:y/Q5Jg==\n");
            let trailers = format!("{CRC32}x-amz-trailer-signature:{signature}\r\n\r\n");
            body.extend(trailers.bytes());
            body
        }
        _ => format!("9\r\n123456789\r\n0\r\n{CRC32}\r\n").into_bytes(),
    };
    request.with_body(body)
}

/// Signed chunks, up to and with the line of the chunk without data, and the last signature.
pub(crate) fn chunks(request: &Request, chunks: &[&[u8]]) -> (Vec<u8>, String) {
    let mut body = Vec::new();
    let mut previous = request.claim(NOW).unwrap().authorization().signature.to_string();
    for chunk in chunks {
        previous = sign_chunk(request, &previous, chunk);
        body.extend(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    previous = sign_chunk(request, &previous, b"");
    body.extend(format!("0;chunk-signature={previous}\r\n").bytes());
    (body, previous)
}

pub(crate) fn sign_trailers(request: &Request, previous: &str, canonical: &str) -> String {
    sign(request, "TRAILER", &format!("{previous}\n{}", sha256(canonical.as_bytes())))
}

fn sign_chunk(request: &Request, previous: &str, data: &[u8]) -> String {
    sign(request, "PAYLOAD", &format!("{previous}\n{SHA256_OF_NOTHING}\n{}", sha256(data)))
}

fn sign(request: &Request, kind: &str, rest: &str) -> String {
    let claim = request.claim(NOW).unwrap();
    let scope = &claim.credential().scope;
    key(&claim).sign(&format!("AWS4-HMAC-SHA256-{kind}\n{DATE}\n{scope}\n{rest}")).to_string()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

/// What verifies the body of an upload, of which no length is known.
pub(crate) fn verifier(request: &Request, max_chunk: usize, output: Output) -> BodyVerifier {
    let claim = request.claim(NOW).unwrap();
    let verified = claim.verify(&key(&claim), NOW).unwrap();
    verified.body_verifier(&key(&claim), max_chunk, output, None).unwrap()
}
