//! The feed itself: what is known, and what is due.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::entry::{Entry, Log};
use super::outcome::Outcome;
use super::ring::{Position, Ring};
use super::{Action, Call, Event, Report, Slot, Written};
use crate::config::KeyServer;
use crate::fetch::{Answer, FetchFailure, LONGEST, Pause};
use crate::record::{Change, Changes, Cursor};
use crate::shared::{Lease, Seal, SlotKeys};
use crate::time::UnixTime;

/// One worker's view of what has changed. The module says how to drive it.
pub struct ChangeFeed {
    poll: Duration,
    timeout: Duration,
    slots: Slots,
    log: Option<Log>,
    /// The version of the slot that `log` was read from.
    version: Option<u32>,
    /// When the latest call began that told all there was to tell; at first, when this feed began.
    heard_at: UnixTime,
    /// Up to where this worker's stores have been told.
    applied: Option<Position>,
    /// No record of this time or before is covered for this worker.
    floor: UnixTime,
    /// Nor any of this one for any worker: so far the clock had come, and went back.
    furthest: UnixTime,
    /// What others find in the slot has times in it of before the clock went back.
    must_mend: bool,
    /// Until when to let the key server be: a call of another worker, the poll period, the back-off.
    blocked: Option<Lease>,
    stage: Stage,
    writing: Option<Writing>,
    next_call: u64,
    /// When to look into the slots again.
    look_at: UnixTime,
    pause: Pause,
    /// The clock at the last event, to notice when it goes back.
    clock: Option<UnixTime>,
    actions: VecDeque<Action>,
}

/// What seals each slot.
struct Slots {
    changes: SlotKeys,
    lease: SlotKeys,
}

/// How far a call to the key server has come.
#[derive(Debug)]
enum Stage {
    Idle,
    /// The slots are being read.
    Looking,
    /// The lease is being taken.
    Taking,
    /// A call is under way.
    Sent(Call, Question),
    /// Its answer is there, and goes into the slot.
    Merging(Question, Changes),
}

/// What a call asks.
#[derive(Clone, Debug)]
struct Question {
    since: UnixTime,
    /// What was known when it was asked: an answer is of use only where that is still so.
    base: Option<Base>,
    /// Whether it asks with the cursor of that, and not for a new beginning.
    is_continued: bool,
    /// How many calls there were before it at once.
    pages: u32,
}

/// What tells two logs apart.
type Base = (Cursor, Option<Position>);

/// What is being written into the slot of the changes.
#[derive(Debug)]
struct Writing {
    /// What the key server told, if that is what is new.
    told: Option<Told>,
    /// Whether it puts times right that are of before the clock went back.
    is_mended: bool,
}

/// What the key server told, together with what was known before.
#[derive(Debug)]
struct Told {
    entry: Entry,
    report: Report,
    next: Next,
    /// What this worker did not know yet.
    changes: Vec<Change>,
}

/// What comes after an answer.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The poll period.
    Wait,
    /// The next call at once, after so many.
    Page(u32),
}

impl ChangeFeed {
    /// A feed that knows nothing yet. `seed` makes this worker's jitter differ from others'.
    #[must_use]
    pub fn new(keyserver: &KeyServer, seed: u64) -> Self {
        let seal = Seal::new(&keyserver.server);
        Self {
            poll: keyserver.poll,
            timeout: keyserver.server.timeout,
            slots: Slots { changes: seal.slot("changes"), lease: seal.slot("changes-lease") },
            log: None,
            version: None,
            heard_at: BEGINNING,
            applied: None,
            floor: BEGINNING,
            furthest: BEGINNING,
            must_mend: false,
            blocked: None,
            stage: Stage::Idle,
            writing: None,
            next_call: 0,
            look_at: BEGINNING,
            pause: Pause::new(seed),
            clock: None,
            actions: VecDeque::new(),
        }
    }

    /// The name of a slot in shared data.
    #[must_use]
    pub fn slot_name(&self, slot: Slot) -> String {
        self.slots.keys(slot).name().into()
    }

