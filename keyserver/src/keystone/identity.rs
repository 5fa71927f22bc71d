//! Whom a credential of Keystone's stands for, as Keystone itself would decide it
//! (`keystone/api/_shared/EC2_S3_Resource.py`, `keystone/models/token_model.py`).

use std::collections::HashSet;

use serde::Deserialize;
use voussoir_core::record::{
    AccessKeyFault, CredentialRecord, Delegation, Domain, Project, Role, User,
};
use voussoir_core::time::UnixTime;

use super::statements::{application_credential, credential, trust};
use crate::database::{DatabaseError, Row};

/// A role as the database has it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KnownRole {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain_id: Option<String>,
}

/// A credential with its user and project, and the roles that the one has in the other.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) user: User,
    pub(super) project: Option<Project>,
    pub(super) is_enabled: bool,
    pub(super) roles: Vec<KnownRole>,
}

/// An application credential that a credential was made with.
#[derive(Clone, Debug)]
pub(super) struct ApplicationCredential {
    pub(super) user_id: String,
    pub(super) project_id: Option<String>,
    pub(super) expires_at: Option<i64>,
    pub(super) has_access_rules: bool,
    pub(super) roles: Vec<KnownRole>,
}

/// A trust that a credential was made with.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) trustor_id: String,
    pub(super) trustee_id: String,
    pub(super) project_id: Option<String>,
    pub(super) is_impersonation: bool,
    pub(super) expires_at: Option<i64>,
    pub(super) is_special: bool,
    pub(super) is_enabled: bool,
    pub(super) roles: Vec<KnownRole>,
    pub(super) trustor_roles: Vec<KnownRole>,
}

impl Owner {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        let user_domain = domain(row, credential::USER_DOMAIN_ID, credential::USER_DOMAIN_NAME)?;
        let project_domain =
            domain(row, credential::PROJECT_DOMAIN_ID, credential::PROJECT_DOMAIN_NAME)?;
        let project_name = row.optional_text(credential::PROJECT_NAME)?;
        let project_id = row.optional_text(credential::PROJECT_ID)?;
        Ok(Self {
            user: User {
                id: row.optional_text(credential::USER_ID)?.unwrap_or_default(),
                name: row.optional_text(credential::USER_NAME)?,
                domain: user_domain,
            },
            project: project_id.map(|id| Project {
                id,
                name: project_name,
                domain: project_domain,
            }),
            is_enabled: yes(row, credential::IS_ENABLED)?,
            roles: roles(row, credential::ROLES)?,
        })
    }

    /// With all the rights that its user has in its project.
    pub(super) fn record(self) -> Result<CredentialRecord, AccessKeyFault> {
        self.restricted(None, None, |role, has| has.contains(&*role.id))
    }

    /// With what of an application credential's roles its user still has.
    ///
    /// One with access rules is good for some requests only. Nobody behind the filter would ask
    /// which, so no key comes of it.
    pub(super) fn record_of_application_credential(
        self,
        id: String,
        given: &ApplicationCredential,
        now: UnixTime,
    ) -> Result<CredentialRecord, AccessKeyFault> {
        let is_of_another = given.user_id != self.user.id
            || given.project_id.as_ref() != self.project.as_ref().map(|project| &project.id);
        if is_of_another || given.has_access_rules {
            return Err(AccessKeyFault::AccessKeyDisabled);
        }
        let expires_at = end(given.expires_at, now)?;
        let roles: HashSet<&str> = given.roles.iter().map(|role| &*role.id).collect();
        let delegation = Delegation::ApplicationCredential(id);
        self.restricted(Some(delegation), expires_at, |role, has| {
            has.contains(&*role.id) && roles.contains(&*role.id)
        })
    }

    /// With a trust's roles, as long as the trustor has them all.
    ///
    /// Who impersonates a trustor is the trustor to services, as in a token. What Keystone counts or
    /// follows from trust to trust makes no key.
    pub(super) fn record_of_trust(
        mut self,
        id: String,
        given: Trust,
        now: UnixTime,
    ) -> Result<CredentialRecord, AccessKeyFault> {
        let actor = if given.is_impersonation { &given.trustor_id } else { &given.trustee_id };
        let is_of_another = *actor != self.user.id
            || given.project_id.as_ref() != self.project.as_ref().map(|project| &project.id);
        let held: HashSet<&str> = given.trustor_roles.iter().map(|role| &*role.id).collect();
        let are_held = given.roles.iter().all(|role| held.contains(&*role.id));
        if is_of_another || given.is_special || !given.is_enabled || !are_held {
            return Err(AccessKeyFault::AccessKeyDisabled);
        }
        let expires_at = end(given.expires_at, now)?;
        self.roles = given.roles;
        self.restricted(Some(Delegation::Trust(id)), expires_at, |_, _| true)
    }

    fn restricted(
        self,
        delegation: Option<Delegation>,
        expires_at: Option<u64>,
        holds: impl Fn(&KnownRole, &HashSet<&str>) -> bool,
    ) -> Result<CredentialRecord, AccessKeyFault> {
        if !self.is_enabled || self.project.is_none() {
            return Err(AccessKeyFault::AccessKeyDisabled);
        }
        let has: HashSet<&str> = self.roles.iter().map(|role| &*role.id).collect();
        let is_for_services =
            |role: &&KnownRole| role.domain_id.as_deref().is_none_or(|domain| domain == NO_DOMAIN);
        let mut roles: Vec<Role> = self
            .roles
            .iter()
            .filter(is_for_services)
            .filter(|role| holds(role, &has))
            .map(|role| Role { id: Some(role.id.clone()), name: role.name.clone() })
            .collect();
        if roles.is_empty() {
            return Err(AccessKeyFault::AccessKeyDisabled);
        }
        // The same roles are the same answer, whatever order the database found them in.
        roles.sort_unstable_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(CredentialRecord {
            user: self.user,
            project: self.project,
            roles,
            delegation,
            expires_at,
            session_token_sha256: None,
        })
    }
}

