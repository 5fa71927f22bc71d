//! What a token says that keys have opened: the same for every request that brings it.

use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::cell::{OnceCell, RefCell};
use core::time::Duration;

use crate::acl::Caller;
use crate::config::TokenRules;
use crate::identities::{Identity, question};
use crate::identity::HeaderEdits;
use crate::record::IdentityRequest;
use crate::refusal::Rejection;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::{Delegation, Id, Payload, Scope};

/// What a token says, and what follows from it.
#[derive(Debug)]
pub(in crate::gate) struct Opened {
    pub(in crate::gate) payload: Payload,
    /// When it was issued, in seconds.
    pub(super) issued_at: u64,
    /// Whether it may not be used before. Keystone looks at that time in signed tokens alone.
    is_signed: bool,
    /// Its text, where Keystone is asked about it.
    pub(super) text: Option<Rc<Secret>>,
    question: OnceCell<Option<Rc<IdentityRequest>>>,
    audit_ids: OnceCell<(String, Option<String>)>,
    ids: OnceCell<Ids>,
    told: RefCell<Option<Told>>,
}

/// What it says of its owner, written as Keystone does.
#[derive(Debug)]
struct Ids {
    user: Option<String>,
    domain: Option<String>,
    project: Option<String>,
    application_credential: Option<String>,
}

/// What a service was told of it, and whom it stood for then.
#[derive(Debug)]
struct Told {
    /// With the settings of which route.
    route: Option<usize>,
    identity: Option<Rc<Identity>>,
    edits: Rc<HeaderEdits>,
}

impl Opened {
    pub(super) fn new(
        payload: Payload,
        issued_at: u64,
        is_signed: bool,
        text: Option<Rc<Secret>>,
    ) -> Self {
        Self {
            payload,
            issued_at,
            is_signed,
            text,
            question: OnceCell::new(),
            audit_ids: OnceCell::new(),
            ids: OnceCell::new(),
            told: RefCell::new(None),
        }
    }

    /// Whether it is for the owner of a client certificate only.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self.payload.delegation, Delegation::Oauth2Credential { .. })
    }

    /// What decides whom it stands for; `None` for what no record tells the whole of.
    pub(super) fn question(&self) -> Option<&Rc<IdentityRequest>> {
        self.question.get_or_init(|| question(&self.payload).map(Rc::new)).as_ref()
    }

    /// Its own audit id, and that of the first of its chain, if it is not that.
    pub(in crate::gate) fn audit_ids(&self) -> (&str, Option<&str>) {
        let (own, chain) = self.audit_ids.get_or_init(|| {
            let ids = &self.payload.audit_ids;
            (ids.own.to_string(), ids.chain.map(|id| id.to_string()))
        });
        (own, chain.as_deref())
    }

    /// Whoever has it, as far as it says itself.
    pub(in crate::gate) fn caller(&self) -> Caller<'_> {
        let ids = self.ids.get_or_init(|| {
            let Payload { user_id, scope, delegation, .. } = &self.payload;
            let text = |id: Option<&Id>| id.map(ToString::to_string);
            let (domain, project) = match scope {
                Scope::Domain(id) => (Some(id), None),
                Scope::Project(id) => (None, Some(id)),
                Scope::System | Scope::Unscoped => (None, None),
            };
            let credential = match delegation {
                Delegation::ApplicationCredential { application_credential_id } => {
                    Some(application_credential_id)
                }
                _ => None,
            };
            let [user, domain, project, application_credential] =
                [Some(user_id), domain, project, credential].map(text);
            Ids { user, domain, project, application_credential }
        });
        Caller {
            user_id: ids.user.as_deref(),
            domain_id: ids.domain.as_deref(),
            project_id: ids.project.as_deref(),
            application_credential: ids.application_credential.as_deref(),
            is_system: self.payload.scope == Scope::System,
            ..Caller::default()
        }
    }

    /// Whether it is of its time, give or take the `window` since it expired, and of a kind that is
    /// taken.
    pub(super) fn check(
        &self,
        now: UnixTime,
        rules: &TokenRules,
        window: Duration,
    ) -> Result<(), Rejection> {
        if self.payload.expires_at.is_past(now - window) {
            return Err(Rejection::TokenExpired);
        }
        if self.is_signed && now < UnixTime::from_secs(self.issued_at) {
            return Err(Rejection::TokenNotYetValid);
        }
        if !rules.kinds.contains(&self.payload.kind()) {
            return Err(Rejection::TokenKindRefused);
        }
        Ok(())
    }

    /// What to tell a service of it and of whom it stands for, made anew only if that has changed since
    /// the last time, for requests of the same route. `make` must depend on nothing else.
    pub(super) fn told(
        &self,
        route: Option<usize>,
        identity: Option<&Rc<Identity>>,
        make: impl FnOnce() -> HeaderEdits,
    ) -> Rc<HeaderEdits> {
        let mut told = self.told.borrow_mut();
        match &*told {
            Some(told) if told.route == route && is_same(told.identity.as_ref(), identity) => {
                Rc::clone(&told.edits)
            }
            _ => {
                let edits = Rc::new(make());
                let identity = identity.cloned();
                *told = Some(Told { route, identity, edits: Rc::clone(&edits) });
                edits
            }
        }
    }
}

/// Whether it is the very same record: one that says the same may have been asked for later.
fn is_same(one: Option<&Rc<Identity>>, other: Option<&Rc<Identity>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Rc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
