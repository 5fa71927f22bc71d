//! The statements that are spelt differently in each dialect, put together from what is the same.

use super::Statements;

/// The common table expressions that lead from `c`, a user, a project or domain and its kind, to
/// `eff`, the ids of the roles that the user has there; with more actors and more roles beside.
///
/// The joins are written in the order in which they are cheap. SQLite keeps to it, since they are
/// `CROSS JOIN`s: it does not know that `c` is one row, and would begin with all memberships there are.
macro_rules! effective_roles {
    ($still_verified:literal, $direct:expr, $more_actors:literal, $more_roles:literal) => {
        concat!(
            " anc(id, depth) AS (SELECT project_id, 0 FROM c WHERE project_id IS NOT NULL",
            " UNION ALL SELECT p.parent_id, anc.depth + 1 FROM anc JOIN project p ON p.id = anc.id",
            " WHERE p.parent_id IS NOT NULL AND anc.depth < 16),",
            " actor(id) AS (SELECT user_id FROM c",
            " UNION SELECT g.group_id FROM c CROSS JOIN user_group_membership g",
            " WHERE g.user_id = c.user_id",
            " UNION SELECT e.group_id FROM c CROSS JOIN expiring_user_group_membership e",
            " JOIN identity_provider i ON i.id = e.idp_id WHERE e.user_id = c.user_id AND ",
            $still_verified,
            $more_actors,
            "), eff(role_id) AS (SELECT a.role_id FROM c CROSS JOIN actor CROSS JOIN assignment a",
            " CROSS JOIN anc WHERE a.actor_id = actor.id AND anc.id = a.target_id",
            " AND ((NOT a.inherited AND anc.depth = 0 AND ",
            $direct,
            ") OR (a.inherited AND anc.depth > 0))",
            $more_roles,
            " UNION SELECT ir.implied_role_id FROM eff",
            " JOIN implied_role ir ON ir.prior_role_id = eff.role_id)"
        )
    };
}

/// The grants on a project itself.
macro_rules! on_project {
    () => {
        "a.type IN ('UserProject', 'GroupProject')"
    };
}

/// The grants on what a token is for.
macro_rules! on_place {
    () => {
        concat!(
            "((c.kind = 'project' AND ",
            on_project!(),
            ") OR (c.kind = 'domain' AND a.type IN ('UserDomain', 'GroupDomain')))"
        )
    };
}

/// `y` if a condition holds, else `n`.
macro_rules! yes {
    ($condition:expr) => {
        concat!("CASE WHEN ", $condition, " THEN 'y' ELSE 'n' END")
    };
}

/// What the tables of `user!` call the user `u`: the same each time, also if several identity
/// providers know it.
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

/// The columns of a user.
macro_rules! user_columns {
    () => {
        concat!(
            "u.id, ",
            user_name!(),
            ", ",
            yes!("u.enabled"),
            ", ud.id, ud.name, ",
            yes!("ud.enabled")
        )
    };
}

/// The tables of a user.
macro_rules! user {
    ($user:literal, $id:literal) => {
        concat!(
            " LEFT JOIN ",
            $user,
            " u ON u.id = ",
            $id,
            user_names!(),
            " LEFT JOIN project ud ON ud.id = u.domain_id AND ud.is_domain"
        )
    };
}

/// When the last password of the user ends.
macro_rules! password_expires_at {
    () => {
        "(SELECT w.expires_at_int FROM password w WHERE w.local_user_id = lu.id \
         ORDER BY w.created_at_int DESC, w.id DESC LIMIT 1)"
    };
}

/// The columns of a project or domain.
macro_rules! project_columns {
    () => {
        concat!(
            "p.id, p.name, ",
            yes!("p.enabled"),
            ", ",
            yes!("p.is_domain"),
            ", pd.id, pd.name, ",
            yes!("pd.enabled")
        )
    };
}

/// The tables of a project or domain.
macro_rules! project {
    () => {
        " LEFT JOIN project p ON p.id = c.project_id\
         \x20LEFT JOIN project pd ON pd.id = p.domain_id AND pd.is_domain"
    };
}

/// The columns of a trust that its own table has.
macro_rules! trust_columns {
    () => {
        concat!(
            "t.id, t.trustor_user_id, t.trustee_user_id, t.project_id, ",
            yes!("t.impersonation"),
            ", t.expires_at_int, ",
            yes!("t.expires_at IS NOT NULL AND t.expires_at_int IS NULL"),
            ", t.remaining_uses, t.redelegation_count, t.redelegated_trust_id"
        )
    };
}

