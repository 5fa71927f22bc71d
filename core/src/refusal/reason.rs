//! Why a request does not pass: closed sets, so that metrics have a fixed number of series.

use alloc::vec::Vec;

use crate::record::{AccessKeyFault, IdentityFault, ValidationFault};
use crate::sigv4::Error;
use crate::sigv4::body::BodyError;

/// Why a request is not allowed. It would not be a moment later either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The access rules of the application credential allow no such request.
    AccessRules,
    /// The access control list of the configuration does not allow it to this sender.
    AclDenied,
    /// The body is not complete, or not what it must be.
    Body(BodyFault),
    /// The token is bound to a client certificate, and the client has shown none.
    CertificateMissing,
    /// The token is bound to a client certificate, and the proxy does not tell which one the client has
    /// shown.
    CertificateUntold,
    /// The token is bound to another client certificate.
    CertificateWrong,
    /// No credentials of any kind that the configuration takes.
    CredentialsMissing,
    /// Keystone would not take such a token any more, says the key server.
    Identity(IdentityFault),
    /// Keystone itself, which was asked, does not take the token.
    Keystone(ValidationFault),
    /// A key opens the token, but what is inside is no payload.
    PayloadMalformed,
    /// A key opens the token, but its payload is of a version that is not known.
    PayloadVersionUnknown,
    /// It is not as the document says that it is held against.
    Schema(SchemaFault),
    /// The token of the service that asks on a user's behalf is none, or has not the role for it.
    ServiceTokenInvalid,
    /// Servers may read the request as one of a route whose settings are others, or not.
    RouteInDoubt,
    /// The request is signed, but not as it must be.
    Signature(SignatureFault),
    /// More than one token, or a token and a signature, and it is not clear which one the service
    /// would believe.
    TokenAmbiguous,
    /// The token has ended.
    TokenExpired,
    /// A genuine token of a kind that the configuration does not take.
    TokenKindRefused,
    /// Not a Fernet token, whatever the keys.
    TokenMalformed,
    /// No token.
    TokenMissing,
    /// No key made it: forged, altered, or from another Keystone.
    TokenNotAuthentic,
    /// A signed token from the future.
    TokenNotYetValid,
    /// It was revoked.
    TokenRevoked,
    /// Longer than the configuration allows.
    TokenTooLong,
    /// Who asks about a token may not.
    ValidationForbidden,
}

/// What is wrong with the body of a request that must be complete before it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFault {
    /// It is compressed, so that nobody here can tell what it is.
    Encoded,
    /// It did not end in time.
    Late,
    /// It is not JSON.
    NotJson,
    /// It is longer than the configuration allows.
    TooLong,
}

/// In what a request is not as the document says that it is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaFault {
    /// Its body is of another kind.
    MediaType,
    /// The path has other methods.
    MethodNotAllowed,
    /// There is no such path.
    PathUnknown,
    /// To tell would take more steps than a request may.
    TooComplex,
    /// A parameter or the body is not what it must be.
    Violated,
}

/// What is wrong with a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The access key opens nothing, says the key server.
    AccessKey(AccessKeyFault),
    /// The access key has not the prefix that all of ours have.
    AccessKeyForeign,
    /// An algorithm that is not verified here.
    AlgorithmRefused,
    /// Signed in two places, or in one that can be read in two ways.
    Ambiguous,
    /// The trailing checksum is not that of the body.
    BodyChecksum,
    /// The body is not the one that was signed.
    BodyHash,
    /// The body ends early, or is not framed as it must be.
    BodyMalformed,
    /// The signature covers a hash of the body that is not in the head, and the proxy was not told
    /// to hold heads.
    BodyNotHeld,
    /// A chunk or the trailers of the body have a wrong signature.
    ChunkSignature,
    /// A chunk is larger than the configuration allows.
    ChunkTooLarge,
    /// A presigned URL that has ended.
    Expired,
    /// Headers were there that had to be signed and were not.
    HeadersNotSigned,
    /// The signature, or what is said of it, cannot be read.
    Malformed,
    /// The key did not make the signature.
    Mismatch,
    /// A presigned URL from the future.
    NotYetValid,
    /// What `x-amz-content-sha256` and its companions say of the body is missing or wrong.
    Payload,
    /// A region that the configuration does not take.
    RegionRefused,
    /// A service that the configuration does not take.
    ServiceRefused,
    /// The access key needs a session token that is not there, or another one, or none.
    SessionToken,
    /// The date is too far from now.
    Skewed,
    /// Trailers of HTTP, which no signature covers.
    TrailersRefused,
    /// Not signed, but authorised by a scheme that is not ours.
    Unsupported,
    /// Signed with Signature Version 2.
    VersionRefused,
}

