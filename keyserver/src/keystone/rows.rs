//! The rows that many records rest on, read with few statements, and the facts that follow from them:
//! the same as those of `statements.rs`'s one statement for one access key.

use std::collections::{HashMap, HashSet};

use voussoir_core::record::{Delegation, Domain, Project, User};

use super::facts::Given;
use super::identity::{ApplicationCredential, KnownRole, Owner, Trust, yes};
use super::statements::{
    ASSIGNMENTS, IMPLIED_ROLES, PROJECTS, ROLES, Statements, TRUST_ROLES, application_credential,
};
use super::watched::Target;
use crate::access_keys::Unavailable;
use crate::database::{Database, DatabaseError, Row};

/// What was read of Keystone's database, by id.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) credentials: HashMap<String, Credential>,
    users: HashMap<String, KnownUser>,
    /// The groups of a user.
    groups: HashMap<String, Vec<String>>,
    /// The grants to a user or group.
    grants: HashMap<String, Vec<Grant>>,
    /// Projects and domains.
    projects: HashMap<String, KnownProject>,
    roles: HashMap<String, KnownRole>,
    /// The roles that a role implies.
    implied: HashMap<String, Vec<String>>,
    application_credentials: HashMap<String, ApplicationCredential>,
    trusts: HashMap<String, KnownTrust>,
}

pub(super) struct Credential {
    pub(super) blob: String,
    user_id: String,
    project_id: Option<String>,
}

struct KnownUser {
    name: Option<String>,
    domain_id: Option<String>,
    is_enabled: bool,
}

struct Grant {
    target_id: String,
    role_id: String,
    is_inherited: bool,
    is_on_project: bool,
}

struct KnownProject {
    name: Option<String>,
    domain_id: Option<String>,
    parent_id: Option<String>,
    is_enabled: bool,
    is_domain: bool,
}

struct KnownTrust {
    trustor_id: String,
    trustee_id: String,
    project_id: Option<String>,
    is_impersonation: bool,
    expires_at: Option<i64>,
    is_special: bool,
    role_ids: Vec<String>,
}

impl Rows {
    /// Reads all that the records of these access keys rest on.
    pub(super) async fn read(
        database: &Database,
        statements: &Statements,
        targets: &[Target],
    ) -> Result<Self, Unavailable> {
        let mut rows = Self::default();
        let ids: Vec<&str> = targets.iter().map(|target| &*target.credential_id).collect();
        for row in database.rows_of(statements.credentials, &ids).await? {
            rows.add_credential(&row)?;
        }
        let (mut trusts, mut application_credentials) = (Vec::new(), Vec::new());
        for target in targets {
            match &target.delegation {
                Some(Delegation::Trust(id)) => trusts.push(&**id),
                Some(Delegation::ApplicationCredential(id)) => application_credentials.push(&**id),
                _ => {}
            }
        }
        for row in database.rows_of(statements.trusts, &trusts).await? {
            rows.add_trust(&row)?;
        }
        for row in database.rows_of(TRUST_ROLES, &trusts).await? {
            if let Some(trust) = rows.trusts.get_mut(&row.text(0)?) {
                trust.role_ids.push(row.text(1)?);
            }
        }
        let statement = statements.application_credentials;
        for row in database.rows_of(statement, &application_credentials).await? {
            let id = row.text(application_credential::ID)?;
            rows.application_credentials.insert(id, ApplicationCredential::from_row(&row)?);
        }
        if !rows.credentials.is_empty() {
            rows.read_identities(database, statements).await?;
        }
        Ok(rows)
    }

