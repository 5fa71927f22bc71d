//! What botocore, AWS's signer in Python, signs is verified, and nothing that was changed afterwards.
//!
//! The requests are those of `tests/vectors/botocore-1.44.jsonl`, or of the file that the environment
//! variable `SIGNED_REQUESTS` names: `scripts/test differential` makes one of 50,000.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use voussoir_core::time::UnixTime;

use crate::change::Tally;
use crate::random::Random;
use crate::request::Request;

#[test]
fn what_botocore_signs_is_verified_and_nothing_else() {
    let file = std::env::var_os("SIGNED_REQUESTS").map_or_else(samples, PathBuf::from);
    let lines = std::fs::read_to_string(file).unwrap();
    let (mut tally, mut requests) = (Tally::default(), 0);
    for (line, seed) in lines.lines().zip(0..) {
        let (request, now) = read(line);
        if let Err(error) = request.verify(now) {
            panic!("line {}: {error:?}\n{request:?}", seed + 1);
        }
        let claim = request.claim(now).unwrap();
        let (change, changed) = tally.change(&request, &claim, &mut Random(seed));
        assert!(changed.verify(now).is_err(), "line {}: {change:?}\n{changed:?}", seed + 1);
        requests += 1;
    }
    assert!(requests >= 200, "only {requests} requests");
    // It does not sign chunks, and its trailers are about all of them together.
    let least = tally.least(&["ChunkOrder"]);
    assert!(least > requests / 200, "a change was made {least} times only");
    println!("{requests} requests by botocore, each change {least} times at least");
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/botocore-1.44.jsonl")
}

fn read(line: &str) -> (Request, UnixTime) {
    let line: Value = serde_json::from_str(line).unwrap();
    let body = STANDARD.decode(line["body"].as_str().unwrap()).unwrap();
    let mut request = Request { headers: Vec::new(), body };
    for header in line["headers"].as_array().unwrap() {
        request = request.with(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    (request, UnixTime::from_secs(line["now"].as_u64().unwrap()))
}
