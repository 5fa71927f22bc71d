//! What the key server sends: one definition for the side that writes and the side that reads.
//! `docs/key-server.md` documents the protocol. And what Keystone sends, in `validation.rs`.

mod catalog;
mod changes;
mod credential;
mod denial;
mod identity;
mod key_set;
mod party;
mod revocation;
mod role;
mod schema;
mod signing_key;
mod validation;

pub use catalog::{
    CATALOGS_PATH, Catalog, CatalogAnswer, CatalogRecord, CatalogRequest, Endpoint, InvalidCatalog,
    MAX_CATALOG_BYTES, MAX_CATALOG_REQUEST_BYTES, MAX_ENDPOINTS, MAX_SERVICES, Service,
};
pub use changes::{
    CHANGES_PATH, Change, Changes, Cursor, InvalidChanges, MAX_CHANGE_ID, MAX_CHANGES,
    MAX_CHANGES_BYTES, MAX_CURSOR, Thing,
};
pub use credential::{CredentialRecord, SessionTokenHash};
pub(crate) use denial::reason;
pub use denial::{Denial, MAX_DENIAL_BYTES};
pub use identity::{
    AccessRule, ApplicationCredential, Federation, IDENTITIES_PATH, IdentityAnswer, IdentityFault,
    IdentityRecord, IdentityRequest, IdentityScope, InvalidIdentity, MAX_ACCESS_RULES,
    MAX_IDENTITY_BYTES, MAX_IDENTITY_REQUEST_BYTES, Oauth1, Trust,
};
pub use key_set::{FernetKey, InvalidKeySet, JwsKey, KeySet, MAX_KEY_SET_BYTES, TOKEN_KEYS_PATH};
pub use party::{Delegation, Domain, InvalidRecord, MAX_TEXT, Project, User};
pub use revocation::{
    InvalidRevocations, MAX_REVOCATION_ID, MAX_REVOCATIONS, MAX_REVOCATIONS_BYTES,
    REVOCATIONS_PATH, RevocationEvent, Revocations,
};
pub use role::{MAX_ROLE_DETAILS, MAX_ROLES, Role, RoleDetails, bound_details};
pub use schema::{MAX_SCHEMA_BYTES, SCHEMAS_PATH, is_schema_name};
pub use signing_key::{
    AccessKeyFault, InvalidSigningKey, MAX_SIGNING_KEY_BYTES, MAX_SIGNING_KEY_REQUEST_BYTES,
    SIGNING_KEYS_PATH, SigningKeyAnswer, SigningKeyRequest,
};
pub use validation::{
    InvalidValidation, MAX_VALIDATION_BYTES, ValidationFault, ValidationRecord,
    is_keystones_refusal,
};

/// The header that carries [`PROTOCOL_VERSION`] on every answer of a key server. An answer without
/// it comes from something else: another service, or the proxy itself when it reached nobody.
pub const PROTOCOL_HEADER: &str = "voussoir-protocol";

/// The version of the protocol. An edge believes no answer of another version.
pub const PROTOCOL_VERSION: &str = "1";
