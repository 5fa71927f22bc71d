//! One payload: what it can say, and how its bytes are read. `encode.rs` is the way back.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::msgpack::Reader;
use super::{Expiry, Id, MalformedPayload, Methods};

/// What a token says. It says it under the HMAC of a key that Keystone and the key's holders share,
/// or under Keystone's own signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Who authenticated. **In a token of a trust this is the trustee**, and whether Keystone would
    /// present the trustor instead is not in the token.
    pub user_id: Id,
    /// How they authenticated.
    pub methods: Methods,
    /// When the token ends.
    pub expires_at: Expiry,
    /// What audit records call the token.
    pub audit_ids: AuditIds,
    /// What the token is for.
    pub scope: Scope,
    /// By whose leave, where it is not simply the user's own.
    pub delegation: Delegation,
}

/// What a token may be used on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing yet: such a token can only be exchanged for a scoped one.
    Unscoped,
    /// One domain.
    Domain(Id),
    /// One project.
    Project(Id),
    /// The deployment as a whole, `all`, the only system scope there is.
    System,
}

/// What stands between the user and the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// Nothing: the user's own authentication.
    None,
    /// A trust. The payload's user is the trustee.
    Trust {
        /// The trust's id.
        trust_id: Id,
    },
    /// An identity provider spoke for the user.
    Federation(Federation),
    /// An OAuth 1.0a access token.
    Oauth1 {
        /// The access token's id.
        access_token_id: Id,
    },
    /// An application credential. Its access rules are not in the token.
    ApplicationCredential {
        /// The application credential's id.
        application_credential_id: Id,
    },
    /// An OAuth 2.0 client credential, bound to a client certificate.
    Oauth2Credential {
        /// The certificate's `x5t#S256`. Whoever accepts the token must compare it.
        thumbprint: String,
    },
    /// A restriction of the Rust Keystone. What it restricts is not in the token.
    Restriction {
        /// The restriction's id.
        token_restriction_id: Id,
        /// Whether the token may be renewed.
        allow_renew: bool,
        /// Whether the token may be exchanged for one of another scope.
        allow_rescope: bool,
    },
}

/// What an identity provider said of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// The groups that the user was mapped to.
    pub group_ids: Vec<Id>,
    /// The identity provider.
    pub identity_provider_id: Id,
    /// The protocol the provider spoke.
    pub protocol_id: Id,
}

impl Federation {
    /// What these texts say, of at most [`MAX_GROUPS`] groups.
    pub(crate) fn from_texts<'a>(
        groups: impl ExactSizeIterator<Item = &'a String>,
        provider: &str,
        protocol: &str,
    ) -> Result<Self, MalformedPayload> {
        if groups.len() > MAX_GROUPS {
            return Err(MalformedPayload);
        }
        let mut group_ids = Vec::new();
        for id in groups {
            group_ids.push(Id::from_text(id)?);
        }
        Ok(Self {
            group_ids,
            identity_provider_id: Id::from_text(provider)?,
            protocol_id: Id::from_text(protocol)?,
        })
    }
}

/// The audit ids of a token: its own, and that of the first token of its chain when it was made
/// from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditIds {
    /// The token's own.
    pub own: AuditId,
    /// The first of the chain.
    pub chain: Option<AuditId>,
}

/// A random number of 16 bytes, written as 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditId(pub [u8; 16]);

/// The versions of payloads, by what tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Version 9.
    ApplicationCredential,
    /// Version 1.
    Domain,
    /// Version 6.
    FederatedDomain,
    /// Version 5.
    FederatedProject,
    /// Version 4.
    FederatedUnscoped,
    /// Version 7.
    Oauth1,
    /// Version 10.
    Oauth2Credential,
    /// Version 2.
    Project,
    /// Version 11, which the Rust Keystone alone writes.
    Restricted,
    /// Version 8.
    System,
    /// Version 3.
    Trust,
    /// Version 0.
    Unscoped,
}

/// What stands behind the methods.
#[derive(Clone, Copy, Debug)]
enum Field {
    AccessToken,
    /// Whether a token may be renewed, and whether it may be rescoped.
    Allowances,
    ApplicationCredential,
    AuditIds,
    BareDomain,
    Domain,
    ExpiresAt,
    /// Groups, the identity provider and its protocol.
    Federation,
    Project,
    /// Two fields, of which one has an id at the most.
    ProjectAndDomain,
    Restriction,
    System,
    Thumbprint,
    Trust,
}

/// Why bytes are no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadError {
    /// Not the fields that their version has, or with something wrong in them.
    Malformed,
    /// A version of a later Keystone.
    UnknownVersion(u64),
}

