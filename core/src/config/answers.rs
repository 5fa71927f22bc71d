//! The setting `answers`: in which form requests are refused.

use super::setting::Setting;
use crate::refusal::{Answers, Template};

pub(super) fn check(setting: &Setting<'_>) -> Answers {
    if setting.is_section() {
        return own(setting).map_or(Answers::Keystone, Answers::Own);
    }
    match setting.as_text() {
        Some("nova") => Answers::Nova,
        Some("s3") => Answers::S3,
        _ => Answers::Keystone,
    }
}

fn own(section: &Setting<'_>) -> Option<Template> {
    let is_media_type = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        (1..=MAX_CONTENT_TYPE).contains(&text.len()) && text.bytes().all(is_plain)
    };
    let content_type = section.text_that(
        "content_type",
        "",
        is_media_type,
        "a media type such as application/json, of at most 128 characters",
    );
    let is_short = |text: &str| text.len() <= MAX_BODY;
    let text = section.text_that("body", "", is_short, "at most 8192 bytes");
    let template = Template::new(content_type, &text).ok();
    if template.is_none() {
        section.field("body").refuse(
            "a text in which braces are doubled, but for {status}, {title}, {message} and {reason}",
        );
    }
    template
}

const MAX_CONTENT_TYPE: usize = 128;
const MAX_BODY: usize = 8192;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Config, ConfigError, example};

    fn with(answers: &Value) -> Result<Answers, ConfigError> {
        let config = Config::parse(example::with(&json!({"answers": answers})).as_bytes());
        config.map(|config| config.answers)
    }

    #[test]
    fn every_form_can_be_chosen() {
        assert_eq!(with(&json!("keystone")), Ok(Answers::Keystone));
        assert_eq!(with(&json!("nova")), Ok(Answers::Nova));
        assert_eq!(with(&json!("s3")), Ok(Answers::S3));
        let own = with(&json!({"content_type": "text/plain", "body": "{status}: {{{message}}}"}));
        let document = ("text/plain", "403: {no}".into());
        assert_eq!(own.unwrap().document(403, "Forbidden", "no", "acl_denied"), document);
    }

    #[test]
    fn names_a_field_outside_its_limits() {
        let own =
            |content_type: &str, body: &str| json!({"content_type": content_type, "body": body});
        for (answers, field) in [
            (json!("xml"), "answers"),
            (json!({"body": ""}), "answers"),
            (own("", ""), "answers.content_type"),
            (own("text/plain\r\nset-cookie: a", ""), "answers.content_type"),
            (own("text/plain", "{user}"), "answers.body"),
            (own("text/plain", r#"{"a":1}"#), "answers.body"),
            (own("text/plain", &"a".repeat(8193)), "answers.body"),
            (json!({"content_type": "a/b", "body": "", "status": 1}), "answers.status"),
        ] {
            assert_eq!(with(&answers).unwrap_err().field(), field, "{answers}");
        }
    }
}
