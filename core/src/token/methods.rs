//! The authentication methods of a token: names, or bits whose meaning Keystone's configuration gives.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Id, MalformedPayload};

/// How the user authenticated, in the words of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// The bitmask of a Fernet token.
    Bits(u64),
    /// The names in a JWS token, in its order; at most [`MAX_METHODS`].
    Names(Vec<String>),
}

impl Methods {
    /// The names that a token, or Keystone, gives.
    pub fn from_names(names: &[String]) -> Result<Self, MalformedPayload> {
        let is_name = |name: &String| Id::text(name.as_bytes()).is_ok() && !name.contains(',');
        if names.len() > MAX_METHODS || !names.iter().all(is_name) {
            return Err(MalformedPayload);
        }
        Ok(Self::Names(names.to_vec()))
    }
}

/// The list `[auth] methods` of the Keystone that issues the tokens, in its order: bit *i* of a
/// bitmask stands for entry *i* (`keystone/auth/plugins/core.py`, `construct_method_map_from_config`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodNames(Vec<String>);

impl MethodNames {
    /// Takes the names in configured order; `None` with more than [`MAX_METHODS`].
    #[must_use]
    pub fn new(names: Vec<String>) -> Option<Self> {
        (names.len() <= MAX_METHODS).then_some(Self(names))
    }

    /// The names of a token's methods: those in the token itself; or those of its bits, last
    /// configured first, as Keystone lists them.
    ///
    /// A bitmask with a bit beyond the list names nothing at all: that is what Keystone's own
    /// arithmetic comes to (`convert_integer_to_method_list`), and a list that is known to be
    /// incomplete had better not look complete.
    #[must_use]
    pub fn of<'a>(&'a self, methods: &'a Methods) -> Vec<&'a str> {
        match methods {
            Methods::Bits(bits) => self.of_bits(*bits),
            Methods::Names(names) => names.iter().map(String::as_str).collect(),
        }
    }

    fn of_bits(&self, bits: u64) -> Vec<&str> {
        let is_set = |bit: usize| {
            u32::try_from(bit).ok().and_then(|bit| bits.checked_shr(bit)).unwrap_or(0) & 1 == 1
        };
        if (self.0.len()..MAX_METHODS).any(is_set) {
            return Vec::new();
        }
        let names = self.0.iter().enumerate().rev();
        names.filter(|(bit, _)| is_set(*bit)).map(|(_, name)| name.as_str()).collect()
    }
}

/// Keystone 30's own list.
impl Default for MethodNames {
    fn default() -> Self {
        Self(KEYSTONE_30.iter().map(|name| (*name).to_owned()).collect())
    }
}

const KEYSTONE_30: [&str; 7] = [
    "external",
    "password",
    "token",
    "oauth1",
    "mapped",
    "application_credential",
    "ec2credential",
];

/// The most methods of a token: as many as a bitmask of 64 bits can name.
pub const MAX_METHODS: usize = 64;

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;

    fn named(names: &MethodNames, bits: u64) -> Vec<String> {
        names.of(&Methods::Bits(bits)).into_iter().map(String::from).collect()
    }

    #[test]
    fn bits_are_named_in_configured_order() {
        let names = MethodNames::default();
        assert_eq!(named(&names, 2), ["password"]);
        assert_eq!(named(&names, 6), ["token", "password"]);
        assert_eq!(named(&names, 32), ["application_credential"]);
    }

    #[test]
    fn names_of_the_token_need_no_configuration() {
        let methods = Methods::Names(vec!["token".into(), "moon".into()]);
        assert_eq!(MethodNames::default().of(&methods), ["token", "moon"]);
    }

    #[test]
    fn a_bit_beyond_the_list_leaves_nothing_named() {
        let names = MethodNames::default();
        assert_eq!(named(&names, 127).len(), 7);
        assert_eq!(named(&names, 128), [""; 0]);
        assert_eq!(named(&names, 130), [""; 0]);
        assert_eq!(named(&MethodNames::new(vec![]).unwrap(), u64::MAX), [""; 0]);
    }

    #[test]
    fn a_bitmask_names_64_methods_at_most() {
        let names = |n| vec![String::from("m"); n];
        assert_eq!(named(&MethodNames::new(names(64)).unwrap(), u64::MAX).len(), 64);
        assert!(MethodNames::new(names(65)).is_none());
    }
}
