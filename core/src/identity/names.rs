//! Whose names they are: the headers that keystonemiddleware and this filter own, in any spelling.

use alloc::vec::Vec;

use super::{Part, RequestHead};
use crate::sorted::sorted;

/// The names under which a client claims an identity, or another body than the proxy sees, each once:
/// what has to be removed from the headers of every request before anything else happens to it, and
/// from its trailers, which a service may take for headers.
#[must_use]
pub fn claims(fields: RequestHead<'_>, part: Part) -> Vec<&[u8]> {
    let is_claim = |name: &[u8]| {
        is_identity_header(name)
            || is_other_spelling(name)
            || (part == Part::Trailers && (is_credential(name) || FRAMING.contains(&name)))
    };
    let mut claims = sorted(fields.names().filter(|name| is_claim(name)).collect());
    claims.dedup();
    claims
}

/// The headers that carry a token, in the order in which they are looked at
/// (keystonemiddleware's `AuthProtocol`).
pub(crate) const TOKENS: [&[u8]; 2] = [b"x-auth-token", b"x-storage-token"];

/// The header that carries the token of a service which asks on a user's behalf.
pub(crate) const SERVICE_TOKEN: &[u8] = b"x-service-token";

/// The headers that say what the body is. A WSGI server waits for as many bytes as `content_length` says,
/// of a request that has no body at all.
const FRAMING: [&[u8]; 4] =
    [b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"];

fn is_credential(name: &[u8]) -> bool {
    TOKENS.contains(&name) || name == SERVICE_TOKEN
}

/// Whether a name, in any spelling, is one that this filter sets or that keystonemiddleware owns.
#[must_use]
pub fn is_identity_header(name: &[u8]) -> bool {
    let Some(folded) = Folded::new(name) else {
        return false;
    };
    folded.starts_with(OURS) || OWNED.binary_search(&folded.as_bytes()).is_ok()
}

/// Whether a name is a token's header, or one that says what the body is, in a spelling that a WSGI
/// service would take for the real one, and that was therefore never checked.
fn is_other_spelling(name: &[u8]) -> bool {
    let is_real = |name: &[u8]| is_credential(name) || FRAMING.contains(&name);
    let is_folded = |byte: &u8| *byte == b'_' || byte.is_ascii_uppercase();
    name.iter().any(is_folded) && Folded::new(name).is_some_and(|it| is_real(it.as_bytes()))
}

/// A name in lower case with dashes for underscores, without a visit to the heap.
struct Folded {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Folded {
    /// `None` for what cannot be a name that is looked for, by its first letter. Of a long name the
    /// beginning is enough: all names that are known as a whole are shorter.
    fn new(name: &[u8]) -> Option<Self> {
        name.first().filter(|first| b"xXoOcCtT".contains(first))?;
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
    fn what_a_body_is_is_said_in_one_spelling_and_not_in_trailers() {
        let real: Vec<_> = FRAMING.map(|name| (name, &b"a"[..])).into();
        assert!(claims(RequestHead::new(&real), Part::Headers).is_empty());
        assert_eq!(claims(RequestHead::new(&real), Part::Trailers), FRAMING);
        for name in FRAMING {
            let other = core::str::from_utf8(name).unwrap().replace('-', "_");
            let headers = [(name, &b"a"[..]), (other.as_bytes(), b"b"), (b"content-lengths", b"c")];
            assert_eq!(claims(RequestHead::new(&headers), Part::Headers), [other.as_bytes()]);
        }
    }

    #[test]
    fn no_credential_may_come_in_trailers() {
        let trailers =
            [(&b"x-auth-token"[..], &b"a"[..]), (b"x-checksum", b"b"), (b"x-roles", b"c")];
        let expected: [&[u8]; 2] = [b"x-auth-token", b"x-roles"];
        assert_eq!(claims(RequestHead::new(&trailers), Part::Trailers), expected);
    }
}
