//! The passes: one after the other, each over all that is looked at.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use voussoir_core::record::Change;

use super::Feed;
use crate::access_keys::{Answering, Unavailable};
use crate::clock;
use crate::complaint::Complaint;
use crate::metrics::Metrics;

/// Something that is looked at in each pass.
pub(crate) trait Check: Send {
    /// What it is called in logs.
    fn name(&self) -> &'static str;

    /// Tells of everything that was committed before the pass began, and has not been told yet. The
    /// first pass tells of nothing: it finds out what there is.
    fn pass<'a>(&'a mut self, feed: &'a Feed) -> Answering<'a, Result<(), Unavailable>>;
}

/// Looks at everything, once in a period, until `ended`.
///
/// A pass never begins before the one before has ended, and at least as long after that as it took:
/// a slow database is not asked all the time.
pub(crate) async fn run(
    mut checks: Vec<Box<dyn Check>>,
    feed: Arc<Feed>,
    metrics: Arc<Metrics>,
    mut ended: watch::Receiver<bool>,
) {
    let mut complaints: Vec<_> = checks.iter().map(|_| Complaint::default()).collect();
    let passes = async {
        loop {
            let (begun, begun_at) = (clock::now(), Instant::now());
            let mut is_complete = true;
            for (check, complaint) in checks.iter_mut().zip(&mut complaints) {
                let name = check.name();
                match check.pass(&feed).await {
                    Ok(()) if complaint.end() => {
                        info!("changes of the {name} can be followed again");
                    }
                    Ok(()) => {}
                    Err(why) => {
                        is_complete = false;
                        if let Some(why) = complaint.about(why.to_string()) {
                            warn!("changes of the {name} cannot be followed: {why}");
                        }
                    }
                }
            }
            let duration = begun_at.elapsed();
            metrics.changes.passed(is_complete, duration);
            if is_complete {
                feed.checked(begun, duration);
            }
            sleep(pause(feed.period(), duration)).await;
        }
    };
    tokio::select! {
        () = passes => {}
        _ = ended.wait_for(|ended| *ended) => {}
    }
}

/// How long to wait after a pass of this duration.
fn pause(period: Duration, duration: Duration) -> Duration {
    period.saturating_sub(duration).max(duration)
}

/// Tells of rotations: of each set of keys that follows another.
pub(crate) async fn tell_rotations<T>(
    mut keys: watch::Receiver<Option<Arc<T>>>,
    feed: Arc<Feed>,
    mut ended: watch::Receiver<bool>,
) {
    let mut were_known = keys.borrow_and_update().is_some();
    let rotations = async {
        while keys.changed().await.is_ok() {
            let are_known = keys.borrow_and_update().is_some();
            if were_known {
                feed.tell(Change::TokenKeys);
            }
            were_known = are_known;
        }
    };
    tokio::select! {
        () = rotations => {}
        _ = ended.wait_for(|ended| *ended) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::NoAnswer;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Takes as long as it says, or fails.
    struct Takes {
        durations: Arc<Mutex<Vec<Option<Duration>>>>,
        running: Arc<AtomicUsize>,
        begun: Arc<Mutex<Vec<Instant>>>,
    }

    impl Check for Takes {
        fn name(&self) -> &'static str {
            "test"
        }

        fn pass<'a>(&'a mut self, _: &'a Feed) -> Answering<'a, Result<(), Unavailable>> {
            Box::pin(async {
                assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "passes overlap");
                self.begun.lock().unwrap().push(Instant::now());
                let duration = self.durations.lock().unwrap().pop().flatten();
                sleep(duration.unwrap_or_default()).await;
                self.running.fetch_sub(1, Ordering::SeqCst);
                duration.map(|_| ()).ok_or(Unavailable::NotReady)
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn passes_follow_each_other_and_a_failed_one_counts_for_nothing() {
        let millis = |millis| Some(Duration::from_millis(millis));
        // The last comes first; after that, all fail.
        let durations = vec![millis(3000), millis(700), millis(100)];
        let begun = Arc::new(Mutex::new(Vec::new()));
        let takes = Takes {
            durations: Arc::new(Mutex::new(durations)),
            running: Arc::default(),
            begun: Arc::clone(&begun),
        };
        let metrics = Arc::new(Metrics::new());
        let feed = Arc::new(Feed::new(Duration::from_secs(1), Arc::clone(&metrics)));
        let (end, ended) = watch::channel(false);
        let checks: Vec<Box<dyn Check>> = vec![Box::new(takes)];
        let start = Instant::now();
        let task = tokio::spawn(run(checks, Arc::clone(&feed), Arc::clone(&metrics), ended));
        sleep(Duration::from_secs(5)).await;
        assert!(feed.answer(None).is_ok());
        sleep(Duration::from_secs(15)).await;
        assert!(feed.answer(None).is_ok(), "five times the three seconds are not over");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(feed.answer(None), Err(NoAnswer::Silent));
        end.send_replace(true);
        task.await.unwrap();
        let begun: Vec<u128> =
            begun.lock().unwrap().iter().map(|at| (*at - start).as_millis()).take(5).collect();
        assert_eq!(begun, [0, 1000, 2400, 8400, 9400]);
        let text = metrics.to_string();
        assert!(text.contains("passes_total{result=\"complete\"} 3"), "{text}");
    }

    #[tokio::test]
    async fn a_rotation_is_told_and_the_first_set_is_none() {
        let metrics = Arc::new(Metrics::new());
        let feed = Arc::new(Feed::new(Duration::from_secs(1), metrics));
        feed.checked(clock::now(), Duration::ZERO);
        let start = feed.answer(None).unwrap();
        let (keys, receiver) = watch::channel(None);
        let (_end, ended) = watch::channel(false);
        tokio::spawn(tell_rotations(receiver, Arc::clone(&feed), ended));
        for set in [1, 2] {
            tokio::task::yield_now().await;
            keys.send_replace(Some(Arc::new(set)));
        }
        tokio::task::yield_now().await;
        let start: serde_json::Value = serde_json::from_slice(&start).unwrap();
        let answer = feed.answer(start["cursor"].as_str()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["changes"], serde_json::json!([{"kind": "token_keys"}]));
    }
}
