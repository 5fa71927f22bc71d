//! What Keystone's database has for a question: everything that the answer rests on, whichever way it
//! was read, and its fingerprint.
//!
//! Two ways lead to the same facts: the lookup of one (`lookup.rs`), and the check of many at a time
//! (`rows.rs`). Where their fingerprints differ, something has changed between the two.

use std::hash::{BuildHasher, Hash};

use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use voussoir_core::record::{Domain, Project, Role, RoleDetails, User, bound_details};

/// A user, and whether it is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KnownUser {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) domain: Option<KnownDomain>,
    pub(super) is_enabled: bool,
}

/// A project, or a domain, and whether it is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KnownProject {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// A domain lies in none.
    pub(super) domain: Option<KnownDomain>,
    pub(super) is_enabled: bool,
    pub(super) is_domain: bool,
}

/// A domain that something belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KnownDomain {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) is_enabled: bool,
}

/// A role as the database has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KnownRole {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain_id: Option<String>,
    /// Where tokens have them.
    #[serde(default)]
    pub(super) details: Option<KnownDetails>,
}

/// What Keystone shows of a role in a token of a trust or a federated one, besides its id and its name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KnownDetails {
    pub(super) description: Option<String>,
    /// JSON.
    pub(super) immutable: Option<String>,
    /// What else its maker gave it: JSON.
    pub(super) extra: Option<String>,
}

/// Roles in the order of their names and ids, whatever order the database found them in: the same
/// roles are the same facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Roles(Vec<KnownRole>);

/// A user and a project or domain, and the roles that the one has in the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) user: Option<KnownUser>,
    pub(super) project: Option<KnownProject>,
    pub(super) roles: Roles,
}

/// What a credential or token was made with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// The user's own authentication.
    Nothing,
    /// `None` if there is no such access token any more.
    AccessToken(Option<AccessToken>),
    /// `None` if there is no such application credential any more.
    ApplicationCredential(Option<ApplicationCredential>),
    /// The trust, and those that it was given on from, the first of all at the end. Without any there
    /// is no such trust any more; with a parent at the end, the rest of them is missing.
    Trust(Vec<Trust>),
    /// What no key comes of.
    Other,
}

/// An application credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ApplicationCredential {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user_id: String,
    pub(super) project_id: Option<String>,
    pub(super) expires_at: Option<i64>,
    pub(super) is_unrestricted: bool,
    pub(super) access_rules: Vec<KnownRule>,
    pub(super) roles: Roles,
}

/// An access rule as the database has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KnownRule {
    pub(super) id: Option<String>,
    pub(super) service: Option<String>,
    pub(super) path: Option<String>,
    pub(super) method: Option<String>,
}

/// A trust.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Trust {
    pub(super) id: String,
    pub(super) trustor_id: String,
    pub(super) trustee_id: String,
    pub(super) project_id: Option<String>,
    pub(super) is_impersonation: bool,
    pub(super) expires_at: Option<i64>,
    pub(super) has_old_end: bool,
    pub(super) remaining_uses: Option<i64>,
    pub(super) redelegation_count: Option<i64>,
    pub(super) parent_id: Option<String>,
    pub(super) trustor: Option<KnownUser>,
    pub(super) is_trustee_enabled: bool,
    pub(super) roles: Roles,
    pub(super) trustor_roles: Roles,
}

/// An OAuth 1 access token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccessToken {
    pub(super) id: String,
    pub(super) user_id: String,
    pub(super) project_id: String,
    pub(super) consumer_id: String,
    pub(super) roles: Roles,
}

/// What an access key rests on.
#[derive(Debug, Hash)]
pub(super) struct CredentialFacts<'a> {
    /// The SHA-256 of the sealed blob, in hexadecimal digits.
    pub(super) blob: &'a str,
    pub(super) owner: &'a Owner,
    pub(super) given: &'a Given,
}

/// What an identity rests on. When a password ends is no part of it: Keystone tells of every change of
/// a password itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenFacts {
    pub(super) owner: Owner,
    pub(super) given: Given,
    /// Whether the identity provider is known that spoke for the user, if one did.
    pub(super) is_provider_known: Option<bool>,
}

/// A fingerprint of facts; 64 bits under a random key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// There is nothing.
    pub(super) const ABSENT: Self = Self(0);

    pub(super) fn of(facts: &impl Hash, state: &impl BuildHasher) -> Self {
        Self(state.hash_one(facts).max(1))
    }
}

impl TokenFacts {
    /// There is no such user, and so nothing else is known either.
    pub(super) fn of_nobody(given: Given, is_federated: bool) -> Self {
        let owner = Owner { user: None, project: None, roles: Roles::default() };
        Self { owner, given, is_provider_known: is_federated.then_some(false) }
    }
}