impl ApplicationCredential {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            user_id: row.text(application_credential::USER_ID)?,
            project_id: row.optional_text(application_credential::PROJECT_ID)?,
            expires_at: row.optional_integer(application_credential::EXPIRES_AT)?,
            has_access_rules: yes(row, application_credential::HAS_ACCESS_RULES)?,
            roles: roles(row, application_credential::ROLES)?,
        })
    }
}

impl Trust {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            trustor_id: row.text(trust::TRUSTOR_ID)?,
            trustee_id: row.text(trust::TRUSTEE_ID)?,
            project_id: row.optional_text(trust::PROJECT_ID)?,
            is_impersonation: yes(row, trust::IS_IMPERSONATION)?,
            expires_at: row.optional_integer(trust::EXPIRES_AT)?,
            is_special: yes(row, trust::IS_SPECIAL)?,
            is_enabled: yes(row, trust::IS_ENABLED)?,
            roles: roles(row, trust::ROLES)?,
            trustor_roles: roles(row, trust::TRUSTOR_ROLES)?,
        })
    }
}

/// The second in which something ends that is given in microseconds, if that is yet to come.
fn end(expires_at: Option<i64>, now: UnixTime) -> Result<Option<u64>, AccessKeyFault> {
    let Some(expires_at) = expires_at else { return Ok(None) };
    let expires_at = UnixTime::from_micros(u64::try_from(expires_at).unwrap_or_default());
    if now >= expires_at {
        return Err(AccessKeyFault::AccessKeyExpired);
    }
    Ok(Some(expires_at.as_secs()))
}

pub(super) fn yes(row: &Row, column: usize) -> Result<bool, DatabaseError> {
    Ok(row.text(column)? == "y")
}

fn roles(row: &Row, column: usize) -> Result<Vec<KnownRole>, DatabaseError> {
    let Some(json) = row.optional_text(column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&json).map_err(|_| DatabaseError::Answer("a list of roles"))
}

fn domain(row: &Row, id: usize, name: usize) -> Result<Option<Domain>, DatabaseError> {
    let name = row.optional_text(name)?;
    Ok(row.optional_text(id)?.map(|id| Domain { id, name }))
}

