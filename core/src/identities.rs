//! Whom tokens stand for: what [`crate::cache`] keeps for requests with a token.

use alloc::string::ToString;

use crate::fetch::FetchFailure;
use crate::record::{
    self, Domain, IdentityAnswer, IdentityFault, IdentityRecord, IdentityRequest, IdentityScope,
    Thing,
};
use crate::time::UnixTime;
use crate::token::{Delegation, Payload, Scope};

/// Whom some tokens stand for.
#[derive(Debug)]
pub struct Identity {
    /// What of the tokens decides it.
    pub request: IdentityRequest,
    /// What Keystone knows of it.
    pub record: IdentityRecord,
}

/// What of a token decides whom it stands for.
///
/// `None` for what no record tells the whole of: a restriction of the Rust Keystone.
#[must_use]
pub fn question(payload: &Payload) -> Option<IdentityRequest> {
    let (mut delegation, mut federation) = (None, None);
    match &payload.delegation {
        // The client certificate is compared with the token itself.
        Delegation::None | Delegation::Oauth2Credential { .. } => {}
        Delegation::Trust { trust_id } => {
            delegation = Some(record::Delegation::Trust(trust_id.to_string()));
        }
        Delegation::ApplicationCredential { application_credential_id: id } => {
            delegation = Some(record::Delegation::ApplicationCredential(id.to_string()));
        }
        Delegation::Oauth1 { access_token_id } => {
            delegation = Some(record::Delegation::AccessToken(access_token_id.to_string()));
        }
        Delegation::Federation(said) => {
            federation = Some(record::Federation {
                groups: said.group_ids.iter().map(ToString::to_string).collect(),
                identity_provider: said.identity_provider_id.to_string(),
                protocol: said.protocol_id.to_string(),
            });
        }
        Delegation::Restriction { .. } => return None,
    }
    let scope = match &payload.scope {
        Scope::Unscoped => IdentityScope::Unscoped,
        Scope::Domain(id) => IdentityScope::Domain(id.to_string()),
        Scope::Project(id) => IdentityScope::Project(id.to_string()),
        Scope::System => IdentityScope::System,
    };
    Some(IdentityRequest { user: payload.user_id.to_string(), scope, delegation, federation })
}

impl Identity {
    /// Reads the answer to a question.
    pub(crate) fn from_json(request: &IdentityRequest, json: &[u8]) -> Result<Self, FetchFailure> {
        let answer = IdentityAnswer::from_json(json, request).map_err(FetchFailure::Identity)?;
        Ok(Self { request: answer.request, record: answer.identity })
    }

    /// Why it is true no more at a time, if it is not.
    pub(crate) fn fault(&self, now: UnixTime) -> Option<IdentityFault> {
        let fault = match self.request.delegation {
            Some(record::Delegation::ApplicationCredential(_)) => {
                IdentityFault::ApplicationCredentialGone
            }
            Some(record::Delegation::AccessToken(_)) => IdentityFault::AccessTokenGone,
            Some(record::Delegation::Trust(_)) | None => IdentityFault::TrustGone,
        };
        let has_ended = |end: u64| now >= UnixTime::from_secs(end);
        self.record.expires_at.is_some_and(has_ended).then_some(fault)
    }

