//! Payloads written: for the key server's demonstration tokens, and so that tests and fuzzers can
//! go there and back.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::msgpack::Writer;
use super::{AuditId, AuditIds, Delegation, Expiry, Federation, Id, Methods, Payload, Scope};

impl Payload {
    /// The bytes that [`Payload::decode`] reads back, in the version of [`Payload::kind`].
    ///
    /// A combination that no version can carry (say, a trust without a project) comes out as bytes
    /// that `decode` refuses. Methods that are names come back as no bits: only a list that is Keystone's
    /// configuration would tell which.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let kind = self.kind();
        writer.array(kind.fields());
        writer.unsigned(kind.version());
        self.user_id.write(&mut writer);
        writer.unsigned(match self.methods {
            Methods::Bits(bits) => bits,
            Methods::Names(_) => 0,
        });
        match &self.delegation {
            Delegation::None => {
                self.write_plain_scope(&mut writer);
                self.write_life(&mut writer);
            }
            Delegation::Trust { trust_id } => {
                self.write_scope_id(&mut writer);
                self.write_life(&mut writer);
                trust_id.write_uuid(&mut writer);
            }
            Delegation::Federation(federation) => {
                if self.scope != Scope::Unscoped {
                    self.write_scope_id(&mut writer);
                }
                federation.write(&mut writer);
                self.write_life(&mut writer);
            }
            Delegation::Oauth1 { access_token_id } => {
                self.write_scope_id(&mut writer);
                access_token_id.write(&mut writer);
                self.write_life(&mut writer);
            }
            Delegation::ApplicationCredential { application_credential_id } => {
                self.write_scope_id(&mut writer);
                self.write_life(&mut writer);
                application_credential_id.write(&mut writer);
            }
            Delegation::Oauth2Credential { thumbprint } => {
                let (project_id, domain_id) = match &self.scope {
                    Scope::Project(id) => (Some(id), None),
                    Scope::Domain(id) => (None, Some(id)),
                    Scope::Unscoped | Scope::System => (None, None),
                };
                write_or_nil(&mut writer, project_id);
                write_or_nil(&mut writer, domain_id);
                self.write_life(&mut writer);
                writer.array(2);
                writer.bool(false);
                writer.text(thumbprint);
            }
            Delegation::Restriction { token_restriction_id, allow_renew, allow_rescope } => {
                token_restriction_id.write(&mut writer);
                self.expires_at.write(&mut writer);
                self.write_scope_id(&mut writer);
                writer.bool(*allow_renew);
                writer.bool(*allow_rescope);
                self.audit_ids.write(&mut writer);
            }
        }
        writer.bytes
    }

    fn write_plain_scope(&self, writer: &mut Writer) {
        match &self.scope {
            Scope::Unscoped => {}
            Scope::Domain(id) => id.write_bare(writer),
            Scope::Project(id) => id.write(writer),
            Scope::System => writer.text("all"),
        }
    }

    fn write_scope_id(&self, writer: &mut Writer) {
        match &self.scope {
            Scope::Domain(id) | Scope::Project(id) => id.write(writer),
            Scope::Unscoped | Scope::System => write_or_nil(writer, None),
        }
    }

    fn write_life(&self, writer: &mut Writer) {
        self.expires_at.write(writer);
        self.audit_ids.write(writer);
    }
}

impl Federation {
    fn write(&self, writer: &mut Writer) {
        writer.array(self.group_ids.len());
        for group_id in &self.group_ids {
            group_id.write(writer);
        }
        self.identity_provider_id.write(writer);
        writer.text(&self.protocol_id.to_string());
    }
}

impl Expiry {
    fn write(self, writer: &mut Writer) {
        writer.float(self.seconds());
    }
}

impl AuditIds {
    fn write(&self, writer: &mut Writer) {
        writer.array(1 + usize::from(self.chain.is_some()));
        for AuditId(bytes) in core::iter::once(&self.own).chain(&self.chain) {
            writer.binary(bytes);
        }
    }
}

fn write_or_nil(writer: &mut Writer, id: Option<&Id>) {
    if let Some(id) = id {
        id.write(writer);
    } else {
        writer.array(2);
        writer.bool(false);
        writer.nil();
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::token::Kind;
    use alloc::vec;

    fn id(n: u8) -> Id {
        Id::uuid([n; 16])
    }

    fn payload(scope: Scope, delegation: Delegation) -> Payload {
        Payload {
            user_id: id(1),
            methods: Methods::Bits(2),
            expires_at: Expiry::from_seconds(1_795_323_361.0).unwrap(),
            audit_ids: AuditIds { own: AuditId([7; 16]), chain: Some(AuditId([8; 16])) },
            scope,
            delegation,
        }
    }

    /// One payload of each kind, in the order of their versions.
    fn one_of_each() -> [Payload; 12] {
        let federation = || {
            Delegation::Federation(Federation {
                group_ids: vec![id(4), Id::text(b"group").unwrap()],
                identity_provider_id: Id::text(b"idp").unwrap(),
                protocol_id: Id::text(b"saml2").unwrap(),
            })
        };
        let project = || Scope::Project(id(2));
        let domain = || Scope::Domain(Id::text(b"default").unwrap());
        [
            payload(Scope::Unscoped, Delegation::None),
            payload(domain(), Delegation::None),
            payload(project(), Delegation::None),
            payload(project(), Delegation::Trust { trust_id: id(3) }),
            payload(Scope::Unscoped, federation()),
            payload(project(), federation()),
            payload(domain(), federation()),
            payload(project(), Delegation::Oauth1 { access_token_id: id(5) }),
            payload(Scope::System, Delegation::None),
            payload(
                project(),
                Delegation::ApplicationCredential { application_credential_id: id(6) },
            ),
            payload(
                project(),
                Delegation::Oauth2Credential {
                    thumbprint: "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0=".into(),
                },
            ),
            payload(
                project(),
                Delegation::Restriction {
                    token_restriction_id: id(9),
                    allow_renew: true,
                    allow_rescope: false,
                },
            ),
        ]
    }

    #[test]
    fn every_kind_comes_back_as_it_was() {
        for (payload, kind) in one_of_each().into_iter().zip(Kind::ALL) {
            assert_eq!(payload.kind(), kind);
            assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
        }
    }

    #[test]
    fn ids_come_back_in_every_form() {
        for text in ["trust", "sixteen letters!", "an id of more than thirty-two letters"] {
            let id = || Id::text(text.as_bytes()).unwrap();
            let federation =
                Federation { group_ids: vec![id()], identity_provider_id: id(), protocol_id: id() };
            for payload in [
                payload(Scope::Domain(id()), Delegation::None),
                payload(Scope::Project(id()), Delegation::Trust { trust_id: id() }),
                payload(Scope::Project(id()), Delegation::Federation(federation)),
            ] {
                assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
            }
        }
    }

    #[test]
    fn no_cut_and_no_extension_of_a_payload_is_one() {
        for payload in one_of_each() {
            let bytes = payload.encode();
            for length in 0..bytes.len() {
                assert!(Payload::decode(&bytes[..length]).is_err());
            }
            assert!(Payload::decode(&[&bytes[..], b"\xc0"].concat()).is_err());
        }
    }

    #[test]
    fn what_no_version_can_carry_does_not_come_back() {
        let lost = payload(Scope::System, Delegation::Trust { trust_id: id(3) });
        assert!(Payload::decode(&lost.encode()).is_err());
    }
}
