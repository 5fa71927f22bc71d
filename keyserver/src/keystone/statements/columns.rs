//! The places of columns in the rows of statements.

/// Of a user with its domain, from some place on.
pub(in crate::keystone) mod user {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const NAME: usize = 1;
    pub(in crate::keystone) const IS_ENABLED: usize = 2;
    pub(in crate::keystone) const DOMAIN: usize = 3;
    pub(super) const COUNT: usize = DOMAIN + super::domain::COUNT;
}

/// Of a project with its domain, from some place on.
pub(in crate::keystone) mod project {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const NAME: usize = 1;
    pub(in crate::keystone) const IS_ENABLED: usize = 2;
    pub(in crate::keystone) const IS_DOMAIN: usize = 3;
    pub(in crate::keystone) const DOMAIN: usize = 4;
    pub(super) const COUNT: usize = DOMAIN + super::domain::COUNT;
}

/// Of a domain, from some place on.
pub(in crate::keystone) mod domain {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const NAME: usize = 1;
    pub(in crate::keystone) const IS_ENABLED: usize = 2;
    pub(super) const COUNT: usize = 3;
}

/// Of [`super::Statements::credential`].
pub(in crate::keystone) mod credential {
    pub(in crate::keystone) const SEALED_BLOB: usize = 0;
    /// Some databases take `EC2` for the same as `ec2`; Keystone does not.
    pub(in crate::keystone) const TYPE: usize = 1;
    pub(in crate::keystone) const USER: usize = 2;
    pub(in crate::keystone) const PROJECT: usize = USER + super::user::COUNT;
    /// A JSON array of `id`, `name`, `domain_id`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = PROJECT + super::project::COUNT;
}

/// Of [`super::Statements::token`] and [`super::Statements::federated_token`].
pub(in crate::keystone) mod token {
    pub(in crate::keystone) const USER: usize = 0;
    /// The project or domain that the token is for.
    pub(in crate::keystone) const PLACE: usize = USER + super::user::COUNT;
    /// A JSON array of `id`, `name`, `domain_id`, and of a federated token `details`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = PLACE + super::project::COUNT;
    /// When the password ends: microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const PASSWORD_EXPIRES_AT: usize = ROLES + 1;
    /// `y` if the identity provider is known; of a federated token alone.
    pub(in crate::keystone) const IS_PROVIDER_KNOWN: usize = PASSWORD_EXPIRES_AT + 1;
}

/// Of [`super::Statements::application_credentials`].
pub(in crate::keystone) mod application_credential {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const NAME: usize = 1;
    pub(in crate::keystone) const USER_ID: usize = 2;
    pub(in crate::keystone) const PROJECT_ID: usize = 3;
    /// Microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const EXPIRES_AT: usize = 4;
    /// `y` if it may be used to make further credentials.
    pub(in crate::keystone) const IS_UNRESTRICTED: usize = 5;
    /// A JSON array of `id`, `service`, `path`, `method`; or `NULL`.
    pub(in crate::keystone) const ACCESS_RULES: usize = 6;
    /// A JSON array of `id`, `name`, `domain_id`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = 7;
}

/// Of [`super::Statements::trust`], and of [`super::Statements::trusts`] up to `PARENT_ID`.
pub(in crate::keystone) mod trust {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const TRUSTOR_ID: usize = 1;
    pub(in crate::keystone) const TRUSTEE_ID: usize = 2;
    pub(in crate::keystone) const PROJECT_ID: usize = 3;
    /// `y` if the trustee acts as the trustor.
    pub(in crate::keystone) const IS_IMPERSONATION: usize = 4;
    /// Microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const EXPIRES_AT: usize = 5;
    /// `y` if it ends, and says so in the form of old releases alone.
    pub(in crate::keystone) const HAS_OLD_END: usize = 6;
    /// How often it may be used yet, or `NULL`.
    pub(in crate::keystone) const REMAINING_USES: usize = 7;
    /// How often what it gives may be given on.
    pub(in crate::keystone) const REDELEGATION_COUNT: usize = 8;
    /// The trust that it was given on from, or `NULL`.
    pub(in crate::keystone) const PARENT_ID: usize = 9;
    pub(in crate::keystone) const TRUSTOR: usize = 10;
    /// `y` if the trustee and its domain are there and enabled.
    pub(in crate::keystone) const IS_TRUSTEE_ENABLED: usize = TRUSTOR + super::user::COUNT;
    /// What it gives: a JSON array of `id`, `name`, `domain_id`, `details`; or `NULL`.
    pub(in crate::keystone) const ROLES: usize = IS_TRUSTEE_ENABLED + 1;
    /// What the trustor has: the same without `details`.
    pub(in crate::keystone) const TRUSTOR_ROLES: usize = ROLES + 1;
    /// When the password of the trustor ends: microseconds of UNIX time, or `NULL`.
    pub(in crate::keystone) const PASSWORD_EXPIRES_AT: usize = TRUSTOR_ROLES + 1;
}

/// Of [`super::Statements::access_token`], and of [`super::ACCESS_TOKENS`] up to `CONSUMER_ID`.
pub(in crate::keystone) mod access_token {
    pub(in crate::keystone) const ID: usize = 0;
    pub(in crate::keystone) const USER_ID: usize = 1;
    pub(in crate::keystone) const PROJECT_ID: usize = 2;
    pub(in crate::keystone) const CONSUMER_ID: usize = 3;
    /// What it gives: a JSON array of `id`, `name`, `domain_id`, or `NULL`; of many, a JSON array of
    /// ids.
    pub(in crate::keystone) const ROLES: usize = 4;
}
