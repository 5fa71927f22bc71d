//! Who acts with a token, and whether Keystone would still take it, as Keystone itself decides it
//! (`keystone/models/token_model.py`, `keystone/token/provider.py`) and presents it
//! (`keystone/common/render_token.py`).

use voussoir_core::record::{
    self, AccessRule, Delegation, IdentityFault, IdentityRecord, IdentityRequest, IdentityScope,
    Oauth1,
};
use voussoir_core::time::UnixTime;

use super::facts::{
    AccessToken, ApplicationCredential, Given, KnownProject, KnownUser, Roles, TokenFacts, Trust,
};
use super::lookup::PasswordEnds;
use crate::config::AdminProject;

/// The identity of a token, made of the facts.
pub(super) fn record(
    request: &IdentityRequest,
    facts: &TokenFacts,
    ends: PasswordEnds,
    admin_project: Option<&AdminProject>,
    now: UnixTime,
) -> Result<IdentityRecord, IdentityFault> {
    let user = facts.owner.user.as_ref().ok_or(IdentityFault::UserGone)?;
    let place = facts.owner.project.as_ref();
    if facts.is_provider_known == Some(false) {
        return Err(IdentityFault::IdentityProviderGone);
    }
    check_user(user)?;
    let mut identity = IdentityRecord {
        user: user.to_user(),
        // Keystone shows none where an identity provider spoke for the user.
        password_expires_at: request
            .federation
            .is_none()
            .then_some(ends.of_user)
            .flatten()
            .map(isotime),
        project: None,
        is_domain: false,
        domain: None,
        is_system: false,
        roles: Vec::new(),
        is_admin_project: None,
        trust: None,
        application_credential: None,
        oauth1: None,
        expires_at: None,
    };
    match &request.scope {
        IdentityScope::Unscoped => return Ok(identity),
        IdentityScope::System => identity.is_system = true,
        IdentityScope::Domain(_) => identity.domain = Some(checked_domain(place)?.to_domain()),
        IdentityScope::Project(_) => {
            let project = checked_project(place)?;
            identity.project = Some(project.to_project());
            if !matches!(facts.given, Given::Trust(_)) {
                identity.is_domain = project.is_domain;
                identity.is_admin_project =
                    admin_project.map(|admin| is_admin_project(admin, project));
            }
        }
    }
    let roles = match (&request.delegation, &facts.given) {
        (None, Given::Nothing) => facts.owner.roles.clone(),
        (Some(Delegation::Trust(_)), Given::Trust(trusts)) => {
            let (trust, trustor) = checked_trust(request, trusts, now)?;
            if trust.is_impersonation {
                identity.user = trustor.to_user();
                identity.password_expires_at = ends.of_trustor.map(isotime);
            }
            identity.expires_at =
                trusts.iter().filter_map(|trust| trust.expires_at).min().map(second);
            identity.trust = Some(record::Trust {
                id: trust.id.clone(),
                impersonation: trust.is_impersonation,
                trustor_user_id: trust.trustor_id.clone(),
                trustee_user_id: trust.trustee_id.clone(),
                trustee_domain_id: user.domain.as_ref().map(|domain| domain.id.clone()),
            });
            trust.roles.clone()
        }
        (Some(Delegation::ApplicationCredential(_)), Given::ApplicationCredential(given)) => {
            let given = given.as_ref().filter(|given| {
                given.user_id == user.id && given.project_id.as_deref() == request.scope.id()
            });
            let given = given.ok_or(IdentityFault::ApplicationCredentialGone)?;
            identity.application_credential = Some(presented(given)?);
            identity.expires_at = given.expires_at.map(second);
            given.roles.within(&facts.owner.roles)
        }
        (Some(Delegation::AccessToken(_)), Given::AccessToken(given)) => {
            let given = given.as_ref().filter(|given| {
                given.user_id == user.id && Some(&*given.project_id) == request.scope.id()
            });
            let given = given.ok_or(IdentityFault::AccessTokenGone)?;
            let AccessToken { id, consumer_id, .. } = given;
            let (access_token_id, consumer_id) = (id.clone(), consumer_id.clone());
            identity.oauth1 = Some(Oauth1 { access_token_id, consumer_id });
            given.roles.within(&facts.owner.roles)
        }
        // Something else was delegated than what was read.
        _ => Roles::default(),
    };
    identity.roles =
        if shows_whole_roles(request) { roles.for_services_whole() } else { roles.for_services() };
    if identity.roles.is_empty() {
        return Err(IdentityFault::NoRole);
    }
    Ok(identity)
}

