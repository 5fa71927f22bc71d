//! Facts for the tests of the rules.

use super::facts::{
    AccessToken, ApplicationCredential, KnownDomain, KnownProject, KnownRole, KnownRule, KnownUser,
    NO_DOMAIN, Owner, Roles, Trust,
};

/// Roles by their ids, with names in capitals.
pub(super) fn roles(ids: &str) -> Roles {
    Roles::new(ids.split_whitespace().map(|id| {
        let domain_id = if id.starts_with("of-a-domain") { "d" } else { NO_DOMAIN };
        KnownRole {
            id: id.into(),
            name: id.to_uppercase(),
            domain_id: Some(domain_id.into()),
            details: None,
        }
    }))
}

pub(super) fn domain(id: &str) -> KnownDomain {
    KnownDomain { id: id.into(), name: Some(id.to_uppercase()), is_enabled: true }
}

pub(super) fn user(id: &str) -> KnownUser {
    KnownUser {
        id: id.into(),
        name: Some(id.to_uppercase()),
        domain: Some(domain("ud")),
        is_enabled: true,
    }
}

pub(super) fn project(id: &str) -> KnownProject {
    KnownProject {
        id: id.into(),
        name: Some(id.to_uppercase()),
        domain: Some(domain("pd")),
        is_enabled: true,
        is_domain: false,
    }
}

/// The user `u` with roles in the project `p`.
pub(super) fn owner(ids: &str) -> Owner {
    Owner { user: Some(user("u")), project: Some(project("p")), roles: roles(ids) }
}

/// Of that user for that project.
pub(super) fn application_credential(ids: &str) -> ApplicationCredential {
    ApplicationCredential {
        id: "ac".into(),
        name: "AC".into(),
        user_id: "u".into(),
        project_id: Some("p".into()),
        expires_at: None,
        is_unrestricted: false,
        access_rules: Vec::new(),
        roles: roles(ids),
    }
}

/// Of that user for that project.
pub(super) fn access_token(ids: &str) -> AccessToken {
    AccessToken {
        id: "at".into(),
        user_id: "u".into(),
        project_id: "p".into(),
        consumer_id: "c".into(),
        roles: roles(ids),
    }
}

/// From that user to another, who acts as that user in that project.
pub(super) fn trust(ids: &str, trustor_ids: &str) -> Trust {
    Trust {
        id: "t".into(),
        trustor_id: "u".into(),
        trustee_id: "other".into(),
        project_id: Some("p".into()),
        is_impersonation: true,
        expires_at: None,
        has_old_end: false,
        remaining_uses: None,
        redelegation_count: None,
        parent_id: None,
        trustor: Some(user("u")),
        is_trustee_enabled: true,
        roles: roles(ids),
        trustor_roles: roles(trustor_ids),
    }
}

pub(super) fn rule(path: &str) -> KnownRule {
    KnownRule {
        id: Some("x".into()),
        service: Some("s".into()),
        path: Some(path.into()),
        method: Some("GET".into()),
    }
}
