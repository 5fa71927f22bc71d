//! The upkeep of one worker's set of revocations: loaded as a whole when the change feed begins, and
//! after that kept up by what the feed tells.
//!
//! Like the gate, a list knows no host and no clock: **hand in one [`Event`], then carry out the
//! [`Action`]s of [`RevocationList::next_action`] until there are none.**
//!
//! ```text
//!   request ─want──▶ ┌────────────────┐ ─Fetch──▶ key server: all events, page by page
//!           ◀Resume─ │ RevocationList │ ◀Fetched
//!   feed ──changed─▶ └────────────────┘
//! ```
//!
//! When a feed begins anew, events may be missing: then those are loaded that were written since the last
//! load, and some before it, at a moment that differs from worker to worker. Only if the table is not the one
//! that was read before, and once an hour, all are. What may lack an event serves for a quarter of a poll
//! period more, and then nobody before it was loaded. If that cannot be had, it serves on for as long
//! as records do (`cache.stale`), counted from when the feed was last heard of; and so it does where more
//! requests would wait than may.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::time::Duration;

use super::{MAX_EVENTS, RevocationSet};
use crate::config::{Config, Server};
use crate::feed::{ChangeFeed, grace};
use crate::fetch::{Answer, BUSY_TICK, FetchFailure, IDLE_TICK, Pause, Waiter, Waiting};
use crate::record::{Change, InvalidRevocations, RevocationEvent, Revocations};
use crate::refusal::Unknown;
use crate::time::UnixTime;

/// One worker's revocations. The module says how to drive it.
#[derive(Debug)]
pub struct RevocationList {
    seed: u64,
    stale: Duration,
    timeout: Duration,
    /// What is known, once all of it was.
    known: Option<Rc<RevocationSet>>,
    /// Up to where the key server's events were read for it.
    place: Option<Place>,
    /// Whether something may be missing in it.
    is_suspect: bool,
    /// Until when it serves while that is being loaded.
    serves_until: UnixTime,
    grace: Duration,
    /// Nothing is missing in it up to this time.
    complete_until: UnixTime,
    loading: Option<Loading>,
    /// When to load the next time.
    load_at: Option<UnixTime>,
    /// When to load everything again.
    reload_at: UnixTime,
    /// Which requests wait, and since when.
    waiting: Waiting,
    pause: Pause,
    next_call: u64,
    clock: UnixTime,
    actions: VecDeque<Action>,
}

/// A place in the order of the key server's events.
#[derive(Clone, Debug)]
struct Place {
    /// What to ask with for those behind it.
    after: u64,
    /// The last event before it: in a table in which it does not stand, numbers mean something else.
    last: RevocationEvent,
}

/// A set that is being loaded.
#[derive(Debug)]
struct Loading {
    /// `None` when what is known is only added to.
    set: Option<RevocationSet>,
    /// Whether the events go on where the last load ended: whether the last one of that was there.
    is_continued: bool,
    /// The last event that came.
    last: Option<RevocationEvent>,
    call: Call,
    /// Since when the call is under way.
    since: UnixTime,
    /// What it asked with.
    after: u64,
    pages: u32,
}

/// The number of a call, within one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(u64);

/// What becomes of a request that wants to know what was revoked.
#[derive(Clone, Debug)]
#[must_use]
pub enum Want {
    /// This was.
    Ready(Rc<RevocationSet>),
    /// The request waits: an [`Action::Resume`] with its id follows. The list wants an
    /// [`Event::Tick`] as soon as calls can be made.
    Parked,
    /// It is not known, and waiting does not help.
    Refused {
        /// Why.
        cause: Unknown,
        /// When it may be worth another try.
        retry_after: Duration,
    },
}

/// What the world tells a list.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed, or a request waits.
    Tick,
    /// What became of an [`Action::Fetch`].
    Fetched(Call, Result<Answer<'a>, FetchFailure>),
    /// A parked request is gone: the client gave up.
    Gone(u32),
}

