//! The memory of the feed: the latest changes in their order, and since when none is missing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::Instant;
use voussoir_core::record::{Change, MAX_CHANGES, MAX_CHANGES_BYTES};
use voussoir_core::time::UnixTime;

use super::place::{Instance, Place};
use crate::clock;
use crate::metrics::Metrics;

/// What has changed lately.
pub(crate) struct Feed {
    state: Mutex<State>,
    instance: Instance,
    period: Duration,
    metrics: Arc<Metrics>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// What has changed since that place is not known, or the place is none.
    Gone,
    /// Nothing was looked at for too long: nobody knows what has changed.
    Silent,
}

struct State {
    /// In the order of their numbers and times.
    changes: VecDeque<Noticed>,
    /// The number of the next change.
    next: u64,
    /// When the last change was noticed.
    last: UnixTime,
    /// All that was noticed after this is remembered; nothing was before the first complete pass.
    since: Option<UnixTime>,
    checked: Option<Checked>,
    /// The answer to those who know everything, made once for all of them.
    tail: Option<Bytes>,
}

struct Noticed {
    at: UnixTime,
    json: Box<str>,
}

/// The last complete pass.
#[derive(Clone, Copy)]
struct Checked {
    begun: UnixTime,
    ended: Instant,
    /// How long it took.
    duration: Duration,
}

impl Feed {
    /// A feed whose passes begin once in a period.
    pub(crate) fn new(period: Duration, metrics: Arc<Metrics>) -> Self {
        let state = State {
            changes: VecDeque::new(),
            next: 0,
            last: UnixTime::from_micros(0),
            since: None,
            checked: None,
            tail: None,
        };
        Self { state: Mutex::new(state), instance: Instance::random(), period, metrics }
    }

    pub(super) fn period(&self) -> Duration {
        self.period
    }

    /// Tells edges of a change from now on.
    pub(crate) fn tell(&self, change: Change) {
        self.tell_at(change, clock::now());
    }

    fn tell_at(&self, change: Change, now: UnixTime) {
        let change = change.or_all();
        // Texts only: there is nothing in them that could not be written.
        let json = serde_json::to_string(&change).unwrap_or_default();
        self.metrics.changes.told(change.kind());
        let mut state = self.lock();
        // A clock that was set back must not disturb the order.
        state.last = state.last.max(now);
        let at = state.last;
        state.changes.push_back(Noticed { at, json: json.into() });
        state.next += 1;
        state.forget(now);
        state.tail = None;
    }

    /// Ends a pass that looked at everything.
    pub(crate) fn checked(&self, begun: UnixTime, duration: Duration) {
        let mut state = self.lock();
        let begun = state.checked.map_or(begun, |before| before.begun.max(begun));
        state.checked = Some(Checked { begun, ended: Instant::now(), duration });
        state.since.get_or_insert(begun);
        state.forget(begun);
        state.tail = None;
        self.metrics.changes.checked(begun);
    }

    /// The answer to an edge at a place, as JSON; without one, a place to begin at.
    pub(crate) fn answer(&self, after: Option<&str>) -> Result<Bytes, NoAnswer> {
        self.answer_at(after, clock::now())
    }

