//! The rows that many answers rest on, read with few statements, and the facts that follow from them:
//! the same as those of `lookup.rs`, which reads them for one question.

use std::collections::{HashMap, HashSet};

use voussoir_core::record::{Delegation, Federation, IdentityRequest, IdentityScope};

use super::facts::{
    AccessToken, ApplicationCredential, Given, KnownDetails, KnownDomain, KnownProject, KnownRole,
    KnownUser, Owner, Roles, TokenFacts, Trust,
};
use super::lookup::{MAX_TRUSTS, yes};
use super::statements::{
    ACCESS_TOKENS, ASSIGNMENTS, IDENTITY_PROVIDERS, IMPLIED_ROLES, PROJECTS, ROLES,
    SYSTEM_ASSIGNMENTS, Statements, TRUST_ROLES, access_token,
};
use crate::access_keys::Unavailable;
use crate::database::{Database, DatabaseError, Row};

/// What is to be read: the ids of it.
#[derive(Default)]
pub(crate) struct Wanted<'a> {
    pub(super) credentials: HashSet<&'a str>,
    pub(super) users: HashSet<&'a str>,
    pub(super) groups: HashSet<&'a str>,
    /// Projects and domains.
    pub(super) projects: HashSet<&'a str>,
    pub(super) identity_providers: HashSet<&'a str>,
    access_tokens: HashSet<&'a str>,
    application_credentials: HashSet<&'a str>,
    trusts: HashSet<&'a str>,
}

/// What was read of Keystone's database, by id.
#[derive(Default)]
pub(crate) struct Rows {
    pub(super) credentials: HashMap<String, Credential>,
    users: HashMap<String, UserRow>,
    /// The groups of a user.
    groups: HashMap<String, Vec<String>>,
    /// The grants to a user or group.
    grants: HashMap<String, Vec<Grant>>,
    /// The roles of a user or group on the system as a whole.
    system_grants: HashMap<String, Vec<String>>,
    /// Projects and domains.
    projects: HashMap<String, ProjectRow>,
    roles: HashMap<String, KnownRole>,
    /// The roles that a role implies.
    implied: HashMap<String, Vec<String>>,
    identity_providers: HashSet<String>,
    access_tokens: HashMap<String, AccessTokenRow>,
    application_credentials: HashMap<String, ApplicationCredential>,
    trusts: HashMap<String, TrustRow>,
}

pub(super) struct Credential {
    pub(super) blob: String,
    user_id: String,
    project_id: Option<String>,
}

struct UserRow {
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

struct ProjectRow {
    name: Option<String>,
    domain_id: Option<String>,
    parent_id: Option<String>,
    is_enabled: bool,
    is_domain: bool,
}

struct AccessTokenRow {
    /// Without roles.
    token: AccessToken,
    role_ids: Vec<String>,
}

struct TrustRow {
    /// Without roles and people.
    trust: Trust,
    role_ids: Vec<String>,
}

impl<'a> Wanted<'a> {
    pub(super) fn add_delegation(&mut self, delegation: Option<&'a Delegation>) {
        match delegation {
            Some(Delegation::AccessToken(id)) => {
                self.access_tokens.insert(id);
            }
            Some(Delegation::ApplicationCredential(id)) => {
                self.application_credentials.insert(id);
            }
            Some(Delegation::Trust(id)) => {
                self.trusts.insert(id);
            }
            // A kind that this version does not know gives nothing.
            Some(_) | None => {}
        }
    }
}

impl Rows {
    /// Reads all that answers about these rest on.
    pub(super) async fn read(
        database: &Database,
        statements: &Statements,
        wanted: &Wanted<'_>,
    ) -> Result<Self, Unavailable> {
        let mut rows = Self::default();
        for row in database.rows_of(statements.credentials, &list(&wanted.credentials)).await? {
            rows.add_credential(&row)?;
        }
        rows.read_trusts(database, statements, &wanted.trusts).await?;
        let statement = statements.application_credentials;
        let ids = list(&wanted.application_credentials);
        for row in database.rows_of(statement, &ids).await? {
            let given = ApplicationCredential::from_row(&row)?;
            rows.application_credentials.insert(given.id.clone(), given);
        }
        for row in database.rows_of(ACCESS_TOKENS, &list(&wanted.access_tokens)).await? {
            rows.add_access_token(&row)?;
        }
        let providers = list(&wanted.identity_providers);
        for row in database.rows_of(IDENTITY_PROVIDERS, &providers).await? {
            rows.identity_providers.insert(row.text(0)?);
        }
        let of_credentials = rows.credentials.values().map(|credential| &*credential.user_id);
        let of_trusts = rows.trusts.values().map(|TrustRow { trust, .. }| trust);
        let of_trusts = of_trusts.flat_map(|trust| [&*trust.trustor_id, &*trust.trustee_id]);
        let users = of_credentials.chain(of_trusts).chain(wanted.users.iter().copied());
        let users: HashSet<String> = users.map(str::to_owned).collect();
        if !users.is_empty() {
            rows.read_owners(database, statements, users, wanted).await?;
        }
        Ok(rows)
    }