/// What a list asks of the world.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Ask the key server for the events after a number, and hand in what comes back.
    Fetch {
        /// For whom.
        call: Call,
        /// What to ask with: [`Revocations::path`].
        after: u64,
        /// One of the requests that wait for it, so that the call can be told to be part of it.
        on_behalf_of: Option<u32>,
    },
    /// Hand this answer to a request that waited. It may be gone.
    Resume {
        /// Which.
        request: u32,
        /// What it is told; never [`Want::Parked`].
        answer: Want,
    },
    /// Count it, or say it.
    Report(Report),
}

/// What is worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// All that is in force was loaded.
    Loaded {
        /// How many events there are.
        events: usize,
    },
    /// A call came to nothing.
    Failed {
        /// What went wrong.
        failure: FetchFailure,
        /// How long until the next try.
        retry_after: Duration,
    },
}

impl RevocationList {
    /// A list of which nothing is known. `seed` makes this worker's hashes and jitter differ from
    /// others'.
    #[must_use]
    pub fn new(config: &Config, keyserver: &Server, seed: u64) -> Self {
        Self {
            seed,
            stale: config.freshness.stale,
            timeout: keyserver.timeout,
            known: None,
            place: None,
            is_suspect: true,
            serves_until: UnixTime::from_secs(0),
            grace: grace(config),
            complete_until: UnixTime::from_secs(0),
            loading: None,
            load_at: None,
            reload_at: UnixTime::from_secs(0),
            waiting: Waiting::new(config.limits.parked),
            pause: Pause::new(seed),
            next_call: 0,
            clock: UnixTime::from_secs(0),
            actions: VecDeque::new(),
        }
    }

