//! Who knows access keys: the sources, in the order in which they are asked, and how they fare.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};
use voussoir_core::record::{AccessKeyFault, CredentialRecord};
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;

use crate::complaint::Complaint;
use crate::database::DatabaseError;
use crate::logging::Allowance;
use crate::metrics::{Lookup, Metrics};

/// A place where access keys are kept.
pub(crate) trait AccessKeys: Send + Sync {
    /// What the source is called in logs and metrics.
    fn name(&self) -> &'static str;

    /// Finds an access key, which is whatever a client sent.
    fn look_up<'a>(
        &'a self,
        access_key: &'a str,
        now: UnixTime,
    ) -> Answering<'a, Result<AccessKey, LookupError>>;

    /// Whether the source answers at all.
    fn check(&self) -> Answering<'_, Result<(), LookupError>>;
}

/// An answer that is waited for.
pub(crate) type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A key that is good.
#[derive(Debug)]
pub(crate) struct AccessKey {
    /// What signing keys are derived from. It goes no further than that.
    pub(crate) secret: Secret,
    /// Whom it stands for.
    pub(crate) record: CredentialRecord,
}

/// Why a source has no key to give.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// It knows that there is none.
    Denied(AccessKeyFault),
    /// It does not know.
    Unavailable(Unavailable),
}

/// Why a source does not know.
#[derive(Debug)]
pub(crate) enum Unavailable {
    Database(DatabaseError),
    /// The key opens the row's seal: it is older or newer than the keys that are in force here.
    NoSealKey,
    /// Nothing that opens seals was read yet.
    NotReady,
    /// The tables are of a later version, or of none.
    Schema,
}

/// All sources, the one that is asked first at the front.
pub(crate) struct Sources {
    in_order: Vec<Source>,
    metrics: Arc<Metrics>,
    allowance: Allowance,
}

struct Source {
    keys: Arc<dyn AccessKeys>,
    /// Whether it ever answered.
    was_up: Arc<AtomicBool>,
}

impl Sources {
    /// Begins to look whether the sources answer, which ends with `ended`.
    pub(crate) fn new(
        sources: Vec<Arc<dyn AccessKeys>>,
        metrics: Arc<Metrics>,
        ended: &watch::Receiver<bool>,
    ) -> Self {
        let sources = sources.into_iter().map(|keys| {
            let was_up = Arc::new(AtomicBool::new(false));
            let watch = watch_source(Arc::clone(&keys), Arc::clone(&was_up), Arc::clone(&metrics));
            let mut ended = ended.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = watch => {}
                    _ = ended.wait_for(|ended| *ended) => {}
                }
            });
            Source { keys, was_up }
        });
        Self { in_order: sources.collect(), metrics, allowance: Allowance::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Whether each source answered at least once since the start: a wrong URL never does. One that
    /// answers no more is another matter, which every replica has at once.
    pub(crate) fn were_up(&self) -> bool {
        self.in_order.iter().all(|source| source.was_up.load(Ordering::Acquire))
    }

    /// Asks the sources one after the other. The first that knows the key decides, and one that
    /// cannot be asked ends the search: it might have forbidden what another allows.
    pub(crate) async fn look_up(
        &self,
        access_key: &str,
        now: UnixTime,
    ) -> Result<AccessKey, LookupError> {
        let end = Instant::now() + MAX_DURATION;
        for Source { keys, .. } in &self.in_order {
            let begun = Instant::now();
            let answer = timeout_at(end, keys.look_up(access_key, now)).await;
            let answer = answer.unwrap_or_else(|_late| Err(DatabaseError::Timeout.into()));
            let answer = answer.and_then(|key| self.usable(key, now));
            self.metrics.access_keys.looked_up(keys.name(), Lookup::of(&answer), begun.elapsed());
            match answer {
                Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown)) => {}
                Err(LookupError::Unavailable(why)) => {
                    if let Some(unsaid) = self.allowance.take() {
                        let source = keys.name();
                        warn!(source, unsaid, "an access key cannot be looked up: {why}");
                    }
                    return Err(LookupError::Unavailable(why));
                }
                known => return known,
            }
        }
        Err(LookupError::Denied(AccessKeyFault::AccessKeyUnknown))
    }

    /// A key that is past its end, or whose record no header can carry, is good for nothing.
    fn usable(&self, key: AccessKey, now: UnixTime) -> Result<AccessKey, LookupError> {
        if key.record.is_expired(now) {
            return Err(LookupError::Denied(AccessKeyFault::AccessKeyExpired));
        }
        if let Err(why) = key.record.check() {
            if let Some(unsaid) = self.allowance.take() {
                let user = &key.record.user.id;
                warn!(
                    ?user,
                    unsaid, "the owner of an access key cannot be told to services: {why}"
                );
            }
            return Err(LookupError::Denied(AccessKeyFault::AccessKeyDisabled));
        }
        Ok(key)
    }
}

