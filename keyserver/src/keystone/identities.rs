//! Who acts with a token: the answers to `POST /v1/identities`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::warn;
use voussoir_core::record::{
    Change, Delegation, IdentityAnswer, IdentityFault, IdentityRequest, MAX_IDENTITY_BYTES,
};
use voussoir_core::time::UnixTime;

use super::lookup::Lookup;
use super::token::record;
use super::watched::{Target, Watched};
use crate::access_keys::Unavailable;
use crate::config::AdminProject;
use crate::database::{Database, DatabaseError};
use crate::logging::Allowance;
use crate::metrics::{Lookup as Outcome, Metrics};

/// The identities of a Keystone.
pub(crate) struct Identities {
    lookup: Lookup,
    admin_project: Option<AdminProject>,
    watched: Arc<Watched<WatchedIdentity>>,
    metrics: Arc<Metrics>,
    allowance: Allowance,
}

/// Why there is no identity.
#[derive(Debug)]
pub(crate) enum IdentityError {
    /// Keystone would not take such a token.
    Denied(IdentityFault),
    /// Whether it would cannot be found out.
    Unavailable(Unavailable),
}

/// A question that was answered.
#[derive(Clone, Debug)]
pub(crate) struct WatchedIdentity(pub(super) Arc<IdentityRequest>);

impl Target for WatchedIdentity {
    type Key = Arc<IdentityRequest>;

    fn key(&self) -> &Arc<IdentityRequest> {
        &self.0
    }

    /// What concerns the fewest others.
    fn change(&self) -> Change {
        match &self.0.delegation {
            Some(Delegation::Trust(id)) => Change::Trust(id.clone()),
            Some(Delegation::ApplicationCredential(id)) => {
                Change::ApplicationCredential(id.clone())
            }
            _ => Change::User(self.0.user.clone()),
        }
        .or_all()
    }
}

impl Identities {
    pub(crate) fn new(
        database: Arc<Database>,
        admin_project: Option<AdminProject>,
        watched: Arc<Watched<WatchedIdentity>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let lookup = Lookup::new(database);
        Self { lookup, admin_project, watched, metrics, allowance: Allowance::new() }
    }

    /// The JSON of the answer to a question.
    pub(crate) async fn answer(
        &self,
        request: IdentityRequest,
        now: UnixTime,
    ) -> Result<String, IdentityError> {
        let begun = Instant::now();
        let answer = timeout(MAX_DURATION, self.find(request, now)).await;
        let late = DatabaseError::Timeout.into();
        let answer = answer.unwrap_or(Err(IdentityError::Unavailable(late)));
        let outcome = match &answer {
            Ok(_) => Outcome::Found,
            Err(IdentityError::Denied(_)) => Outcome::Denied,
            Err(IdentityError::Unavailable(_)) => Outcome::Unavailable,
        };
        self.metrics.identities.looked_up(outcome, begun.elapsed());
        if let Err(IdentityError::Unavailable(why)) = &answer
            && let Some(unsaid) = self.allowance.take()
        {
            warn!(unsaid, "an identity cannot be looked up: {why}");
        }
        answer
    }

    async fn find(&self, request: IdentityRequest, now: UnixTime) -> Result<String, IdentityError> {
        let (facts, ends) = self.lookup.token(&request).await?;
        let fingerprint = self.watched.fingerprint(&facts);
        let identity = record(&request, &facts, ends, self.admin_project.as_ref(), now);
        let target = WatchedIdentity(Arc::new(request.clone()));
        self.watched.note(target, fingerprint, identity.is_err());
        let answer = IdentityAnswer { request, identity: identity.map_err(IdentityError::Denied)? };
        let json = answer.to_json();
        let unpresentable = match answer.identity.check() {
            Err(why) => why.to_string(),
            Ok(()) if json.len() > MAX_IDENTITY_BYTES => "it is too long".into(),
            Ok(()) => return Ok(json),
        };
        if let Some(unsaid) = self.allowance.take() {
            let user = &answer.identity.user.id;
            warn!(?user, unsaid, "an identity cannot be told to services: {unpresentable}");
        }
        Err(IdentityError::Denied(IdentityFault::Unpresentable))
    }
}

impl From<Unavailable> for IdentityError {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

/// How long a lookup takes, whatever the number of statements: less than a request may.
const MAX_DURATION: Duration = Duration::from_secs(6);