/// Whether Keystone shows all that it has of each role, and not its id and its name alone
/// (`_get_trust_roles`, `_get_federated_roles`).
fn shows_whole_roles(request: &IdentityRequest) -> bool {
    let is_of_project = matches!(request.scope, IdentityScope::Project(_));
    let is_of_domain = matches!(request.scope, IdentityScope::Domain(_));
    match request.delegation {
        Some(Delegation::Trust(_)) => true,
        _ => request.federation.is_some() && (is_of_project || is_of_domain),
    }
}

fn check_user(user: &KnownUser) -> Result<(), IdentityFault> {
    let domain = user.domain.as_ref().ok_or(IdentityFault::DomainGone)?;
    if !domain.is_enabled {
        return Err(IdentityFault::DomainDisabled);
    }
    if user.is_enabled { Ok(()) } else { Err(IdentityFault::UserDisabled) }
}

fn checked_project(place: Option<&KnownProject>) -> Result<&KnownProject, IdentityFault> {
    let project = place.ok_or(IdentityFault::ProjectGone)?;
    if !project.is_enabled {
        return Err(IdentityFault::ProjectDisabled);
    }
    let domain = project.domain.as_ref().ok_or(IdentityFault::DomainGone)?;
    if domain.is_enabled { Ok(project) } else { Err(IdentityFault::DomainDisabled) }
}

fn checked_domain(place: Option<&KnownProject>) -> Result<&KnownProject, IdentityFault> {
    let domain = place.filter(|place| place.is_domain).ok_or(IdentityFault::DomainGone)?;
    if domain.is_enabled { Ok(domain) } else { Err(IdentityFault::DomainDisabled) }
}

/// The trust of a token and its trustor, if all is in force that it rests on: itself, and the trusts
/// that it was given on from (`keystone/trust/core.py`, `get_trust`).
fn checked_trust<'a>(
    request: &IdentityRequest,
    trusts: &'a [Trust],
    now: UnixTime,
) -> Result<(&'a Trust, &'a KnownUser), IdentityFault> {
    let (Some(trust), Some(first)) = (trusts.first(), trusts.last()) else {
        return Err(IdentityFault::TrustGone);
    };
    let is_its_own =
        trust.trustee_id == request.user && trust.project_id.as_deref() == request.scope.id();
    let are_in_force = trusts.iter().all(|trust| is_in_force(trust, now));
    let is_whole = first.parent_id.is_none();
    let follow = trusts.windows(2).all(|pair| match pair {
        [child, parent] => follows(child, parent),
        _ => false,
    });
    if !(is_its_own && are_in_force && is_whole && follow) {
        return Err(IdentityFault::TrustGone);
    }
    let trustor = trust.trustor.as_ref().ok_or(IdentityFault::TrustorDisabled)?;
    if !trustor.is_enabled() {
        return Err(IdentityFault::TrustorDisabled);
    }
    // Of a trust that was given on, both have to hold the roles: who gave it on, and who gave it first.
    let are_held = [trust, first].iter().all(|by| trust.roles.are_among(&by.trustor_roles));
    if are_held { Ok((trust, trustor)) } else { Err(IdentityFault::TrustRoleLost) }
}

fn is_in_force(trust: &Trust, now: UnixTime) -> bool {
    let has_ended = trust.expires_at.is_some_and(|end| now >= point(end));
    let is_used_up = trust.remaining_uses.is_some_and(|uses| uses <= 0);
    !has_ended && !is_used_up && !trust.has_old_end
}

/// Whether a trust may have come from another (`_validate_redelegation`).
fn follows(child: &Trust, parent: &Trust) -> bool {
    let ends_first =
        child.expires_at.zip(parent.expires_at).is_none_or(|(child, parent)| child <= parent);
    parent.redelegation_count.unwrap_or_default() > 0
        && child.remaining_uses.is_none()
        && ends_first
        && child.roles.are_among(&parent.roles)
        && (parent.is_impersonation || !child.is_impersonation)
        && parent.is_trustee_enabled
}