/// The domain of roles that belong to none.
const NO_DOMAIN: &str = "<<null>>";

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: &str) -> KnownRole {
        let domain_id = if id.starts_with("of-a-domain") { "d" } else { NO_DOMAIN };
        KnownRole { id: id.into(), name: id.to_uppercase(), domain_id: Some(domain_id.into()) }
    }

    fn all(ids: &str) -> Vec<KnownRole> {
        ids.split_whitespace().map(role).collect()
    }

    fn owner(roles: &str) -> Owner {
        Owner {
            user: User { id: "u".into(), name: None, domain: None },
            project: Some(Project { id: "p".into(), name: None, domain: None }),
            is_enabled: true,
            roles: all(roles),
        }
    }

    fn given(roles: &str) -> ApplicationCredential {
        ApplicationCredential {
            user_id: "u".into(),
            project_id: Some("p".into()),
            expires_at: None,
            has_access_rules: false,
            roles: all(roles),
        }
    }

    fn trust(roles: &str, trustor_roles: &str) -> Trust {
        Trust {
            trustor_id: "u".into(),
            trustee_id: "other".into(),
            project_id: Some("p".into()),
            is_impersonation: true,
            expires_at: None,
            is_special: false,
            is_enabled: true,
            roles: all(roles),
            trustor_roles: all(trustor_roles),
        }
    }

    type Answer = Result<CredentialRecord, AccessKeyFault>;

    fn names(answer: &Answer) -> Result<Vec<&str>, AccessKeyFault> {
        let record = answer.as_ref().map_err(|fault| *fault)?;
        Ok(record.roles.iter().map(|role| &*role.name).collect())
    }

    fn now() -> UnixTime {
        UnixTime::from_secs(1_000)
    }

    const DISABLED: Result<Vec<&str>, AccessKeyFault> = Err(AccessKeyFault::AccessKeyDisabled);

    #[test]
    fn roles_of_a_domain_are_not_for_services() {
        assert_eq!(names(&owner("b of-a-domain a").record()), Ok(vec!["A", "B"]));
        assert_eq!(names(&owner("of-a-domain").record()), DISABLED);
        assert_eq!(names(&owner("").record()), DISABLED);
    }

    #[test]
    fn whoever_is_disabled_or_has_no_project_gets_nothing() {
        assert_eq!(names(&Owner { is_enabled: false, ..owner("a") }.record()), DISABLED);
        assert_eq!(names(&Owner { project: None, ..owner("a") }.record()), DISABLED);
    }

    #[test]
    fn an_application_credential_gives_no_role_that_was_lost() {
        let answer = |owner: Owner, given| {
            owner.record_of_application_credential("ac".into(), &given, now())
        };
        let record = answer(owner("a b"), given("a c"));
        assert_eq!(names(&record), Ok(vec!["A"]));
        let delegation = record.unwrap().delegation;
        assert_eq!(delegation, Some(Delegation::ApplicationCredential("ac".into())));
        for (owner, given) in [
            (owner("b"), given("a")),
            (owner("a"), ApplicationCredential { user_id: "v".into(), ..given("a") }),
            (owner("a"), ApplicationCredential { project_id: Some("q".into()), ..given("a") }),
            (owner("a"), ApplicationCredential { project_id: None, ..given("a") }),
            (owner("a"), ApplicationCredential { has_access_rules: true, ..given("a") }),
            (Owner { is_enabled: false, ..owner("a") }, given("a")),
        ] {
            assert_eq!(names(&answer(owner, given)), DISABLED);
        }
    }

    #[test]
    fn a_trust_gives_its_roles_while_the_trustor_has_them_all() {
        let answer = |owner: Owner, trust| owner.record_of_trust("t".into(), trust, now());
        assert_eq!(names(&answer(owner("a b"), trust("a", "a b"))), Ok(vec!["A"]));
        let as_himself = Trust {
            trustor_id: "other".into(),
            trustee_id: "u".into(),
            is_impersonation: false,
            ..trust("a", "a")
        };
        assert_eq!(names(&answer(owner(""), as_himself)), Ok(vec!["A"]));
        for trust in [
            trust("a b", "a"),
            trust("", "a"),
            Trust { trustor_id: "other".into(), ..trust("a", "a") },
            Trust { is_impersonation: false, ..trust("a", "a") },
            Trust { project_id: Some("q".into()), ..trust("a", "a") },
            Trust { is_special: true, ..trust("a", "a") },
            Trust { is_enabled: false, ..trust("a", "a") },
        ] {
            assert_eq!(names(&answer(owner("a"), trust)), DISABLED);
        }
    }

    #[test]
    fn a_delegation_ends_and_the_record_says_when() {
        let answer = |expires_at| {
            let given = ApplicationCredential { expires_at: Some(expires_at), ..given("a") };
            owner("a").record_of_application_credential("ac".into(), &given, now())
        };
        assert_eq!(answer(1_000_000_001).unwrap().expires_at, Some(1_000));
        assert_eq!(answer(2_000_000_000).unwrap().expires_at, Some(2_000));
        for expires_at in [1_000_000_000, 0, -1] {
            assert_eq!(names(&answer(expires_at)), Err(AccessKeyFault::AccessKeyExpired));
        }
        let trust = Trust { expires_at: Some(1), ..trust("a", "a") };
        let record = owner("a").record_of_trust("t".into(), trust, now());
        assert_eq!(names(&record), Err(AccessKeyFault::AccessKeyExpired));
    }
}