/// Says when a source begins and ceases to answer.
async fn watch_source(keys: Arc<dyn AccessKeys>, was_up: Arc<AtomicBool>, metrics: Arc<Metrics>) {
    let source = keys.name();
    let mut complaint = Complaint::default();
    loop {
        match keys.check().await {
            Ok(()) => {
                metrics.access_keys.source_is_up(source, true);
                if !was_up.swap(true, Ordering::AcqRel) || complaint.end() {
                    info!(source, "access keys can be looked up");
                }
                sleep(CHECK_INTERVAL).await;
            }
            Err(why) => {
                metrics.access_keys.source_is_up(source, false);
                if let Some(why) = complaint.about(why.to_string()) {
                    warn!(source, "access keys cannot be looked up: {why}");
                }
                sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

impl From<DatabaseError> for LookupError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Unavailable> for LookupError {
    fn from(why: Unavailable) -> Self {
        Self::Unavailable(why)
    }
}

impl From<DatabaseError> for Unavailable {
    fn from(error: DatabaseError) -> Self {
        if error.is_missing_table() { Self::Schema } else { Self::Database(error) }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(fault) => f.write_str(fault.reason()),
            Self::Unavailable(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(why) => write!(f, "{why}"),
            Self::NoSealKey => f.write_str("no key opens the seal of its secret"),
            Self::NotReady => f.write_str("there are no keys that open the seals of secrets yet"),
            Self::Schema => f.write_str("the database has not the tables that this version reads"),
        }
    }
}

/// How long a lookup takes, whatever the number of sources and statements: less than a request may.
const MAX_DURATION: Duration = Duration::from_secs(6);
/// How often a source is asked whether it answers.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The same while it does not.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
pub(crate) use tests::Says;

#[cfg(test)]
mod tests {
    use super::*;
    use voussoir_core::record::User;

    /// What a source says of every access key.
    #[derive(Clone, Copy)]
    pub(crate) enum Says {
        Denied(AccessKeyFault),
        /// A key of this user, which ends at a second.
        Key(&'static str, u64),
        /// It cannot open this one.
        NoSealKey,
        /// It never answers.
        Nothing,
        /// It cannot read what it has.
        Schema,
    }

    impl AccessKeys for Says {
        fn name(&self) -> &'static str {
            "says"
        }

        fn look_up<'a>(
            &'a self,
            _: &'a str,
            _: UnixTime,
        ) -> Answering<'a, Result<AccessKey, LookupError>> {
            Box::pin(async {
                match *self {
                    Self::Denied(fault) => Err(LookupError::Denied(fault)),
                    Self::Key(user, expires_at) => Ok(AccessKey {
                        secret: Secret::new(b"secret".to_vec()),
                        record: CredentialRecord {
                            user: User { id: user.into(), name: None, domain: None },
                            project: None,
                            roles: Vec::new(),
                            delegation: None,
                            expires_at: Some(expires_at),
                            session_token_sha256: None,
                        },
                    }),
                    Self::NoSealKey => Err(LookupError::Unavailable(Unavailable::NoSealKey)),
                    Self::Nothing => std::future::pending().await,
                    Self::Schema => Err(LookupError::Unavailable(Unavailable::Schema)),
                }
            })
        }

        fn check(&self) -> Answering<'_, Result<(), LookupError>> {
            Box::pin(async { Ok(()) })
        }
    }

    async fn answer(says: &[Says]) -> String {
        let metrics = Arc::new(Metrics::new());
        let ended = watch::Sender::new(true).subscribe();
        let keys = says.iter().map(|says| -> Arc<dyn AccessKeys> { Arc::new(*says) });
        let sources = Sources::new(keys.collect(), metrics, &ended);
        match sources.look_up("AKID", UnixTime::from_secs(100)).await {
            Ok(key) => key.record.user.id,
            Err(why) => why.to_string(),
        }
    }

    const UNKNOWN: Says = Says::Denied(AccessKeyFault::AccessKeyUnknown);
    const DISABLED: Says = Says::Denied(AccessKeyFault::AccessKeyDisabled);

    #[tokio::test]
    async fn the_first_source_that_knows_the_key_decides() {
        for (says, expected) in [
            (&[][..], "access_key_unknown"),
            (&[UNKNOWN, UNKNOWN], "access_key_unknown"),
            (&[UNKNOWN, Says::Key("second", 101)], "second"),
            (&[Says::Key("first", 101), DISABLED], "first"),
            (&[DISABLED, Says::Key("second", 101)], "access_key_disabled"),
            (&[Says::Key("first", 100), Says::Key("second", 101)], "access_key_expired"),
            (&[UNKNOWN, Says::NoSealKey], "no key opens the seal of its secret"),
            (&[Says::NoSealKey, Says::Key("second", 101)], "no key opens the seal of its secret"),
            (&[Says::Key("no\nheader", 101)], "access_key_disabled"),
        ] {
            assert_eq!(answer(says).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_is_not_waited_for_for_ever() {
        let begun = Instant::now();
        assert_eq!(answer(&[Says::Nothing, Says::Nothing]).await, "the database took too long");
        assert_eq!(begun.elapsed(), MAX_DURATION);
    }
}
