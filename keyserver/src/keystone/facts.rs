//! Everything that the answer to a question rests on, and its fingerprint.
//!
//! Two ways lead to the same facts: the lookup of one access key, and the check of many at a time.
//! Where their fingerprints differ, something has changed between the two.

use std::hash::{BuildHasher, Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256};
use voussoir_core::record::{Delegation, Domain};

use super::identity::{ApplicationCredential, KnownRole, Owner, Trust};

/// What Keystone's database has for an access key.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The SHA-256 of the sealed blob, in hexadecimal digits.
    pub(super) blob: &'a str,
    pub(super) owner: &'a Owner,
    pub(super) given: &'a Given,
}

/// What a credential was made with.
#[derive(Debug)]
pub(super) enum Given {
    /// A password or a token of its owner.
    Nothing,
    /// `None` if there is no such application credential any more.
    ApplicationCredential(String, Option<ApplicationCredential>),
    /// `None` if there is no such trust any more.
    Trust(String, Option<Trust>),
    /// What no key comes of.
    Other,
}

/// A fingerprint of facts; 64 bits under a random key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// There is no credential.
    pub(super) const ABSENT: Self = Self(0);
}

impl Facts<'_> {
    pub(super) fn fingerprint(&self, state: &impl BuildHasher) -> Fingerprint {
        let mut hasher = state.build_hasher();
        let hasher = &mut hasher;
        let Owner { user, project, is_enabled, roles } = self.owner;
        let domain =
            |domain: &Option<Domain>| domain.clone().map(|domain| (domain.id, domain.name));
        (self.blob, &user.id, &user.name, domain(&user.domain), is_enabled).hash(hasher);
        let project = project.as_ref();
        project.map(|project| (&project.id, &project.name, domain(&project.domain))).hash(hasher);
        sorted(roles).hash(hasher);
        match self.given {
            Given::Nothing | Given::Other => {}
            Given::ApplicationCredential(id, given) => {
                id.hash(hasher);
                if let Some(given) = given {
                    let ApplicationCredential {
                        user_id,
                        project_id,
                        expires_at,
                        has_access_rules,
                        roles,
                    } = given;
                    (user_id, project_id, expires_at, has_access_rules).hash(hasher);
                    sorted(roles).hash(hasher);
                }
            }
            Given::Trust(id, given) => {
                id.hash(hasher);
                if let Some(given) = given {
                    let Trust {
                        trustor_id,
                        trustee_id,
                        project_id,
                        is_impersonation,
                        expires_at,
                        is_special,
                        is_enabled,
                        roles,
                        trustor_roles,
                    } = given;
                    (trustor_id, trustee_id, project_id, is_impersonation).hash(hasher);
                    (expires_at, is_special, is_enabled).hash(hasher);
                    sorted(roles).hash(hasher);
                    sorted(trustor_roles).hash(hasher);
                }
            }
        }
        Fingerprint(hasher.finish().max(1))
    }
}

impl Given {
    pub(super) fn delegation(&self) -> Option<Delegation> {
        match self {
            Self::Nothing | Self::Other => None,
            Self::ApplicationCredential(id, _) => {
                Some(Delegation::ApplicationCredential(id.clone()))
            }
            Self::Trust(id, _) => Some(Delegation::Trust(id.clone())),
        }
    }
}

/// The SHA-256 of a sealed blob, as databases write it.
pub(super) fn blob_hash(sealed: &str) -> String {
    super::hex(&Sha256::digest(sealed))
}

fn sorted(roles: &[KnownRole]) -> Vec<&KnownRole> {
    let mut roles: Vec<&KnownRole> = roles.iter().collect();
    roles.sort_unstable();
    roles
}
