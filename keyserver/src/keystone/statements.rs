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

use crate::database::Engine;

/// The statements of one engine.
pub(super) struct Statements {
    /// Whether the database can be asked for credentials at all; no placeholder.
    pub(super) check: &'static str,
    /// The credential of an id, its user and project with their roles; see [`credential`].
    pub(super) credential: &'static str,
    /// The trust of an id, given twice, with the roles that it gives; see [`trust`].
    pub(super) trust: &'static str,
    /// Of credentials: id, type, user, project, SHA-256 of the blob; in SQLite the blob itself.
    pub(super) credentials: &'static str,
    /// Of users: id, name, domain, `y` if enabled.
    pub(super) users: &'static str,
    /// Of users: the user and one of its groups.
    pub(super) groups: &'static str,
    /// Of application credentials; see [`application_credential`].
    pub(super) application_credentials: &'static str,
    /// Of trusts: id, and the columns of [`trust`] up to `IS_SPECIAL`, one place further on.
    pub(super) trusts: &'static str,
}

// What is the same in all dialects.

/// Of the actors, users or groups: actor, target, role, `y` if inherited, `y` if on a project.
pub(super) const ASSIGNMENTS: &str = "\
    SELECT actor_id, target_id, role_id, CASE WHEN inherited THEN 'y' ELSE 'n' END, \
    CASE WHEN type IN ('UserProject', 'GroupProject') THEN 'y' ELSE 'n' END \
    FROM assignment WHERE actor_id IN ({ids})";
/// Of projects and domains: id, name, domain, parent, `y` if enabled, `y` if a domain.
pub(super) const PROJECTS: &str = "\
    SELECT id, name, domain_id, parent_id, CASE WHEN enabled THEN 'y' ELSE 'n' END, \
    CASE WHEN is_domain THEN 'y' ELSE 'n' END FROM project WHERE id IN ({ids})";
/// All roles: id, name, domain.
pub(super) const ROLES: &str = "SELECT id, name, domain_id FROM role";
/// All rules: a role, and the one that it implies.
pub(super) const IMPLIED_ROLES: &str = "SELECT prior_role_id, implied_role_id FROM implied_role";
/// Of trusts: the trust and one of its roles.
pub(super) const TRUST_ROLES: &str =
    "SELECT trust_id, role_id FROM trust_role WHERE trust_id IN ({ids})";
/// The highest id of an event of revocation, 0 if there is none.
pub(super) const LAST_REVOCATION: &str = "SELECT COALESCE(max(id), 0) FROM revocation_event";
/// Events of revocation above an id, in the order of their ids: id, user, project, domain, trust.
pub(super) const REVOCATIONS: &str = "\
    SELECT id, user_id, project_id, domain_id, trust_id FROM revocation_event \
    WHERE id > ? ORDER BY id LIMIT 1000";

impl Statements {
    pub(super) fn of(engine: Engine) -> &'static Self {
        match engine {
            Engine::MySql => &MYSQL,
            Engine::Postgres => &POSTGRES,
            Engine::Sqlite => &SQLITE,
        }
    }
}

/// The columns of [`Statements::credential`].
pub(super) mod credential {
    pub(in crate::keystone) const SEALED_BLOB: usize = 0;
    pub(in crate::keystone) const USER_ID: usize = 1;
    pub(in crate::keystone) const USER_NAME: usize = 2;
    pub(in crate::keystone) const USER_DOMAIN_ID: usize = 3;
    pub(in crate::keystone) const USER_DOMAIN_NAME: usize = 4;
    pub(in crate::keystone) const PROJECT_ID: usize = 5;
    pub(in crate::keystone) const PROJECT_NAME: usize = 6;
    pub(in crate::keystone) const PROJECT_DOMAIN_ID: usize = 7;
    pub(in crate::keystone) const PROJECT_DOMAIN_NAME: usize = 8;
    /// `y` if user, project and both domains are there and enabled.
    pub(in crate::keystone) const IS_ENABLED: usize = 9;
    /// A JSON array of `id`, `name`, `domain_id`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = 10;
    /// Some databases take `EC2` for the same as `ec2`; Keystone does not.
    pub(in crate::keystone) const TYPE: usize = 11;
}

/// The columns of [`Statements::application_credentials`].
pub(super) mod application_credential {
    pub(in crate::keystone) const USER_ID: usize = 0;
    pub(in crate::keystone) const PROJECT_ID: usize = 1;
    /// Microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const EXPIRES_AT: usize = 2;
    /// `y` if some rule says which requests it is for.
    pub(in crate::keystone) const HAS_ACCESS_RULES: usize = 3;
    /// A JSON array of `id`, `name`, `domain_id`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = 4;
    pub(in crate::keystone) const ID: usize = 5;
}

