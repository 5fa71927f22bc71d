//! What a token says that keys have opened: the same for every request that brings it.

use alloc::rc::Rc;
use alloc::string::{String, ToString as _};
use core::cell::{OnceCell, RefCell};
use core::time::Duration;

use crate::config::TokenRules;
use crate::identities::{Identity, question};
use crate::identity::HeaderEdits;
use crate::record::IdentityRequest;
use crate::refusal::Rejection;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::{Delegation, Payload};

/// What a token says, and what follows from it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) payload: Payload,
    /// When it was issued, in seconds.
    pub(super) issued_at: u64,
    /// Whether it may not be used before. Keystone looks at that time in signed tokens alone.
    is_signed: bool,
    /// Its text, where Keystone is asked about it.
    pub(super) text: Option<Rc<Secret>>,
    question: OnceCell<Option<Rc<IdentityRequest>>>,
    audit_ids: OnceCell<(String, Option<String>)>,
    told: RefCell<Option<Told>>,
}

/// What a service was told of it, and whom it stood for then.
#[derive(Debug)]
struct Told {
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
    pub(super) fn audit_ids(&self) -> (&str, Option<&str>) {
        let (own, chain) = self.audit_ids.get_or_init(|| {
            let ids = &self.payload.audit_ids;
            (ids.own.to_string(), ids.chain.map(|id| id.to_string()))
        });
        (own, chain.as_deref())
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
    /// the last time. `make` must depend on nothing else.
    pub(super) fn told(
        &self,
        identity: Option<&Rc<Identity>>,
        make: impl FnOnce() -> HeaderEdits,
    ) -> Rc<HeaderEdits> {
        let mut told = self.told.borrow_mut();
        match &*told {
            Some(told) if is_same(told.identity.as_ref(), identity) => Rc::clone(&told.edits),
            _ => {
                let edits = Rc::new(make());
                *told = Some(Told { identity: identity.cloned(), edits: Rc::clone(&edits) });
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