fn presented(
    given: &ApplicationCredential,
) -> Result<record::ApplicationCredential, IdentityFault> {
    let rules = given.access_rules.iter().map(|rule| {
        let text = |text: &Option<String>| text.clone().ok_or(IdentityFault::Unpresentable);
        Ok(AccessRule {
            id: text(&rule.id)?,
            service: text(&rule.service)?,
            path: text(&rule.path)?,
            method: text(&rule.method)?,
        })
    });
    let rules: Vec<AccessRule> = rules.collect::<Result<_, _>>()?;
    Ok(record::ApplicationCredential {
        id: given.id.clone(),
        name: given.name.clone(),
        restricted: !given.is_unrestricted,
        access_rules: (!rules.is_empty()).then_some(rules),
    })
}

/// As Keystone writes a time that has no zone: `2026-11-22T06:21:32.000000`.
fn isotime(micros: i64) -> String {
    point(micros).to_string().trim_end_matches('Z').into()
}

fn second(micros: i64) -> u64 {
    point(micros).as_secs()
}

fn point(micros: i64) -> UnixTime {
    UnixTime::from_micros(u64::try_from(micros).unwrap_or_default())
}

fn is_admin_project(admin: &AdminProject, project: &KnownProject) -> bool {
    let domain = project.domain.as_ref().and_then(|domain| domain.name.as_deref());
    project.name.as_deref() == Some(&*admin.project) && domain == Some(&*admin.domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::facts::{KnownDetails, KnownRole};
    use crate::keystone::tests::{
        access_token, application_credential, domain, owner, project, roles, rule, trust, user,
    };
    use serde_json::json;
    use voussoir_core::record::Federation;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn request(scope: IdentityScope, delegation: Option<Delegation>) -> IdentityRequest {
        IdentityRequest { user: "u".into(), scope, delegation, federation: None }
    }

    fn in_project() -> IdentityScope {
        IdentityScope::Project("p".into())
    }

    fn facts(ids: &str, given: Given) -> TokenFacts {
        TokenFacts { owner: owner(ids), given, is_provider_known: None }
    }

    type Answer = Result<IdentityRecord, IdentityFault>;

    fn answer(request: &IdentityRequest, facts: &TokenFacts) -> Answer {
        let answer = record(request, facts, PasswordEnds::default(), None, NOW);
        // What edges would refuse is never sent.
        if let Ok(identity) = &answer {
            assert_eq!(identity.check(), Ok(()));
        }
        answer
    }

    fn names(answer: &Answer) -> Result<String, IdentityFault> {
        let record = answer.as_ref().map_err(|fault| *fault)?;
        let names: Vec<&str> = record.roles.iter().map(|role| &*role.name).collect();
        Ok(names.join(" "))
    }

    fn of_trust(trusts: Vec<Trust>) -> Answer {
        let request = IdentityRequest {
            user: "other".into(),
            ..request(in_project(), Some(Delegation::Trust("t".into())))
        };
        let mut facts = facts("", Given::Trust(trusts));
        facts.owner.user = Some(user("other"));
        answer(&request, &facts)
    }

    #[test]
    fn roles_are_those_of_the_scope_and_not_of_domains() {
        let facts = facts("b of-a-domain a", Given::Nothing);
        let answer_in = |scope| answer(&request(scope, None), &facts);
        let record = answer_in(in_project());
        assert_eq!(names(&record), Ok("A B".into()));
        let project = record.unwrap().project.unwrap();
        assert_eq!((&*project.id, project.domain.unwrap().id), ("p", "pd".into()));
        let record = answer_in(IdentityScope::System).unwrap();
        assert_eq!((record.is_system, record.project), (true, None));
        let record = answer_in(IdentityScope::Unscoped);
        assert_eq!(names(&record), Ok(String::new()));
        assert_eq!(
            names(&answer_in(IdentityScope::Domain("p".into()))),
            Err(IdentityFault::DomainGone)
        );
    }

    #[test]
    fn a_domain_is_no_project_and_has_none_above() {
        let mut facts = facts("a", Given::Nothing);
        let place = KnownProject { domain: None, is_domain: true, ..project("d") };
        facts.owner.project = Some(place);
        let request = request(IdentityScope::Domain("d".into()), None);
        let record = answer(&request, &facts).unwrap();
        assert_eq!((record.domain.unwrap().id, record.project), ("d".into(), None));
        assert!(!record.is_domain);
    }

    #[test]
    fn what_is_disabled_or_gone_has_its_own_reason() {
        type Change = fn(&mut TokenFacts);
        let changes: [(Change, IdentityFault); 10] = [
            (|facts| facts.owner.user = None, IdentityFault::UserGone),
            (
                |facts| facts.owner.user.as_mut().unwrap().is_enabled = false,
                IdentityFault::UserDisabled,
            ),
            (|facts| facts.owner.user.as_mut().unwrap().domain = None, IdentityFault::DomainGone),
            (
                |facts| {
                    facts.owner.user.as_mut().unwrap().domain.as_mut().unwrap().is_enabled = false;
                },
                IdentityFault::DomainDisabled,
            ),
            (|facts| facts.owner.project = None, IdentityFault::ProjectGone),
            (
                |facts| facts.owner.project.as_mut().unwrap().is_enabled = false,
                IdentityFault::ProjectDisabled,
            ),
            (
                |facts| facts.owner.project.as_mut().unwrap().domain = None,
                IdentityFault::DomainGone,
            ),
            (
                |facts| {
                    facts.owner.project.as_mut().unwrap().domain.as_mut().unwrap().is_enabled =
                        false;
                },
                IdentityFault::DomainDisabled,
            ),
            (|facts| facts.owner.roles = roles("of-a-domain"), IdentityFault::NoRole),
            (|facts| facts.is_provider_known = Some(false), IdentityFault::IdentityProviderGone),
        ];
        for (number, (change, fault)) in changes.into_iter().enumerate() {
            let mut facts = facts("a", Given::Nothing);
            change(&mut facts);
            let answer = answer(&request(in_project(), None), &facts);
            assert_eq!(names(&answer), Err(fault), "{number}");
        }
    }

    #[test]
    fn an_application_credential_gives_no_role_that_was_lost() {
        let answer = |has, given| {
            let delegation = Some(Delegation::ApplicationCredential("ac".into()));
            answer(
                &request(in_project(), delegation),
                &facts(has, Given::ApplicationCredential(given)),
            )
        };
        let given = || application_credential("a c");
        let record = answer("a b", Some(given()));
        assert_eq!(names(&record), Ok("A".into()));
        let shown = record.unwrap().application_credential.unwrap();
        assert_eq!((shown.restricted, shown.access_rules), (true, None));
        let ruled = ApplicationCredential {
            access_rules: vec![rule("/a")],
            is_unrestricted: true,
            expires_at: Some(5_000_001),
            ..given()
        };
        let record = answer("a", Some(ruled)).unwrap();
        assert_eq!(record.expires_at, Some(5), "Keystone lets a token end with it: so do edges");
        let shown = record.application_credential.unwrap();
        assert_eq!((shown.restricted, shown.access_rules.unwrap().len()), (false, 1));
        for (has, given, fault) in [
            ("b", Some(given()), IdentityFault::NoRole),
            ("a", None, IdentityFault::ApplicationCredentialGone),
            (
                "a",
                Some(ApplicationCredential { user_id: "v".into(), ..given() }),
                IdentityFault::ApplicationCredentialGone,
            ),
            (
                "a",
                Some(ApplicationCredential { project_id: None, ..given() }),
                IdentityFault::ApplicationCredentialGone,
            ),
            (
                "a",
                Some(ApplicationCredential {
                    access_rules: vec![crate::keystone::facts::KnownRule {
                        method: None,
                        ..rule("/a")
                    }],
                    ..given()
                }),
                IdentityFault::Unpresentable,
            ),
        ] {
            assert_eq!(names(&answer(has, given)), Err(fault));
        }
    }

    #[test]
    fn an_access_token_gives_what_its_user_still_has() {
        let answer = |has, given| {
            let delegation = Some(Delegation::AccessToken("at".into()));
            answer(&request(in_project(), delegation), &facts(has, Given::AccessToken(given)))
        };
        let record = answer("a b", Some(access_token("a c")));
        assert_eq!(names(&record), Ok("A".into()));
        assert_eq!(record.unwrap().oauth1.unwrap().consumer_id, "c");
        let gone = Err(IdentityFault::AccessTokenGone);
        let other = |user: &str, project: &str| AccessToken {
            user_id: user.into(),
            project_id: project.into(),
            ..access_token("a")
        };
        for given in [None, Some(other("v", "p")), Some(other("u", "q"))] {
            assert_eq!(names(&answer("a", given)), gone);
        }
    }

    #[test]
    fn a_trust_presents_the_trustor_if_it_impersonates() {
        let record = of_trust(vec![trust("a", "a b")]).unwrap();
        assert_eq!(record.user.id, "u");
        let shown = record.trust.unwrap();
        assert_eq!((&*shown.trustor_user_id, &*shown.trustee_user_id), ("u", "other"));
        let record = of_trust(vec![Trust { is_impersonation: false, ..trust("a", "a") }]).unwrap();
        assert_eq!(record.user.id, "other");
    }

    #[test]
    fn roles_are_whole_where_keystone_shows_them_whole() {
        let known = || {
            let details = KnownDetails {
                description: Some("what it is for".into()),
                immutable: Some("true".into()),
                extra: Some(r#"{"team":["x"],"description":"not this","id":"not this"}"#.into()),
            };
            let whole = |id: &str, details| KnownRole {
                id: id.into(),
                name: id.to_uppercase(),
                domain_id: None,
                details: Some(details),
            };
            let odd = KnownDetails { extra: Some(String::new()), ..KnownDetails::default() };
            Roles::new([whole("a", details), whole("b", KnownDetails::default()), whole("c", odd)])
        };
        let details = |answer: Answer| -> Vec<serde_json::Value> {
            let roles = answer.unwrap().roles.into_iter();
            roles.map(|role| serde_json::to_value(role.details).unwrap()).collect()
        };
        let shown = vec![
            json!({"domain_id": null, "description": "what it is for",
                   "options": {"immutable": true}, "team": ["x"]}),
            json!({"domain_id": null, "description": null, "options": {}}),
            json!(null),
        ];
        let trust = Trust { roles: known(), ..trust("", "a b c") };
        assert_eq!(details(of_trust(vec![trust])), shown);
        let federation =
            Federation { groups: Vec::new(), identity_provider: "i".into(), protocol: "p".into() };
        let mut facts = facts("", Given::Nothing);
        facts.owner.roles = known();
        let domain = KnownProject { is_domain: true, ..project("p") };
        for (scope, federation, expected) in [
            (in_project(), Some(federation.clone()), shown.clone()),
            (IdentityScope::Domain("p".into()), Some(federation.clone()), shown),
            (IdentityScope::System, Some(federation), vec![json!(null); 3]),
            (in_project(), None, vec![json!(null); 3]),
        ] {
            let is_domain = matches!(scope, IdentityScope::Domain(_));
            facts.owner.project = Some(if is_domain { domain.clone() } else { project("p") });
            let request = IdentityRequest { federation, ..request(scope, None) };
            assert_eq!(details(answer(&request, &facts)), expected, "{request:?}");
        }
    }

    #[test]
    fn a_trust_is_in_force_as_long_as_all_that_it_rests_on() {
        let gone = IdentityFault::TrustGone;
        let disabled = |mut trust: Trust, change: fn(&mut KnownUser)| {
            change(trust.trustor.as_mut().unwrap());
            trust
        };
        let one = || trust("a", "a");
        for (trust, fault) in [
            (Trust { trustee_id: "u".into(), ..one() }, gone),
            (Trust { project_id: Some("q".into()), ..one() }, gone),
            (Trust { project_id: None, ..one() }, gone),
            (Trust { has_old_end: true, ..one() }, gone),
            (Trust { remaining_uses: Some(0), ..one() }, gone),
            (Trust { expires_at: Some(1_000_000_000), ..one() }, gone),
            (Trust { parent_id: Some("t0".into()), ..one() }, gone),
            (Trust { trustor: None, ..one() }, IdentityFault::TrustorDisabled),
            (disabled(one(), |user| user.is_enabled = false), IdentityFault::TrustorDisabled),
            (
                disabled(one(), |user| user.domain.as_mut().unwrap().is_enabled = false),
                IdentityFault::TrustorDisabled,
            ),
            (trust("a b", "a"), IdentityFault::TrustRoleLost),
            (trust("of-a-domain", "of-a-domain"), IdentityFault::NoRole),
        ] {
            assert_eq!(names(&of_trust(vec![trust])), Err(fault));
        }
        assert_eq!(names(&of_trust(Vec::new())), Err(gone));
        let counted = Trust { remaining_uses: Some(1), expires_at: Some(2_000_000_000), ..one() };
        assert_eq!(of_trust(vec![counted]).unwrap().expires_at, Some(2_000));
    }

    #[test]
    fn a_trust_that_was_given_on_rests_on_those_before() {
        let child = || Trust { parent_id: Some("t0".into()), ..trust("a", "a") };
        let parent = || Trust {
            id: "t0".into(),
            redelegation_count: Some(1),
            trustor_id: "first".into(),
            expires_at: Some(3_000_000_000),
            ..trust("a b", "a b")
        };
        let record = of_trust(vec![child(), parent()]).unwrap();
        assert_eq!(record.trust.unwrap().id, "t");
        assert_eq!(record.expires_at, Some(3_000), "of the one that ends first");
        let gone = IdentityFault::TrustGone;
        for (child, parent, fault) in [
            (child(), Trust { redelegation_count: Some(0), ..parent() }, gone),
            (child(), Trust { redelegation_count: None, ..parent() }, gone),
            (child(), Trust { is_trustee_enabled: false, ..parent() }, gone),
            (child(), Trust { is_impersonation: false, ..parent() }, gone),
            (child(), Trust { roles: roles("b"), ..parent() }, gone),
            (child(), Trust { expires_at: Some(1), ..parent() }, gone),
            (child(), Trust { parent_id: Some("t00".into()), ..parent() }, gone),
            (Trust { remaining_uses: Some(1), ..child() }, parent(), gone),
            (Trust { expires_at: Some(4_000_000_000), ..child() }, parent(), gone),
            (
                child(),
                Trust { trustor_roles: roles("b"), ..parent() },
                IdentityFault::TrustRoleLost,
            ),
        ] {
            assert_eq!(names(&of_trust(vec![child, parent])), Err(fault));
        }
    }

    #[test]
    fn nothing_comes_of_another_delegation_than_was_asked_for() {
        let of_trust = Some(Delegation::Trust("t".into()));
        for (delegation, given) in [
            (None, Given::AccessToken(Some(access_token("a")))),
            (None, Given::Trust(vec![trust("a", "a")])),
            (of_trust.clone(), Given::Nothing),
            (of_trust, Given::Other),
        ] {
            let answer = answer(&request(in_project(), delegation), &facts("a", given));
            assert_eq!(names(&answer), Err(IdentityFault::NoRole));
        }
    }

    #[test]
    fn a_password_ends_where_keystone_says_so() {
        let ends = PasswordEnds { of_user: Some(1_795_328_492_000_000), of_trustor: Some(1) };
        let answer = |request: &IdentityRequest, facts| {
            record(request, &facts, ends, None, NOW).unwrap().password_expires_at
        };
        let own = request(IdentityScope::Unscoped, None);
        let end = answer(&own, facts("", Given::Nothing));
        assert_eq!(end.as_deref(), Some("2026-11-22T06:21:32.000000"));
        let federation =
            Federation { groups: Vec::new(), identity_provider: "i".into(), protocol: "p".into() };
        let federated = IdentityRequest { federation: Some(federation), ..own };
        assert_eq!(answer(&federated, facts("", Given::Nothing)), None);
        let of_trust = IdentityRequest {
            user: "other".into(),
            ..request(in_project(), Some(Delegation::Trust("t".into())))
        };
        let end = answer(&of_trust, facts("", Given::Trust(vec![trust("a", "a")])));
        assert_eq!(end.as_deref(), Some("1970-01-01T00:00:00.000001"));
    }

    #[test]
    fn the_project_of_the_administrators_is_known_by_both_its_names() {
        let is_admin = |admin: Option<&str>, scope| {
            let admin: Option<AdminProject> = admin.map(|text| text.parse().unwrap());
            let facts = facts("a", Given::Nothing);
            let ends = PasswordEnds::default();
            record(&request(scope, None), &facts, ends, admin.as_ref(), NOW)
                .unwrap()
                .is_admin_project
        };
        assert_eq!(is_admin(Some("PD/P"), in_project()), Some(true));
        assert_eq!(is_admin(Some("PD/Q"), in_project()), Some(false));
        assert_eq!(is_admin(Some("UD/P"), in_project()), Some(false));
        assert_eq!(is_admin(None, in_project()), None);
        assert_eq!(is_admin(Some("PD/P"), IdentityScope::System), None);
        assert_eq!(domain("pd").name.as_deref(), Some("PD"));
    }
}
