//! Who sends a request, as far as rules can ask.

use crate::record::{CredentialRecord, IdentityRecord, Project, Role, User};

/// What rules can ask of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The id of the access key, or none.
    AccessKey,
    /// The id of the application credential.
    ApplicationCredential,
    /// The id of the domain that the token is for.
    DomainId,
    /// The id of the project.
    ProjectId,
    /// The id of the project's domain.
    ProjectDomainId,
    /// The project's name.
    ProjectName,
    /// The names of the effective roles.
    Roles,
    /// `all` for a token that is for the deployment as a whole.
    System,
    /// The id of the user.
    UserId,
    /// The id of the user's domain.
    UserDomainId,
    /// The user's name.
    UserName,
}

/// A sender; the default is nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    access_key: Option<&'a str>,
    application_credential: Option<&'a str>,
    domain_id: Option<&'a str>,
    project: Option<&'a Project>,
    roles: &'a [Role],
    is_system: bool,
    user: Option<&'a User>,
}

impl<'a> Caller<'a> {
    /// Whoever has this access key.
    #[must_use]
    pub fn of_access_key(access_key: &'a str, record: &'a CredentialRecord) -> Self {
        Self {
            access_key: Some(access_key),
            project: record.project.as_ref(),
            roles: &record.roles,
            user: Some(&record.user),
            ..Self::default()
        }
    }

    /// Calls `is_it` with each value of an attribute until it says yes. `None` where there is no value.
    pub(super) fn any(&self, what: Attribute, is_it: impl Fn(&str) -> bool) -> Option<bool> {
        let project = self.project;
        let value = match what {
            Attribute::Roles if self.roles.is_empty() => return None,
            Attribute::Roles => return Some(self.roles.iter().any(|role| is_it(&role.name))),
            Attribute::AccessKey => self.access_key,
            Attribute::ApplicationCredential => self.application_credential,
            Attribute::DomainId => self.domain_id,
            Attribute::ProjectId => project.map(|project| &*project.id),
            Attribute::ProjectDomainId => {
                project.and_then(|project| Some(&*project.domain.as_ref()?.id))
            }
            Attribute::ProjectName => project.and_then(|project| project.name.as_deref()),
            Attribute::System => self.is_system.then_some("all"),
            Attribute::UserId => self.user.map(|user| &*user.id),
            Attribute::UserDomainId => self.user.and_then(|user| Some(&*user.domain.as_ref()?.id)),
            Attribute::UserName => self.user.and_then(|user| user.name.as_deref()),
        };
        value.map(is_it)
    }
}

impl<'a> From<&'a IdentityRecord> for Caller<'a> {
    fn from(record: &'a IdentityRecord) -> Self {
        let credential = record.application_credential.as_ref();
        Self {
            access_key: None,
            application_credential: credential.map(|credential| &*credential.id),
            domain_id: record.domain.as_ref().map(|domain| &*domain.id),
            project: record.project.as_ref(),
            roles: &record.roles,
            is_system: record.is_system,
            user: Some(&record.user),
        }
    }
}
