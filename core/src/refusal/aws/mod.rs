//! Answers as AWS gives them, so that every SDK understands why: S3's XML, and the two forms of the
//! other services.
//!
//! A [`Fault`] is what there is to say, a [`Manner`] how the client wants to hear it.

mod fault;
mod xml;

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

pub use fault::{Fault, SignedText};

use super::Reply;
use super::keystone::seconds;
use crate::config::{Config, SigV4Rules};
use crate::head::RequestHead;
use crate::json;
use crate::sigv4::Dialect;
use xml::Element;
pub(super) use xml::escape;

/// How a request wants to be answered.
#[derive(Clone, Debug)]
pub struct Manner {
    protocol: Protocol,
    is_head: bool,
    resource: Vec<u8>,
    request_id: String,
}

/// The forms of AWS's error documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// `DynamoDB`, Kinesis, SQS ...: JSON, with the code in a header as well.
    Json,
    /// IAM, STS, SNS ...: XML, sent by those who ask in forms.
    Query,
    /// S3's own XML.
    S3,
}

impl Manner {
    /// The manner of a request, which may not have said for which service it is.
    #[must_use]
    pub fn of(head: RequestHead<'_>, rules: &SigV4Rules, dialect: Option<Dialect>) -> Self {
        // Where there is nothing but S3, a signature for something else is answered by S3.
        let is_s3 = rules.is_s3_only() || dialect == Some(Dialect::S3);
        let mut content_types = head.values(b"content-type");
        let is_json = head.has(b"x-amz-target")
            || content_types.any(|value| value.starts_with(b"application/x-amz-json"));
        let protocol = match (is_s3, is_json) {
            (true, _) => Protocol::S3,
            (false, true) => Protocol::Json,
            (false, false) => Protocol::Query,
        };
        Self::in_protocol(protocol, head)
    }

    /// S3's, whatever the request is.
    #[must_use]
    pub fn of_s3(head: RequestHead<'_>) -> Self {
        Self::in_protocol(Protocol::S3, head)
    }

    fn in_protocol(protocol: Protocol, head: RequestHead<'_>) -> Self {
        let resource = head.path().unwrap_or_default();
        Self {
            protocol,
            is_head: head.method() == Some(b"HEAD"),
            resource: resource.get(..MAX_RESOURCE).unwrap_or(resource).into(),
            request_id: head.values(b"x-request-id").find_map(request_id).unwrap_or_default(),
        }
    }
}

impl Fault {
    /// The answer that says so.
    #[must_use]
    pub fn reply(&self, manner: &Manner, reason: &str, config: &Config) -> Reply {
        let (status, code) = self.status_and_code(manner.protocol);
        let (content_type, body) = match manner.protocol {
            Protocol::Json => ("application/x-amz-json-1.1", self.json(code)),
            Protocol::Query => ("text/xml", self.query_xml(code, manner)),
            Protocol::S3 => ("application/xml", self.s3_xml(manner)),
        };
        let mut headers = Vec::from([("content-type".to_string(), content_type.to_string())]);
        if manner.protocol == Protocol::Json {
            headers.push(("x-amzn-errortype".into(), code.into()));
        }
        if !manner.request_id.is_empty() {
            let name = match manner.protocol {
                Protocol::S3 => "x-amz-request-id",
                Protocol::Json | Protocol::Query => "x-amzn-requestid",
            };
            headers.push((name.into(), manner.request_id.clone()));
        }
        if let Some(region) = &self.bucket_region {
            headers.push(("x-amz-bucket-region".into(), region.clone()));
        }
        if let Some(retry_after) = self.retry_after {
            headers.push(("retry-after".into(), format!("{}", seconds(retry_after))));
        }
        if let Some(name) = &config.reason_header {
            headers.push((name.clone(), reason.into()));
        }
        Reply {
            status,
            headers,
            // RFC 9110, section 9.3.2: an answer to HEAD has no content.
            body: if manner.is_head { String::new() } else { body },
            details: format!("voussoir_{reason}"),
        }
    }

    /// The services but S3 have words of their own for the same things (AWS's "Common errors").
    fn status_and_code(&self, protocol: Protocol) -> (u16, &'static str) {
        let is_json = protocol == Protocol::Json;
        match (protocol, self.code) {
            (Protocol::S3, code) => (self.status, code),
            (_, "InvalidAccessKeyId" | "InvalidToken") if is_json => {
                (400, "UnrecognizedClientException")
            }
            (_, "InvalidAccessKeyId" | "InvalidToken") => (403, "InvalidClientTokenId"),
            (_, "SignatureDoesNotMatch" | "RequestTimeTooSkewed") if is_json => {
                (400, "InvalidSignatureException")
            }
            (_, "SignatureDoesNotMatch" | "RequestTimeTooSkewed") => (403, "SignatureDoesNotMatch"),
            (_, "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError")
                if is_json =>
            {
                (400, "IncompleteSignatureException")
            }
            (_, "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError") => {
                (400, "IncompleteSignature")
            }
            (_, "AccessDenied") if is_json => (400, "AccessDeniedException"),
            (_, "SlowDown") if is_json => (503, "ServiceUnavailableException"),
            (_, "SlowDown") => (503, "ServiceUnavailable"),
            (_, code) => (self.status, code),
        }
    }

    fn json(&self, code: &str) -> String {
        let message = json::quoted(&self.message);
        format!(r#"{{"__type":"{code}","message":{message}}}"#)
    }

    fn query_xml(&self, code: &str, manner: &Manner) -> String {
        let sender = if self.status < 500 { "Sender" } else { "Receiver" };
        let error = Element::of("Error")
            .text("Type", sender)
            .text("Code", code)
            .text("Message", &self.message);
        Element::of("ErrorResponse")
            .child(&error)
            .text("RequestId", &manner.request_id)
            .into_document()
    }

    fn s3_xml(&self, manner: &Manner) -> String {
        let mut error = Element::of("Error").text("Code", self.code).text("Message", &self.message);
        for (name, value) in &self.elements {
            error = error.text(name, value);
        }
        error
            .text("Resource", &manner.resource)
            .text("RequestId", &manner.request_id)
            .text("HostId", HOST_ID)
            .into_document()
    }
}

/// A request id that can be told on: Envoy's own are UUIDs, and a client may bring another.
fn request_id(value: &[u8]) -> Option<String> {
    let is_sound = (1..=64).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let text = core::str::from_utf8(value).ok().filter(|_| is_sound);
    text.map(String::from)
}

/// Where S3 names the machine that answered, we say that it was none of the store's.
const HOST_ID: &str = "voussoir";

/// The longest path that an answer repeats: S3's keys have at most 1024 bytes, encoded three times
/// as many.
const MAX_RESOURCE: usize = 4096;

#[cfg(test)]
mod tests;