    async fn read_identities(
        &mut self,
        database: &Database,
        statements: &Statements,
    ) -> Result<(), Unavailable> {
        let of_credentials = self.credentials.values().map(|credential| &credential.user_id);
        let of_trusts = self.trusts.values().flat_map(|t| [&t.trustor_id, &t.trustee_id]);
        let users: HashSet<String> = of_credentials.chain(of_trusts).cloned().collect();
        let users: Vec<&str> = users.iter().map(|id| &**id).collect();
        for row in database.rows_of(statements.users, &users).await? {
            let user = KnownUser {
                name: row.optional_text(1)?,
                domain_id: row.optional_text(2)?,
                is_enabled: yes(&row, 3)?,
            };
            self.users.insert(row.text(0)?, user);
        }
        for row in database.rows_of(statements.groups, &users).await? {
            self.groups.entry(row.text(0)?).or_default().push(row.text(1)?);
        }
        let groups: HashSet<&str> = self.groups.values().flatten().map(|id| &**id).collect();
        let actors: Vec<&str> = users.into_iter().chain(groups).collect();
        for row in database.rows_of(ASSIGNMENTS, &actors).await? {
            let grant = Grant {
                target_id: row.text(1)?,
                role_id: row.text(2)?,
                is_inherited: yes(&row, 3)?,
                is_on_project: yes(&row, 4)?,
            };
            self.grants.entry(row.text(0)?).or_default().push(grant);
        }
        self.read_projects(database).await?;
        for row in database.rows(ROLES, &[]).await? {
            let id = row.text(0)?;
            let (name, domain_id) = (row.text(1)?, row.optional_text(2)?);
            self.roles.insert(id.clone(), KnownRole { id, name, domain_id });
        }
        for row in database.rows(IMPLIED_ROLES, &[]).await? {
            self.implied.entry(row.text(0)?).or_default().push(row.text(1)?);
        }
        Ok(())
    }

    /// The projects and domains, and those that they lie in.
    async fn read_projects(&mut self, database: &Database) -> Result<(), Unavailable> {
        let of_credentials = self.credentials.values().filter_map(|c| c.project_id.as_ref());
        let of_trusts = self.trusts.values().filter_map(|trust| trust.project_id.as_ref());
        let of_users = self.users.values().filter_map(|user| user.domain_id.as_ref());
        let mut wanted: HashSet<String> =
            of_credentials.chain(of_trusts).chain(of_users).cloned().collect();
        for _ in 0..=MAX_DEPTH {
            let ids: Vec<&str> = wanted.iter().map(|id| &**id).collect();
            let mut above = HashSet::new();
            for row in database.rows_of(PROJECTS, &ids).await? {
                let project = KnownProject {
                    name: row.optional_text(1)?,
                    domain_id: row.optional_text(2)?,
                    parent_id: row.optional_text(3)?,
                    is_enabled: yes(&row, 4)?,
                    is_domain: yes(&row, 5)?,
                };
                above.extend(
                    [&project.domain_id, &project.parent_id].into_iter().flatten().cloned(),
                );
                self.projects.insert(row.text(0)?, project);
            }
            above.retain(|id| !self.projects.contains_key(id));
            if above.is_empty() {
                break;
            }
            wanted = above;
        }
        Ok(())
    }

    fn add_credential(&mut self, row: &Row) -> Result<(), DatabaseError> {
        // Some databases take `EC2` for the same as `ec2`; Keystone does not.
        if row.text(1)? == super::EC2 {
            let credential = Credential {
                user_id: row.text(2)?,
                project_id: row.optional_text(3)?,
                blob: row.text(4)?,
            };
            self.credentials.insert(row.text(0)?, credential);
        }
        Ok(())
    }

    fn add_trust(&mut self, row: &Row) -> Result<(), DatabaseError> {
        let trust = KnownTrust {
            trustor_id: row.text(1)?,
            trustee_id: row.text(2)?,
            project_id: row.optional_text(3)?,
            is_impersonation: yes(row, 4)?,
            expires_at: row.optional_integer(5)?,
            is_special: yes(row, 6)?,
            role_ids: Vec::new(),
        };
        self.trusts.insert(row.text(0)?, trust);
        Ok(())
    }

