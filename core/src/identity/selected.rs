//! Which of the headers that tell an identity a service wants.

use alloc::string::String;
use alloc::vec::Vec;

use super::{HeaderEdits, IDENTITY_STATUS, is_identity_header};

/// The headers that are set; all others are removed from requests as ever, and stay away.
///
/// Each header costs the proxy something for every request, and few services read more than some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectedHeaders(Option<Vec<String>>);

impl SelectedHeaders {
    /// These alone: names of [`is_identity_header`], in any letters. The place of the first that is none,
    /// otherwise.
    pub fn new(names: &[String]) -> Result<Self, usize> {
        let is_known = |name: &String| {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            is_plain && is_identity_header(name.as_bytes())
        };
        match names.iter().position(|name| !is_known(name)) {
            Some(place) => Err(place),
            None => Ok(Self(Some(names.iter().map(|name| name.to_ascii_lowercase()).collect()))),
        }
    }

    /// Leaves out what the service does not want to know. That there is no identity it is always told.
    pub fn select(&self, edits: &mut HeaderEdits) {
        let Some(names) = &self.0 else { return };
        edits.set.retain(|(name, value)| {
            !is_identity_header(name.as_bytes())
                || (name.ends_with(&IDENTITY_STATUS[1..]) && value == "Invalid")
                || names.iter().any(|wanted| wanted == name)
        });
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;

    fn edits() -> HeaderEdits {
        HeaderEdits {
            remove: vec![b"x-auth-token"],
            set: vec![
                ("x-identity-status", "Confirmed".into()),
                ("x-service-identity-status", "Invalid".into()),
                ("x-user-id", "ann".into()),
                ("x-roles", "member".into()),
                ("x-voussoir-token-kind", "project".into()),
                ("content-length", "5".into()),
            ],
        }
    }

    fn selected(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<_> = names.iter().map(|name| String::from(*name)).collect();
        let mut edits = edits();
        SelectedHeaders::new(&names).unwrap().select(&mut edits);
        assert_eq!(edits.remove, self::edits().remove);
        edits.set.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn a_service_is_told_what_it_wants_and_that_there_is_no_identity() {
        let mut all = edits();
        SelectedHeaders::default().select(&mut all);
        assert_eq!(all, edits());
        assert_eq!(selected(&[]), ["x-service-identity-status", "content-length"]);
        assert_eq!(
            selected(&["X-User-Id", "x-voussoir-token-kind", "x-project-id"]),
            ["x-service-identity-status", "x-user-id", "x-voussoir-token-kind", "content-length"]
        );
        assert_eq!(selected(&["x-identity-status"])[0], "x-identity-status");
    }

    #[test]
    fn what_is_never_set_cannot_be_wanted() {
        for name in ["", "host", "x-auth-token", "x_user_id", "x-users", "x-voussoir- "] {
            let names = ["x-user-id".into(), name.into()];
            assert_eq!(SelectedHeaders::new(&names), Err(1), "{name}");
        }
    }
}
