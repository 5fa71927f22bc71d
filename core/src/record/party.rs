//! Who appears in records: users, projects, domains, and what stands between a user and its
//! rights; and which texts of theirs can be told to a service.

use alloc::string::String;
use core::fmt;

use serde::Serialize;

use crate::json::{FromJson, Json, Reader, deserialize_as_json, from_fields, variant};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The domain that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// A project: an organisation, an account, a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The domain that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Through what a user's rights came to an access key or a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delegation {
    /// An OAuth 1 access token, by its id.
    AccessToken(String),
    /// An application credential, by its id.
    ApplicationCredential(String),
    /// A trust, by its id.
    Trust(String),
}

/// Why a record cannot be made an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// More than [`super::MAX_ACCESS_RULES`].
    AccessRuleCount,
    /// More than [`super::MAX_ROLES`].
    RoleCount,
    /// More than [`super::MAX_ROLE_DETAILS`].
    RoleDetails,
    /// A text that no header can carry, or one longer than [`MAX_TEXT`]; this is its field.
    Text(&'static str),
}

from_fields! { User { id, name, domain } }
from_fields! { Project { id, name, domain } }
from_fields! { Domain { id, name } }
deserialize_as_json!(User, Project, Domain, Delegation);

impl FromJson for Delegation {
    fn from_json(json: &Json, reader: &mut Reader) -> Self {
        let (kind, id) = variant(json).unwrap_or_default();
        let id = String::from_json(id.unwrap_or(&Json::Null), reader);
        match kind {
            "access_token" => Self::AccessToken(id),
            "application_credential" => Self::ApplicationCredential(id),
            "trust" => Self::Trust(id),
            _ => {
                reader.note("no such delegation");
                Self::Trust(id)
            }
        }
    }
}

impl User {
    pub(super) fn check(&self) -> Result<(), InvalidRecord> {
        check_party("user", &self.id, self.name.as_deref(), self.domain.as_ref())
    }
}

impl Project {
    pub(super) fn check(&self) -> Result<(), InvalidRecord> {
        check_party("project", &self.id, self.name.as_deref(), self.domain.as_ref())
    }
}

impl Domain {
    pub(super) fn check(&self) -> Result<(), InvalidRecord> {
        check_party("domain", &self.id, self.name.as_deref(), None)
    }
}

impl Delegation {
    /// The id of what it is.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::AccessToken(id) | Self::ApplicationCredential(id) | Self::Trust(id) => id,
        }
    }

    pub(super) fn check(&self) -> Result<(), InvalidRecord> {
        check_texts("delegation", [self.id()])
    }
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessRuleCount => {
                write!(f, "access_rules: more than {}", super::MAX_ACCESS_RULES)
            }
            Self::RoleCount => write!(f, "roles: more than {}", super::MAX_ROLES),
            Self::RoleDetails => {
                write!(f, "roles: more than {} bytes of details", super::MAX_ROLE_DETAILS)
            }
            Self::Text(field) => write!(
                f,
                "{field}: empty, longer than {MAX_TEXT} bytes, or with a character that no header can carry"
            ),
        }
    }
}

impl core::error::Error for InvalidRecord {}

pub(super) fn check_texts<'a>(
    field: &'static str,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<(), InvalidRecord> {
    let are_texts = texts.into_iter().all(is_text);
    if are_texts { Ok(()) } else { Err(InvalidRecord::Text(field)) }
}

fn check_party(
    field: &'static str,
    id: &str,
    name: Option<&str>,
    domain: Option<&Domain>,
) -> Result<(), InvalidRecord> {
    let domain_texts = domain.map(|domain| (Some(domain.id.as_str()), domain.name.as_deref()));
    let (domain_id, domain_name) = domain_texts.unwrap_or_default();
    check_texts(field, [Some(id), name, domain_id, domain_name].into_iter().flatten())
}

/// A control character ends a header.
pub(super) fn is_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The longest id or name, in bytes: Keystone's columns hold 255 characters.
pub const MAX_TEXT: usize = 1020;
