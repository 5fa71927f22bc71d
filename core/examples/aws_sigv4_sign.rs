//! Signs one request with AWS's own signer, the crate `aws-sigv4`, for the integration tests: reads
//! it as JSON from stdin, and writes the headers or query parameters to add as JSON to stdout.

use std::error::Error;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use serde::Deserialize;
use serde_json::json;

/// A request to S3 before it is signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    /// With scheme and host, encoded.
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    access_key: String,
    secret: String,
    session_token: Option<String>,
    region: String,
    /// Seconds since 1970.
    time: u64,
    /// For how many seconds a presigned URL is good; without it, headers are signed.
    expires_in: Option<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let request: Request = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    if let Some(seconds) = request.expires_in {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds));
    }
    let Request { access_key, secret, session_token, .. } = request;
    let identity = Credentials::new(access_key, secret, session_token, None, "stdin").into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_secs(request.time))
        .settings(settings)
        .build()?
        .into();
    let body = match request.expires_in {
        Some(_) => SignableBody::UnsignedPayload,
        None => SignableBody::Bytes(request.body.as_bytes()),
    };
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let signable = SignableRequest::new(&request.method, request.url.as_str(), headers, body)?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let headers: Vec<_> = instructions.headers().collect();
    println!("{}", json!({ "headers": headers, "parameters": instructions.params() }));
    Ok(())
}
