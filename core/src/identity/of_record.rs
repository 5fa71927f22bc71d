//! What a record of Keystone's knowledge says: the headers that keystonemiddleware sets
//! (`auth_token/_request.py`), with the same values.

use alloc::string::String;

use super::{HeaderEdits, IDENTITY_STATUS, joined};
use crate::record::{Domain, IdentityRecord};

impl HeaderEdits {
    /// Says who acts.
    pub fn set_user(&mut self, record: &IdentityRecord) {
        self.set.push((IDENTITY_STATUS, "Confirmed".into()));
        self.set_party(record, &OF_USER);
        // Unless Keystone says that it is not.
        let is_admin_project = record.is_admin_project.unwrap_or(true);
        self.set
            .push(("x-is-admin-project", if is_admin_project { "True" } else { "False" }.into()));
        if record.is_system {
            self.set.push(("openstack-system-scope", "all".into()));
        }
        // The names of old.
        self.set.push(("x-role", roles(record)));
        self.set_some("x-user", record.user.name.as_deref());
        let project = record.project.as_ref();
        self.set_some("x-tenant-id", project.map(|project| project.id.as_str()));
        for name in ["x-tenant-name", "x-tenant"] {
            self.set_some(name, project.and_then(|project| project.name.as_deref()));
        }
    }

    /// Says which services there are, in the JSON of [`crate::record::Catalog::to_v2_json`].
    pub fn set_catalog(&mut self, json: String) {
        self.set.push(("x-service-catalog", json));
    }

    /// Says which service asks on the user's behalf.
    pub fn set_service(&mut self, record: &IdentityRecord) {
        self.set.push((SERVICE_IDENTITY_STATUS, "Confirmed".into()));
        self.set_party(record, &OF_SERVICE);
    }

    /// Says that what should have been the token of a service is none.
    pub fn set_service_invalid(&mut self) {
        self.set.push((SERVICE_IDENTITY_STATUS, "Invalid".into()));
    }

    fn set_party(&mut self, record: &IdentityRecord, names: &Names) {
        let IdentityRecord { user, project, domain, .. } = record;
        let project = project.as_ref();
        self.set.push((names.user.id, user.id.clone()));
        self.set_some(names.user.name, user.name.as_deref());
        self.set_domain(&names.user.domain, user.domain.as_ref());
        self.set_some(names.project.id, project.map(|project| project.id.as_str()));
        self.set_some(names.project.name, project.and_then(|project| project.name.as_deref()));
        let project_domain = project.and_then(|project| project.domain.as_ref());
        self.set_domain(&names.project.domain, project_domain);
        self.set_domain(&names.domain, domain.as_ref());
        self.set.push((names.roles, roles(record)));
    }

    fn set_domain(&mut self, names: &DomainNames, domain: Option<&Domain>) {
        self.set_some(names.id, domain.map(|domain| domain.id.as_str()));
        self.set_some(names.name, domain.and_then(|domain| domain.name.as_deref()));
    }

    fn set_some(&mut self, name: &'static str, value: Option<&str>) {
        self.set.extend(value.map(|value| (name, value.into())));
    }
}

/// A list with commas; empty for a token without a scope.
fn roles(record: &IdentityRecord) -> String {
    joined(record.roles.iter().map(|role| &role.name))
}

/// What the parts of an identity are called.
struct Names {
    user: PartyNames,
    project: PartyNames,
    domain: DomainNames,
    roles: &'static str,
}

/// What the parts of a user or project are called.
struct PartyNames {
    id: &'static str,
    name: &'static str,
    domain: DomainNames,
}

/// What the parts of a domain are called.
struct DomainNames {
    id: &'static str,
    name: &'static str,
}

const OF_USER: Names = Names {
    user: PartyNames {
        id: "x-user-id",
        name: "x-user-name",
        domain: DomainNames { id: "x-user-domain-id", name: "x-user-domain-name" },
    },
    project: PartyNames {
        id: "x-project-id",
        name: "x-project-name",
        domain: DomainNames { id: "x-project-domain-id", name: "x-project-domain-name" },
    },
    domain: DomainNames { id: "x-domain-id", name: "x-domain-name" },
    roles: "x-roles",
};

const OF_SERVICE: Names = Names {
    user: PartyNames {
        id: "x-service-user-id",
        name: "x-service-user-name",
        domain: DomainNames { id: "x-service-user-domain-id", name: "x-service-user-domain-name" },
    },
    project: PartyNames {
        id: "x-service-project-id",
        name: "x-service-project-name",
        domain: DomainNames {
            id: "x-service-project-domain-id",
            name: "x-service-project-domain-name",
        },
    },
    domain: DomainNames { id: "x-service-domain-id", name: "x-service-domain-name" },
    roles: "x-service-roles",
};

const SERVICE_IDENTITY_STATUS: &str = "x-service-identity-status";
