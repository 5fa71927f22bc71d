//! The facts of one question, read with one statement: a second one for what a delegation gives, and
//! one more for each trust that a trust was given on from.

use std::sync::Arc;

use serde::Deserialize;
use voussoir_core::record::{Delegation, IdentityRequest, IdentityScope};

use super::facts::{
    AccessToken, ApplicationCredential, Given, KnownDomain, KnownProject, KnownRule, KnownUser,
    Owner, Roles, TokenFacts, Trust,
};
use super::statements::{
    Statements, access_token, application_credential, credential, domain, project, token, trust,
    user,
};
use crate::access_keys::Unavailable;
use crate::database::{Database, DatabaseError, Row, Value};

/// Keystone's database, asked for one thing at a time.
pub(super) struct Lookup {
    pub(super) database: Arc<Database>,
    pub(super) statements: &'static Statements,
}

/// A credential as it is stored.
pub(super) struct Credential {
    pub(super) sealed_blob: String,
    pub(super) owner: Owner,
}

/// When passwords end, which nothing that is watched rests on: microseconds of UNIX time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PasswordEnds {
    pub(super) of_user: Option<i64>,
    pub(super) of_trustor: Option<i64>,
}

impl Lookup {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { statements: Statements::of(database.engine()), database }
    }

    /// The EC2 credential of an id.
    pub(super) async fn credential(&self, id: &str) -> Result<Option<Credential>, Unavailable> {
        let row = self.database.row(self.statements.credential, &[id.into()]).await?;
        let Some(row) = row else { return Ok(None) };
        if row.text(credential::TYPE)? != super::EC2 {
            return Ok(None);
        }
        let owner = Owner {
            user: known_user(&row, credential::USER)?,
            project: known_project(&row, credential::PROJECT)?,
            roles: roles(&row, credential::ROLES)?,
        };
        Ok(Some(Credential { sealed_blob: row.text(credential::SEALED_BLOB)?, owner }))
    }

    /// All that a token rests on.
    pub(super) async fn token(
        &self,
        request: &IdentityRequest,
    ) -> Result<(TokenFacts, PasswordEnds), Unavailable> {
        let IdentityRequest { user, scope, delegation, federation } = request;
        let scope_id = Value::Text(scope.id());
        let values = [kind(scope).into(), scope_id, (&**user).into()];
        let rows = match federation {
            None => self.database.rows(self.statements.token, &values).await?,
            Some(federation) => {
                // Without any group, one that nobody is in.
                let groups = federation.groups.iter().map(|id| &**id).chain([""]);
                let groups: Vec<&str> = groups.collect();
                let [kind, scope_id, user] = values;
                let values = [kind, scope_id, user, (&*federation.identity_provider).into()];
                let statement = self.statements.federated_token;
                self.database.rows_of_and(statement, &groups, &values).await?
            }
        };
        let mut facts = TokenFacts::of_nobody(Given::Nothing, federation.is_some());
        let mut ends = PasswordEnds::default();
        // More than one only if there are more groups than a statement takes: each has the roles of
        // some of them.
        for row in rows {
            facts.owner = Owner {
                user: known_user(&row, token::USER)?,
                project: known_project(&row, token::PLACE)?,
                roles: facts.owner.roles.and(roles(&row, token::ROLES)?),
            };
            ends.of_user = row.optional_integer(token::PASSWORD_EXPIRES_AT)?;
            if let Some(is_known) = &mut facts.is_provider_known {
                *is_known = yes(&row, token::IS_PROVIDER_KNOWN)?;
            }
        }
        if let Some(delegation) = delegation {
            (facts.given, ends.of_trustor) = self.given(delegation).await?;
        }
        Ok((facts, ends))
    }

    /// What was delegated, and when the password of a trust's trustor ends.
    pub(super) async fn given(
        &self,
        delegation: &Delegation,
    ) -> Result<(Given, Option<i64>), Unavailable> {
        match delegation {
            Delegation::AccessToken(id) => {
                let values = [(&**id).into(), (&**id).into()];
                let row = self.database.row(self.statements.access_token, &values).await?;
                let given = row.as_ref().map(AccessToken::from_row).transpose()?;
                Ok((Given::AccessToken(given), None))
            }
            Delegation::ApplicationCredential(id) => {
                let statement = self.statements.application_credentials;
                let rows = self.database.rows_of(statement, &[id]).await?;
                let given = rows.first().map(ApplicationCredential::from_row).transpose()?;
                Ok((Given::ApplicationCredential(given), None))
            }
            Delegation::Trust(id) => self.trusts(id).await,
            // A kind that this version does not know gives nothing.
            _ => Ok((Given::Other, None)),
        }
    }

    async fn trusts(&self, id: &str) -> Result<(Given, Option<i64>), Unavailable> {
        let (mut trusts, mut end) = (Vec::new(), None);
        let mut next = Some(id.to_owned());
        while let Some(id) = next.take()
            && trusts.len() < MAX_TRUSTS
        {
            let values = [(&*id).into(), (&*id).into()];
            let row = self.database.row(self.statements.trust, &values).await?;
            let Some(row) = row else { break };
            if trusts.is_empty() {
                end = row.optional_integer(trust::PASSWORD_EXPIRES_AT)?;
            }
            let trust = Trust::from_row(&row)?;
            next.clone_from(&trust.parent_id);
            trusts.push(trust);
        }
        Ok((Given::Trust(trusts), end))
    }
}

