//! Roles, and what Keystone shows of them.

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::party::{InvalidRecord, is_text};
use crate::json::{FromJson, Json, Member, Reader, Writer, deserialize_as_json, from_fields};

/// The most roles of one user in one project, domain or system.
pub const MAX_ROLES: usize = 256;

/// The most bytes that the details of all roles of a record have, as JSON.
pub const MAX_ROLE_DETAILS: usize = 16 * 1024;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Role {
    /// Its id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What else Keystone shows of it, for tokens of trusts and federated ones. `None` for any other,
    /// and where that is not known: an older key server, or more of it than [`MAX_ROLE_DETAILS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<RoleDetails>,
}

/// What Keystone shows of a role besides its id and its name: `domain_id`, `description`, `options`,
/// and whatever else its maker gave it. No header has any of it.
///
/// It is held as the text of a JSON object: many records have it, and few answers show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDetails(Box<str>);

impl Role {
    /// A role of which no more is known.
    #[must_use]
    pub fn new(id: Option<String>, name: String) -> Self {
        Self { id, name, details: None }
    }
}

impl RoleDetails {
    fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The members as they stand in a text of JSON.
    pub(crate) fn members(&self) -> &str {
        let object = self.0.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        object.unwrap_or_default()
    }
}

impl From<Map<String, Value>> for RoleDetails {
    fn from(mut members: Map<String, Value>) -> Self {
        // They are the role's own.
        members.remove("id");
        members.remove("name");
        Self(Value::Object(members).to_string().into())
    }
}

impl Serialize for RoleDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // It was written by us.
        let members: Map<String, Value> = serde_json::from_str(&self.0).unwrap_or_default();
        members.serialize(serializer)
    }
}

from_fields! { Role { id, name, details } }
deserialize_as_json!(Role, RoleDetails);

impl FromJson for RoleDetails {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        if !matches!(json, Json::Object(_)) {
            reader.note("not an object");
        }
        let mut text = Writer::default();
        text.begin('{');
        for Member { name, value } in json.members() {
            // They are the role's own.
            if !matches!(name.as_str(), "id" | "name") {
                text.name(name).value(value);
            }
        }
        text.end('}');
        Self(text.into_text().into())
    }
}

/// Takes the details from all roles if they are more than an edge takes.
pub fn bound_details(roles: &mut [Role]) {
    if details_bytes(roles) > MAX_ROLE_DETAILS {
        for role in roles {
            role.details = None;
        }
    }
}

/// A comma in a role's name would make two roles of one in a header; spaces around it would be
/// trimmed by whoever reads the list, which makes another role of it.
pub(super) fn check_roles(roles: &[Role]) -> Result<(), InvalidRecord> {
    if roles.len() > MAX_ROLES {
        return Err(InvalidRecord::RoleCount);
    }
    if details_bytes(roles) > MAX_ROLE_DETAILS {
        return Err(InvalidRecord::RoleDetails);
    }
    let is_role = |Role { id, name, details: _ }: &Role| {
        let is_name = is_text(name) && !name.contains(',') && name.trim() == name;
        is_name && id.as_deref().is_none_or(is_text)
    };
    if roles.iter().all(is_role) { Ok(()) } else { Err(InvalidRecord::Text("roles")) }
}

fn details_bytes(roles: &[Role]) -> usize {
    roles.iter().filter_map(|role| role.details.as_ref()).map(RoleDetails::bytes).sum()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use serde_json::{from_value, json, to_value};

    fn role(details: &Value) -> Role {
        from_value(json!({"id": "r", "name": "reader", "details": details})).unwrap()
    }

    #[test]
    fn details_are_read_as_they_are_written() {
        for details in [
            json!({"domain_id": null, "description": null, "options": {}}),
            json!({"domain_id": null, "description": "two\n\"lines\"", "options": {"immutable": true},
                   "team": ["Ω", 1, 2.5, {"deep": [null, false]}]}),
            json!({}),
        ] {
            let role = role(&details);
            let shown = json!({"id": "r", "name": "reader", "details": details});
            assert_eq!(to_value(&role).unwrap(), shown);
            assert_eq!(to_value(role.details).unwrap(), shown["details"]);
        }
        for odd in [json!("text"), json!([]), json!(7)] {
            let json = json!({"name": "reader", "details": odd});
            assert!(from_value::<Role>(json).is_err());
        }
    }

    #[test]
    fn a_role_without_details_is_as_it_always_was() {
        for json in [json!({"id": "r", "name": "reader"}), json!({"name": "reader"})] {
            let role: Role = from_value(json.clone()).unwrap();
            assert_eq!((&role.details, to_value(&role).unwrap()), (&None, json));
        }
    }

    #[test]
    fn nothing_in_it_is_taken_for_the_roles_own() {
        let role = role(&json!({"id": "admin", "name": "admin", "options": {}}));
        assert_eq!((role.id.as_deref(), &*role.name), (Some("r"), "reader"));
        assert_eq!(to_value(role.details).unwrap(), json!({"options": {}}));
    }

    #[test]
    fn the_details_of_all_roles_have_a_limit() {
        // As JSON: {"a":"..."}
        let details = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
        let half = MAX_ROLE_DETAILS / 2;
        let mut roles = vec![role(&details(half)), role(&details(half))];
        assert_eq!(check_roles(&roles), Ok(()));
        bound_details(&mut roles);
        assert!(roles.iter().all(|role| role.details.is_some()));
        roles.push(Role::new(None, "plain".into()));
        assert_eq!(check_roles(&roles), Ok(()));
        roles.push(role(&json!({})));
        assert_eq!(check_roles(&roles), Err(InvalidRecord::RoleDetails));
        bound_details(&mut roles);
        let names: Vec<&str> = roles.iter().map(|role| &*role.name).collect();
        assert_eq!(names, ["reader", "reader", "plain", "reader"]);
        assert!(roles.iter().all(|role| role.details.is_none()));
    }
}
