//! Whom an access key stands for.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::party::{Delegation, InvalidRecord, Project, User};
use super::role::{Role, check_roles};
use crate::json::{FromJson, Json, Reader, deserialize_as_json, from_fields};
use crate::sigv4::{Hex, hex_bytes};
use crate::time::UnixTime;

/// The identity behind an access key, as Keystone would present it: what becomes the headers that
/// a service reads.
///
/// A record says that the key is good *now*: for a key that is disabled, or whose user, project or
/// domain is, or that has no role left, the key server sends a [`super::Denial`] instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialRecord {
    /// Who acts.
    pub user: User,
    /// In which project, or in no project's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The effective roles there: direct, of groups, inherited, implied.
    pub roles: Vec<Role>,
    /// Through what the user's rights came to this key, where it has not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// The second, in UNIX time, from which on the key is good no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// A temporary key is good with its session token only, and any other key without one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token_sha256: Option<SessionTokenHash>,
}

/// The SHA-256 of a session token: enough to know it by, and not the token.
#[derive(Clone, Copy)]
pub struct SessionTokenHash([u8; 32]);

from_fields! { CredentialRecord {
    user, project, roles or default, delegation, expires_at, session_token_sha256
} }
deserialize_as_json!(CredentialRecord);
deserialize_as_json!(SessionTokenHash);

impl CredentialRecord {
    /// Whether all of it can be told to a service in headers.
    pub fn check(&self) -> Result<(), InvalidRecord> {
        let Self { user, project, roles, delegation, .. } = self;
        user.check()?;
        project.as_ref().map_or(Ok(()), Project::check)?;
        check_roles(roles)?;
        delegation.as_ref().map_or(Ok(()), Delegation::check)
    }

    /// Whether the key is good at a time.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.is_some_and(|expires_at| now >= UnixTime::from_secs(expires_at))
    }
}

impl SessionTokenHash {
    /// The hash of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether this is the hash of `token`, compared in constant time.
    #[must_use]
    pub fn matches(&self, token: &[u8]) -> bool {
        *self == Self::of(token)
    }
}

/// In constant time.
impl PartialEq for SessionTokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SessionTokenHash {}

impl fmt::Debug for SessionTokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionTokenHash(..)")
    }
}

/// In 64 hexadecimal digits.
impl Serialize for SessionTokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}", Hex(&self.0)))
    }
}

impl FromJson for SessionTokenHash {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let digits = json.as_text().unwrap_or_default();
        Self(hex_bytes(digits.as_bytes()).unwrap_or_else(|| {
            reader.note("not a SHA-256");
            [0; 32]
        }))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::{MAX_ROLES, MAX_TEXT};
    use serde_json::{from_value, json, to_value};

    fn whole() -> serde_json::Value {
        json!({
            "user": {"id": "u1", "name": "Ann", "domain": {"id": "d1", "name": "Users"}},
            "project": {"id": "p1", "name": "Ω", "domain": {"id": "d2"}},
            "roles": [{"id": "r1", "name": "member"}, {"name": "reader"}],
            "delegation": {"trust": "t1"},
            "expires_at": 1_700_000_000,
            "session_token_sha256":
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        })
    }

    fn record(changes: &serde_json::Value) -> CredentialRecord {
        let mut record = whole();
        let fields = changes.as_object().unwrap();
        record.as_object_mut().unwrap().extend(fields.clone());
        from_value(record).unwrap()
    }

    #[test]
    fn is_read_as_it_is_written() {
        let record: CredentialRecord = from_value(whole()).unwrap();
        assert_eq!(to_value(&record).unwrap(), whole());
        assert_eq!(record.check(), Ok(()));
        let least: CredentialRecord = from_value(json!({"user": {"id": "u1"}})).unwrap();
        assert_eq!(to_value(&least).unwrap(), json!({"user": {"id": "u1"}, "roles": []}));
        assert_eq!(least.check(), Ok(()));
    }

    #[test]
    fn nothing_in_it_may_end_a_header_or_make_a_role() {
        for (changes, field) in [
            (json!({"user": {"id": ""}}), "user"),
            (json!({"user": {"id": "a", "name": "a\r\nx-roles: admin"}}), "user"),
            (json!({"user": {"id": "a", "domain": {"id": "a", "name": "\u{7f}"}}}), "user"),
            (json!({"project": {"id": "a\0"}}), "project"),
            (json!({"project": {"id": "a".repeat(MAX_TEXT + 1)}}), "project"),
            (json!({"roles": [{"name": "reader"}, {"name": "member,admin"}]}), "roles"),
            (json!({"roles": [{"name": "reader"}, {"name": " admin"}]}), "roles"),
            (json!({"roles": [{"name": "admin "}]}), "roles"),
            (json!({"delegation": {"access_token": "\n"}}), "delegation"),
        ] {
            assert_eq!(record(&changes).check(), Err(InvalidRecord::Text(field)));
        }
        let roles: Vec<_> = (0..=MAX_ROLES).map(|_| json!({"name": "r"})).collect();
        assert_eq!(record(&json!({"roles": roles})).check(), Err(InvalidRecord::RoleCount));
    }

    #[test]
    fn ends_with_its_last_second() {
        let record = record(&json!({"expires_at": 100}));
        assert!(!record.is_expired(UnixTime::from_micros(99_999_999)));
        assert!(record.is_expired(UnixTime::from_secs(100)));
    }

    #[test]
    fn a_session_token_is_known_by_its_hash() {
        let hash = record(&json!({})).session_token_sha256.unwrap();
        assert!(hash.matches(b""));
        assert!(!hash.matches(b"token"));
        assert!(SessionTokenHash::of(b"token").matches(b"token"));
    }
}