    /// A request wants to know what was revoked.
    pub fn want(&mut self, now: UnixTime, request: u32, feed: &ChangeFeed) -> Want {
        self.observe(now);
        let serves = !self.is_suspect || now < self.serves_until;
        if let Some(known) = self.known.as_ref().filter(|_| serves) {
            return self.unless_stale(now, known, feed);
        }
        // The last try failed, and the next one is not due yet.
        if self.loading.is_none()
            && let Some(load_at) = self.load_at.filter(|load_at| now < *load_at)
            && self.pause.failures() > 0
        {
            return self.fallen_back(now, feed, load_at.since(now));
        }
        if self.waiting.is_full() {
            return match self.fallen_back(now, feed, self.timeout) {
                Want::Ready(known) => Want::Ready(known),
                _ => Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout },
            };
        }
        if self.known.is_none() {
            self.load_at = self.load_at.map(|load_at| load_at.min(now));
        }
        self.waiting.add(Waiter { request, newer_than: None, since: now });
        Want::Parked
    }

    /// The change feed tells what has changed. That all may have is what a feed begins with.
    pub fn changed(&mut self, now: UnixTime, changes: &[Change]) {
        self.observe(now);
        for change in changes {
            match change {
                Change::All => {
                    if !self.is_suspect {
                        self.is_suspect = true;
                        self.serves_until = now + self.grace;
                    }
                    self.loading = None;
                    // A thousand proxies may be told at once. Where nothing is known yet, the first
                    // that asks for it does not wait.
                    let apart = match self.known {
                        Some(_) => self.grace / 2,
                        None if self.waiting.is_empty() => UNASKED,
                        None => Duration::ZERO,
                    };
                    self.load_at = Some(now + self.pause.shortened(apart, 1));
                }
                Change::Revocation(event) => {
                    // What is being loaded may have been read before it was written.
                    let known = self.known.as_mut().map(Rc::make_mut);
                    let loading = self.loading.as_mut().and_then(|it| it.set.as_mut());
                    known.into_iter().chain(loading).for_each(|set| set.add(event));
                }
                _ => {}
            }
        }
    }

    /// Takes in one event at the time `now`.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>, feed: &ChangeFeed) {
        self.observe(now);
        match event {
            Event::Tick => self.on_tick(now, feed),
            Event::Fetched(call, answer) => self.on_fetched(now, call, answer, feed),
            Event::Gone(request) => {
                self.waiting.remove(request);
            }
        }
    }

    /// What to do next; `None` until another event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next tick is wanted at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        if !self.waiting.is_empty() || !self.actions.is_empty() {
            return BUSY_TICK;
        }
        // What may lack events is loaded even if nobody waits for it yet.
        let load_at = self.load_at.filter(|_| self.is_suspect && self.loading.is_none());
        load_at.map_or(IDLE_TICK, |at| at.since(self.clock).clamp(BUSY_TICK, IDLE_TICK))
    }

    /// How many events are known.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.len())
    }

    /// A clock that goes back makes nobody wait for a time that is far off again.
    fn observe(&mut self, now: UnixTime) {
        if now < self.clock {
            let back = self.clock.since(now);
            self.load_at = self.load_at.map(|load_at| load_at - back);
            self.reload_at = self.reload_at - back;
            self.serves_until = self.serves_until - back;
            self.complete_until = self.complete_until - back;
            if let Some(loading) = &mut self.loading {
                loading.since = loading.since - back;
            }
            self.waiting.move_back(back);
        }
        self.clock = now;
    }

    fn on_tick(&mut self, now: UnixTime, feed: &ChangeFeed) {
        if !self.is_suspect {
            self.complete_until = now - feed.lag(now);
        }
        if let Some(Loading { call, since, .. }) = self.loading {
            // A call of which nothing was heard is lost; the proxy should have said so long ago.
            if now.since(since) >= self.timeout * 2 {
                self.on_fetched(now, call, Err(FetchFailure::NoAnswer), feed);
            }
        } else if self.load_at.is_some_and(|load_at| now >= load_at) {
            self.load(now);
        }
        // The feed may never have begun, or the pages never end.
        let patience = self.timeout * 4;
        self.tell(now, feed, &|waiter| waiter.has_waited(now, patience));
    }

    /// Loads what may be missing.
    fn load(&mut self, now: UnixTime) {
        match &self.place {
            Some(place) if self.known.is_some() && now < self.reload_at => {
                let after = place.before();
                let loading = Loading::new(None, after, now);
                self.fetch(now, loading);
            }
            _ => self.load_all(now),
        }
    }

    fn load_all(&mut self, now: UnixTime) {
        let set = RevocationSet::new(MAX_EVENTS, self.seed);
        self.fetch(now, Loading::new(Some(set), 0, now));
    }

    fn fetch(&mut self, now: UnixTime, loading: Loading) {
        let (call, after) = (Call(self.next_call), loading.after);
        self.next_call += 1;
        self.loading = Some(Loading { call, since: now, ..loading });
        let on_behalf_of = self.waiting.first();
        self.actions.push_back(Action::Fetch { call, after, on_behalf_of });
    }

    fn on_fetched(
        &mut self,
        now: UnixTime,
        call: Call,
        answer: Result<Answer<'_>, FetchFailure>,
        feed: &ChangeFeed,
    ) {
        let Some(mut loading) = self.loading.take_if(|loading| loading.call == call) else {
            return;
        };
        let page = answer.and_then(|answer| page(answer, loading.after));
        match page {
            Ok(mut page) => {
                let known = self.known.as_mut().map(Rc::make_mut);
                if let Some(set) = loading.set.as_mut().or(known) {
                    page.events.iter().for_each(|event| set.add(event));
                }
                loading.is_continued |=
                    self.place.as_ref().is_some_and(|place| page.events.contains(&place.last));
                loading.last = page.events.pop().or(loading.last);
                loading.after = page.after;
                if !page.more {
                    self.loaded(now, loading, feed);
                } else if loading.pages < MAX_PAGES {
                    loading.pages += 1;
                    self.fetch(now, loading);
                } else {
                    let endless = FetchFailure::Revocations(InvalidRevocations::EventCount);
                    self.failed(now, endless, feed);
                }
            }
            Err(failure) => self.failed(now, failure, feed),
        }
    }

    fn failed(&mut self, now: UnixTime, failure: FetchFailure, feed: &ChangeFeed) {
        let retry_after = self.pause.failed();
        self.load_at = Some(now + retry_after);
        self.actions.push_back(Action::Report(Report::Failed { failure, retry_after }));
        self.tell(now, feed, &|_| true);
    }

    fn loaded(&mut self, now: UnixTime, loading: Loading, feed: &ChangeFeed) {
        let Loading { set, is_continued, last, after, .. } = loading;
        self.pause.succeeded();
        match set {
            Some(set) => {
                self.known = Some(Rc::new(set));
                self.reload_at = now + self.pause.shortened(RELOAD, 4);
            }
            None if is_continued => {}
            // The numbers are another table's, or this one's anew.
            None => return self.load_all(now),
        }
        self.place = last.map(|last| Place { after, last });
        self.actions.push_back(Action::Report(Report::Loaded { events: self.event_count() }));
        self.is_suspect = false;
        self.complete_until = now - feed.lag(now);
        self.load_at = Some(self.reload_at);
        self.tell(now, feed, &|_| true);
    }

    /// Tells those who have waited since such a time what there is.
    fn tell(&mut self, now: UnixTime, feed: &ChangeFeed, is_told: &dyn Fn(&Waiter) -> bool) {
        for Waiter { request, .. } in self.waiting.take(is_told) {
            let retry_after = self.load_at.map_or(A_MOMENT, |load_at| load_at.since(now));
            let answer = self.fallen_back(now, feed, retry_after);
            self.actions.push_back(Action::Resume { request, answer });
        }
    }

    /// What is known, even if something may be missing in it, since the key server cannot be asked.
    fn fallen_back(&self, now: UnixTime, feed: &ChangeFeed, retry_after: Duration) -> Want {
        self.known
            .as_ref()
            .map_or(refused(retry_after), |known| self.unless_stale(now, known, feed))
    }

    fn unless_stale(&self, now: UnixTime, known: &Rc<RevocationSet>, feed: &ChangeFeed) -> Want {
        // The feed may be heard of while what it began with cannot be loaded.
        let age = if self.is_suspect { now.since(self.complete_until) } else { feed.lag(now) };
        if age < self.stale { Want::Ready(Rc::clone(known)) } else { refused(A_MOMENT) }
    }
}