    /// Whether it rests on one of the things for which `has_changed` holds.
    pub(crate) fn is_concerned(&self, has_changed: &dyn Fn(Thing<'_>) -> bool) -> bool {
        let IdentityRecord { user, project, domain, trust, .. } = &self.record;
        let of_domain = |domain: &Option<Domain>| {
            domain.as_ref().is_some_and(|domain| has_changed(Thing::Domain(&domain.id)))
        };
        Self::may_be_made(&self.request, has_changed)
            || has_changed(Thing::User(&user.id))
            || of_domain(&user.domain)
            || of_domain(domain)
            || project.as_ref().is_some_and(|project| of_domain(&project.domain))
            || trust.as_ref().is_some_and(|trust| {
                has_changed(Thing::User(&trust.trustor_user_id))
                    || trust
                        .trustee_domain_id
                        .as_ref()
                        .is_some_and(|id| has_changed(Thing::Domain(id)))
            })
    }

    /// Whether there may be one now that was denied, when those things have changed for which `has_changed`
    /// holds.
    ///
    /// For whatever else it rests on, the key server tells that the user has changed, or the trust
    /// or application credential: it looks again at what it refused as well.
    pub(crate) fn may_be_made(
        request: &IdentityRequest,
        has_changed: &dyn Fn(Thing<'_>) -> bool,
    ) -> bool {
        has_changed(Thing::User(&request.user))
            || match &request.scope {
                IdentityScope::Domain(id) => has_changed(Thing::Domain(id)),
                IdentityScope::Project(id) => has_changed(Thing::Project(id)),
                IdentityScope::System | IdentityScope::Unscoped => false,
            }
            || match &request.delegation {
                Some(record::Delegation::ApplicationCredential(id)) => {
                    has_changed(Thing::ApplicationCredential(id))
                }
                Some(record::Delegation::Trust(id)) => has_changed(Thing::Trust(id)),
                Some(record::Delegation::AccessToken(_)) | None => false,
            }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::record::Change;
    use serde_json::{Value, from_value, json};

    fn identity(request: &Value, record: &Value) -> Identity {
        Identity {
            request: from_value(request.clone()).unwrap(),
            record: from_value(record.clone()).unwrap(),
        }
    }

    fn of_trust() -> Identity {
        identity(
            &json!({"user": "trustee", "scope": {"project": "p"}, "delegation": {"trust": "t"}}),
            &json!({
                "user": {"id": "trustor", "domain": {"id": "d1"}},
                "project": {"id": "p", "domain": {"id": "d2"}},
                "trust": {"id": "t", "impersonation": true, "trustor_user_id": "trustor",
                    "trustee_user_id": "trustee", "trustee_domain_id": "d3"},
                "expires_at": 100,
            }),
        )
    }

    #[test]
    fn whatever_it_rests_on_concerns_it() {
        let identity = of_trust();
        let concerns = |change: &Change| {
            let thing = change.thing().unwrap();
            let has_changed = |other: Thing<'_>| other == thing;
            (
                identity.is_concerned(&has_changed),
                Identity::may_be_made(&identity.request, &has_changed),
            )
        };
        for (change, is_concerned, may_be_made) in [
            (Change::User("trustee".into()), true, true),
            (Change::User("trustor".into()), true, false),
            (Change::Project("p".into()), true, true),
            (Change::Trust("t".into()), true, true),
            (Change::Domain("d1".into()), true, false),
            (Change::Domain("d2".into()), true, false),
            (Change::Domain("d3".into()), true, false),
            (Change::Domain("p".into()), false, false),
            (Change::User("t".into()), false, false),
            (Change::ApplicationCredential("t".into()), false, false),
            (Change::AccessKey("trustee".into()), false, false),
        ] {
            assert_eq!(concerns(&change), (is_concerned, may_be_made), "{change:?}");
        }
        let of_domain = self::identity(
            &json!({"user": "u", "scope": {"domain": "d"},
                "delegation": {"application_credential": "a"}}),
            &json!({"user": {"id": "u"}, "domain": {"id": "d"}}),
        );
        for thing in [Thing::Domain("d"), Thing::ApplicationCredential("a"), Thing::User("u")] {
            assert!(of_domain.is_concerned(&|other| other == thing));
            assert!(Identity::may_be_made(&of_domain.request, &|other| other == thing));
        }
    }

    #[test]
    fn ends_with_what_it_was_delegated_by() {
        let identity = of_trust();
        assert_eq!(identity.fault(UnixTime::from_micros(99_999_999)), None);
        assert_eq!(identity.fault(UnixTime::from_secs(100)), Some(IdentityFault::TrustGone));
    }
}
