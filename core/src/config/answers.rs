//! The setting `answers`: in which form requests are refused.

use super::{ConfigError, raw};
use crate::refusal::{Answers, Template};

pub(super) fn check(raw: raw::Answers) -> Result<Answers, ConfigError> {
    match raw {
        raw::Answers::Keystone => Ok(Answers::Keystone),
        raw::Answers::Nova => Ok(Answers::Nova),
        raw::Answers::S3 => Ok(Answers::S3),
        raw::Answers::Own(raw) => own(raw).map(Answers::Own),
    }
}

fn own(raw: raw::OwnAnswers) -> Result<Template, ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let content_type = raw.content_type;
    if !(1..=MAX_CONTENT_TYPE).contains(&content_type.len()) || !content_type.bytes().all(is_plain)
    {
        return Err(ConfigError::limits(
            "answers.content_type",
            "a media type such as application/json, of at most 128 characters",
        ));
    }
    if raw.body.len() > MAX_BODY {
        return Err(ConfigError::limits("answers.body", "at most 8192 bytes"));
    }
    Template::new(content_type, &raw.body).map_err(|_| {
        ConfigError::limits(
            "answers.body",
            "a text in which braces are doubled, but for {status}, {title}, {message} and {reason}",
        )
    })
}

const MAX_CONTENT_TYPE: usize = 128;
const MAX_BODY: usize = 8192;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Config, example};

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
