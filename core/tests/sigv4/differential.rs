//! What AWS's own signer, the crate `aws-sigv4`, signs is verified, and nothing that was changed
//! afterwards.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use voussoir_core::time::UnixTime;

use crate::change::Tally;
use crate::random::Random;
use crate::request::{Request, SECRET};

/// How many requests of each kind; of all four, 50,000.
const REQUESTS: u64 = 12_500;

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

/// Generates, signs, verifies, changes one thing, and verifies no more.
fn run(service: Service, location: SignatureLocation) {
    let mut tally = Tally::default();
    for seed in 0..REQUESTS {
        let mut random = Random(seed);
        let sample = Sample::new(&mut random, service);
        let signed = sample.sign(location);
        let now = UnixTime::from_secs(sample.time + seed % 290);
        if let Err(error) = signed.verify(now) {
            panic!("seed {seed}: {error:?}\n{signed:?}");
        }
        let claim = signed.claim(now).unwrap();
        let (change, changed) = tally.change(&signed, &claim, &mut random);
        assert!(changed.verify(now).is_err(), "seed {seed}: {change:?}\n{changed:?}");
    }
    let impossible: &[_] = match (service, location) {
        (Service::S3, SignatureLocation::QueryParams) => {
            &["BodyByte", "BodyEnd", "ContentSha256", "QueryGone"]
        }
        (Service::General, SignatureLocation::QueryParams) => {
            &["ContentSha256", "PathSlash", "QueryGone"]
        }
        (Service::S3, _) => &["Expires"],
        (Service::General, _) => &["ContentSha256", "Expires", "PathSlash"],
    };
    let least = tally.least(impossible);
    assert!(least > 200, "a change was made {least} times only");
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
            let name = random.pick(NAMES);
            // Of Amazon's headers, only metadata may have several lines.
            if name != "x-amz-acl" || headers.iter().all(|(other, _)| *other != name) {
                headers.push((name, random.text(VALUE, 12)));
            }
        }
        Self {
            service,
            region: random.pick(&["us-east-1", "eu", "r_1.x-y"]),
            time: u64::try_from(86_400 * (1 + random.below(40_000)) + random.below(86_000))
                .unwrap(),
            method: random.pick(&["GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"]),
            host: random.pick(&[
                "a.example",
                "a.example:443",
                "bucket.s3.example:8080",
                "[::1]:9000",
                "[2001:db8::1]",
            ]),
            path,
            wire_path,
            query: random.text(QUERY, 16),
            headers,
            body: random.bytes(200),
            token: (random.below(3) == 0).then(|| random.text(TOKEN, 40) + "t"),
        }
    }

    fn sign(&self, location: SignatureLocation) -> Request {
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
        let mut request = Request { headers: Vec::new(), body: self.body.clone() }
            .with(":method", self.method)
            .with(":path", path)
            .with(":scheme", "https")
            .with(":authority", self.host);
        let signed = instructions.headers();
        for (name, value) in
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).chain(signed)
        {
            request = request.with(name, value);
        }
        request
    }
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
/// No tabs: the signer folds spaces alone. AWS's text has "white space" folded, and those who verify
/// (Swift, Ceph, minio) read that as we do; botocore signs it so.
const VALUE: &[&str] =
    &["a", "B", "0", " ", " ", "  ", ",", ", ", ";", "=", "\"", "/", "%20", "+", ":", "~", "\\"];
const TOKEN: &[&str] = &["A", "z", "0", "/", "+", "=", "%"];