/// Why it cannot be known whether a request is allowed. It may be a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// The service catalogue cannot be had, and no copy of it may still be used.
    CatalogUnavailable,
    /// The proxy did not do what it was asked; the request's own headers could not be read, say.
    HostFailure,
    /// What Keystone knows of the token's user cannot be had, and no copy of it may still be used.
    IdentityUnavailable,
    /// What Keystone itself says of the token cannot be had, and no answer of it may still be used.
    KeystoneUnavailable,
    /// The document that the request is to be held against has not come from the key server.
    SchemaUnavailable,
    /// There are no keys that may still be used, or none recent enough to refuse by.
    KeysUnavailable,
    /// What was revoked is not known, or was not heard of for too long.
    RevocationsUnavailable,
    /// As much of bodies is held back as the configuration allows.
    TooMuchHeld,
    /// As many keys are asked for as the configuration allows.
    TooManyCalls,
    /// Too many requests wait for keys already.
    TooManyWaiting,
}

impl Rejection {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut all = Vec::from([
            Self::AccessRules,
            Self::AclDenied,
            Self::CertificateMissing,
            Self::CertificateUntold,
            Self::CertificateWrong,
            Self::CredentialsMissing,
            Self::PayloadMalformed,
            Self::PayloadVersionUnknown,
            Self::RouteInDoubt,
            Self::ServiceTokenInvalid,
            Self::TokenAmbiguous,
            Self::TokenExpired,
            Self::TokenKindRefused,
            Self::TokenMalformed,
            Self::TokenMissing,
            Self::TokenNotAuthentic,
            Self::TokenNotYetValid,
            Self::TokenRevoked,
            Self::TokenTooLong,
            Self::ValidationForbidden,
        ]);
        all.extend(IdentityFault::ALL.iter().copied().map(Self::Identity));
        all.extend(BodyFault::ALL.iter().copied().map(Self::Body));
        all.extend(SchemaFault::ALL.iter().copied().map(Self::Schema));
        all.extend(ValidationFault::ALL.iter().copied().map(Self::Keystone));
        all.extend(SignatureFault::ALL.iter().copied().map(Self::Signature));
        all.into_iter()
    }

    /// Whether the decision can be left to the service: where there is nothing that could be wrong
    /// in two ways. Of an ambiguous request the service would believe what it likes, what is signed
    /// wrongly is not unsigned, and from bodies that are not complete the service is kept.
    #[must_use]
    pub fn can_be_anonymous(&self) -> bool {
        match self {
            Self::AclDenied
            | Self::Body(_)
            | Self::RouteInDoubt
            | Self::Schema(_)
            | Self::TokenAmbiguous
            | Self::ValidationForbidden => false,
            Self::Signature(fault) => *fault == SignatureFault::Unsupported,
            _ => true,
        }
    }

    /// Whether whoever asks about a token can be told that it is none for this reason. There are two
    /// kinds of others: those of requests as a whole; and those of genuine tokens of which Keystone
    /// may know more than is known here.
    #[must_use]
    pub fn can_be_answered(&self) -> bool {
        match self {
            Self::AccessRules
            | Self::TokenExpired
            | Self::TokenMalformed
            | Self::TokenMissing
            | Self::TokenNotAuthentic
            | Self::TokenNotYetValid
            | Self::TokenRevoked
            | Self::TokenTooLong => true,
            Self::Identity(fault) => *fault != IdentityFault::Unpresentable,
            Self::AclDenied
            | Self::Body(_)
            | Self::CertificateMissing
            | Self::CertificateUntold
            | Self::CertificateWrong
            | Self::CredentialsMissing
            | Self::Keystone(_)
            | Self::PayloadMalformed
            | Self::PayloadVersionUnknown
            | Self::RouteInDoubt
            | Self::Schema(_)
            | Self::ServiceTokenInvalid
            | Self::Signature(_)
            | Self::TokenAmbiguous
            | Self::TokenKindRefused
            | Self::ValidationForbidden => false,
        }
    }

    /// The machine-readable reason, in metrics, logs and the reason header.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccessRules => "access_rules",
            Self::AclDenied => "acl_denied",
            Self::Body(fault) => fault.reason(),
            Self::CertificateMissing => "certificate_missing",
            Self::CertificateUntold => "certificate_untold",
            Self::CertificateWrong => "certificate_wrong",
            Self::CredentialsMissing => "credentials_missing",
            Self::Identity(fault) => fault.reason(),
            Self::Keystone(fault) => fault.reason(),
            Self::PayloadMalformed => "payload_malformed",
            Self::PayloadVersionUnknown => "payload_version_unknown",
            Self::RouteInDoubt => "route_in_doubt",
            Self::Schema(fault) => fault.reason(),
            Self::ServiceTokenInvalid => "service_token_invalid",
            Self::Signature(fault) => fault.reason(),
            Self::TokenAmbiguous => "token_ambiguous",
            Self::TokenExpired => "token_expired",
            Self::TokenKindRefused => "token_kind_refused",
            Self::TokenMalformed => "token_malformed",
            Self::TokenMissing => "token_missing",
            Self::TokenNotAuthentic => "token_not_authentic",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::TokenRevoked => "token_revoked",
            Self::TokenTooLong => "token_too_long",
            Self::ValidationForbidden => "validation_forbidden",
        }
    }
}