impl KnownUser {
    /// Whether the user and its domain are enabled.
    pub(super) fn is_enabled(&self) -> bool {
        self.is_enabled && is_enabled(self.domain.as_ref())
    }

    pub(super) fn to_user(&self) -> User {
        let domain = self.domain.as_ref().map(KnownDomain::to_domain);
        User { id: self.id.clone(), name: self.name.clone(), domain }
    }
}

impl KnownProject {
    /// Whether the project and its domain are enabled.
    pub(super) fn is_enabled(&self) -> bool {
        self.is_enabled && is_enabled(self.domain.as_ref())
    }

    pub(super) fn to_project(&self) -> Project {
        let domain = self.domain.as_ref().map(KnownDomain::to_domain);
        Project { id: self.id.clone(), name: self.name.clone(), domain }
    }

    pub(super) fn to_domain(&self) -> Domain {
        Domain { id: self.id.clone(), name: self.name.clone() }
    }
}

impl KnownDomain {
    /// The domain that a project belongs to; `None` for what stands above all domains.
    pub(super) fn new(id: Option<String>, name: Option<String>, is_enabled: bool) -> Option<Self> {
        let id = id.filter(|id| id != ROOT)?;
        Some(Self { id, name, is_enabled })
    }

    fn to_domain(&self) -> Domain {
        Domain { id: self.id.clone(), name: self.name.clone() }
    }
}

impl Roles {
    pub(super) fn new(roles: impl IntoIterator<Item = KnownRole>) -> Self {
        let mut roles: Vec<KnownRole> = roles.into_iter().collect();
        roles.sort_unstable_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        roles.dedup();
        Self(roles)
    }

    pub(super) fn contain(&self, id: &str) -> bool {
        self.0.iter().any(|role| role.id == id)
    }

    /// Whether all of these are among `others`.
    pub(super) fn are_among(&self, others: &Self) -> bool {
        self.0.iter().all(|role| others.contain(&role.id))
    }

    /// Those that are among `others`.
    pub(super) fn within(&self, others: &Self) -> Self {
        Self(self.0.iter().filter(|role| others.contain(&role.id)).cloned().collect())
    }

    pub(super) fn and(self, others: Self) -> Self {
        Self::new(self.0.into_iter().chain(others.0))
    }

    /// Without what only some tokens have of them.
    pub(super) fn without_details(mut self) -> Self {
        for role in &mut self.0 {
            role.details = None;
        }
        self
    }

    /// As services are told of them: those of a domain are left out.
    pub(super) fn for_services(&self) -> Vec<Role> {
        let is_for_services =
            |role: &&KnownRole| role.domain_id.as_deref().is_none_or(|domain| domain == NO_DOMAIN);
        let roles = self.0.iter().filter(is_for_services);
        roles.map(|role| Role::new(Some(role.id.clone()), role.name.clone())).collect()
    }

    /// The same, with all that Keystone shows of them where it shows them whole.
    pub(super) fn for_services_whole(&self) -> Vec<Role> {
        let mut roles = self.for_services();
        for shown in &mut roles {
            let known = self.0.iter().find(|known| shown.id.as_deref() == Some(&*known.id));
            let details = known.and_then(|known| known.details.as_ref());
            shown.details = details.and_then(KnownDetails::to_details);
        }
        bound_details(&mut roles);
        roles
    }
}

impl KnownDetails {
    /// As Keystone shows them of a role that belongs to no domain (`keystone/assignment/role_backends`).
    /// `None` if something in the database is not what Keystone writes there.
    fn to_details(&self) -> Option<RoleDetails> {
        let Self { description, immutable, extra } = self;
        let mut members: Map<String, Value> = match extra {
            Some(json) => serde_json::from_str(json).ok()?,
            None => Map::new(),
        };
        let mut options = Map::new();
        if let Some(json) = immutable {
            options.insert("immutable".into(), serde_json::from_str(json).ok()?);
        }
        members.insert("domain_id".into(), Value::Null);
        members.insert("description".into(), description.clone().into());
        members.insert("options".into(), options.into());
        Some(members.into())
    }
}

/// The SHA-256 of a sealed blob, as databases write it.
pub(super) fn blob_hash(sealed: &str) -> String {
    super::hex(&Sha256::digest(sealed))
}

fn is_enabled(domain: Option<&KnownDomain>) -> bool {
    domain.is_some_and(|domain| domain.is_enabled)
}

/// The domain of roles that belong to none.
pub(super) const NO_DOMAIN: &str = "<<null>>";
/// What all domains belong to.
const ROOT: &str = "<<keystone.domain.root>>";
