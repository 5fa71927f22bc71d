//! Signature Version 4 against AWS's own signer, the crate `aws-sigv4`: what it signs is verified,
//! and nothing that was changed afterwards; and AWS's signing test suite, which comes with it.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "these are tests")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use sha2::{Digest as _, Sha256};
use voussoir_core::head::RequestHead;
use voussoir_core::sigv4::{Body, Claim, DEFAULT_MAX_SKEW, Error, SigningKey, Unverified};
use voussoir_core::time::UnixTime;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z, the time of the whole suite.
const SUITE_TIME: u64 = 1_440_938_160;
/// How many requests of each kind.
const REQUESTS: u64 = 500;

#[test]
fn what_aws_signs_for_s3_is_verified_and_nothing_else() {
    run(Service::S3, SignatureLocation::Headers);
}

#[test]
fn what_aws_presigns_for_s3_is_verified_and_nothing_else() {
    run(Service::S3, SignatureLocation::QueryParams);
}

#[test]
fn what_aws_signs_for_other_services_is_verified_and_nothing_else() {
    run(Service::General, SignatureLocation::Headers);
}

#[test]
fn what_aws_presigns_for_other_services_is_verified_and_nothing_else() {
    run(Service::General, SignatureLocation::QueryParams);
}

/// The cases of the suite that a verifier of this kind can know, in both forms.
#[test]
fn the_signing_test_suite_is_verified() {
    let mut verified = 0;
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
            let request = Wire::from_http1(&read("signed-request"));
            let result = request.verify(UnixTime::from_secs(SUITE_TIME));
            if name == "post-sts-header-after" {
                // A session token that was added after signing: not for S3, and not yet for others.
                assert!(result.is_err(), "{name}, {form}");
                continue;
            }
            let (canonical_request, string_to_sign) = result.unwrap();
            assert_eq!(canonical_request, read("canonical-request"), "{name}, {form}");
            assert_eq!(string_to_sign, read("string-to-sign"), "{name}, {form}");
            verified += 1;
        }
    }
    assert!(verified >= 50, "only {verified} cases");
}

