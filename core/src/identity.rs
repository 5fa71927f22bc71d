//! What a service learns about the user: headers, under the names that keystonemiddleware uses.
//!
//! The client must not be able to say any of it. So every header that could be taken for one of
//! these is removed from every request, whatever becomes of it, also where its name is spelt with
//! underscores: CGI and WSGI (PEP 3333) turn `X-User-Id` and `X_User_Id` into one variable.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::TokenRules;
use crate::head::RequestHead;
use crate::record::{self, CredentialRecord, Domain};
use crate::time::UnixTime;
use crate::token::{Delegation, Id, Payload, Scope};

/// The names under which a client claims an identity, each once: what has to be removed from the
/// headers of every request before anything else happens to it, and from its trailers, which a
/// service may take for headers.
#[must_use]
pub fn claims(fields: RequestHead<'_>, part: Part) -> Vec<&[u8]> {
    let is_claim = |name: &[u8]| {
        is_identity_header(name)
            || is_other_spelling_of_a_credential(name)
            || (part == Part::Trailers && CREDENTIALS.contains(&name))
    };
    let mut claims: Vec<_> = fields.names().filter(|name| is_claim(name)).collect();
    claims.sort_unstable();
    claims.dedup();
    claims
}

/// A part of a request that has fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The headers, where the token is.
    Headers,
    /// The trailers, where no token is looked for, and so none may be found.
    Trailers,
}

/// Changes to the headers of a request that is let through, to be made in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Headers to remove.
    pub remove: Vec<&'static [u8]>,
    /// Headers to set, after the removals.
    pub set: Vec<(&'static str, String)>,
}

impl HeaderEdits {
    /// Removes the token, so that the service never sees it.
    pub fn strip_token(&mut self) {
        self.remove.extend(CREDENTIALS);
    }

    /// Says that there is no identity: keystonemiddleware's `delay_auth_decision`.
    pub fn set_invalid(&mut self) {
        self.set.push((IDENTITY_STATUS, "Invalid".into()));
    }

    /// Says what a verified token says, and no more than that.
    ///
    /// Keystone's own names are used for what they mean there. The user of a trust's token is the
    /// trustee, and whether Keystone presents the trustor in its place is not in the token: hence
    /// no `x-user-id` for it.
    pub fn set_identity(&mut self, payload: &Payload, issued_at: u64, rules: &TokenRules) {
        self.set.push((IDENTITY_STATUS, "Confirmed".into()));
        let user = match payload.delegation {
            Delegation::Trust { .. } => "x-voussoir-trustee-user-id",
            Delegation::None
            | Delegation::Federation(_)
            | Delegation::Oauth1 { .. }
            | Delegation::ApplicationCredential { .. }
            | Delegation::Oauth2Credential { .. }
            | Delegation::Restriction { .. } => "x-user-id",
        };
        self.set.push((user, payload.user_id.to_string()));
        match &payload.scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => self.set.push(("x-domain-id", id.to_string())),
            Scope::Project(id) => {
                self.set.push(("x-project-id", id.to_string()));
                self.set.push(("x-tenant-id", id.to_string()));
            }
            Scope::System => self.set.push(("openstack-system-scope", "all".into())),
        }
        self.set_delegation(&payload.delegation);