impl BodyFault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Encoded, Self::Late, Self::NotJson, Self::TooLong];

    /// The machine-readable reason.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Encoded => "body_encoded",
            Self::Late => "body_late",
            Self::NotJson => "body_not_json",
            Self::TooLong => "body_too_long",
        }
    }
}

impl SchemaFault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::MediaType,
        Self::MethodNotAllowed,
        Self::PathUnknown,
        Self::TooComplex,
        Self::Violated,
    ];

    /// The machine-readable reason.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::MediaType => "schema_media_type",
            Self::MethodNotAllowed => "schema_method_not_allowed",
            Self::PathUnknown => "schema_path_unknown",
            Self::TooComplex => "schema_too_complex",
            Self::Violated => "schema_violated",
        }
    }
}

impl SignatureFault {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::AccessKey(AccessKeyFault::AccessKeyDisabled),
        Self::AccessKey(AccessKeyFault::AccessKeyExpired),
        Self::AccessKey(AccessKeyFault::AccessKeyUnknown),
        Self::AccessKeyForeign,
        Self::AlgorithmRefused,
        Self::Ambiguous,
        Self::BodyChecksum,
        Self::BodyHash,
        Self::BodyMalformed,
        Self::BodyNotHeld,
        Self::ChunkSignature,
        Self::ChunkTooLarge,
        Self::Expired,
        Self::HeadersNotSigned,
        Self::Malformed,
        Self::Mismatch,
        Self::NotYetValid,
        Self::Payload,
        Self::RegionRefused,
        Self::ServiceRefused,
        Self::SessionToken,
        Self::Skewed,
        Self::TrailersRefused,
        Self::Unsupported,
        Self::VersionRefused,
    ];

    /// The machine-readable reason.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccessKey(fault) => fault.reason(),
            Self::AccessKeyForeign => "access_key_foreign",
            Self::AlgorithmRefused => "signature_algorithm_refused",
            Self::Ambiguous => "signature_ambiguous",
            Self::BodyChecksum => "body_checksum_wrong",
            Self::BodyHash => "body_hash_wrong",
            Self::BodyMalformed => "body_malformed",
            Self::BodyNotHeld => "body_not_held",
            Self::ChunkSignature => "chunk_signature_wrong",
            Self::ChunkTooLarge => "chunk_too_large",
            Self::Expired => "signature_expired",
            Self::HeadersNotSigned => "headers_not_signed",
            Self::Malformed => "signature_malformed",
            Self::Mismatch => "signature_wrong",
            Self::NotYetValid => "signature_not_yet_valid",
            Self::Payload => "payload_hash_invalid",
            Self::RegionRefused => "region_refused",
            Self::ServiceRefused => "service_refused",
            Self::SessionToken => "session_token_wrong",
            Self::Skewed => "signature_skewed",
            Self::TrailersRefused => "trailers_refused",
            Self::Unsupported => "scheme_unsupported",
            Self::VersionRefused => "signature_version_refused",
        }
    }
}

