//! What has to be known of a token before anybody can tell whether it was revoked.

use crate::record::Role;
use crate::time::UnixTime;

/// What events of revocation ask of a token. Some of it is in the token, the rest in the record of
/// whom it stands for.
///
/// **What is missing here matches nothing.** A look with the token's own part alone finds what it can
/// find; only one with all of it tells that a token was not revoked.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// When it was issued. Only the second counts.
    pub issued_at: UnixTime,
    /// When it ends. Only the second counts.
    pub expires_at: UnixTime,
    /// The user, as Keystone presents it.
    pub user_id: &'a str,
    /// The trustor of its trust.
    pub trustor_id: Option<&'a str>,
    /// The trustee of its trust.
    pub trustee_id: Option<&'a str>,
    /// The domain that the user belongs to.
    pub user_domain_id: Option<&'a str>,
    /// The domain that the token is for. (Keystone 30 has none here for a project's token. Its code
    /// means the project's domain: who passes that refuses more.)
    pub scope_domain_id: Option<&'a str>,
    /// The project that the token is for.
    pub project_id: Option<&'a str>,
    /// Its own audit id.
    pub audit_id: &'a str,
    /// The audit id of the first token of its chain, where it is another.
    pub audit_chain_id: Option<&'a str>,
    /// Its trust.
    pub trust_id: Option<&'a str>,
    /// Its OAuth 1.0a consumer.
    pub consumer_id: Option<&'a str>,
    /// Its OAuth 1.0a access token.
    pub access_token_id: Option<&'a str>,
    /// The roles that it gives. One without an id matches nothing.
    pub roles: &'a [Role],
}
