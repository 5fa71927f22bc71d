//! Who may ask about a token: Keystone's own policy (`keystone/common/policies/token.py`), by its
//! defaults.

use super::Action;
use crate::record::IdentityRecord;

/// Whether a caller may ask about a token of this user, or about none.
///
/// The user is the one in the token, and the caller's is the one that it is presented as. So the token
/// of a trust that impersonates may not ask about itself: Keystone has it so.
#[must_use]
pub fn may_ask(action: Action, caller: &IdentityRecord, subject: Option<&str>) -> bool {
    // Names of roles have no case there.
    let has = |name| caller.roles.iter().any(|role| role.name.eq_ignore_ascii_case(name));
    has("admin")
        || (has("reader") && caller.is_system)
        || (has("service") && action == Action::Validate)
        || subject == Some(caller.user.id.as_str())
}

/// Whether a token of these methods may be used at Keystone at all. One that a signature of EC2 was
/// exchanged for may not.
#[must_use]
pub fn can_authorize(methods: &[&str]) -> bool {
    !methods.contains(&"ec2credential")
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec::Vec;
    use serde_json::{from_value, json};

    #[test]
    fn administrators_readers_of_the_system_services_and_the_subject_may_ask() {
        for (roles, is_system, validates, checks) in [
            (&["admin"][..], false, true, true),
            (&["member", "ADMIN"], false, true, true),
            (&["reader"], true, true, true),
            (&["Reader"], true, true, true),
            (&["reader"], false, false, false),
            (&["member"], true, false, false),
            (&["service"], false, true, false),
            (&["service"], true, true, false),
            (&["administrator", "services", "admin "], true, false, false),
            (&[], false, false, false),
        ] {
            let named: Vec<_> = roles.iter().map(|name| json!({"name": name})).collect();
            let record = json!({"user": {"id": "u"}, "roles": named, "is_system": is_system});
            let caller: IdentityRecord = from_value(record).unwrap();
            for (action, expected) in [(Action::Validate, validates), (Action::Check, checks)] {
                assert_eq!(may_ask(action, &caller, Some("v")), expected, "{roles:?} {action:?}");
                assert_eq!(may_ask(action, &caller, None), expected, "{roles:?} {action:?}");
                assert!(may_ask(action, &caller, Some("u")));
            }
        }
    }

    #[test]
    fn what_a_signature_was_exchanged_for_is_not_for_keystone() {
        assert!(can_authorize(&["token", "password"]));
        assert!(can_authorize(&[]));
        assert!(!can_authorize(&["token", "ec2credential"]));
    }
}