    pub(super) fn owner(&self, credential: &Credential) -> Owner {
        let Credential { user_id, project_id, .. } = credential;
        let user = self.users.get(user_id);
        let project = project_id.as_ref().and_then(|id| self.projects.get(id));
        let user_domain = user.and_then(|user| self.domain(user.domain_id.as_ref()));
        let project_domain = project.and_then(|project| self.domain(project.domain_id.as_ref()));
        Owner {
            is_enabled: self.is_user_enabled(user_id)
                && project.is_some_and(|project| project.is_enabled)
                && project_domain.as_ref().is_some_and(|(_, is_enabled)| *is_enabled),
            user: User {
                id: user_id.clone(),
                name: user.and_then(|user| user.name.clone()),
                domain: user_domain.map(|(domain, _)| domain),
            },
            project: project_id.clone().map(|id| Project {
                id,
                name: project.and_then(|project| project.name.clone()),
                domain: project_domain.map(|(domain, _)| domain),
            }),
            roles: self.roles(user_id, project_id.as_ref()),
        }
    }

    pub(super) fn given(&self, delegation: Option<&Delegation>) -> Given {
        match delegation {
            Some(Delegation::Trust(id)) => {
                Given::Trust(id.clone(), self.trusts.get(id).map(|trust| self.trust(trust)))
            }
            Some(Delegation::ApplicationCredential(id)) => Given::ApplicationCredential(
                id.clone(),
                self.application_credentials.get(id).cloned(),
            ),
            _ => Given::Nothing,
        }
    }

    fn trust(&self, trust: &KnownTrust) -> Trust {
        let KnownTrust { trustor_id, trustee_id, project_id, role_ids, .. } = trust;
        Trust {
            trustor_id: trustor_id.clone(),
            trustee_id: trustee_id.clone(),
            project_id: project_id.clone(),
            is_impersonation: trust.is_impersonation,
            expires_at: trust.expires_at,
            is_special: trust.is_special,
            is_enabled: self.is_user_enabled(trustor_id) && self.is_user_enabled(trustee_id),
            roles: self.with_implied(role_ids.iter().map(|id| &**id).collect()),
            trustor_roles: self.roles(trustor_id, project_id.as_ref()),
        }
    }

    /// Whether a user and its domain are there and enabled.
    fn is_user_enabled(&self, id: &str) -> bool {
        self.users.get(id).is_some_and(|user| {
            let domain = self.domain(user.domain_id.as_ref());
            user.is_enabled && domain.is_some_and(|(_, is_enabled)| is_enabled)
        })
    }

    /// The domain of an id, and whether it is enabled.
    fn domain(&self, id: Option<&String>) -> Option<(Domain, bool)> {
        let id = id?;
        let domain = self.projects.get(id).filter(|project| project.is_domain)?;
        Some((Domain { id: id.clone(), name: domain.name.clone() }, domain.is_enabled))
    }

    /// The roles that a user has in a project.
    fn roles(&self, user_id: &str, project_id: Option<&String>) -> Vec<KnownRole> {
        let Some(project_id) = project_id else { return Vec::new() };
        let mut above = Vec::new();
        let mut here = self.projects.get(project_id);
        while let Some(parent_id) = here.and_then(|project| project.parent_id.as_ref())
            && above.len() < MAX_DEPTH
        {
            above.push(parent_id);
            here = self.projects.get(parent_id);
        }
        let groups = self.groups.get(user_id).into_iter().flatten().map(|id| &**id);
        let grants = std::iter::once(user_id).chain(groups);
        let grants = grants.filter_map(|actor| self.grants.get(actor)).flatten();
        let holds = |grant: &&Grant| {
            if grant.is_inherited {
                above.contains(&&grant.target_id)
            } else {
                grant.is_on_project && grant.target_id == *project_id
            }
        };
        self.with_implied(grants.filter(holds).map(|grant| &*grant.role_id).collect())
    }

    /// Roles, and those that they imply.
    fn with_implied<'a>(&'a self, mut left: Vec<&'a str>) -> Vec<KnownRole> {
        let mut all: HashSet<&str> = HashSet::new();
        while let Some(id) = left.pop() {
            if all.insert(id) {
                left.extend(self.implied.get(id).into_iter().flatten().map(|id| &**id));
            }
        }
        all.into_iter().filter_map(|id| self.roles.get(id).cloned()).collect()
    }
}

/// How far up grants are looked for, as in `statements.rs`.
const MAX_DEPTH: usize = 16;
