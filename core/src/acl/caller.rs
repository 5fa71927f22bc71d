//! Who sends a request, as far as rules can ask.

use crate::record::{CredentialRecord, IdentityRecord, Project, Role, User};

/// What rules can ask of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl Attribute {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AccessKey,
        Self::ApplicationCredential,
        Self::DomainId,
        Self::ProjectId,
        Self::ProjectDomainId,
        Self::ProjectName,
        Self::Roles,
        Self::System,
        Self::UserId,
        Self::UserDomainId,
        Self::UserName,
    ];

    /// What rules call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessKey => "access_key",
            Self::ApplicationCredential => "application_credential",
            Self::DomainId => "domain_id",
            Self::ProjectId => "project_id",
            Self::ProjectDomainId => "project_domain_id",
            Self::ProjectName => "project_name",
            Self::Roles => "roles",
            Self::System => "system",
            Self::UserId => "user_id",
            Self::UserDomainId => "user_domain_id",
            Self::UserName => "user_name",
        }
    }

    /// Whether a token tells it without any record.
    #[must_use]
    pub fn is_in_token(self) -> bool {
        matches!(
            self,
            Self::ApplicationCredential
                | Self::DomainId
                | Self::ProjectId
                | Self::System
                | Self::UserId
        )
    }
}

/// A sender; the default is nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    pub(crate) access_key: Option<&'a str>,
    pub(crate) application_credential: Option<&'a str>,
    pub(crate) domain_id: Option<&'a str>,
    pub(crate) is_system: bool,
    pub(crate) project_id: Option<&'a str>,
    pub(crate) user_id: Option<&'a str>,
    /// What only records tell.
    pub(crate) recorded: Recorded<'a>,
}

/// What a token does not say itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recorded<'a> {
    project: Option<&'a Project>,
    roles: &'a [Role],
    user: Option<&'a User>,
}

impl<'a> Caller<'a> {
    /// Whoever has this access key.
    #[must_use]
    pub fn of_access_key(access_key: &'a str, record: &'a CredentialRecord) -> Self {
        Self {
            access_key: Some(access_key),
            ..Self::of(&record.user, record.project.as_ref(), &record.roles)
        }
    }

    fn of(user: &'a User, project: Option<&'a Project>, roles: &'a [Role]) -> Self {
        Self {
            project_id: project.map(|project| &*project.id),
            user_id: Some(&user.id),
            recorded: Recorded { project, roles, user: Some(user) },
            ..Self::default()
        }
    }

    /// Calls `is_it` with each value of an attribute until it says yes. `None` where there is no value.
    pub(super) fn any(&self, what: Attribute, is_it: impl Fn(&str) -> bool) -> Option<bool> {
        match (what, self.recorded.roles) {
            (Attribute::Roles, []) => None,
            (Attribute::Roles, roles) => Some(roles.iter().any(|role| is_it(&role.name))),
            _ => self.value(what).map(is_it),
        }
    }

    /// Whether it is known that there is no value, which is more than that none is known: a token by
    /// itself does not tell roles, nor names.
    pub(super) fn lacks(&self, what: Attribute) -> bool {
        let can_tell = match what {
            Attribute::Roles => self.user_id.is_none() || self.recorded.user.is_some(),
            Attribute::ProjectDomainId | Attribute::ProjectName => self.project_id.is_none(),
            Attribute::UserDomainId | Attribute::UserName => self.user_id.is_none(),
            Attribute::AccessKey
            | Attribute::ApplicationCredential
            | Attribute::DomainId
            | Attribute::ProjectId
            | Attribute::System
            | Attribute::UserId => true,
        };
        can_tell && self.any(what, |_| true).is_none()
    }

    /// The value of an attribute that has one, and not several as roles have.
    pub(crate) fn value(&self, what: Attribute) -> Option<&'a str> {
        let Recorded { project, roles: _, user } = self.recorded;
        match what {
            Attribute::Roles => None,
            Attribute::AccessKey => self.access_key,
            Attribute::ApplicationCredential => self.application_credential,
            Attribute::DomainId => self.domain_id,
            Attribute::ProjectId => self.project_id,
            Attribute::ProjectDomainId => {
                project.and_then(|project| Some(&*project.domain.as_ref()?.id))
            }
            Attribute::ProjectName => project.and_then(|project| project.name.as_deref()),
            Attribute::System => self.is_system.then_some("all"),
            Attribute::UserId => self.user_id,
            Attribute::UserDomainId => user.and_then(|user| Some(&*user.domain.as_ref()?.id)),
            Attribute::UserName => user.and_then(|user| user.name.as_deref()),
        }
    }
}

impl<'a> From<&'a IdentityRecord> for Caller<'a> {
    fn from(record: &'a IdentityRecord) -> Self {
        let credential = record.application_credential.as_ref();
        Self {
            application_credential: credential.map(|credential| &*credential.id),
            domain_id: record.domain.as_ref().map(|domain| &*domain.id),
            is_system: record.is_system,
            ..Self::of(&record.user, record.project.as_ref(), &record.roles)
        }
    }
}