    fn answer_at(&self, after: Option<&str>, now: UnixTime) -> Result<Bytes, NoAnswer> {
        let mut state = self.lock();
        let checked = state.checked.ok_or(NoAnswer::Silent)?;
        // Where a pass takes longer than a period, there are fewer of them.
        if checked.ended.elapsed() > SILENT_AFTER * self.period.max(checked.duration) {
            return Err(NoAnswer::Silent);
        }
        let next = state.next;
        let Some(after) = after else { return Ok(self.tail(&mut state, checked)) };
        let after = Place::from_text(after).ok_or(NoAnswer::Gone)?;
        let begin = match after.next {
            Some((number, instance)) if instance == self.instance => {
                // The place of the oldest change that is remembered.
                let oldest =
                    next.saturating_sub(u64::try_from(state.changes.len()).unwrap_or(next));
                if number > next {
                    return Err(NoAnswer::Gone);
                }
                number.checked_sub(oldest).ok_or(NoAnswer::Gone)?
            }
            _ => {
                let overlap = OVERLAP * self.period;
                let since = state.since.ok_or(NoAnswer::Silent)?;
                let is_remembered = after.time >= since + overlap;
                if !is_remembered || after.time > now + overlap {
                    return Err(NoAnswer::Gone);
                }
                let is_known = |noticed: &Noticed| noticed.at + overlap < after.time;
                u64::try_from(state.changes.partition_point(is_known)).unwrap_or(u64::MAX)
            }
        };
        let begin = usize::try_from(begin).unwrap_or(usize::MAX);
        let mut left = MAX_CHANGES_BYTES.saturating_sub(AROUND_CHANGES);
        let fits = |noticed: &&Noticed| {
            left.checked_sub(noticed.json.len() + 1).is_some_and(|less| {
                left = less;
                true
            })
        };
        let some: Vec<&str> = state
            .changes
            .iter()
            .skip(begin)
            .take(MAX_CHANGES)
            .take_while(fits)
            .map(|noticed| &*noticed.json)
            .collect();
        if some.is_empty() {
            return Ok(self.tail(&mut state, checked));
        }
        let end = begin + some.len();
        let more = end < state.changes.len();
        let untold = u64::try_from(state.changes.len() - end).unwrap_or(u64::MAX);
        // Not all of it was told yet: another server has to begin where this edge began.
        let time = if more { after.time.min(checked.begun) } else { checked.begun };
        let cursor = Place { time, next: Some((next.saturating_sub(untold), self.instance)) };
        let changes = some.join(",");
        Ok(format!(r#"{{"cursor":"{cursor}","more":{more},"changes":[{changes}]}}"#).into())
    }

    fn tail(&self, state: &mut State, checked: Checked) -> Bytes {
        let next = state.next;
        let answer = state.tail.get_or_insert_with(|| {
            let cursor = Place { time: checked.begun, next: Some((next, self.instance)) };
            format!(r#"{{"cursor":"{cursor}","more":false,"changes":[]}}"#).into()
        });
        answer.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what is too old or too much.
    fn forget(&mut self, now: UnixTime) {
        while let Some(oldest) = self.changes.front() {
            let is_old = oldest.at + REMEMBERED < now;
            if self.changes.len() <= MAX_REMEMBERED && !is_old {
                break;
            }
            // Other changes of the same microsecond may be left: the next one is certainly not.
            let at = oldest.at + Duration::from_micros(1);
            self.since = self.since.map(|since| since.max(at));
            self.changes.pop_front();
        }
    }
}

/// The most changes that are remembered: some 15 MiB.
const MAX_REMEMBERED: usize = 100_000;
/// How long they are.
const REMEMBERED: Duration = Duration::from_hours(1);
/// After how many periods without a complete pass nobody gets an answer any more.
const SILENT_AFTER: u32 = 5;
/// How many periods servers tell again of what another may have told already: their clocks differ.
const OVERLAP: u32 = 5;
/// More than the text around the changes of an answer.
const AROUND_CHANGES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use voussoir_core::record::{Changes, Cursor};

    const PERIOD: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(1_000_000 + seconds)
    }

    fn silent() -> Feed {
        Feed::new(PERIOD, Arc::new(Metrics::new()))
    }

    /// A feed whose first pass began in second 0.
    fn feed() -> Feed {
        let feed = silent();
        feed.checked(at(0), Duration::ZERO);
        feed
    }

    fn key(id: u64) -> Change {
        Change::AccessKey(format!("AK{id}"))
    }

    impl Feed {
        fn says(&self, after: Option<&str>, now: UnixTime) -> Result<Changes, NoAnswer> {
            let json = self.answer_at(after, now)?;
            let after = after.and_then(Cursor::new);
            Ok(Changes::from_json(&json, after.as_ref()).unwrap())
        }

        fn cursor(&self) -> String {
            self.says(None, at(0)).unwrap().cursor.as_str().into()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_edge_is_told_of_each_change_once_and_in_order() {
        let feed = feed();
        feed.tell_at(key(0), at(1));
        let start = feed.says(None, at(1)).unwrap();
        assert_eq!((start.changes, start.more), (vec![], false));
        let mut cursor = start.cursor.as_str().to_owned();
        for round in 1..5 {
            feed.tell_at(key(round), at(1 + round));
            feed.tell_at(Change::TokenKeys, at(1 + round));
            let answer = feed.says(Some(&cursor), at(1 + round)).unwrap();
            assert_eq!(answer.changes, [key(round), Change::TokenKeys]);
            cursor = answer.cursor.as_str().into();
            assert_eq!(feed.says(Some(&cursor), at(9)).unwrap().changes, []);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_changes_are_told_in_several_answers_of_which_none_is_too_long() {
        let feed = feed();
        let mut cursor = feed.cursor();
        let id = |number: usize| {
            if number < 1500 { format!("{number}") } else { format!("{number:é>127}") }
        };
        for number in 0..3000 {
            feed.tell_at(Change::User(id(number)), at(1));
        }
        let mut told = Vec::new();
        for round in 1.. {
            let answer = feed.says(Some(&cursor), at(1)).unwrap();
            told.extend(answer.changes);
            cursor = answer.cursor.as_str().into();
            if !answer.more {
                assert!(round > 3, "the long ids are too long for three answers");
                break;
            }
            // Elsewhere, nothing of it was told.
            assert!(cursor.starts_with(&format!("{}.", at(0).as_micros())), "{cursor}");
        }
        assert_eq!(told, (0..3000).map(|number| Change::User(id(number))).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn the_cursor_is_the_begin_of_the_last_complete_pass() {
        let feed = feed();
        feed.tell_at(key(1), at(50));
        assert!(feed.cursor().starts_with(&at(0).as_micros().to_string()));
        feed.checked(at(60), PERIOD);
        assert!(feed.cursor().starts_with(&at(60).as_micros().to_string()));
        feed.checked(at(40), PERIOD);
        assert!(feed.cursor().starts_with(&at(60).as_micros().to_string()), "set back");
    }

    #[tokio::test(start_paused = true)]
    async fn another_servers_cursor_is_a_time() {
        let (one, other) = (feed(), feed());
        one.checked(at(20), Duration::ZERO);
        let cursor = one.cursor();
        for second in [14, 15, 16, 19, 22] {
            other.tell_at(key(second), at(second));
        }
        let answer = other.says(Some(&cursor), at(22)).unwrap();
        assert_eq!(answer.changes, [key(15), key(16), key(19), key(22)]);
        let again = other.says(Some(answer.cursor.as_str()), at(22)).unwrap();
        assert_eq!(again.changes, []);
        let plain = at(21).as_micros().to_string();
        let answer = other.says(Some(&plain), at(22)).unwrap();
        assert_eq!(answer.changes, [key(16), key(19), key(22)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_remembered_is_gone() {
        let feed = feed();
        let own = feed.cursor();
        let time = |seconds| at(seconds).as_micros().to_string();
        let gone = |after: &str, now| feed.says(Some(after), at(now)) == Err(NoAnswer::Gone);
        assert!(gone(&time(4), 10), "before this server began, less the overlap");
        assert!(!gone(&time(5), 10));
        assert!(gone(&time(20), 10), "the future");
        assert!(gone("", 10) && gone("x", 10) && gone("1.2.3", 10));
        let (digits, instance) = own.rsplit_once('.').unwrap();
        let (time_of_own, _) = digits.split_once('.').unwrap();
        assert!(gone(&format!("{time_of_own}.1.{instance}"), 10), "no change has this number yet");

        for number in 0..100_000 {
            feed.tell_at(key(number), at(10));
        }
        assert!(!gone(&own, 10));
        feed.tell_at(key(0), at(10));
        assert!(gone(&own, 10), "one more than is remembered");
        assert!(gone(&time(15), 15) && !gone(&time(16), 15));
        feed.tell_at(key(1), at(3611));
        assert_eq!(feed.lock().changes.len(), 1, "an hour later");
    }

    #[tokio::test(start_paused = true)]
    async fn passes_that_fail_make_the_feed_silent() {
        let feed = silent();
        let says = |feed: &Feed| feed.says(None, at(0)).map(|answer| answer.changes.len());
        assert_eq!(says(&feed), Err(NoAnswer::Silent), "no pass yet");
        feed.checked(at(0), Duration::ZERO);
        tokio::time::advance(5 * PERIOD).await;
        assert_eq!(says(&feed), Ok(0));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(says(&feed), Err(NoAnswer::Silent));
        feed.checked(at(10), 3 * PERIOD);
        tokio::time::advance(15 * PERIOD).await;
        assert_eq!(says(&feed), Ok(0), "a pass takes three periods");
        tokio::time::advance(PERIOD).await;
        assert_eq!(says(&feed), Err(NoAnswer::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_no_edge_would_know_is_told_as_all() {
        let feed = feed();
        let cursor = feed.cursor();
        feed.tell_at(Change::User(String::new()), at(1));
        feed.tell_at(Change::User("\"\\".into()), at(1));
        let answer = feed.says(Some(&cursor), at(1)).unwrap();
        assert_eq!(answer.changes, [Change::All, Change::User("\"\\".into())]);
    }
}
