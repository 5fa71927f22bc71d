//! Requests of every kind, and how AWS's own signer, the crate `aws-sigv4`, signs them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::{SigningParams, sign_chunk, sign_trailer};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::http::Headers;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::random::Random;
use crate::request::{Request, SECRET};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Service {
    General,
    S3,
}

/// A request before it is signed.
pub(crate) struct Sample {
    service: Service,
    region: &'static str,
    pub(crate) time: u64,
    method: &'static str,
    host: &'static str,
    /// As it is signed.
    path: String,
    /// As it is sent.
    wire_path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How many bytes are in each of its chunks but the last.
    chunk: usize,
    token: Option<String>,
}

/// What of the body is signed, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Payload {
    /// Its hash, in the head, or nothing, as the service has it.
    Whole,
    /// Each of its chunks.
    Chunks,
    /// Its chunks, and their checksum.
    ChunksAndTrailer,
}

impl Sample {
    pub(crate) fn new(random: &mut Random, service: Service) -> Self {
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
            chunk: 200,
            token: (random.below(3) == 0).then(|| random.text(TOKEN, 40) + "t"),
        }
    }

    /// With a body that takes several chunks, and with what announces it.
    pub(crate) fn in_chunks(mut self, random: &mut Random, payload: Payload) -> Self {
        if random.below(3) == 0 {
            // S3's least, and a little more.
            self.chunk = 8192 + random.below(100);
            let more = vec![b'x'; self.chunk * (1 + random.below(2))];
            self.body.extend(more);
            let last = random.below(self.chunk);
            self.body.extend(random.bytes(200).iter().cycle().take(last));
        }
        self.headers.push(("x-amz-decoded-content-length", self.body.len().to_string()));
        if payload == Payload::ChunksAndTrailer {
            self.headers.push(("x-amz-trailer", CHECKSUM.into()));
        }
        self
    }

    pub(crate) fn sign(&self, location: SignatureLocation, payload: Payload) -> Request {
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
        let parameters = self.parameters(&identity, settings).into();
        let is_presigned = location == SignatureLocation::QueryParams;
        let body = match payload {
            Payload::Whole if is_s3 && is_presigned => SignableBody::UnsignedPayload,
            Payload::Whole => SignableBody::Bytes(&self.body),
            Payload::Chunks => SignableBody::Precomputed(SIGNED.into()),
            Payload::ChunksAndTrailer => SignableBody::StreamingSignedPayloadTrailer,
        };
        let separator = if self.query.is_empty() { "" } else { "?" };
        let uri = format!("https://{}{}{separator}{}", self.host, self.path, self.query);
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let request = SignableRequest::new(self.method, uri, headers, body).unwrap();
        let (instructions, signature) = sign(request, &parameters).unwrap().into_parts();
        let body = match payload {
            Payload::Whole => self.body.clone(),
            _ => self.chunks(&self.parameters(&identity, ()), signature, payload),
        };

        let mut query = self.query.clone();
        for (name, value) in instructions.params() {
            query = format!("{query}&{name}={}", encode(value));
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let path = format!("{}{separator}{query}", self.wire_path);
        let mut request = Request { headers: Vec::new(), body }
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

    fn parameters<'a, S: Default>(
        &self,
        identity: &'a Identity,
        settings: S,
    ) -> SigningParams<'a, S> {
        let builder = SigningParams::builder().identity(identity).region(self.region);
        let is_s3 = self.service == Service::S3;
        let builder = builder.name(if is_s3 { "s3" } else { "execute-api" });
        let time: SystemTime = UNIX_EPOCH + Duration::from_secs(self.time);
        builder.time(time).settings(settings).build().unwrap()
    }

    /// The body in signed chunks, the first of which is signed after the head.
    fn chunks(
        &self,
        parameters: &SigningParams<'_, ()>,
        mut previous: String,
        payload: Payload,
    ) -> Vec<u8> {
        let mut body = Vec::new();
        for piece in self.body.chunks(self.chunk).chain([&[][..]]) {
            let bytes = piece.to_vec().into();
            previous = sign_chunk(&bytes, &previous, parameters).unwrap().signature().into();
            body.extend(format!("{:x};chunk-signature={previous}\r\n", piece.len()).bytes());
            body.extend_from_slice(piece);
            body.extend(if piece.is_empty() { "" } else { "\r\n" }.bytes());
        }
        if payload == Payload::ChunksAndTrailer {
            let mut trailers = Headers::new();
            trailers.insert(CHECKSUM, STANDARD.encode(Sha256::digest(&self.body)));
            let last = sign_trailer(&trailers, &previous, parameters).unwrap().into_parts().1;
            for (name, value) in trailers.iter().chain([("x-amz-trailer-signature", &*last)]) {
                body.extend(format!("{name}:{value}\r\n").bytes());
            }
        }
        body.extend(b"\r\n");
        body
    }
}

const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const CHECKSUM: &str = "x-amz-checksum-sha256";

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