/// Generates, signs, verifies, changes, and verifies no more.
fn run(service: Service, location: SignatureLocation) {
    let mut applied = 0;
    for seed in 0..REQUESTS {
        let mut random = Random(seed);
        let sample = Sample::new(&mut random, service);
        let signed = sample.sign(location);
        let now = UnixTime::from_secs(sample.time + random.below(800));
        if let Err(error) = signed.verify(now) {
            panic!("seed {seed}: {error}\n{signed:#?}");
        }
        for change in CHANGES {
            let mut changed = signed.clone();
            if changed.apply(*change, &mut random) {
                applied += 1;
                assert!(changed.verify(now).is_err(), "seed {seed}: {change:?}\n{changed:#?}");
            }
        }
    }
    assert!(applied > 10 * REQUESTS, "only {applied} changes");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Service {
    General,
    S3,
}

/// A request before it is signed.
struct Sample {
    service: Service,
    region: &'static str,
    time: u64,
    method: &'static str,
    host: &'static str,
    /// As it is signed.
    path: String,
    /// As it is sent.
    wire_path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    token: Option<String>,
}

impl Sample {
    fn new(random: &mut Random, service: Service) -> Self {
        let key = random.text(PATH, 24);
        // S3's clients encode the key once, or leave in it what they deem harmless; whoever is on
        // the way may spell it differently. Other services' clients sign what they send.
        let (path, wire_path) = match (service, random.below(3)) {
            (Service::S3, 0) => {
                let path = format!("/{}", encode_key(&key));
                let wire_path = respell(&path, random);
                (path, wire_path)
            }
            (Service::S3, 1) => {
                (format!("/{}", encode_key(&key)), format!("/{}", encode_key(&key)))
            }
            _ => {
                let path = format!("/{}", respell(&encode_key(&key), random));
                (path.clone(), path)
            }
        };
        let mut headers = Vec::new();
        for _ in 0..random.below(6) {
            headers.push((random.pick(NAMES), random.text(VALUE, 12)));
        }
        Self {
            service,
            region: random.pick(&["us-east-1", "eu", "r_1.x-y"]),
            time: 86_400 * (1 + random.below(40_000)) + random.below(86_000),
            method: random.pick(&["GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"]),
            host: random.pick(&[
                "a.example",
                "bucket.s3.example:8080",
                "[::1]:9000",
                "[2001:db8::1]",
            ]),
            path,
            wire_path,
            query: random.text(QUERY, 16),
            headers,
            body: random.text(VALUE, 12).into_bytes(),
            token: (random.below(3) == 0).then(|| random.text(TOKEN, 40) + "t"),
        }
    }

    fn sign(&self, location: SignatureLocation) -> Wire {
        let is_s3 = self.service == Service::S3;
        let mut settings = SigningSettings::default();
        settings.signature_location = location;
        if location == SignatureLocation::QueryParams {
            settings.expires_in = Some(Duration::from_mins(15));
        }
        if is_s3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let token = self.token.clone();
        let identity = Credentials::new("AKID/EXAMPLE", SECRET, token, None, "test").into();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(self.time);
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(if is_s3 { "s3" } else { "execute-api" })
            .time(time)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let body = if is_s3 && location == SignatureLocation::QueryParams {
            SignableBody::UnsignedPayload
        } else {
            SignableBody::Bytes(&self.body)
        };
        let separator = if self.query.is_empty() { "" } else { "?" };
        let uri = format!("https://{}{}{separator}{}", self.host, self.path, self.query);
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();

        let mut query = self.query.clone();
        for (name, value) in instructions.params() {
            query = format!("{query}&{name}={}", encode(value));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let path = format!("{}{separator}{query}", self.wire_path);
        let mut headers = Vec::from([
            (":method".into(), self.method.into()),
            (":path".into(), path),
            (":scheme".into(), "https".into()),
            (":authority".into(), self.host.into()),
        ]);
        headers.extend(self.headers.iter().map(|(name, value)| ((*name).into(), value.clone())));
        headers.extend(instructions.headers().map(|(name, value)| (name.into(), value.into())));
        Wire { service: self.service, headers, body: self.body.clone() }
    }
}

/// A request as it arrives.
#[derive(Clone, Debug)]
struct Wire {
    service: Service,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A change of one thing that the signature binds.
#[derive(Clone, Copy, Debug)]
enum Change {
    Authority,
    Body,
    ContentSha256,
    CopySource,
    Date,
    Expires,
    HeaderGone,
    HeaderLine,
    HeaderOrder,
    HeaderValue,
    Method,
    Path,
    PathSlash,
    Query,
    QueryGone,
    Region,
    Service,
    Signature,
    SignedHeaders,
    Token,
}

const CHANGES: &[Change] = &[
    Change::Authority,
    Change::Body,
    Change::ContentSha256,
    Change::CopySource,
    Change::Date,
    Change::Expires,
    Change::HeaderGone,
    Change::HeaderLine,
    Change::HeaderOrder,
    Change::HeaderValue,
    Change::Method,
    Change::Path,
    Change::PathSlash,
    Change::Query,
    Change::QueryGone,
    Change::Region,
    Change::Service,
    Change::Signature,
    Change::SignedHeaders,
    Change::Token,
];

impl Wire {
    fn value(&mut self, name: &str) -> Option<&mut String> {
        self.headers.iter_mut().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn replace(&mut self, from: &str, to: &str) -> bool {
        let before = self.headers.clone();
        for (_, value) in &mut self.headers {
            *value = value.replacen(from, to, 1);
        }
        self.headers != before
    }

    /// The positions of the headers that the sample came with.
    fn samples(&self) -> Vec<usize> {
        let is_sample =
            |(_, (name, _)): &(usize, &(String, String))| NAMES.contains(&name.as_str());
        self.headers.iter().enumerate().filter(is_sample).map(|(index, _)| index).collect()
    }

    /// Changes one thing; `false` when this request has no such thing, or not one that is bound.
    fn apply(&mut self, change: Change, random: &mut Random) -> bool {
        match change {
            Change::Authority => self.value(":authority").unwrap().insert(0, 'x'),
            Change::Body => {
                self.body.push(b'x');
                // S3's head says how the body is bound; to check the body is somebody else's part.
                return self.service == Service::General;
            }
            Change::CopySource => self.headers.push(("x-amz-copy-source".into(), "/b/k".into())),
            Change::Method => self.value(":method").unwrap().push('X'),
            Change::Path => {
                let path = self.value(":path").unwrap();
                let end = path.find('?').unwrap_or(path.len());
                path.insert(end, 'x');
            }
            Change::PathSlash => {
                self.value(":path").unwrap().insert(0, '/');
                return self.service == Service::S3;
            }
            Change::Query => {
                let path = self.value(":path").unwrap();
                path.push_str(if path.contains('?') { "&zz=1" } else { "?zz=1" });
            }
            Change::QueryGone => {
                let path = self.value(":path").unwrap();
                let Some((before, query)) = path.split_once('?') else { return false };
                if query.contains("X-Amz-Signature=") || query.trim_matches('&').is_empty() {
                    return false;
                }
                *path = before.into();
            }
            Change::HeaderGone | Change::HeaderLine | Change::HeaderOrder | Change::HeaderValue => {
                return self.apply_to_headers(change, random);
            }
            Change::ContentSha256
            | Change::Date
            | Change::Expires
            | Change::Region
            | Change::Service
            | Change::Signature
            | Change::SignedHeaders
            | Change::Token => return self.apply_to_credentials(change, random),
        }
        true
    }

    fn apply_to_headers(&mut self, change: Change, random: &mut Random) -> bool {
        let samples = self.samples();
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return false };
        let sample = random.pick(&samples);
        match change {
            Change::HeaderGone => drop(self.headers.remove(sample)),
            Change::HeaderLine => self.headers.push(self.headers[sample].clone()),
            Change::HeaderOrder => {
                let [(name, value), (other_name, other)] =
                    [first, last].map(|at| &self.headers[*at]);
                let is_bound = samples.len() == 2
                    && name == other_name
                    && !value.split_whitespace().eq(other.split_whitespace());
                self.headers.swap(*first, *last);
                return is_bound;
            }
            _ => self.headers[sample].1.push('x'),
        }
        true
    }

    fn apply_to_credentials(&mut self, change: Change, random: &mut Random) -> bool {
        match change {
            Change::ContentSha256 => {
                let Some(value) = self.value("x-amz-content-sha256") else { return false };
                *value = "UNSIGNED-PAYLOAD".into();
            }
            Change::Date => {
                if let Some(value) = self.value("x-amz-date") {
                    *value = later(value);
                } else {
                    let path = self.value(":path").unwrap();
                    let (_, date) = path.split_once("X-Amz-Date=").unwrap();
                    let date = date[..16].to_string();
                    *path = path.replace(&date, &later(&date));
                }
            }
            Change::Expires => return self.replace("X-Amz-Expires=900", "X-Amz-Expires=90000"),
            Change::Region => {
                return ["us-east-1", "/eu/", "%2Feu%2F", "r_1.x-y"]
                    .into_iter()
                    .zip(["us-east-2", "/ap/", "%2Fap%2F", "r_1.x-z"])
                    .any(|(from, to)| self.replace(from, to));
            }
            Change::Service => {
                return [("/s3/", "/s3express/"), ("%2Fs3%2F", "%2Fs3express%2F")]
                    .into_iter()
                    .any(|(from, to)| self.replace(from, to));
            }
            Change::Signature => {
                let is_signature =
                    |(_, value): &&mut (String, String)| value.contains("Signature=");
                let (_, value) = self.headers.iter_mut().find(is_signature).unwrap();
                let (before, signature) = value.split_once("Signature=").unwrap();
                let position = usize::try_from(random.below(64)).unwrap();
                let mut signature = signature.to_string();
                let digit = if signature[position..].starts_with('0') { "1" } else { "0" };
                signature.replace_range(position..=position, digit);
                *value = format!("{before}Signature={signature}");
            }
            Change::SignedHeaders => return self.replace("host;", "a-new-one;host;"),
            _ => {
                if let Some(value) = self.value("x-amz-security-token") {
                    value.push('x');
                } else {
                    return self.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=x");
                }
            }
        }
        true
    }

    /// Verifies as the filter would, with the key that a key server would derive; returns the
    /// canonical request and the string to sign.
    fn verify(&self, now: UnixTime) -> Result<(String, String), String> {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let claim = Claim::from_head(RequestHead::new(&headers), now, DEFAULT_MAX_SKEW)
            .map_err(|error: Error| format!("{error:?}"))?
            .ok_or("no credentials")?;
        let key = SigningKey::derive(SECRET.as_bytes(), &claim.credential().scope);
        let claim = match claim.body() {
            Body::HashFirst => claim.with_body_sha256(Sha256::digest(&self.body).into()),
            Body::Chunked { .. } | Body::Hashed(_) | Body::Unbound => claim,
        };
        match claim.verify(&key, now) {
            Ok(verified) => {
                let canonical_request = String::from_utf8(verified.canonical_request).unwrap();
                Ok((canonical_request, verified.string_to_sign))
            }
            Err(Unverified::Mismatch(mismatch)) => {
                Err(String::from_utf8_lossy(&mismatch.canonical_request).into_owned())
            }
            Err(error) => Err(format!("{error:?}")),
        }
    }

    /// Reads a request of the suite, as Envoy would hand it on.
    fn from_http1(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        // A line that begins with white space continues the one before (RFC 9112, section 5.2).
        let head = head.replace("\n ", " ");
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let path = rest.strip_suffix(" HTTP/1.1").unwrap();
        let mut headers =
            Vec::from([(":method".into(), method.into()), (":path".into(), path.into())]);
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            let name = name.to_ascii_lowercase();
            let name = if name == "host" { ":authority".into() } else { name };
            headers.push((name, value.into()));
        }
        let body = body.trim_end_matches('\n').into();
        Self { service: Service::General, headers, body }
    }
}

/// The same date, a second later or, in a minute's last second, earlier.
fn later(date: &str) -> String {
    let (rest, second) = date.trim_end_matches('Z').split_at(13);
    let second: u32 = second.parse().unwrap();
    format!("{rest}{:02}Z", if second == 59 { 58 } else { second + 1 })
}

/// Percent-encoding, written down once more: all but unreserved characters.
fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn encode_key(key: &str) -> String {
    key.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Spells an encoded text in another way that means the same.
fn respell(text: &str, random: &mut Random) -> String {
    let mut spelt = text.to_string();
    for (from, to) in [
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%40", "@"),
        ("%21", "!"),
        ("%27", "'"),
        ("%2B", "+"),
        ("%3A", ":"),
        ("%2C", ","),
        ("%C3", "%c3"),
        ("a", "%61"),
        ("~", "%7e"),
    ] {
        if random.below(2) == 0 {
            spelt = spelt.replace(from, to);
        }
    }
    spelt
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

/// SplitMix64 (Steele, Lea and Flood, 2014): the same requests in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(u64::try_from(from.len()).unwrap())).unwrap()]
    }

    fn text(&mut self, words: &[&str], longest: u64) -> String {
        (0..self.below(longest)).map(|_| self.pick(words)).collect()
    }
}

/// What keys are made of.
const PATH: &[&str] = &[
    "a", "b", "Z", "0", "/", "/", "//", "/./", "/../", ".", "..", "%", "%2F", "%25", "+", " ", "?",
    "#", "&", "=", ";", ":", "@", "(", ")", "*", "!", "'", ",", "~", "-", "_", "\\", "é", "ሴ",
    "\u{0}", "\n", "\"", "<", "[", "{", "|", "^", "`", "$",
];
/// What queries are made of, as they are sent.
const QUERY: &[&str] = &[
    "a",
    "b",
    "B",
    "acl",
    "prefix",
    "=",
    "=",
    "=",
    "&",
    "&",
    "&&",
    "+",
    "%20",
    "%2B",
    "%2b",
    ";",
    "%3B",
    "/",
    "%2F",
    ":",
    "@",
    ",",
    "!",
    "*",
    "(",
    "'",
    "~",
    "%7E",
    "-",
    "_",
    ".",
    "%41",
    "%C3%A9",
    "%c3%a9",
    "%E1%88%B4",
    "%00",
    "%0A",
    "%25",
    "%26",
    "%3D",
    "?",
    "1",
    "10",
    "9",
];
const NAMES: &[&str] =
    &["a", "content-type", "content-encoding", "range", "x-amz-meta-a", "x-amz-acl", "x-z", "zz"];
const VALUE: &[&str] =
    &["a", "B", "0", " ", " ", "  ", ",", ", ", ";", "=", "\"", "/", "%20", "+", ":", "~", "\\"];
const TOKEN: &[&str] = &["A", "z", "0", "/", "+", "=", "%"];
