//! Which things an event names, and the digest of these things.

use core::hash::Hasher as _;

use siphasher::sip128::{Hash128, Hasher128 as _, SipHasher13};

use super::TokenFacts;
use crate::record::RevocationEvent;

/// The things that an event names, as a set of [`Field`]s: one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(u64);

/// 128 bits of keyed hash of the things of a shape. Two different ones never meet; and if they did, a
/// token would be refused and none be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(pub(super) u64, pub(super) u64);

/// A thing that an event can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    AuditId,
    AuditChain,
    AccessToken,
    Trust,
    User,
    Consumer,
    Project,
    DomainScope,
    Domain,
    Role,
    ExpiresAt,
}

impl Shape {
    pub(super) fn of(event: &RevocationEvent) -> Self {
        let named = Field::ALL.into_iter().zip(0..).filter(|(field, _)| field.is_named_by(event));
        Self(named.fold(0, |bits, (_, bit)| bits | 1 << bit))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The shape of the one thing among these that the fewest tokens have in common.
    pub(super) fn most_selective(self) -> Self {
        // The lowest bit that is set.
        Self(self.0 & self.0.wrapping_neg())
    }

    /// The digest of the things of this shape that an event names.
    pub(super) fn digest(self, event: &RevocationEvent, seed: u64) -> Digest {
        let mut hasher = SipHasher13::new_with_keys(seed, !seed);
        for field in self.fields() {
            if let Some(text) = field.text(event) {
                hash_text(text, &mut hasher);
            } else {
                hasher.write_u64(event.expires_at.unwrap_or_default());
            }
        }
        Digest::of(&hasher)
    }

    /// Whether one of the digests is looked for that an event of this shape may have if it is about
    /// this token.
    pub(super) fn any_digest(
        self,
        token: &TokenFacts<'_>,
        seed: u64,
        is_looked_for: &mut dyn FnMut(Digest) -> bool,
    ) -> bool {
        let hasher = SipHasher13::new_with_keys(seed, !seed);
        self.any(token, hasher, is_looked_for)
    }

    /// Goes through all combinations of what a token has of these things: a user, a trustor and a
    /// trustee, two domains, many roles, and one of everything else. It calls itself once for each
    /// field, of which there are eleven.
    fn any(
        self,
        token: &TokenFacts<'_>,
        hasher: SipHasher13,
        is_looked_for: &mut dyn FnMut(Digest) -> bool,
    ) -> bool {
        let Some(field) = self.fields().next() else { return is_looked_for(Digest::of(&hasher)) };
        let others = Self(self.0 & (self.0 - 1));
        let mut go_on = |text: &str| {
            let mut hasher = hasher;
            hash_text(text, &mut hasher);
            others.any(token, hasher, is_looked_for)
        };
        match field {
            Field::AuditId => go_on(token.audit_id),
            Field::AuditChain => token.audit_chain_id.is_some_and(go_on),
            Field::AccessToken => token.access_token_id.is_some_and(go_on),
            Field::Trust => token.trust_id.is_some_and(go_on),
            Field::User => {
                let users = [Some(token.user_id), token.trustor_id, token.trustee_id];
                users.into_iter().flatten().any(go_on)
            }
            Field::Consumer => token.consumer_id.is_some_and(go_on),
            Field::Project => token.project_id.is_some_and(go_on),
            Field::DomainScope => token.scope_domain_id.is_some_and(go_on),
            Field::Domain => {
                let domains = [token.user_domain_id, token.scope_domain_id];
                domains.into_iter().flatten().any(go_on)
            }
            Field::Role => token.roles.iter().filter_map(|role| role.id.as_deref()).any(go_on),
            Field::ExpiresAt => {
                let mut hasher = hasher;
                hasher.write_u64(token.expires_at.as_secs());
                others.any(token, hasher, is_looked_for)
            }
        }
    }

    /// From the one that the fewest tokens have in common to that which the most have.
    fn fields(self) -> impl Iterator<Item = Field> {
        let all = Field::ALL.into_iter().zip(0_u32..);
        all.filter(move |(_, bit)| self.0 >> bit & 1 == 1).map(|(field, _)| field)
    }
}

impl Field {
    const ALL: [Self; 11] = [
        Self::AuditId,
        Self::AuditChain,
        Self::AccessToken,
        Self::Trust,
        Self::User,
        Self::Consumer,
        Self::Project,
        Self::DomainScope,
        Self::Domain,
        Self::Role,
        Self::ExpiresAt,
    ];

    fn is_named_by(self, event: &RevocationEvent) -> bool {
        self.text(event).is_some() || self == Self::ExpiresAt && event.expires_at.is_some()
    }

    fn text(self, event: &RevocationEvent) -> Option<&str> {
        match self {
            Self::AuditId => event.audit_id.as_deref(),
            Self::AuditChain => event.audit_chain_id.as_deref(),
            Self::AccessToken => event.access_token_id.as_deref(),
            Self::Trust => event.trust_id.as_deref(),
            Self::User => event.user_id.as_deref(),
            Self::Consumer => event.consumer_id.as_deref(),
            Self::Project => event.project_id.as_deref(),
            Self::DomainScope => event.domain_scope_id.as_deref(),
            Self::Domain => event.domain_id.as_deref(),
            Self::Role => event.role_id.as_deref(),
            Self::ExpiresAt => None,
        }
    }
}

impl From<Shape> for u64 {
    fn from(Shape(bits): Shape) -> Self {
        bits
    }
}

impl From<u64> for Shape {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

impl Digest {
    fn of(hasher: &SipHasher13) -> Self {
        let Hash128 { h1, h2 } = hasher.finish128();
        Self(h1, h2)
    }
}

/// The length first, so that no two lists of texts are one.
fn hash_text(text: &str, hasher: &mut SipHasher13) {
    hasher.write_usize(text.len());
    hasher.write(text.as_bytes());
}
