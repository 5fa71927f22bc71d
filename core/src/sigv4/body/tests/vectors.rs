//! The two examples of AWS's documentation: 66,560 times "a" in two chunks, with the signatures that
//! are published there.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use alloc::format;
use alloc::vec::Vec;

use super::super::{Algorithm, BodyError, BodyVerifier, Chunked, Framing, Output};
use super::reference::Signer;

/// "Transferring payload in multiple chunks".
const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
const SIGNATURES: [&str; 3] = [
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
];

/// "Signature calculations for trailing headers".
const TRAILER_SEED: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
const TRAILER_SIGNATURES: [&str; 3] = [
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
];
const TRAILER: &str = "x-amz-checksum-crc32c:sOO8/Q==";
const TRAILER_SIGNATURE: &str = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

static DATA: [u8; 66_560] = [b'a'; 66_560];

fn chunks(signatures: [&str; 3]) -> Vec<u8> {
    let mut body = Vec::new();
    for (data, signature) in [&DATA[..65_536], &DATA[65_536..]].into_iter().zip(signatures) {
        body.extend(format!("{:x};chunk-signature={signature}\r\n", data.len()).bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend(format!("0;chunk-signature={}\r\n", signatures[2]).bytes());
    body
}

fn verify(framing: Framing<'_>, output: Output, body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let chunked = Chunked { framing, decoded_length: 66_560, max_chunk: 65_536, output };
    let length = u64::try_from(body.len()).unwrap();
    BodyVerifier::chunked(chunked, Some(length)).push(body, true)
}

#[test]
fn the_chunked_example_is_verified() {
    let mut body = chunks(SIGNATURES);
    body.extend_from_slice(b"\r\n");
    // The Content-Length of the example.
    assert_eq!(body.len(), 66_824);
    let signer = Signer::after(SEED);
    let framing = Framing::Signed(signer.seed());
    assert_eq!(verify(framing, Output::Decoded, &body), Ok(DATA.to_vec()));
    assert_eq!(verify(framing, Output::AsSent, &body), Ok(body.clone()));
    assert_eq!(signer.body(&[&DATA[..65_536], &DATA[65_536..]]), body);
}

#[test]
fn the_example_with_a_trailer_is_verified() {
    // The page shows both ends of the first trailer.
    for line_end in ["\r\n", "\n\r\n"] {
        let mut body = chunks(TRAILER_SIGNATURES);
        let signature = format!("x-amz-trailer-signature:{TRAILER_SIGNATURE}");
        body.extend(format!("{TRAILER}{line_end}{signature}\r\n\r\n").bytes());
        let signer = Signer::after(TRAILER_SEED);
        let framing = Framing::SignedTrailer(signer.seed(), Some(Algorithm::Crc32c));
        assert_eq!(verify(framing, Output::Decoded, &body), Ok(DATA.to_vec()));
        assert_eq!(verify(framing, Output::AsSent, &body), Ok(body));
    }
}

#[test]
fn the_signatures_of_one_example_do_not_fit_the_other() {
    let signer = Signer::after(SEED);
    let mut body = chunks(TRAILER_SIGNATURES);
    body.extend_from_slice(b"\r\n");
    let Err(BodyError::Signature { string_to_sign, provided }) =
        verify(Framing::Signed(signer.seed()), Output::Decoded, &body)
    else {
        panic!("it was accepted");
    };
    let lines = [
        "AWS4-HMAC-SHA256-PAYLOAD",
        "20130524T000000Z",
        "20130524/us-east-1/s3/aws4_request",
        SEED,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
    ];
    assert_eq!(string_to_sign, lines.join("\n"));
    assert_eq!(provided, TRAILER_SIGNATURES[0]);
}