    /// The names of all of them, to be made when the plugin is configured: only a slot that is there can be
    /// written on a condition.
    pub fn slot_names(&self) -> impl Iterator<Item = String> {
        [Slot::Changes, Slot::Lease].into_iter().map(|slot| self.slot_name(slot))
    }

    /// Takes in one event at the time `now`.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>) {
        self.observe(now);
        match event {
            Event::Tick => self.on_tick(now),
            Event::Slot { slot: Slot::Changes, value, version } => {
                self.on_shared(now, value, version);
            }
            Event::Slot { slot: Slot::Lease, value, version } => {
                self.on_lease(now, value, version);
            }
            Event::Written { slot: Slot::Changes, outcome } => self.on_shared_written(now, outcome),
            Event::Written { slot: Slot::Lease, outcome } => self.on_lease_written(now, outcome),
            Event::Fetched(call, answer) => self.on_fetched(now, call, answer),
        }
    }

    /// What to do next; `None` until another event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next tick is wanted at the latest. More of them do no harm.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        let now = self.clock.unwrap_or(BEGINNING);
        self.look_at.since(now).clamp(SHORTEST_TICK, self.poll / 2)
    }

    /// How long it has been since all was known that had changed; at first, since the feed began.
    #[must_use]
    pub fn lag(&self, now: UnixTime) -> Duration {
        // A clock that went back since the last event shows too early a time.
        self.clock.map_or(Duration::ZERO, |clock| now.max(clock).since(self.heard_at))
    }

    /// Whether nothing was heard for so long that what is held should be trusted for a shorter
    /// time: five poll periods, and at least ten seconds.
    #[must_use]
    pub fn is_silent(&self, now: UnixTime) -> bool {
        self.lag(now) > (self.poll * 5).max(SILENCE)
    }

    /// Whether it has been heard of at all.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.log.is_some()
    }

    /// Whether all changes are known that a record may lack, for which the call began at `since`.
    #[must_use]
    pub fn covers(&self, since: UnixTime) -> bool {
        since > self.floor && self.log.as_ref().is_some_and(|log| log.ring.covers(since))
    }

    /// Whether a record may lack a change, for which the call began at `since`: whether there has
    /// been one for which `matches` holds, or the feed does not reach [back](Self::covers) so far.
    ///
    /// `matches` is not asked about [`Change::All`], which matches everything.
    #[must_use]
    pub fn changed_since(&self, since: UnixTime, matches: impl Fn(&Change) -> bool) -> bool {
        !self.covers(since)
            || self.log.as_ref().is_none_or(|log| log.ring.has_since(since, matches))
    }

    /// Mends what a clock that goes back would break: nothing gets younger, and nothing waits for a
    /// time that is far off again.
    fn observe(&mut self, now: UnixTime) {
        let clock = *self.clock.get_or_insert_with(|| {
            self.heard_at = now;
            now
        });
        if now < clock {
            let back = clock.since(now);
            // Others may have confirmed records since this worker last looked at the clock.
            self.furthest = self.furthest.max(clock + self.poll);
            self.heard_at = self.heard_at - back;
            if let Some(log) = &mut self.log {
                log.ring.distrust(self.furthest);
            }
            if let Stage::Sent(_, question) | Stage::Merging(question, _) = &mut self.stage {
                question.since = question.since - back;
            }
            if let Some(told) = self.writing.as_mut().and_then(|writing| writing.told.as_mut()) {
                told.entry.heard_at = told.entry.heard_at - back;
                told.entry.log.ring.distrust(self.furthest);
            }
            self.blocked = None;
            self.look_at = now;
            self.must_mend = true;
        }
        self.clock = Some(now);
        self.blocked = self.blocked.filter(|lease| now < lease.until);
    }

    fn on_tick(&mut self, now: UnixTime) {
        if let Stage::Sent(_, question) | Stage::Merging(question, _) = &self.stage {
            // A call of which nothing was heard is lost; the proxy should have said so long ago.
            if now.since(question.since) >= self.timeout * 2 {
                self.writing = None;
                self.on_failure(now, FetchFailure::NoAnswer);
            }
        }
        if now < self.look_at {
            return;
        }
        let next_look = now + self.until_next_look(now);
        // Where the key server may be asked before that, it is: what shortens the period is jitter, which
        // would be lost if all looked at whole halves of it.
        self.look_at = self.blocked.map_or(next_look, |lease| next_look.min(lease.until));
        let is_calling = matches!(self.stage, Stage::Sent(..) | Stage::Merging(..));
        if self.blocked.is_none() && !is_calling {
            self.stage = Stage::Looking;
        }
        self.actions.push_back(Action::Read(Slot::Changes));
    }

    /// Requests wait for a feed that has not begun, and another worker may be about to begin it: so it is
    /// looked for soon at first, and then less and less often.
    fn until_next_look(&self, now: UnixTime) -> Duration {
        let most = self.poll / 2;
        if self.log.is_some() { most } else { self.lag(now).clamp(SHORTEST_TICK, most) }
    }

    fn on_shared(&mut self, now: UnixTime, value: Option<&[u8]>, version: u32) {
        if self.writing.is_some() {
            // What was read is about to be replaced, and the outcome of that leads on.
            return;
        }
        self.adopt(now, value, version);
        if matches!(self.stage, Stage::Merging(..)) {
            self.merge(now, version);
            return;
        }
        if self.must_mend {
            self.mend(version);
        }
        if matches!(self.stage, Stage::Looking) {
            self.actions.push_back(Action::Read(Slot::Lease));
        }
    }

    /// Takes over what another worker heard.
    fn adopt(&mut self, now: UnixTime, value: Option<&[u8]>, version: u32) {
        if value.is_none() || (self.version == Some(version) && !self.must_mend) {
            return;
        }
        let entry = value
            .and_then(|value| self.slots.changes.open(value))
            .and_then(|entry| Entry::decode(&entry));
        let Some(Entry { heard_at, mut log }) = entry else { return };
        self.version = Some(version);
        // A time from before the clock went back would make what was heard young again.
        if !self.must_mend && heard_at <= now {
            // What was heard last belongs to what is known by it: another log may know less.
            let is_same = self.base() == Some((log.cursor.clone(), log.ring.last()));
            self.heard_at = if is_same { self.heard_at.max(heard_at) } else { heard_at };
        }
        self.must_mend |= log.ring.complete_since() < self.furthest;
        log.ring.distrust(self.furthest);
        let missed = match self.applied {
            Some(position) => log.ring.after(position),
            None => Some(vec![Change::All]),
        };
        self.hold(now, log, missed);
    }

    /// Knows what is in a log from now on, and tells this worker's stores what they do not know of it;
    /// that is all, if nobody can say.
    fn hold(&mut self, now: UnixTime, log: Log, untold: Option<Vec<Change>>) {
        self.applied = log.ring.last();
        self.log = Some(log);
        let (changes, at) = if let (Some(changes), Some(last)) = (untold, self.applied) {
            (changes, last.at())
        } else {
            // What came in before now may have been in another ring, which is not there any more.
            self.floor = self.floor.max(now);
            self.actions.push_back(Action::Report(Report::Missed));
            (vec![Change::All], now)
        };
        if !changes.is_empty() {
            self.actions.push_back(Action::Changed { changes, at });
        }
    }

    /// Puts the times right that others find in the slot.
    fn mend(&mut self, version: u32) {
        let Some(log) = self.log.clone() else { return };
        self.write_entry(&Entry { heard_at: self.heard_at, log }, None, version);
    }

    fn on_lease(&mut self, now: UnixTime, value: Option<&[u8]>, version: u32) {
        if !matches!(self.stage, Stage::Looking) {
            return;
        }
        let longest = (self.timeout * 2).max(self.poll).max(LONGEST);
        let lease = value
            .and_then(|value| self.slots.lease.open(value))
            .and_then(|entry| Lease::decode(&entry))
            .filter(|lease| lease.is_believable(now, longest));
        if let Some(lease) = lease {
            self.pause.learn_of(lease.failures);
            if now < lease.until {
                self.stage = Stage::Idle;
                self.blocked = Some(lease);
                return;
            }
        }
        self.stage = Stage::Taking;
        self.write_lease(self.lease_of_a_call(now), Some(version));
    }

    fn on_lease_written(&mut self, now: UnixTime, outcome: Written) {
        if !matches!(self.stage, Stage::Taking) {
            return;
        }
        match outcome {
            // Without shared data every worker asks for itself.
            Written::Done | Written::Unsupported => self.fetch(now, self.log.is_some(), 0),
            // Another worker was quicker.
            Written::Conflict => self.stage = Stage::Idle,
        }
    }

    /// Asks what has changed since what is known, or for a new beginning.
    fn fetch(&mut self, now: UnixTime, is_continued: bool, pages: u32) {
        let call = Call(self.next_call);
        self.next_call = self.next_call.saturating_add(1);
        let question = Question { since: now, base: self.base(), is_continued, pages };
        let after = question.after().cloned();
        self.stage = Stage::Sent(call, question);
        self.actions.push_back(Action::Fetch { call, after });
    }

    /// One more call of the same worker.
    fn fetch_at_once(&mut self, now: UnixTime, is_continued: bool, pages: u32) {
        self.write_lease(self.lease_of_a_call(now), None);
        self.fetch(now, is_continued, pages);
    }

    fn on_fetched(&mut self, now: UnixTime, call: Call, answer: Result<Answer<'_>, FetchFailure>) {
        let question = match &self.stage {
            Stage::Sent(sent, question) if *sent == call => question.clone(),
            _ => return,
        };
        match answer.and_then(|answer| Outcome::of(answer, question.after())) {
            Ok(Outcome::Told(changes)) => {
                self.stage = Stage::Merging(question, changes);
                self.actions.push_back(Action::Read(Slot::Changes));
            }
            Ok(Outcome::Gone) => self.fetch_at_once(now, false, 0),
            Err(failure) => self.on_failure(now, failure),
        }
    }

    /// Adds what the key server told to what is in the slot.
    fn merge(&mut self, now: UnixTime, version: u32) {
        let Stage::Merging(question, changes) = &self.stage else { return };
        if self.base() != question.base {
            // Another worker has been there already, and its answer says the same.
            return self.rest(now, question.since);
        }
        let told = match &self.log {
            Some(log) if question.is_continued => self.continued(now, question, changes, log),
            _ => self.begun(now, question, changes),
        };
        let entry = told.entry.clone();
        self.write_entry(&entry, Some(told), version);
    }

    fn continued(&self, now: UnixTime, question: &Question, changes: &Changes, log: &Log) -> Told {
        let mut ring = log.ring.clone();
        for change in &changes.changes {
            ring.note(now, change.clone());
        }
        // While there is more to tell, not all is known of any time.
        let (heard_at, next) = if changes.more {
            (self.heard_at, Next::Page(question.pages.saturating_add(1)))
        } else {
            (self.heard_at.max(question.since), Next::Wait)
        };
        let log = Log { cursor: changes.cursor.clone(), ring };
        let report = Report::Heard { changes: changes.changes.len() };
        // They may be more than the ring has room for, but here they all are.
        let changes = if changes.changes.contains(&Change::All) {
            vec![Change::All]
        } else {
            changes.changes.clone()
        };
        Told { entry: Entry { heard_at, log }, report, next, changes }
    }

    fn begun(&self, now: UnixTime, question: &Question, changes: &Changes) -> Told {
        let mut ring = self.log.as_ref().map_or_else(|| Ring::begun(now), |log| log.ring.clone());
        if self.log.is_some() {
            ring.note(now, Change::All);
        }
        ring.distrust(self.furthest);
        let heard_at = self.heard_at.max(question.since);
        let log = Log { cursor: changes.cursor.clone(), ring };
        let entry = Entry { heard_at, log };
        Told { entry, report: Report::Begun, next: Next::Wait, changes: vec![Change::All] }
    }

    fn write_entry(&mut self, entry: &Entry, told: Option<Told>, version: u32) {
        self.write(Slot::Changes, &entry.encode(), Some(version));
        self.writing = Some(Writing { told, is_mended: self.must_mend });
        self.must_mend = false;
    }

    fn on_shared_written(&mut self, now: UnixTime, outcome: Written) {
        let Some(Writing { told, is_mended }) = self.writing.take() else { return };
        if outcome == Written::Conflict {
            // Another worker wrote in between. What it wrote is looked at with the next tick, and
            // what was to be written is written then, if it is still of use.
            self.must_mend |= is_mended;
            self.look_at = now;
            return;
        }
        match told {
            Some(Told { entry, report, next, changes }) => {
                self.heard_at = entry.heard_at;
                self.hold(now, entry.log, Some(changes));
                self.actions.push_back(Action::Report(report));
                self.go_on(now, next);
            }
            None => self.look_at = now,
        }
    }

    fn go_on(&mut self, now: UnixTime, next: Next) {
        let Stage::Merging(question, _) = &self.stage else { return };
        match next {
            Next::Wait => self.rest(now, question.since),
            Next::Page(pages) => self.fetch_at_once(now, pages < MAX_PAGES, pages),
        }
    }

    /// Lets the key server be for the rest of the poll period.
    fn rest(&mut self, now: UnixTime, began: UnixTime) {
        self.pause.succeeded();
        let until = now.max(began + self.pause.shortened(self.poll, 10));
        self.block(Lease { since: now, until, failures: 0, is_call: false });
    }

    fn on_failure(&mut self, now: UnixTime, failure: FetchFailure) {
        let retry_after = self.pause.failed();
        self.actions.push_back(Action::Report(Report::Failed { failure, retry_after }));
        let (until, failures) = (now + retry_after, self.pause.failures());
        self.block(Lease { since: now, until, failures, is_call: false });
    }

    fn block(&mut self, lease: Lease) {
        self.stage = Stage::Idle;
        self.look_at = self.look_at.min(lease.until);
        self.write_lease(lease, None);
        self.blocked = Some(lease);
    }

    fn lease_of_a_call(&self, now: UnixTime) -> Lease {
        let until = now + self.timeout * 2;
        Lease { since: now, until, failures: self.pause.failures(), is_call: true }
    }

    fn write_lease(&mut self, lease: Lease, version: Option<u32>) {
        self.write(Slot::Lease, &lease.encode(), version);
    }

    fn write(&mut self, slot: Slot, entry: &[u8], version: Option<u32>) {
        let value = self.slots.keys(slot).seal(entry);
        self.actions.push_back(Action::Write { slot, value, version });
    }

    #[cfg(test)]
    pub(crate) fn cursor(&self) -> Option<&Cursor> {
        self.log.as_ref().map(|log| &log.cursor)
    }

    fn base(&self) -> Option<Base> {
        self.log.as_ref().map(|log| (log.cursor.clone(), log.ring.last()))
    }
}

impl Question {
    /// The cursor that it asks with.
    fn after(&self) -> Option<&Cursor> {
        self.base.as_ref().filter(|_| self.is_continued).map(|(cursor, _)| cursor)
    }
}

impl Slots {
    fn keys(&self, slot: Slot) -> &SlotKeys {
        match slot {
            Slot::Changes => &self.changes,
            Slot::Lease => &self.lease,
        }
    }
}

/// Shows no id.
impl fmt::Debug for ChangeFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeFeed")
            .field("heard_at", &self.heard_at)
            .field("applied", &self.applied)
            .field("blocked", &self.blocked)
            .finish_non_exhaustive()
    }
}

/// Before the first event there is no time.
const BEGINNING: UnixTime = UnixTime::from_secs(0);

/// How long nothing must have been heard at least for a feed to be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// How many answers with more to come are followed. Beyond that a new beginning is cheaper, and a
/// key server that never comes to an end is not asked for ever.
const MAX_PAGES: u32 = 8;

/// How often to look at the clock at most.
const SHORTEST_TICK: Duration = Duration::from_millis(10);