impl Payload {
    /// Reads the whole of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(bytes);
        let length = reader.array()?;
        let version = reader.unsigned()?;
        let kind = Kind::from_version(version).ok_or(PayloadError::UnknownVersion(version))?;
        if length != kind.fields() {
            return Err(PayloadError::Malformed);
        }
        let payload = Self::read(&mut reader, kind)?;
        reader.finish()?;
        Ok(payload)
    }

    /// The fields after the version.
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Self, MalformedPayload> {
        let user_id = Id::read(reader)?;
        let methods = Methods::Bits(reader.unsigned()?);
        let (mut expires_at, mut audit_ids) = (None, None);
        let (mut scope, mut delegation) = (Scope::Unscoped, Delegation::None);
        for field in kind.order() {
            match field {
                Field::ExpiresAt => expires_at = Some(Expiry::from_seconds(reader.number()?)?),
                Field::AuditIds => audit_ids = Some(AuditIds::read(reader)?),
                Field::Domain => scope = Scope::Domain(Id::read(reader)?),
                Field::BareDomain => scope = Scope::Domain(Id::read_bare(reader)?),
                Field::Project => scope = Scope::Project(Id::read(reader)?),
                Field::ProjectAndDomain => {
                    scope = match (Id::read_or_nil(reader)?, Id::read_or_nil(reader)?) {
                        (Some(id), None) => Scope::Project(id),
                        (None, Some(id)) => Scope::Domain(id),
                        (None, None) => Scope::Unscoped,
                        (Some(_), Some(_)) => return Err(MalformedPayload),
                    };
                }
                Field::System if reader.bytes()? == b"all" => scope = Scope::System,
                Field::System => return Err(MalformedPayload),
                Field::Trust => delegation = Delegation::Trust { trust_id: Id::read_uuid(reader)? },
                Field::Federation => delegation = Delegation::Federation(Federation::read(reader)?),
                Field::AccessToken => {
                    delegation = Delegation::Oauth1 { access_token_id: Id::read(reader)? };
                }
                Field::ApplicationCredential => {
                    let application_credential_id = Id::read(reader)?;
                    delegation = Delegation::ApplicationCredential { application_credential_id };
                }
                Field::Thumbprint => {
                    let thumbprint = Id::read(reader)?.to_string();
                    delegation = Delegation::Oauth2Credential { thumbprint };
                }
                Field::Restriction => {
                    delegation = Delegation::Restriction {
                        token_restriction_id: Id::read(reader)?,
                        allow_renew: false,
                        allow_rescope: false,
                    };
                }
                Field::Allowances => {
                    let allowed = (reader.bool()?, reader.bool()?);
                    if let Delegation::Restriction { allow_renew, allow_rescope, .. } =
                        &mut delegation
                    {
                        (*allow_renew, *allow_rescope) = allowed;
                    }
                }
            }
        }
        let (Some(expires_at), Some(audit_ids)) = (expires_at, audit_ids) else {
            return Err(MalformedPayload);
        };
        Ok(Self { user_id, methods, expires_at, audit_ids, scope, delegation })
    }

    /// The version that carries such a payload, chosen in Keystone's order.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.delegation, &self.scope) {
            (Delegation::Oauth1 { .. }, _) => Kind::Oauth1,
            (Delegation::Trust { .. }, _) => Kind::Trust,
            (Delegation::Federation(_), Scope::Project(_)) => Kind::FederatedProject,
            (Delegation::Federation(_), Scope::Domain(_)) => Kind::FederatedDomain,
            (Delegation::Federation(_), Scope::Unscoped | Scope::System) => Kind::FederatedUnscoped,
            (Delegation::ApplicationCredential { .. }, _) => Kind::ApplicationCredential,
            (Delegation::Oauth2Credential { .. }, _) => Kind::Oauth2Credential,
            (Delegation::Restriction { .. }, _) => Kind::Restricted,
            (Delegation::None, Scope::Project(_)) => Kind::Project,
            (Delegation::None, Scope::Domain(_)) => Kind::Domain,
            (Delegation::None, Scope::System) => Kind::System,
            (Delegation::None, Scope::Unscoped) => Kind::Unscoped,
        }
    }
}

impl Federation {
    fn read(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        let count = reader.array()?;
        if count > MAX_GROUPS {
            return Err(MalformedPayload);
        }
        // Collected one by one: the count is not believed before the groups are there.
        let mut group_ids = Vec::new();
        for _ in 0..count {
            group_ids.push(Id::read(reader)?);
        }
        let identity_provider_id = Id::read(reader)?;
        let protocol_id = Id::text(reader.bytes()?)?;
        Ok(Self { group_ids, identity_provider_id, protocol_id })
    }
}

