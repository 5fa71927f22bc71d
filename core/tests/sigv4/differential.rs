//! What AWS's own signer, the crate `aws-sigv4`, signs is verified, and nothing that was changed
//! afterwards.

use aws_sigv4::http_request::SignatureLocation;
use voussoir_core::time::UnixTime;

use crate::change::Tally;
use crate::random::Random;
use crate::sample::{Payload, Sample, Service};

/// How many requests of each kind; of all four without chunks, 50,000.
const REQUESTS: u64 = 12_500;
/// How many uploads in chunks of each kind.
const UPLOADS: u64 = 6_000;

#[test]
fn what_aws_signs_for_s3_is_verified_and_nothing_else() {
    let tally = run(REQUESTS, Service::S3, SignatureLocation::Headers, Payload::Whole);
    assert_all(&tally, &["ChunkGone", "ChunkOrder", "Expires"]);
}

#[test]
fn what_aws_presigns_for_s3_is_verified_and_nothing_else() {
    let tally = run(REQUESTS, Service::S3, SignatureLocation::QueryParams, Payload::Whole);
    let of_bodies = ["BodyByte", "BodyCut", "BodyEnd", "ChunkGone", "ChunkOrder", "ContentSha256"];
    assert_all(&tally, &[&of_bodies[..], &["QueryGone"]].concat());
}

#[test]
fn what_aws_signs_for_other_services_is_verified_and_nothing_else() {
    let tally = run(REQUESTS, Service::General, SignatureLocation::Headers, Payload::Whole);
    assert_all(&tally, &["ChunkGone", "ChunkOrder", "ContentSha256", "Expires", "PathSlash"]);
}

#[test]
fn what_aws_presigns_for_other_services_is_verified_and_nothing_else() {
    let tally = run(REQUESTS, Service::General, SignatureLocation::QueryParams, Payload::Whole);
    assert_all(&tally, &["ChunkGone", "ChunkOrder", "ContentSha256", "PathSlash", "QueryGone"]);
}

#[test]
fn chunks_that_aws_signs_are_verified_and_nothing_else() {
    let tally = run(UPLOADS, Service::S3, SignatureLocation::Headers, Payload::Chunks);
    assert_all(&tally, &["BodyEnd", "Expires", "HeaderOrder"]);
}

#[test]
fn trailers_that_aws_signs_are_verified_and_nothing_else() {
    let tally = run(UPLOADS, Service::S3, SignatureLocation::Headers, Payload::ChunksAndTrailer);
    assert_all(&tally, &["BodyEnd", "Expires", "HeaderOrder"]);
}

/// Generates, signs, verifies, changes one thing, and verifies no more: how often each was changed.
fn run(count: u64, service: Service, location: SignatureLocation, payload: Payload) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..count {
        let mut random = Random(seed);
        let mut sample = Sample::new(&mut random, service);
        if payload != Payload::Whole {
            sample = sample.in_chunks(&mut random, payload);
        }
        let signed = sample.sign(location, payload);
        let now = UnixTime::from_secs(sample.time + seed % 290);
        if let Err(error) = signed.verify(now) {
            panic!("seed {seed}: {error:?}\n{signed:?}");
        }
        let claim = signed.claim(now).unwrap();
        let (change, changed) = tally.change(&signed, &claim, &mut random);
        assert!(changed.verify(now).is_err(), "seed {seed}: {change:?}\n{changed:?}");
    }
    tally
}

/// Each change was made, but for those that such requests have nothing for.
fn assert_all(tally: &Tally, impossible: &[&str]) {
    let least = tally.least(impossible);
    assert!(least > 200, "a change was made {least} times only");
}
