//! AWS's signing test suite, which comes with the crate `aws-sigv4`.

use std::path::PathBuf;
use std::process::Command;

use voussoir_core::time::UnixTime;

use crate::request::Request;

/// 2015-08-30T12:36:00Z, the time of the whole suite.
const SUITE_TIME: u64 = 1_440_938_160;

/// The cases of the suite that a verifier of this kind can know, in both forms.
#[test]
fn the_signing_test_suite_is_verified() {
    let mut cases = 0;
    for case in suite().read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        let name = case.file_name().unwrap().to_str().unwrap();
        let Ok(context) = std::fs::read(case.join("context.json")) else {
            continue; // two cases have a request alone
        };
        let context: serde_json::Value = serde_json::from_slice(&context).unwrap();
        if context["normalize"] != true {
            continue; // the suite's service normalises, or it does not: here a service has one way
        }
        for form in ["header", "query"] {
            let read =
                |what| std::fs::read_to_string(case.join(format!("{form}-{what}.txt"))).unwrap();
            let request = from_http1(&read("signed-request"));
            let result = request.verify(UnixTime::from_secs(SUITE_TIME));
            if name == "post-sts-header-after" {
                // A session token that was added after signing: not for S3, and not yet for others.
                assert!(result.is_err(), "{name}, {form}");
                continue;
            }
            let verified = result.unwrap();
            let canonical_request = String::from_utf8(verified.canonical_request).unwrap();
            assert_eq!(canonical_request, read("canonical-request"), "{name}, {form}");
            assert_eq!(verified.string_to_sign, read("string-to-sign"), "{name}, {form}");
            cases += 1;
        }
    }
    assert!(cases >= 50, "only {cases} cases");
}

/// Reads a request of the suite, as Envoy would hand it on.
fn from_http1(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    // A line that begins with white space continues the one before (RFC 9112, section 5.2).
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let path = rest.strip_suffix(" HTTP/1.1").unwrap();
    let mut headers: Vec<(String, Vec<u8>)> =
        Vec::from([(":method".into(), method.into()), (":path".into(), path.into())]);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name = name.to_ascii_lowercase();
        let name = if name == "host" { ":authority".into() } else { name };
        headers.push((name, value.into()));
    }
    let body = body.trim_end_matches('\n').into();
    Request { headers, body }
}

/// The suite, in the sources of the crate that Cargo has unpacked.
fn suite() -> PathBuf {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        // Of other platforms' crates, none has to be there.
        .arg(format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("aws-signing-test-suite").join("v4")
}