        self.set.push(("x-voussoir-token-kind", payload.kind().name().into()));
        let methods: Vec<_> = rules.methods.of(payload.methods).collect();
        self.set.push(("x-voussoir-token-methods", methods.join(",")));
        let audit_ids = core::iter::once(&payload.audit_ids.own).chain(&payload.audit_ids.chain);
        self.set.push(("x-voussoir-token-audit-ids", joined(audit_ids)));
        self.set.push(("x-voussoir-token-expires-at", payload.expires_at.time().to_string()));
        self.set.push(("x-voussoir-token-issued-at", UnixTime::from_secs(issued_at).to_string()));
    }

    /// Says whom an access key stands for, as the same user's token would say it.
    pub fn set_credential_identity(&mut self, access_key: &str, record: &CredentialRecord) {
        let CredentialRecord { user, project, roles, delegation, .. } = record;
        self.set.push((IDENTITY_STATUS, "Confirmed".into()));
        let mut set = |name, value: Option<&str>| {
            self.set.extend(value.map(|value| (name, value.to_string())));
        };
        let domain = |domain: &Option<Domain>| {
            let names = domain.as_ref().map(|it| (it.id.clone(), it.name.clone()));
            names.map_or((None, None), |(id, name)| (Some(id), name))
        };
        set("x-user-id", Some(&user.id));
        set("x-user-name", user.name.as_deref());
        let (id, name) = domain(&user.domain);
        set("x-user-domain-id", id.as_deref());
        set("x-user-domain-name", name.as_deref());
        if let Some(project) = project {
            for id in ["x-project-id", "x-tenant-id"] {
                set(id, Some(&project.id));
            }
            for name in ["x-project-name", "x-tenant-name"] {
                set(name, project.name.as_deref());
            }
            let (id, name) = domain(&project.domain);
            set("x-project-domain-id", id.as_deref());
            set("x-project-domain-name", name.as_deref());
        }
        let roles: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
        set("x-roles", Some(&roles.join(",")));
        set("x-voussoir-access-key-id", Some(access_key));
        match delegation {
            Some(record::Delegation::AccessToken(id)) => {
                set("x-voussoir-access-token-id", Some(id));
            }
            Some(record::Delegation::ApplicationCredential(id)) => {
                set("x-voussoir-application-credential-id", Some(id));
            }
            Some(record::Delegation::Trust(id)) => set("x-voussoir-trust-id", Some(id)),
            None => {}
        }
    }

    fn set_delegation(&mut self, delegation: &Delegation) {
        let mut set = |name, id: &Id| self.set.push((name, id.to_string()));
        match delegation {
            Delegation::None => {}
            Delegation::Trust { trust_id } => set("x-voussoir-trust-id", trust_id),
            Delegation::Federation(federation) => {
                set("x-voussoir-identity-provider-id", &federation.identity_provider_id);
                set("x-voussoir-protocol-id", &federation.protocol_id);
                self.set.push(("x-voussoir-group-ids", joined(&federation.group_ids)));
            }
            Delegation::Oauth1 { access_token_id } => {
                set("x-voussoir-access-token-id", access_token_id);
            }
            Delegation::ApplicationCredential { application_credential_id } => {
                set("x-voussoir-application-credential-id", application_credential_id);
            }
            Delegation::Oauth2Credential { thumbprint } => {
                self.set.push(("x-voussoir-certificate-thumbprint", thumbprint.clone()));
            }
            Delegation::Restriction { token_restriction_id, .. } => {
                set("x-voussoir-token-restriction-id", token_restriction_id);
            }
        }
    }
}

/// The headers that carry a token, in the order in which they are looked at
/// (keystonemiddleware's `AuthProtocol`).
pub(crate) const CREDENTIALS: [&[u8]; 2] = [b"x-auth-token", b"x-storage-token"];

/// Whether a name, in any spelling, is one that this filter sets or that keystonemiddleware owns.
#[must_use]
pub fn is_identity_header(name: &[u8]) -> bool {
    let Some(folded) = Folded::new(name) else {
        return false;
    };
    folded.starts_with(OURS) || OWNED.binary_search(&folded.as_bytes()).is_ok()
}

/// Whether a name is a token's header in a spelling that a WSGI service would take for the real
/// one, and that was therefore never checked.
fn is_other_spelling_of_a_credential(name: &[u8]) -> bool {
    !CREDENTIALS.contains(&name)
        && Folded::new(name).is_some_and(|folded| CREDENTIALS.contains(&folded.as_bytes()))
}

