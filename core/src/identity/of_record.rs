//! What a record of Keystone's knowledge says: the headers that keystonemiddleware sets
//! (`auth_token/_request.py`), with the same values.

use super::{IDENTITY_STATUS, IdentityHeaders};
use crate::record::{Catalog, Domain, IdentityRecord};

impl IdentityHeaders<'_> {
    /// Says who acts.
    pub fn set_user(&mut self, record: &IdentityRecord) {
        self.set(IDENTITY_STATUS, &"Confirmed");
        self.set_party(record, &OF_USER);
        // Unless Keystone says that it is not.
        let is_admin_project = record.is_admin_project.unwrap_or(true);
        self.set("x-is-admin-project", if is_admin_project { &"True" } else { &"False" });
        if record.is_system {
            self.set("openstack-system-scope", &"all");
        }
        // The names of old.
        self.set_list("x-role", roles(record));
        self.set_some("x-user", record.user.name.as_deref());
        let project = record.project.as_ref();
        self.set_some("x-tenant-id", project.map(|project| project.id.as_str()));
        for name in ["x-tenant-name", "x-tenant"] {
            self.set_some(name, project.and_then(|project| project.name.as_deref()));
        }
    }

    /// Says which services there are.
    pub fn set_catalog(&mut self, catalog: &Catalog) {
        if self.wants(CATALOG) {
            self.set_anyway(CATALOG, catalog.to_v2_json());
        }
    }

    /// Says that there is no identity: keystonemiddleware's `delay_auth_decision`.
    pub fn set_invalid(&mut self) {
        self.set_anyway(IDENTITY_STATUS, "Invalid".into());
    }

    /// Says which service asks on the user's behalf.
    pub fn set_service(&mut self, record: &IdentityRecord) {
        self.set(SERVICE_IDENTITY_STATUS, &"Confirmed");
        self.set_party(record, &OF_SERVICE);
    }

    /// Says that what should have been the token of a service is none.
    pub fn set_service_invalid(&mut self) {
        self.set_anyway(SERVICE_IDENTITY_STATUS, "Invalid".into());
    }

    fn set_party(&mut self, record: &IdentityRecord, names: &Names) {
        let IdentityRecord { user, project, domain, .. } = record;
        let project = project.as_ref();
        self.set(names.user.id, &user.id);
        self.set_some(names.user.name, user.name.as_deref());
        self.set_domain(&names.user.domain, user.domain.as_ref());
        self.set_some(names.project.id, project.map(|project| project.id.as_str()));
        self.set_some(names.project.name, project.and_then(|project| project.name.as_deref()));
        let project_domain = project.and_then(|project| project.domain.as_ref());
        self.set_domain(&names.project.domain, project_domain);
        self.set_domain(&names.domain, domain.as_ref());
        self.set_list(names.roles, roles(record));
    }

    fn set_domain(&mut self, names: &DomainNames, domain: Option<&Domain>) {
        self.set_some(names.id, domain.map(|domain| domain.id.as_str()));
        self.set_some(names.name, domain.and_then(|domain| domain.name.as_deref()));
    }
}

fn roles(record: &IdentityRecord) -> impl Iterator<Item = &str> {
    record.roles.iter().map(|role| role.name.as_str())
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

const CATALOG: &str = "x-service-catalog";
const SERVICE_IDENTITY_STATUS: &str = "x-service-identity-status";