impl ApplicationCredential {
    pub(super) fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(application_credential::ID)?,
            name: row.text(application_credential::NAME)?,
            user_id: row.text(application_credential::USER_ID)?,
            project_id: row.optional_text(application_credential::PROJECT_ID)?,
            expires_at: row.optional_integer(application_credential::EXPIRES_AT)?,
            is_unrestricted: yes(row, application_credential::IS_UNRESTRICTED)?,
            access_rules: {
                let mut rules: Vec<KnownRule> =
                    list(row, application_credential::ACCESS_RULES, "a list of access rules")?;
                rules.sort_unstable();
                rules
            },
            roles: roles(row, application_credential::ROLES)?,
        })
    }
}

impl Trust {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            trustor: known_user(row, trust::TRUSTOR)?,
            is_trustee_enabled: yes(row, trust::IS_TRUSTEE_ENABLED)?,
            roles: roles(row, trust::ROLES)?,
            trustor_roles: roles(row, trust::TRUSTOR_ROLES)?,
            ..Self::alone(row)?
        })
    }

    /// What the trust's own row has: nobody is enabled, and no role given.
    pub(super) fn alone(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(trust::ID)?,
            trustor_id: row.text(trust::TRUSTOR_ID)?,
            trustee_id: row.text(trust::TRUSTEE_ID)?,
            project_id: row.optional_text(trust::PROJECT_ID)?,
            is_impersonation: yes(row, trust::IS_IMPERSONATION)?,
            expires_at: row.optional_integer(trust::EXPIRES_AT)?,
            has_old_end: yes(row, trust::HAS_OLD_END)?,
            remaining_uses: row.optional_integer(trust::REMAINING_USES)?,
            redelegation_count: row.optional_integer(trust::REDELEGATION_COUNT)?,
            parent_id: row.optional_text(trust::PARENT_ID)?,
            trustor: None,
            is_trustee_enabled: false,
            roles: Roles::default(),
            trustor_roles: Roles::default(),
        })
    }
}

impl AccessToken {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.text(access_token::ID)?,
            user_id: row.text(access_token::USER_ID)?,
            project_id: row.text(access_token::PROJECT_ID)?,
            consumer_id: row.text(access_token::CONSUMER_ID)?,
            roles: roles(row, access_token::ROLES)?,
        })
    }
}

pub(super) fn yes(row: &Row, column: usize) -> Result<bool, DatabaseError> {
    Ok(row.text(column)? == "y")
}

fn known_user(row: &Row, at: usize) -> Result<Option<KnownUser>, DatabaseError> {
    let Some(id) = row.optional_text(at + user::ID)? else { return Ok(None) };
    Ok(Some(KnownUser {
        id,
        name: row.optional_text(at + user::NAME)?,
        domain: known_domain(row, at + user::DOMAIN)?,
        is_enabled: yes(row, at + user::IS_ENABLED)?,
    }))
}

fn known_project(row: &Row, at: usize) -> Result<Option<KnownProject>, DatabaseError> {
    let Some(id) = row.optional_text(at + project::ID)? else { return Ok(None) };
    Ok(Some(KnownProject {
        id,
        name: row.optional_text(at + project::NAME)?,
        domain: known_domain(row, at + project::DOMAIN)?,
        is_enabled: yes(row, at + project::IS_ENABLED)?,
        is_domain: yes(row, at + project::IS_DOMAIN)?,
    }))
}

fn known_domain(row: &Row, at: usize) -> Result<Option<KnownDomain>, DatabaseError> {
    let (id, name) = (row.optional_text(at + domain::ID)?, row.optional_text(at + domain::NAME)?);
    Ok(KnownDomain::new(id, name, yes(row, at + domain::IS_ENABLED)?))
}

fn roles(row: &Row, column: usize) -> Result<Roles, DatabaseError> {
    Ok(Roles::new(list(row, column, "a list of roles")?))
}

/// A JSON array, or `NULL`.
fn list<T: for<'a> Deserialize<'a>>(
    row: &Row,
    column: usize,
    what: &'static str,
) -> Result<Vec<T>, DatabaseError> {
    let Some(json) = row.optional_text(column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&json).map_err(|_| DatabaseError::Answer(what))
}

fn kind(scope: &IdentityScope) -> &'static str {
    match scope {
        IdentityScope::Domain(_) => "domain",
        IdentityScope::Project(_) => "project",
        IdentityScope::System => "system",
        IdentityScope::Unscoped => "unscoped",
    }
}

/// How often a trust can have been given on: more than Keystone can be told to allow sensibly.
pub(super) const MAX_TRUSTS: usize = 16;
