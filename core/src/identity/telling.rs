//! How an identity is written down: header by header, and none that nobody reads.

use alloc::string::{String, ToString};
use core::fmt::{Display, Write as _};

use super::{HeaderEdits, SelectedHeaders};

/// The headers that tell a service of an identity, as far as it wants to know it.
///
/// What it does not want is not written at all: of a token that comes only once, the headers cost more
/// than its decryption.
#[derive(Debug)]
pub struct IdentityHeaders<'a> {
    selected: &'a SelectedHeaders,
    edits: HeaderEdits,
}

impl<'a> IdentityHeaders<'a> {
    /// None yet, for a service that wants to know these.
    #[must_use]
    pub fn new(selected: &'a SelectedHeaders) -> Self {
        Self { selected, edits: HeaderEdits::default() }
    }

    /// What is to be done to a request to tell its service.
    #[must_use]
    pub fn into_edits(self) -> HeaderEdits {
        self.edits
    }

    /// Whether a header is to be set whose value takes an effort.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.selected.contains(name)
    }

    pub(super) fn set(&mut self, name: &'static str, value: &dyn ToString) {
        if self.wants(name) {
            self.set_anyway(name, value.to_string());
        }
    }

    pub(super) fn set_some(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(name, &value);
        }
    }

    /// A list with commas; empty without an item.
    pub(super) fn set_list<T: Display>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
    ) {
        if !self.wants(name) {
            return;
        }
        let mut list = String::new();
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                list.push(',');
            }
            // A string takes whatever there is memory for.
            let _ = write!(list, "{item}");
        }
        self.set_anyway(name, list);
    }

    /// Whether the service wants it or not.
    pub(super) fn set_anyway(&mut self, name: &'static str, value: String) {
        self.edits.set.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// The headers that a service gets which selects these.
    fn told(selected: &SelectedHeaders) -> Vec<(&'static str, String)> {
        let mut headers = IdentityHeaders::new(selected);
        headers.set_some("x-user-id", Some("ann"));
        headers.set_some("x-project-id", None);
        headers.set("x-voussoir-token-kind", &"project");
        headers.set_list("x-roles", ["member", "reader"]);
        headers.set_list::<&str>("x-role", []);
        headers.set_service_invalid();
        headers.into_edits().set
    }

    fn selected(names: &[&str]) -> SelectedHeaders {
        let names: Vec<_> = names.iter().map(|name| String::from(*name)).collect();
        SelectedHeaders::new(&names).unwrap()
    }

    #[test]
    fn a_service_is_told_what_it_wants_and_that_there_is_no_identity() {
        let invalid = ("x-service-identity-status", "Invalid".into());
        assert_eq!(
            told(&SelectedHeaders::default()),
            vec![
                ("x-user-id", "ann".into()),
                ("x-voussoir-token-kind", "project".into()),
                ("x-roles", "member,reader".into()),
                ("x-role", String::new()),
                invalid.clone(),
            ]
        );
        assert_eq!(told(&selected(&[])), vec![invalid.clone()]);
        assert_eq!(
            told(&selected(&["X-User-Id", "x-role", "x-project-id"])),
            vec![("x-user-id", "ann".into()), ("x-role", String::new()), invalid]
        );
    }
}