/// The columns of [`Statements::trust`].
pub(super) mod trust {
    pub(in crate::keystone) const TRUSTOR_ID: usize = 0;
    pub(in crate::keystone) const TRUSTEE_ID: usize = 1;
    pub(in crate::keystone) const PROJECT_ID: usize = 2;
    /// `y` if the trustee acts as the trustor.
    pub(in crate::keystone) const IS_IMPERSONATION: usize = 3;
    /// Microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const EXPIRES_AT: usize = 4;
    /// `y` if uses are counted, if it was redelegated, or if its end is in the form of old releases.
    pub(in crate::keystone) const IS_SPECIAL: usize = 5;
    /// `y` if trustor, trustee and their domains are there and enabled.
    pub(in crate::keystone) const IS_ENABLED: usize = 6;
    /// What it gives: a JSON array of `id`, `name`, `domain_id`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = 7;
    /// What the trustor has: the same.
    pub(in crate::keystone) const TRUSTOR_ROLES: usize = 8;
}

/// The common table expressions that lead from `c`, a user and a project, to `eff`, the ids of the
/// roles that the user has in the project.
macro_rules! effective_roles {
    ($still_verified:literal) => {
        concat!(
            " anc(id, depth) AS (SELECT project_id, 0 FROM c WHERE project_id IS NOT NULL",
            " UNION ALL SELECT p.parent_id, anc.depth + 1 FROM anc JOIN project p ON p.id = anc.id",
            " WHERE p.parent_id IS NOT NULL AND anc.depth < 16),",
            " actor(id) AS (SELECT user_id FROM c",
            " UNION SELECT g.group_id FROM user_group_membership g JOIN c ON g.user_id = c.user_id",
            " UNION SELECT e.group_id FROM expiring_user_group_membership e",
            " JOIN c ON e.user_id = c.user_id JOIN identity_provider i ON i.id = e.idp_id",
            " WHERE ", $still_verified, "),",
            " eff(role_id) AS (SELECT a.role_id FROM assignment a",
            " JOIN actor ON actor.id = a.actor_id JOIN anc ON anc.id = a.target_id",
            " WHERE (NOT a.inherited AND anc.depth = 0 AND a.type IN ('UserProject', 'GroupProject'))",
            " OR (a.inherited AND anc.depth > 0)",
            " UNION SELECT ir.implied_role_id FROM eff",
            " JOIN implied_role ir ON ir.prior_role_id = eff.role_id)"
        )
    };
}

/// What the tables of `user_names!` call the user `u`: the same each time, also if several
/// identity providers know it.
macro_rules! user_name {
    () => {
        "COALESCE(lu.name, nu.name, (SELECT min(fu.display_name) FROM federated_user fu \
         WHERE fu.user_id = u.id))"
    };
}

/// The tables with the names of users.
macro_rules! user_names {
    () => {
        " LEFT JOIN local_user lu ON lu.user_id = u.id\
         \x20LEFT JOIN nonlocal_user nu ON nu.user_id = u.id"
    };
}