impl Place {
    /// What to ask with for all that was not there yet when this place was: ids are given out before a
    /// transaction ends, so that a lower one may come to be seen after a higher one. Many ask
    /// alike, and then a key server reads a page but once.
    fn before(&self) -> u64 {
        let before = self.after.saturating_sub(WINDOW);
        before - before % TOGETHER
    }
}

impl Loading {
    /// Of which nothing is there yet.
    fn new(set: Option<RevocationSet>, after: u64, now: UnixTime) -> Self {
        let (is_continued, last, call, pages) = (false, None, Call(0), 0);
        Self { set, is_continued, last, call, since: now, after, pages }
    }
}

fn refused(retry_after: Duration) -> Want {
    Want::Refused { cause: Unknown::RevocationsUnavailable, retry_after }
}

fn page(answer: Answer<'_>, after: u64) -> Result<Revocations, FetchFailure> {
    match answer.status()? {
        200 => Revocations::from_json(answer.body, after).map_err(FetchFailure::Revocations),
        status => Err(FetchFailure::Status(status)),
    }
}

/// How often all of it is loaded anew at the latest, to be rid of events that Keystone has deleted:
/// no token of their time is left.
const RELOAD: Duration = Duration::from_hours(1);

/// The most pages of one load: four million events. A key server that has more to tell is not
/// believed.
const MAX_PAGES: u32 = 4096;

/// How long at most it takes until all is loaded for the first time where nobody asks for it, as in a
/// proxy's main thread, which serves no requests.
const UNASKED: Duration = Duration::from_secs(10);

/// Far more ids than are given out and not committed at any time, as key servers count them, too.
const WINDOW: u64 = 200;

/// From so many places those who load ask for the same.
const TOGETHER: u64 = 500;

/// How long a client should wait where nothing better is known.
const A_MOMENT: Duration = Duration::from_secs(1);