/// The closure of `given` under implication.
macro_rules! given_with_implied {
    ($given:expr) => {
        concat!(
            " given(role_id) AS (",
            $given,
            " UNION SELECT ir.implied_role_id FROM given",
            " JOIN implied_role ir ON ir.prior_role_id = given.role_id)"
        )
    };
}

/// A role with its details as JSON.
macro_rules! whole_role {
    ($object:literal) => {
        concat!(
            $object,
            "('id', r.id, 'name', r.name, 'domain_id', r.domain_id, 'details', ",
            $object,
            "('description', r.description, 'immutable', ",
            role_option!("IMMU"),
            ", 'extra', ",
            role_extra!(),
            "))"
        )
    };
}

/// All statements: quoting of `user`, whether a membership still holds, a JSON array of roles, one of
/// roles with their details, one of access rules, the SHA-256 of a blob, how an id stands in a JSON text.
macro_rules! statements {
    (
        $user:literal, $still_verified:literal, $roles:literal, $whole_roles:expr, $rules:literal,
        $blob_hash:literal, $in_quotes:literal
    ) => {
        Statements {
            credential: concat!(
                "WITH RECURSIVE c AS (SELECT user_id, project_id, encrypted_blob, type FROM credential",
                " WHERE id = ? AND type = 'ec2'),",
                effective_roles!($still_verified, on_project!(), "", ""),
                " SELECT c.encrypted_blob, c.type, ",
                user_columns!(),
                ", ",
                project_columns!(),
                ", (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff)) FROM c",
                user!($user, "c.user_id"),
                project!(),
                " LIMIT 1"
            ),
            token: concat!(
                "WITH RECURSIVE c AS (SELECT ? AS kind, x.id AS user_id, y.id AS project_id FROM ",
                $user,
                " x LEFT JOIN project y ON y.id = ? WHERE x.id = ?),",
                effective_roles!(
                    $still_verified,
                    on_place!(),
                    "",
                    " UNION SELECT s.role_id FROM c CROSS JOIN actor CROSS JOIN system_assignment s\
                     \x20WHERE c.kind = 'system' AND s.type IN ('UserSystem', 'GroupSystem')\
                     \x20AND s.actor_id = actor.id AND NOT s.inherited"
                ),
                " SELECT ",
                user_columns!(),
                ", ",
                project_columns!(),
                ", (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff)), ",
                password_expires_at!(),
                " FROM c",
                user!($user, "c.user_id"),
                project!()
            ),
            federated_token: concat!(
                "WITH RECURSIVE mapped(id) AS (SELECT actor_id FROM assignment",
                " WHERE actor_id IN ({ids}) UNION SELECT actor_id FROM system_assignment",
                " WHERE type = 'GroupSystem' AND actor_id IN ({ids})),",
                " c AS (SELECT ? AS kind, x.id AS user_id, y.id AS project_id FROM ",
                $user,
                " x LEFT JOIN project y ON y.id = ? WHERE x.id = ?),",
                effective_roles!(
                    $still_verified,
                    on_place!(),
                    " UNION SELECT id FROM mapped",
                    ""
                ),
                // Keystone adds what is granted on the system, as it is: without what that implies.
                ", own(role_id) AS (SELECT s.role_id FROM c CROSS JOIN system_assignment s",
                " WHERE s.actor_id = c.user_id AND s.type = 'UserSystem' AND NOT s.inherited",
                " UNION SELECT s.role_id FROM mapped CROSS JOIN system_assignment s",
                " WHERE s.actor_id = mapped.id AND s.type = 'GroupSystem' AND NOT s.inherited)",
                " SELECT ",
                user_columns!(),
                ", ",
                project_columns!(),
                ", (SELECT ",
                $whole_roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff UNION SELECT role_id FROM own)), ",
                password_expires_at!(),
                ", ",
                yes!("EXISTS (SELECT 1 FROM identity_provider i WHERE i.id = ?)"),
                " FROM c",
                user!($user, "c.user_id"),
                project!()
            ),
            trust: concat!(
                "WITH RECURSIVE t AS (SELECT * FROM trust WHERE id = ? AND deleted_at IS NULL),",
                " c AS (SELECT trustor_user_id AS user_id, project_id FROM t),",
                effective_roles!($still_verified, on_project!(), "", ""),
                ",",
                given_with_implied!("SELECT role_id FROM trust_role WHERE trust_id = ?"),
                " SELECT ",
                trust_columns!(),
                ", ",
                user_columns!(),
                ", ",
                yes!("v.enabled AND vd.enabled"),
                ", (SELECT ",
                $whole_roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM given)), (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM eff)), ",
                password_expires_at!(),
                " FROM t",
                user!($user, "t.trustor_user_id"),
                " LEFT JOIN ",
                $user,
                " v ON v.id = t.trustee_user_id",
                " LEFT JOIN project vd ON vd.id = v.domain_id AND vd.is_domain"
            ),
            access_token: concat!(
                "WITH RECURSIVE",
                given_with_implied!(concat!(
                    "SELECT r.id AS role_id FROM access_token t JOIN role r ON t.role_ids LIKE ",
                    $in_quotes,
                    " WHERE t.id = ?"
                )),
                " SELECT t.id, t.authorizing_user_id, t.project_id, t.consumer_id, (SELECT ",
                $roles,
                " FROM role r WHERE r.id IN (SELECT role_id FROM given))",
                " FROM access_token t WHERE t.id = ?"
            ),
            credentials: concat!(
                "SELECT id, type, user_id, project_id, ",
                $blob_hash,
                " FROM credential WHERE type = 'ec2' AND id IN ({ids})"
            ),
            users: concat!(
                "SELECT u.id, ",
                user_name!(),
                ", u.domain_id, ",
                yes!("u.enabled"),
                " FROM ",
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
                "SELECT ",
                trust_columns!(),
                " FROM trust t WHERE t.deleted_at IS NULL AND t.id IN ({ids})"
            ),
            application_credentials: concat!(
                "SELECT a.id, a.name, a.user_id, a.project_id, a.expires_at, ",
                yes!("a.unrestricted"),
                // Keystone allows any number of rules. More than an edge takes are not even read: in
                // their place stands one that has nothing, which nobody can be told of.
                ", CASE WHEN (SELECT count(*) FROM application_credential_access_rule ax",
                " WHERE ax.application_credential_id = a.internal_id) > 256 THEN '[{}]' ELSE (SELECT ",
                $rules,
                " FROM access_rule x JOIN application_credential_access_rule ax",
                " ON ax.access_rule_id = x.id WHERE ax.application_credential_id = a.internal_id) END,",
                " (SELECT ",
                $roles,
                " FROM role r JOIN application_credential_role ar",
                " ON ar.role_id = r.id WHERE ar.application_credential_id = a.internal_id)",
                " FROM application_credential a WHERE a.id IN ({ids})"
            ),
        }
    };
}