    /// The trusts, and those that they were given on from.
    async fn read_trusts(
        &mut self,
        database: &Database,
        statements: &Statements,
        trusts: &HashSet<&str>,
    ) -> Result<(), Unavailable> {
        let mut wanted: HashSet<String> = trusts.iter().map(|id| (*id).into()).collect();
        for _ in 0..MAX_TRUSTS {
            let ids: Vec<&str> = wanted.iter().map(|id| &**id).collect();
            let mut parents = HashSet::new();
            for row in database.rows_of(statements.trusts, &ids).await? {
                let trust = Trust::alone(&row)?;
                parents.extend(trust.parent_id.clone());
                self.trusts.insert(trust.id.clone(), TrustRow { trust, role_ids: Vec::new() });
            }
            for row in database.rows_of(TRUST_ROLES, &ids).await? {
                if let Some(trust) = self.trusts.get_mut(&row.text(0)?) {
                    trust.role_ids.push(row.text(1)?);
                }
            }
            parents.retain(|id| !self.trusts.contains_key(id));
            if parents.is_empty() {
                break;
            }
            wanted = parents;
        }
        Ok(())
    }

    async fn read_owners(
        &mut self,
        database: &Database,
        statements: &Statements,
        users: HashSet<String>,
        wanted: &Wanted<'_>,
    ) -> Result<(), Unavailable> {
        let users: Vec<&str> = users.iter().map(|id| &**id).collect();
        for row in database.rows_of(statements.users, &users).await? {
            let user = UserRow {
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
        let actors =
            users.into_iter().chain(groups.into_iter().chain(wanted.groups.iter().copied()));
        let actors: HashSet<&str> = actors.collect();
        let actors = list(&actors);
        for row in database.rows_of(ASSIGNMENTS, &actors).await? {
            let grant = Grant {
                target_id: row.text(1)?,
                role_id: row.text(2)?,
                is_inherited: yes(&row, 3)?,
                is_on_project: yes(&row, 4)?,
            };
            self.grants.entry(row.text(0)?).or_default().push(grant);
        }
        for row in database.rows_of(SYSTEM_ASSIGNMENTS, &actors).await? {
            self.system_grants.entry(row.text(0)?).or_default().push(row.text(1)?);
        }
        self.read_projects(database, wanted).await?;
        for row in database.rows(ROLES, &[]).await? {
            let id = row.text(0)?;
            let (name, domain_id) = (row.text(1)?, row.optional_text(2)?);
            let details = Some(KnownDetails {
                description: row.optional_text(3)?,
                immutable: row.optional_text(4)?,
                extra: row.optional_text(5)?,
            });
            self.roles.insert(id.clone(), KnownRole { id, name, domain_id, details });
        }
        for row in database.rows(IMPLIED_ROLES, &[]).await? {
            self.implied.entry(row.text(0)?).or_default().push(row.text(1)?);
        }
        Ok(())
    }

    /// The projects and domains, and those that they lie in.
    async fn read_projects(
        &mut self,
        database: &Database,
        wanted: &Wanted<'_>,
    ) -> Result<(), Unavailable> {
        let of_credentials = self.credentials.values().filter_map(|c| c.project_id.as_ref());
        let of_trusts = self.trusts.values().filter_map(|row| row.trust.project_id.as_ref());
        let of_users = self.users.values().filter_map(|user| user.domain_id.as_ref());
        let known = of_credentials.chain(of_trusts).chain(of_users).cloned();
        let mut wanted: HashSet<String> =
            known.chain(wanted.projects.iter().map(|id| (*id).into())).collect();
        for _ in 0..=MAX_DEPTH {
            let ids: Vec<&str> = wanted.iter().map(|id| &**id).collect();
            let mut above = HashSet::new();
            for row in database.rows_of(PROJECTS, &ids).await? {
                let project = ProjectRow {
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

    fn add_access_token(&mut self, row: &Row) -> Result<(), DatabaseError> {
        let token = AccessToken {
            id: row.text(access_token::ID)?,
            user_id: row.text(access_token::USER_ID)?,
            project_id: row.text(access_token::PROJECT_ID)?,
            consumer_id: row.text(access_token::CONSUMER_ID)?,
            roles: Roles::default(),
        };
        let role_ids = serde_json::from_str(&row.text(access_token::ROLES)?)
            .map_err(|_| DatabaseError::Answer("a list of ids"))?;
        self.access_tokens.insert(token.id.clone(), AccessTokenRow { token, role_ids });
        Ok(())
    }

    /// Whom a credential belongs to.
    pub(super) fn owner(&self, credential: &Credential) -> Owner {
        let Credential { user_id, project_id, .. } = credential;
        let project_id = project_id.as_deref();
        Owner {
            user: self.user(user_id),
            project: project_id.and_then(|id| self.project(id)),
            roles: self.roles(&self.actors(user_id), project_id, true).without_details(),
        }
    }

    /// What a token rests on.
    pub(super) fn token(&self, request: &IdentityRequest) -> TokenFacts {
        let IdentityRequest { user: user_id, scope, delegation, federation } = request;
        let user = self.user(user_id);
        let mut actors = self.actors(user_id);
        let mapped = federation.as_ref().map(|Federation { groups, .. }| groups);
        actors.extend(mapped.into_iter().flatten().map(|id| &**id));
        let place_id = scope.id().filter(|id| self.projects.contains_key(*id));
        let mut roles = match scope {
            IdentityScope::Domain(_) => self.roles(&actors, place_id, false),
            IdentityScope::Project(_) => self.roles(&actors, place_id, true),
            IdentityScope::System => self.with_implied(self.on_system(&actors)),
            IdentityScope::Unscoped => Roles::default(),
        };
        if let Some(groups) = mapped {
            // Keystone adds what is granted on the system, as it is: without what that implies.
            let own: Vec<&str> =
                std::iter::once(&**user_id).chain(groups.iter().map(|id| &**id)).collect();
            let own = self.on_system(&own).into_iter().filter_map(|id| self.roles.get(id).cloned());
            roles = roles.and(Roles::new(own));
        } else {
            roles = roles.without_details();
        }
        let provider = federation.as_ref().map(|federation| &federation.identity_provider);
        let is_provider_known = provider.map(|id| self.identity_providers.contains(id));
        let given = self.given(delegation.as_ref());
        if user.is_none() {
            return TokenFacts::of_nobody(given, provider.is_some());
        }
        let owner = Owner { user, project: place_id.and_then(|id| self.project(id)), roles };
        TokenFacts { owner, given, is_provider_known }
    }

    /// What was delegated.
    pub(super) fn given(&self, delegation: Option<&Delegation>) -> Given {
        match delegation {
            None => Given::Nothing,
            Some(Delegation::AccessToken(id)) => {
                Given::AccessToken(self.access_tokens.get(id).map(|row| {
                    AccessToken {
                        roles: self
                            .with_implied(row.role_ids.iter().map(|id| &**id).collect())
                            .without_details(),
                        ..row.token.clone()
                    }
                }))
            }
            Some(Delegation::ApplicationCredential(id)) => {
                Given::ApplicationCredential(self.application_credentials.get(id).cloned())
            }
            Some(Delegation::Trust(id)) => {
                let first = self.trusts.get(id);
                let parent = |row: &&TrustRow| {
                    row.trust.parent_id.as_ref().and_then(|id| self.trusts.get(id))
                };
                let trusts = std::iter::successors(first, parent).take(MAX_TRUSTS);
                Given::Trust(trusts.map(|row| self.trust(row)).collect())
            }
            Some(_) => Given::Other,
        }
    }

    fn trust(&self, TrustRow { trust, role_ids }: &TrustRow) -> Trust {
        let trustee = self.user(&trust.trustee_id);
        Trust {
            trustor: self.user(&trust.trustor_id),
            is_trustee_enabled: trustee.is_some_and(|trustee| trustee.is_enabled()),
            roles: self.with_implied(role_ids.iter().map(|id| &**id).collect()),
            trustor_roles: self
                .roles(&self.actors(&trust.trustor_id), trust.project_id.as_deref(), true)
                .without_details(),
            ..trust.clone()
        }
    }

    fn user(&self, id: &str) -> Option<KnownUser> {
        let user = self.users.get(id)?;
        Some(KnownUser {
            id: id.into(),
            name: user.name.clone(),
            domain: self.domain(user.domain_id.as_deref()),
            is_enabled: user.is_enabled,
        })
    }

    fn project(&self, id: &str) -> Option<KnownProject> {
        let project = self.projects.get(id)?;
        Some(KnownProject {
            id: id.into(),
            name: project.name.clone(),
            domain: self.domain(project.domain_id.as_deref()),
            is_enabled: project.is_enabled,
            is_domain: project.is_domain,
        })
    }

    fn domain(&self, id: Option<&str>) -> Option<KnownDomain> {
        let id = id?;
        let domain = self.projects.get(id).filter(|project| project.is_domain)?;
        KnownDomain::new(Some(id.into()), domain.name.clone(), domain.is_enabled)
    }

    /// A user, and the groups that it is in.
    fn actors<'a>(&'a self, user_id: &'a str) -> Vec<&'a str> {
        let groups = self.groups.get(user_id).into_iter().flatten().map(|id| &**id);
        std::iter::once(user_id).chain(groups).collect()
    }

    /// The roles that actors have in a project; or in a domain, as far as it is none.
    fn roles(&self, actors: &[&str], place_id: Option<&str>, is_project: bool) -> Roles {
        let Some(place_id) = place_id else { return Roles::default() };
        let mut above = Vec::new();
        let mut here = self.projects.get(place_id);
        while let Some(parent_id) = here.and_then(|project| project.parent_id.as_ref())
            && above.len() < MAX_DEPTH
        {
            above.push(parent_id);
            here = self.projects.get(parent_id);
        }
        let grants = actors.iter().filter_map(|actor| self.grants.get(*actor)).flatten();
        let holds = |grant: &&Grant| {
            if grant.is_inherited {
                above.contains(&&grant.target_id)
            } else {
                grant.is_on_project == is_project && grant.target_id == *place_id
            }
        };
        self.with_implied(grants.filter(holds).map(|grant| &*grant.role_id).collect())
    }

    /// The ids of the roles that actors have on the system as a whole.
    fn on_system(&self, actors: &[&str]) -> Vec<&str> {
        let grants = actors.iter().filter_map(|actor| self.system_grants.get(*actor)).flatten();
        grants.map(|id| &**id).collect()
    }

    /// Roles, and those that they imply.
    fn with_implied<'a>(&'a self, mut left: Vec<&'a str>) -> Roles {
        let mut all: HashSet<&str> = HashSet::new();
        while let Some(id) = left.pop() {
            if all.insert(id) {
                left.extend(self.implied.get(id).into_iter().flatten().map(|id| &**id));
            }
        }
        Roles::new(all.into_iter().filter_map(|id| self.roles.get(id).cloned()))
    }
}

fn list<'a>(ids: &HashSet<&'a str>) -> Vec<&'a str> {
    ids.iter().copied().collect()
}

/// How far up grants are looked for, as in `statements`.
const MAX_DEPTH: usize = 16;