impl AuditIds {
    /// The ids in their order: the token's own, and the first of its chain.
    pub fn from_texts(texts: &[String]) -> Result<Self, MalformedPayload> {
        let (own, chain) = match texts {
            [own] => (own, None),
            [own, chain] => (own, Some(AuditId::from_text(chain)?)),
            _ => return Err(MalformedPayload),
        };
        Ok(Self { own: AuditId::from_text(own)?, chain })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        let count = reader.array()?;
        let own = AuditId::read(reader)?;
        let chain = match count {
            1 => None,
            2 => Some(AuditId::read(reader)?),
            _ => return Err(MalformedPayload),
        };
        Ok(Self { own, chain })
    }
}

impl AuditId {
    /// The id that these 22 characters are.
    pub fn from_text(text: &str) -> Result<Self, MalformedPayload> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedPayload)?;
        bytes.try_into().map(Self).map_err(|_| MalformedPayload)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, MalformedPayload> {
        reader.bytes()?.try_into().map(Self).map_err(|_| MalformedPayload)
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Kind {
    /// All of them, in the order of their versions.
    pub const ALL: [Self; 12] = [
        Self::Unscoped,
        Self::Domain,
        Self::Project,
        Self::Trust,
        Self::FederatedUnscoped,
        Self::FederatedProject,
        Self::FederatedDomain,
        Self::Oauth1,
        Self::System,
        Self::ApplicationCredential,
        Self::Oauth2Credential,
        Self::Restricted,
    ];

    /// The kind whose payloads begin with this version.
    #[must_use]
    pub fn from_version(version: u64) -> Option<Self> {
        usize::try_from(version).ok().and_then(|index| Self::ALL.get(index)).copied()
    }

    /// The version that its payloads begin with.
    #[must_use]
    pub fn version(self) -> u64 {
        Self::ALL.iter().zip(0..).find(|(kind, _)| **kind == self).map_or(0, |(_, version)| version)
    }

    /// What configuration and headers call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ApplicationCredential => "application_credential",
            Self::Domain => "domain",
            Self::FederatedDomain => "federated_domain",
            Self::FederatedProject => "federated_project",
            Self::FederatedUnscoped => "federated_unscoped",
            Self::Oauth1 => "oauth1",
            Self::Oauth2Credential => "oauth2_credential",
            Self::Project => "project",
            Self::Restricted => "restricted",
            Self::System => "system",
            Self::Trust => "trust",
            Self::Unscoped => "unscoped",
        }
    }

    /// The fields behind the methods. Their order is Keystone's; it follows no rule.
    fn order(self) -> &'static [Field] {
        match self {
            Self::Unscoped => &[Field::ExpiresAt, Field::AuditIds],
            Self::Domain => &[Field::BareDomain, Field::ExpiresAt, Field::AuditIds],
            Self::Project => &[Field::Project, Field::ExpiresAt, Field::AuditIds],
            Self::System => &[Field::System, Field::ExpiresAt, Field::AuditIds],
            Self::Trust => &[Field::Project, Field::ExpiresAt, Field::AuditIds, Field::Trust],
            Self::FederatedUnscoped => &[Field::Federation, Field::ExpiresAt, Field::AuditIds],
            Self::FederatedProject => {
                &[Field::Project, Field::Federation, Field::ExpiresAt, Field::AuditIds]
            }
            Self::FederatedDomain => {
                &[Field::Domain, Field::Federation, Field::ExpiresAt, Field::AuditIds]
            }
            Self::Oauth1 => {
                &[Field::Project, Field::AccessToken, Field::ExpiresAt, Field::AuditIds]
            }
            Self::ApplicationCredential => {
                &[Field::Project, Field::ExpiresAt, Field::AuditIds, Field::ApplicationCredential]
            }
            Self::Oauth2Credential => {
                &[Field::ProjectAndDomain, Field::ExpiresAt, Field::AuditIds, Field::Thumbprint]
            }
            Self::Restricted => &[
                Field::Restriction,
                Field::ExpiresAt,
                Field::Project,
                Field::Allowances,
                Field::AuditIds,
            ],
        }
    }

    /// How many elements the array has, the version included. Keystone looks no further than the
    /// fields it knows; more of them would be a format that we do not know.
    pub(super) fn fields(self) -> usize {
        match self {
            Self::Unscoped => 5,
            Self::Domain | Self::Project | Self::System => 6,
            Self::Trust | Self::Oauth1 | Self::ApplicationCredential => 7,
            Self::FederatedUnscoped | Self::Oauth2Credential => 8,
            Self::FederatedProject | Self::FederatedDomain | Self::Restricted => 9,
        }
    }
}

impl From<MalformedPayload> for PayloadError {
    fn from(_: MalformedPayload) -> Self {
        Self::Malformed
    }
}

/// The most groups in a federated token. Keystone has no limit of its own, but twenty groups make a
/// token of 738 characters.
pub const MAX_GROUPS: usize = 1024;
