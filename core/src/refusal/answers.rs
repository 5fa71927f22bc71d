//! In which form a refusal is told, where the client did not sign: whoever did is answered as
//! [AWS does](super::aws).

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::aws;
use crate::{json, split};

/// The forms of refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// `{"error": {"code": 403, "title": "Forbidden", "message": "..."}}`, as Keystone and
    /// keystonemiddleware have it.
    Keystone,
    /// `{"forbidden": {"code": 403, "message": "..."}}`, as Nova and other services have it (Nova's
    /// `nova.api.openstack.wsgi.Fault`).
    Nova,
    /// S3's XML.
    S3,
    /// An operator's own.
    Own(Template),
}

/// An own form: a text with places for what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    content_type: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Status,
    Title,
    Message,
    Reason,
}

/// A brace that begins none of the places, or ends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTemplate;

impl Answers {
    fn is_json(&self) -> bool {
        match self {
            Self::Keystone | Self::Nova | Self::S3 => true,
            Self::Own(template) => {
                split::contains(template.content_type.to_ascii_lowercase().as_bytes(), b"json")
            }
        }
    }

    /// The media type and the body. The message may quote what the client sent, and is escaped; the rest are
    /// texts of our own that need none.
    pub(crate) fn document(
        &self,
        status: u16,
        title: &str,
        message: &str,
        reason: &str,
    ) -> (&str, String) {
        let message = &*if self.is_json() { in_json(message) } else { in_xml(message) };
        match self {
            // In S3's form where there is a manner to answer in, which is wherever a head was read.
            Self::Keystone | Self::S3 => (JSON, keystone(status, title, message)),
            Self::Nova => {
                let fault = fault_of_nova(status);
                (JSON, format!(r#"{{"{fault}":{{"code":{status},"message":"{message}"}}}}"#))
            }
            Self::Own(template) => {
                (&template.content_type, template.fill(status, title, message, reason))
            }
        }
    }
}

/// As it stands between the quotation marks of a text of JSON.
fn in_json(text: &str) -> String {
    let quoted = json::quoted(text);
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().into()
}

/// As it stands in XML and in HTML.
fn in_xml(text: &str) -> String {
    let mut escaped = String::new();
    text.chars().for_each(|character| aws::escape(&mut escaped, character));
    escaped
}

impl Template {
    /// A text in which `{status}`, `{title}`, `{message}` and `{reason}` are places, and braces are doubled
    /// that stand for themselves.
    pub fn new(content_type: String, text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at_checked(at).ok_or(InvalidTemplate)?;
            plain.push_str(before);
            let doubled = ["{{", "}}"]
                .into_iter()
                .find_map(|pair| brace.strip_prefix(pair).zip(pair.get(..1)));
            if let Some((after, one)) = doubled {
                plain.push_str(one);
                rest = after;
                continue;
            }
            let (place, after) = PLACES
                .iter()
                .find_map(|(name, place)| Some((place, brace.strip_prefix(name)?)))
                .ok_or(InvalidTemplate)?;
            parts.push(Part::Text(core::mem::take(&mut plain)));
            parts.push(place.clone());
            rest = after;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { content_type, parts })
    }

    fn fill(&self, status: u16, title: &str, message: &str, reason: &str) -> String {
        let status = status.to_string();
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Status => &status,
            Part::Title => title,
            Part::Message => message,
            Part::Reason => reason,
        });
        parts.collect()
    }
}

fn keystone(status: u16, title: &str, message: &str) -> String {
    format!(r#"{{"error":{{"code":{status},"title":"{title}","message":"{message}"}}}}"#)
}

/// What Nova calls its faults.
fn fault_of_nova(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        415 => "badMediaType",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

const PLACES: [(&str, Part); 4] = [
    ("{status}", Part::Status),
    ("{title}", Part::Title),
    ("{message}", Part::Message),
    ("{reason}", Part::Reason),
];

const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn own(text: &str) -> Result<String, InvalidTemplate> {
        let template = Template::new("text/plain".into(), text)?;
        Ok(template.fill(401, "Unauthorized", "No.", "token_missing"))
    }

    #[test]
    fn an_own_form_has_places_for_what_is_told() {
        for (text, told) in [
            ("", ""),
            ("no", "no"),
            ("{status} {title}: {message} ({reason})", "401 Unauthorized: No. (token_missing)"),
            (r#"{{"code":{status},"ü":"{{}}"}}"#, r#"{"code":401,"ü":"{}"}"#),
            ("{{status}}", "{status}"),
            ("{{{status}}}", "{401}"),
        ] {
            assert_eq!(own(text).as_deref(), Ok(told), "{text}");
        }
        for text in ["{", "}", "{}", "{status", "{user}", "{{}", "a}b", "{ status}"] {
            assert_eq!(own(text), Err(InvalidTemplate), "{text}");
        }
    }

    #[test]
    fn nova_calls_its_faults_by_names() {
        let nova = |status| Answers::Nova.document(status, "T", "m", "r").1;
        assert_eq!(nova(404), r#"{"itemNotFound":{"code":404,"message":"m"}}"#);
        assert_eq!(nova(408), r#"{"computeFault":{"code":408,"message":"m"}}"#);
    }
}
