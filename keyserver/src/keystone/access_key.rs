//! Whom an EC2 credential stands for, as Keystone itself would decide it
//! (`keystone/api/_shared/EC2_S3_Resource.py`, `keystone/models/token_model.py`).

use voussoir_core::record::{AccessKeyFault, CredentialRecord, Delegation};
use voussoir_core::time::UnixTime;

use super::facts::{ApplicationCredential, Given, KnownProject, KnownUser, Owner, Roles, Trust};

/// Whom a credential of this owner, made with what was given, stands for.
pub(super) fn record(
    owner: &Owner,
    delegation: Option<Delegation>,
    given: &Given,
    now: UnixTime,
) -> Result<CredentialRecord, AccessKeyFault> {
    const DISABLED: AccessKeyFault = AccessKeyFault::AccessKeyDisabled;
    let user = owner.user.as_ref().filter(|user| user.is_enabled()).ok_or(DISABLED)?;
    let project = owner.project.as_ref().filter(|project| project.is_enabled()).ok_or(DISABLED)?;
    let (roles, expires_at) = match given {
        // All the rights that its user has in its project.
        Given::Nothing => (owner.roles.clone(), None),
        Given::ApplicationCredential(Some(given)) => {
            of_application_credential(user, project, &owner.roles, given).ok_or(DISABLED)?
        }
        Given::Trust(trusts) => of_trust(user, project, trusts).ok_or(DISABLED)?,
        // Nobody has used an OAuth 1 access token for years: no key comes of it.
        Given::AccessToken(_) | Given::ApplicationCredential(None) | Given::Other => {
            return Err(DISABLED);
        }
    };
    let roles = roles.for_services();
    let expires_at = end(expires_at, now)?;
    if roles.is_empty() {
        return Err(DISABLED);
    }
    Ok(CredentialRecord {
        user: user.to_user(),
        project: Some(project.to_project()),
        roles,
        delegation,
        expires_at,
        session_token_sha256: None,
    })
}

/// What of an application credential's roles its user still has.
///
/// One with access rules is good for some requests only. Nobody behind the filter would ask
/// which, so no key comes of it.
fn of_application_credential(
    user: &KnownUser,
    project: &KnownProject,
    has: &Roles,
    given: &ApplicationCredential,
) -> Option<(Roles, Option<i64>)> {
    let is_its_own = given.user_id == user.id && given.project_id.as_ref() == Some(&project.id);
    let is_good = is_its_own && given.access_rules.is_empty();
    is_good.then(|| (given.roles.within(has), given.expires_at))
}

/// A trust's roles, as long as the trustor has them all.
///
/// Who impersonates a trustor is the trustor to services, as in a token. What Keystone counts or
/// follows from trust to trust makes no key.
fn of_trust(
    user: &KnownUser,
    project: &KnownProject,
    trusts: &[Trust],
) -> Option<(Roles, Option<i64>)> {
    let trust = trusts.first()?;
    let actor = if trust.is_impersonation { &trust.trustor_id } else { &trust.trustee_id };
    let is_its_own = *actor == user.id && trust.project_id.as_ref() == Some(&project.id);
    let is_special =
        trust.has_old_end || trust.remaining_uses.is_some() || trust.parent_id.is_some();
    let are_enabled =
        trust.is_trustee_enabled && trust.trustor.as_ref().is_some_and(KnownUser::is_enabled);
    let is_good =
        is_its_own && !is_special && are_enabled && trust.roles.are_among(&trust.trustor_roles);
    is_good.then(|| (trust.roles.clone(), trust.expires_at))
}

