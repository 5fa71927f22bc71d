//! Answers that many wait for at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::access_keys::{Answering, Unavailable};

/// What is asked of a database for many at a time.
pub(super) trait Ask: Send + Sync + 'static {
    type Question: Clone + Eq + Hash + Send + Sync + 'static;
    type Answer: Clone + Send + Sync + 'static;

    fn ask<'a>(
        &'a self,
        question: &'a Self::Question,
    ) -> Answering<'a, Result<Self::Answer, Unavailable>>;
}

/// Asks a few questions at a time. Whoever has one that waits for its turn shares the answer.
///
/// An answer is never older than the wish for it: one that is being asked already is not shared, for
/// what it does not have may be what was told at `/v1/changes` before the wish.
pub(super) struct Shared<A: Ask>(Arc<Inner<A>>);

struct Inner<A: Ask> {
    ask: A,
    turns: Semaphore,
    waiting: Mutex<Waiting<A>>,
}

/// The questions whose turn has not come.
struct Waiting<A: Ask>(HashMap<A::Question, watch::Receiver<Option<Answered<A>>>>);

/// What is shared; the error is the same for all.
type Answered<A> = Result<<A as Ask>::Answer, Arc<Unavailable>>;

impl<A: Ask> Shared<A> {
    /// Asks at most so many questions at a time.
    pub(super) fn new(ask: A, at_a_time: usize) -> Self {
        let (turns, waiting) = (Semaphore::new(at_a_time), Mutex::new(Waiting(HashMap::new())));
        Self(Arc::new(Inner { ask, turns, waiting }))
    }

    pub(super) async fn answer(&self, question: A::Question) -> Answered<A> {
        let mut answer = self.0.join(question);
        let answered = answer.wait_for(Option::is_some).await;
        answered.ok().and_then(|answer| answer.clone()).unwrap_or_else(|| {
            // Only if the task that asks has panicked.
            Err(Arc::new(Unavailable::NotReady))
        })
    }
}

impl<A: Ask> Inner<A> {
    fn join(self: &Arc<Self>, question: A::Question) -> watch::Receiver<Option<Answered<A>>> {
        let mut waiting = self.lock();
        if let Some(answer) = waiting.0.get(&question) {
            return answer.clone();
        }
        let (sender, answer) = watch::channel(None);
        waiting.0.insert(question.clone(), answer.clone());
        let inner = Arc::clone(self);
        // On its own: the client who came first may go away, and others have joined.
        tokio::spawn(async move {
            let turn = inner.turns.acquire().await;
            inner.lock().0.remove(&question);
            let answer = inner.ask.ask(&question).await.map_err(Arc::new);
            drop(turn);
            sender.send_replace(Some(answer));
        });
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    /// Takes a second for each question, and says when it was asked.
    struct Slow {
        begun: Instant,
        asked: Mutex<Vec<(u32, u64)>>,
    }

    impl Ask for Slow {
        type Question = u32;
        type Answer = u64;

        fn ask<'a>(&'a self, question: &'a u32) -> Answering<'a, Result<u64, Unavailable>> {
            Box::pin(async {
                let second = self.begun.elapsed().as_secs();
                self.asked.lock().unwrap().push((*question, second));
                sleep(Duration::from_secs(1)).await;
                if *question == 13 { Err(Unavailable::NotReady) } else { Ok(second) }
            })
        }
    }

    fn slow(at_a_time: usize) -> Arc<Shared<Slow>> {
        let ask = Slow { begun: Instant::now(), asked: Mutex::default() };
        Arc::new(Shared::new(ask, at_a_time))
    }

    /// Asks, and gives a task its turn.
    async fn wish(shared: &Arc<Shared<Slow>>, question: u32) -> tokio::task::JoinHandle<u64> {
        let shared = Arc::clone(shared);
        let wish = tokio::spawn(async move { shared.answer(question).await.unwrap() });
        sleep(Duration::from_millis(1)).await;
        wish
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_who_wait_share_one_answer_that_is_asked_after_their_wish() {
        let shared = slow(1);
        let first = wish(&shared, 1).await;
        let mut others = Vec::new();
        for _ in 0..500 {
            others.push(wish(&shared, 1).await);
        }
        let other = wish(&shared, 2).await;
        assert_eq!(first.await.unwrap(), 0);
        for answer in others {
            assert_eq!(answer.await.unwrap(), 1, "what was asked before their wish is not shared");
        }
        assert_eq!(other.await.unwrap(), 2);
        assert_eq!(*shared.0.ask.asked.lock().unwrap(), [(1, 0), (1, 1), (2, 2)]);
        assert!(shared.0.lock().0.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_takes_no_answer_along() {
        let shared = slow(1);
        let busy = wish(&shared, 1).await;
        let first = wish(&shared, 2).await;
        let second = wish(&shared, 2).await;
        first.abort();
        busy.abort();
        assert_eq!(second.await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_and_not_kept() {
        let shared = slow(2);
        assert!(shared.answer(13).await.is_err());
        let begun = Instant::now();
        let answers = tokio::join!(shared.answer(1), shared.answer(2));
        assert!(answers.0.is_ok() && answers.1.is_ok());
        assert_eq!(begun.elapsed(), Duration::from_secs(1), "two at a time");
    }
}
