//! What is asked of Keystone's database, in three dialects.
//!
//! Facts of Keystone's schema that the statements rest on:
//!
//! * The id of an EC2 credential is the SHA-256 of its access key, in hexadecimal digits.
//! * Domains are projects with `is_domain`. The parent of a project at the top is its domain, so the
//!   ancestors of a project end with its domain.
//! * An inherited grant on a project or domain holds for all below it and not for itself.
//! * Implied roles imply others in turn. A role that belongs to a domain is no role for a service,
//!   but may imply one: it takes part in the closure and is left out by who reads the rows.
//! * A membership in a group that came with a federated login ends some minutes after the last one.
//! * What is granted on the system as a whole has a table of its own, and knows no inheritance.

mod columns;

/// An option of the role `r`, as JSON, by the id that Keystone has for it.
macro_rules! role_option {
    ($id:literal) => {
        concat!(
            "(SELECT o.option_value FROM role_option o WHERE o.role_id = r.id AND o.option_id = '",
            $id,
            "')"
        )
    };
}

/// What else the maker of the role `r` gave it, as JSON. More than an edge takes is not even read: in
/// its place stands what is no JSON.
macro_rules! role_extra {
    () => {
        "CASE WHEN length(r.extra) > 16384 THEN '' ELSE r.extra END"
    };
}

mod dialects;

pub(super) use columns::{
    access_token, application_credential, credential, domain, project, token, trust, user,
};

use crate::database::Engine;

/// The statements of one engine.
pub(super) struct Statements {
    /// The credential of an id, its user and project with their roles; see [`credential`].
    pub(super) credential: &'static str,
    /// The user of a token, what the token is for, and the roles that the one has in the other; see
    /// [`token`]. The placeholders: `project`, `domain`, `system` or `unscoped`; the id of the project
    /// or domain; the id of the user.
    pub(super) token: &'static str,
    /// The same for a token of groups that an identity provider named. After those placeholders: the
    /// id of the provider.
    pub(super) federated_token: &'static str,
    /// The trust of an id, given twice, with the roles that it gives; see [`trust`].
    pub(super) trust: &'static str,
    /// The OAuth 1 access token of an id, given twice, with the roles that it gives; see
    /// [`access_token`].
    pub(super) access_token: &'static str,
    /// Of credentials: id, type, user, project, SHA-256 of the blob; in SQLite the blob itself.
    pub(super) credentials: &'static str,
    /// Of users: id, name, domain, `y` if enabled.
    pub(super) users: &'static str,
    /// Of users: the user and one of its groups.
    pub(super) groups: &'static str,
    /// Of application credentials; see [`application_credential`].
    pub(super) application_credentials: &'static str,
    /// Of trusts; see [`trust`].
    pub(super) trusts: &'static str,
}

// What is the same in all dialects.

/// Whether the database can be asked for credentials at all.
pub(super) const CHECK: &str = "SELECT count(*) FROM credential WHERE id = ''";
/// Of the actors, users or groups: actor, target, role, `y` if inherited, `y` if on a project.
pub(super) const ASSIGNMENTS: &str = "\
    SELECT actor_id, target_id, role_id, CASE WHEN inherited THEN 'y' ELSE 'n' END, \
    CASE WHEN type IN ('UserProject', 'GroupProject') THEN 'y' ELSE 'n' END \
    FROM assignment WHERE actor_id IN ({ids})";
/// Of the actors, users or groups: actor and role on the system as a whole.
pub(super) const SYSTEM_ASSIGNMENTS: &str = "\
    SELECT actor_id, role_id FROM system_assignment \
    WHERE type IN ('UserSystem', 'GroupSystem') AND NOT inherited AND actor_id IN ({ids})";
/// Of projects and domains: id, name, domain, parent, `y` if enabled, `y` if a domain.
pub(super) const PROJECTS: &str = "\
    SELECT id, name, domain_id, parent_id, CASE WHEN enabled THEN 'y' ELSE 'n' END, \
    CASE WHEN is_domain THEN 'y' ELSE 'n' END FROM project WHERE id IN ({ids})";
/// All roles: id, name, domain, description, whether immutable (JSON), what else there is (JSON).
pub(super) const ROLES: &str = concat!(
    "SELECT r.id, r.name, r.domain_id, r.description, ",
    role_option!("IMMU"),
    ", ",
    role_extra!(),
    " FROM role r"
);
/// All rules: a role, and the one that it implies.
pub(super) const IMPLIED_ROLES: &str = "SELECT prior_role_id, implied_role_id FROM implied_role";
/// Of trusts: the trust and one of its roles.
pub(super) const TRUST_ROLES: &str =
    "SELECT trust_id, role_id FROM trust_role WHERE trust_id IN ({ids})";
/// Of OAuth 1 access tokens; see [`access_token`].
pub(super) const ACCESS_TOKENS: &str = "\
    SELECT id, authorizing_user_id, project_id, consumer_id, role_ids \
    FROM access_token WHERE id IN ({ids})";
/// Of identity providers: those that are known.
pub(super) const IDENTITY_PROVIDERS: &str = "SELECT id FROM identity_provider WHERE id IN ({ids})";

impl Statements {
    pub(super) fn of(engine: Engine) -> &'static Self {
        match engine {
            Engine::MySql => &dialects::MYSQL,
            Engine::Postgres => &dialects::POSTGRES,
            Engine::Sqlite => &dialects::SQLITE,
        }
    }
}