/// All statements: quoting of `user`, whether a membership still holds, a JSON array of roles, the
/// SHA-256 of a blob.
macro_rules! statements {
    ($user:literal, $still_verified:literal, $roles:literal, $blob_hash:literal) => {
        Statements {
            check: "SELECT count(*) FROM credential WHERE id = ''",
            credential: concat!(
                "WITH RECURSIVE c AS (SELECT user_id, project_id, encrypted_blob, type FROM credential",
                " WHERE id = ? AND type = 'ec2'),",
                effective_roles!($still_verified),
                " SELECT c.encrypted_blob, c.user_id, ",
                user_name!(),
                ",",
                " ud.id, ud.name, c.project_id, p.name, pd.id, pd.name,",
                " CASE WHEN u.enabled AND ud.enabled AND p.enabled AND pd.enabled",
                " THEN 'y' ELSE 'n' END,",
                " (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff)), c.type",
                " FROM c LEFT JOIN ",
                $user,
                " u ON u.id = c.user_id",
                user_names!(),
                " LEFT JOIN project ud ON ud.id = u.domain_id AND ud.is_domain",
                " LEFT JOIN project p ON p.id = c.project_id",
                " LEFT JOIN project pd ON pd.id = p.domain_id AND pd.is_domain",
                " LIMIT 1"
            ),
            credentials: concat!(
                "SELECT id, type, user_id, project_id, ",
                $blob_hash,
                " FROM credential WHERE type = 'ec2' AND id IN ({ids})"
            ),
            users: concat!(
                "SELECT u.id, ",
                user_name!(),
                ", u.domain_id, CASE WHEN u.enabled THEN 'y' ELSE 'n' END FROM ",
                $user,
                " u",
                user_names!(),
                " WHERE u.id IN ({ids})"
            ),
            groups: concat!(
                "SELECT user_id, group_id FROM user_group_membership WHERE user_id IN ({ids})",
                " UNION SELECT e.user_id, e.group_id FROM expiring_user_group_membership e",
                " JOIN identity_provider i ON i.id = e.idp_id",
                " WHERE ",
                $still_verified,
                " AND e.user_id IN ({ids})"
            ),
            trusts: concat!(
                "SELECT t.id, t.trustor_user_id, t.trustee_user_id, t.project_id,",
                " CASE WHEN t.impersonation THEN 'y' ELSE 'n' END, t.expires_at_int,",
                " CASE WHEN t.remaining_uses IS NOT NULL OR t.redelegated_trust_id IS NOT NULL",
                " OR (t.expires_at IS NOT NULL AND t.expires_at_int IS NULL)",
                " THEN 'y' ELSE 'n' END",
                " FROM trust t WHERE t.deleted_at IS NULL AND t.id IN ({ids})"
            ),
            application_credentials: concat!(
                "SELECT a.user_id, a.project_id, a.expires_at,",
                " CASE WHEN EXISTS (SELECT 1 FROM application_credential_access_rule x",
                " WHERE x.application_credential_id = a.internal_id) THEN 'y' ELSE 'n' END,",
                " (SELECT ",
                $roles,
                " FROM role r JOIN application_credential_role ar",
                " ON ar.role_id = r.id WHERE ar.application_credential_id = a.internal_id), a.id",
                " FROM application_credential a WHERE a.id IN ({ids})"
            ),
            trust: concat!(
                "WITH RECURSIVE c AS (SELECT t.id, t.trustor_user_id AS user_id,",
                " t.trustee_user_id, t.project_id, t.impersonation, t.expires_at_int,",
                " CASE WHEN t.remaining_uses IS NOT NULL OR t.redelegated_trust_id IS NOT NULL",
                " OR (t.expires_at IS NOT NULL AND t.expires_at_int IS NULL)",
                " THEN 'y' ELSE 'n' END AS is_special",
                " FROM trust t WHERE t.id = ? AND t.deleted_at IS NULL),",
                effective_roles!($still_verified),
                ", given(role_id) AS (SELECT role_id FROM trust_role WHERE trust_id = ?",
                " UNION SELECT ir.implied_role_id FROM given",
                " JOIN implied_role ir ON ir.prior_role_id = given.role_id)",
                " SELECT c.user_id, c.trustee_user_id, c.project_id,",
                " CASE WHEN c.impersonation THEN 'y' ELSE 'n' END, c.expires_at_int, c.is_special,",
                " CASE WHEN u.enabled AND ud.enabled AND v.enabled AND vd.enabled",
                " THEN 'y' ELSE 'n' END,",
                " (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM given)),",
                " (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff))",
                " FROM c LEFT JOIN ",
                $user,
                " u ON u.id = c.user_id",
                " LEFT JOIN project ud ON ud.id = u.domain_id AND ud.is_domain",
                " LEFT JOIN ",
                $user,
                " v ON v.id = c.trustee_user_id",
                " LEFT JOIN project vd ON vd.id = v.domain_id AND vd.is_domain"
            ),
        }
    };
}

static MYSQL: Statements = statements!(
    "`user`",
    "DATE_ADD(e.last_verified, INTERVAL i.authorization_ttl MINUTE) > UTC_TIMESTAMP()",
    "JSON_ARRAYAGG(JSON_OBJECT('id', r.id, 'name', r.name, 'domain_id', r.domain_id))",
    "SHA2(encrypted_blob, 256)"
);
static POSTGRES: Statements = statements!(
    "\"user\"",
    "e.last_verified + i.authorization_ttl * INTERVAL '1 minute' > (now() AT TIME ZONE 'UTC')",
    "CAST(json_agg(json_build_object('id', r.id, 'name', r.name, 'domain_id', r.domain_id)) AS TEXT)",
    "encode(sha256(convert_to(encrypted_blob, 'UTF8')), 'hex')"
);
static SQLITE: Statements = statements!(
    "\"user\"",
    "datetime(e.last_verified, '+' || i.authorization_ttl || ' minutes') > datetime('now')",
    "json_group_array(json_object('id', r.id, 'name', r.name, 'domain_id', r.domain_id))",
    // It has no SHA-256. But then the blob has no way to go.
    "encrypted_blob"
);