/// A name in lower case with dashes for underscores, without a visit to the heap.
struct Folded {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Folded {
    /// `None` for what cannot be an identity header by its first letter. Of a long name the
    /// beginning is enough: all names that are known as a whole are shorter.
    fn new(name: &[u8]) -> Option<Self> {
        name.first().filter(|first| b"xXoO".contains(first))?;
        let mut bytes = [0; LONGEST];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = if *from == b'_' { b'-' } else { from.to_ascii_lowercase() };
        }
        Some(Self { bytes, length: name.len().min(LONGEST) })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn starts_with(&self, prefix: &[u8]) -> bool {
        self.as_bytes().starts_with(prefix)
    }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

const IDENTITY_STATUS: &str = "x-identity-status";

/// What this filter says beyond keystonemiddleware.
const OURS: &[u8] = b"x-voussoir-";

/// One more than the longest name of `OWNED`, so that a longer one is never equal to it.
const LONGEST: usize = 30;

/// The headers that keystonemiddleware 13 sets or removes (`auth_token/_request.py`), and the two
/// spellings of the system scope, which it sets without removing them. In order, to be searched.
const OWNED: [&[u8]; 33] = [
    b"openstack-system-scope",
    b"x-domain-id",
    b"x-domain-name",
    b"x-identity-status",
    b"x-is-admin-project",
    b"x-project-domain-id",
    b"x-project-domain-name",
    b"x-project-id",
    b"x-project-name",
    b"x-role",
    b"x-roles",
    b"x-service-catalog",
    b"x-service-domain-id",
    b"x-service-domain-name",
    b"x-service-identity-status",
    b"x-service-project-domain-id",
    b"x-service-project-domain-name",
    b"x-service-project-id",
    b"x-service-project-name",
    b"x-service-roles",
    b"x-service-user-domain-id",
    b"x-service-user-domain-name",
    b"x-service-user-id",
    b"x-service-user-name",
    b"x-system-scope",
    b"x-tenant",
    b"x-tenant-id",
    b"x-tenant-name",
    b"x-user",
    b"x-user-domain-id",
    b"x-user-domain-name",
    b"x-user-id",
    b"x-user-name",
];

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn owned_names_are_in_order_and_short_enough() {
        assert!(OWNED.is_sorted());
        assert!(OWNED.iter().all(|name| name.len() < LONGEST));
    }

    #[test]
    fn every_spelling_of_an_owned_name_is_removed() {
        for name in OWNED {
            let name = core::str::from_utf8(name).unwrap();
            assert!(is_identity_header(name.as_bytes()));
            assert!(is_identity_header(name.replace('-', "_").as_bytes()));
            assert!(is_identity_header(name.replacen('-', "_", 1).as_bytes()));
            assert!(is_identity_header(name.to_uppercase().as_bytes()));
        }
        assert!(is_identity_header(b"x-voussoir-anything-whatever-its-length-may-come-to"));
        assert!(is_identity_header(b"X_Voussoir_Trust_Id"));
    }

    #[test]
    fn other_names_stay() {
        for name in [
            &b""[..],
            b"x",
            b"x-",
            b"host",
            b"x-auth-token",
            b"x-service-token",
            b"x-request-id",
            b"x-user-agent",
            b"x-users",
            b"x-voussoir",
            b"openstack-api-version",
            b"x-service-project-domain-names",
            b"x-service-project-domain-name-and-more",
            b"x-forwarded-for",
        ] {
            assert!(!is_identity_header(name), "{name:?}");
        }
    }

    #[test]
    fn a_credential_in_another_spelling_is_a_claim_and_the_real_one_is_none() {
        let headers = [
            (&b"x-auth-token"[..], &b"a"[..]),
            (b"x_auth_token", b"b"),
            (b"x-auth_token", b"c"),
            (b"x_storage-token", b"d"),
            (b"x_auth_token", b"e"),
        ];
        let expected: [&[u8]; 3] = [b"x-auth_token", b"x_auth_token", b"x_storage-token"];
        assert_eq!(claims(RequestHead::new(&headers), Part::Headers), expected);
    }

    #[test]
    fn no_credential_may_come_in_trailers() {
        let trailers =
            [(&b"x-auth-token"[..], &b"a"[..]), (b"x-checksum", b"b"), (b"x-roles", b"c")];
        let expected: [&[u8]; 2] = [b"x-auth-token", b"x-roles"];
        assert_eq!(claims(RequestHead::new(&trailers), Part::Trailers), expected);
    }
}