/// The second in which something ends that is given in microseconds, if that is yet to come.
fn end(expires_at: Option<i64>, now: UnixTime) -> Result<Option<u64>, AccessKeyFault> {
    let Some(expires_at) = expires_at else { return Ok(None) };
    let expires_at = UnixTime::from_micros(u64::try_from(expires_at).unwrap_or_default());
    if now >= expires_at {
        return Err(AccessKeyFault::AccessKeyExpired);
    }
    Ok(Some(expires_at.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::tests::{application_credential, owner, trust};

    type Answer = Result<CredentialRecord, AccessKeyFault>;

    fn answer(owner: &Owner, given: &Given) -> Answer {
        record(owner, None, given, UnixTime::from_secs(1_000))
    }

    fn names(answer: &Answer) -> Result<Vec<&str>, AccessKeyFault> {
        let record = answer.as_ref().map_err(|fault| *fault)?;
        Ok(record.roles.iter().map(|role| &*role.name).collect())
    }

    const DISABLED: Result<Vec<&str>, AccessKeyFault> = Err(AccessKeyFault::AccessKeyDisabled);

    #[test]
    fn roles_of_a_domain_are_not_for_services() {
        let names_of = |roles| {
            let answer = answer(&owner(roles), &Given::Nothing);
            names(&answer).map(|names| names.join(" "))
        };
        assert_eq!(names_of("b of-a-domain a"), Ok("A B".into()));
        assert_eq!(names_of("of-a-domain"), Err(AccessKeyFault::AccessKeyDisabled));
        assert_eq!(names_of(""), Err(AccessKeyFault::AccessKeyDisabled));
    }

    #[test]
    fn whoever_is_disabled_or_has_no_project_gets_nothing() {
        let changes: [fn(&mut Owner); 8] = [
            |owner| owner.user = None,
            |owner| owner.user.as_mut().unwrap().is_enabled = false,
            |owner| owner.user.as_mut().unwrap().domain = None,
            |owner| {
                owner.user.as_mut().unwrap().domain.as_mut().unwrap().is_enabled = false;
            },
            |owner| owner.project = None,
            |owner| owner.project.as_mut().unwrap().is_enabled = false,
            |owner| owner.project.as_mut().unwrap().domain = None,
            |owner| {
                owner.project.as_mut().unwrap().domain.as_mut().unwrap().is_enabled = false;
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut owner = owner("a");
            change(&mut owner);
            assert_eq!(names(&answer(&owner, &Given::Nothing)), DISABLED, "{number}");
        }
    }

    #[test]
    fn an_application_credential_gives_no_role_that_was_lost() {
        let given = |roles| application_credential(roles);
        let answer = |owner: &Owner, given| {
            let delegation = Some(Delegation::ApplicationCredential("ac".into()));
            let given = Given::ApplicationCredential(given);
            record(owner, delegation, &given, UnixTime::from_secs(1_000))
        };
        let record = answer(&owner("a b"), Some(given("a c")));
        assert_eq!(names(&record), Ok(vec!["A"]));
        let delegation = record.unwrap().delegation;
        assert_eq!(delegation, Some(Delegation::ApplicationCredential("ac".into())));
        let rule = crate::keystone::tests::rule("/");
        for (roles, given) in [
            ("b", Some(given("a"))),
            ("a", None),
            ("a", Some(ApplicationCredential { user_id: "v".into(), ..given("a") })),
            ("a", Some(ApplicationCredential { project_id: Some("q".into()), ..given("a") })),
            ("a", Some(ApplicationCredential { project_id: None, ..given("a") })),
            ("a", Some(ApplicationCredential { access_rules: vec![rule], ..given("a") })),
        ] {
            assert_eq!(names(&answer(&owner(roles), given)), DISABLED);
        }
    }

    #[test]
    fn a_trust_gives_its_roles_while_the_trustor_has_them_all() {
        let answer = |roles, trust| answer(&owner(roles), &Given::Trust(vec![trust]));
        assert_eq!(names(&answer("a b", trust("a", "a b"))), Ok(vec!["A"]));
        let as_himself = Trust {
            trustor_id: "other".into(),
            trustee_id: "u".into(),
            is_impersonation: false,
            ..trust("a", "a")
        };
        assert_eq!(names(&answer("", as_himself)), Ok(vec!["A"]));
        for trust in [
            trust("a b", "a"),
            trust("", "a"),
            Trust { trustor_id: "other".into(), ..trust("a", "a") },
            Trust { is_impersonation: false, ..trust("a", "a") },
            Trust { project_id: Some("q".into()), ..trust("a", "a") },
            Trust { has_old_end: true, ..trust("a", "a") },
            Trust { remaining_uses: Some(1), ..trust("a", "a") },
            Trust { parent_id: Some("t0".into()), ..trust("a", "a") },
            Trust { is_trustee_enabled: false, ..trust("a", "a") },
            Trust { trustor: None, ..trust("a", "a") },
        ] {
            assert_eq!(names(&answer("a", trust)), DISABLED);
        }
    }

    #[test]
    fn nothing_comes_of_what_is_gone_or_not_known() {
        for given in [Given::Trust(Vec::new()), Given::AccessToken(None), Given::Other] {
            assert_eq!(names(&answer(&owner("a"), &given)), DISABLED);
        }
    }

    #[test]
    fn a_delegation_ends_and_the_record_says_when() {
        let answer_at = |expires_at| {
            let given = ApplicationCredential {
                expires_at: Some(expires_at),
                ..application_credential("a")
            };
            answer(&owner("a"), &Given::ApplicationCredential(Some(given)))
        };
        assert_eq!(answer_at(1_000_000_001).unwrap().expires_at, Some(1_000));
        assert_eq!(answer_at(2_000_000_000).unwrap().expires_at, Some(2_000));
        for expires_at in [1_000_000_000, 0, -1] {
            assert_eq!(names(&answer_at(expires_at)), Err(AccessKeyFault::AccessKeyExpired));
        }
        let trust = Trust { expires_at: Some(1), ..trust("a", "a") };
        let record = answer(&owner("a"), &Given::Trust(vec![trust]));
        assert_eq!(names(&record), Err(AccessKeyFault::AccessKeyExpired));
    }
}