impl From<&Error> for SignatureFault {
    fn from(error: &Error) -> Self {
        match error {
            Error::AlgorithmRefused(_) => Self::AlgorithmRefused,
            Error::Ambiguous => Self::Ambiguous,
            Error::ChecksumSeveral
            | Error::ContentSha256Invalid(_)
            | Error::ContentSha256Mismatch(_)
            | Error::ContentSha256Missing
            | Error::DecodedLengthMissing
            | Error::TrailerUnexpected
            | Error::TrailerUnsupported => Self::Payload,
            Error::DateInvalid
            | Error::Header(_)
            | Error::Malformed
            | Error::Query(_)
            | Error::Repeated(_)
            | Error::Uri => Self::Malformed,
            Error::Expired { .. } => Self::Expired,
            Error::HeadersNotSigned(_) => Self::HeadersNotSigned,
            Error::NotYetValid => Self::NotYetValid,
            Error::SignedHeaderAbsent(_) => Self::Mismatch,
            Error::Skewed { .. } => Self::Skewed,
            Error::Unsupported => Self::Unsupported,
            Error::V2Refused => Self::VersionRefused,
        }
    }
}

impl From<&BodyError> for SignatureFault {
    fn from(error: &BodyError) -> Self {
        match error {
            BodyError::Checksum(_) | BodyError::ChecksumValue(_) => Self::BodyChecksum,
            BodyError::ChunkTooLarge { .. } => Self::ChunkTooLarge,
            BodyError::ContentHash { .. } => Self::BodyHash,
            BodyError::Signature { .. } => Self::ChunkSignature,
            BodyError::ChunkTooSmall { .. }
            | BodyError::Incomplete
            | BodyError::Length { .. }
            | BodyError::Trailer => Self::BodyMalformed,
        }
    }
}

impl Unknown {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::CatalogUnavailable,
        Self::HostFailure,
        Self::IdentityUnavailable,
        Self::KeysUnavailable,
        Self::KeystoneUnavailable,
        Self::RevocationsUnavailable,
        Self::SchemaUnavailable,
        Self::TooManyCalls,
        Self::TooManyWaiting,
        Self::TooMuchHeld,
    ];

    /// The machine-readable reason, in metrics, logs and the reason header.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::CatalogUnavailable => "catalog_unavailable",
            Self::HostFailure => "host_failure",
            Self::IdentityUnavailable => "identity_unavailable",
            Self::KeysUnavailable => "keys_unavailable",
            Self::KeystoneUnavailable => "keystone_unavailable",
            Self::RevocationsUnavailable => "revocations_unavailable",
            Self::SchemaUnavailable => "schema_unavailable",
            Self::TooManyCalls => "too_many_calls",
            Self::TooManyWaiting => "too_many_waiting",
            Self::TooMuchHeld => "too_much_held",
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_reason_is_a_word_of_its_own() {
        let reasons = Rejection::all().map(Rejection::reason);
        let reasons: Vec<_> = reasons.chain(Unknown::ALL.map(Unknown::reason)).collect();
        assert_eq!(reasons.iter().collect::<BTreeSet<_>>().len(), reasons.len());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
        assert!(reasons.iter().all(|reason| reason.bytes().all(is_plain)));
    }
}
