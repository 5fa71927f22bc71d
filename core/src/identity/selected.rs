//! Which of the headers that tell an identity a service wants.

use alloc::string::String;
use alloc::vec::Vec;

use super::is_identity_header;

/// The headers that are set; all others are removed from requests as ever, and stay away. That there is no
/// identity a service is told whatever it selects.
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

    /// Whether a header of this name, in lower case, is set.
    #[must_use]
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_is_never_set_cannot_be_wanted() {
        for name in ["", "host", "x-auth-token", "x_user_id", "x-users", "x-voussoir- "] {
            let names = ["x-user-id".into(), name.into()];
            assert_eq!(SelectedHeaders::new(&names), Err(1), "{name}");
        }
    }
}