pub(super) static MYSQL: Statements = statements!(
    "`user`",
    "DATE_ADD(e.last_verified, INTERVAL i.authorization_ttl MINUTE) > UTC_TIMESTAMP()",
    "JSON_ARRAYAGG(JSON_OBJECT('id', r.id, 'name', r.name, 'domain_id', r.domain_id))",
    concat!("JSON_ARRAYAGG(", whole_role!("JSON_OBJECT"), ")"),
    "JSON_ARRAYAGG(JSON_OBJECT('id', x.external_id, 'service', x.service, 'path', x.path, \
     'method', x.method))",
    "SHA2(encrypted_blob, 256)",
    "CONCAT('%\"', r.id, '\"%')"
);
pub(super) static POSTGRES: Statements = statements!(
    "\"user\"",
    "e.last_verified + i.authorization_ttl * INTERVAL '1 minute' > (now() AT TIME ZONE 'UTC')",
    "CAST(json_agg(json_build_object('id', r.id, 'name', r.name, 'domain_id', r.domain_id)) AS TEXT)",
    concat!("CAST(json_agg(", whole_role!("json_build_object"), ") AS TEXT)"),
    "CAST(json_agg(json_build_object('id', x.external_id, 'service', x.service, 'path', x.path, \
     'method', x.method)) AS TEXT)",
    "encode(sha256(convert_to(encrypted_blob, 'UTF8')), 'hex')",
    "'%\"' || r.id || '\"%'"
);
pub(super) static SQLITE: Statements = statements!(
    "\"user\"",
    "datetime(e.last_verified, '+' || i.authorization_ttl || ' minutes') > datetime('now')",
    "json_group_array(json_object('id', r.id, 'name', r.name, 'domain_id', r.domain_id))",
    concat!("json_group_array(", whole_role!("json_object"), ")"),
    "json_group_array(json_object('id', x.external_id, 'service', x.service, 'path', x.path, \
     'method', x.method))",
    // It has no SHA-256. But then the blob has no way to go.
    "encrypted_blob",
    "'%\"' || r.id || '\"%'"
);
