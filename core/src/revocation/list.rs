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
//! What may lack an event serves nobody before it was loaded anew. If that cannot be had, it serves
//! on for as long as records do (`cache.stale`), counted from when the feed was last heard of.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{MAX_EVENTS, RevocationSet};
use crate::config::{Config, Server};
use crate::feed::ChangeFeed;
use crate::fetch::{Answer, BUSY_TICK, FetchFailure, IDLE_TICK, LONGEST_WHILE_REFUSED, Pause};
use crate::record::{Change, InvalidRevocations, Revocations};
use crate::refusal::Unknown;
use crate::time::UnixTime;

/// One worker's revocations. The module says how to drive it.
#[derive(Debug)]
pub struct RevocationList {
    seed: u64,
    stale: Duration,
    timeout: Duration,
    /// The most requests that wait.
    most: usize,
    /// What is known, once all of it was.
    known: Option<Rc<RevocationSet>>,
    /// Whether something may be missing in it.
    is_suspect: bool,
    /// Nothing is missing in it up to this time.
    complete_until: UnixTime,
    loading: Option<Loading>,
    /// When to load the next time.
    load_at: Option<UnixTime>,
    /// Which requests wait, and since when.
    waiting: BTreeMap<u32, UnixTime>,
    pause: Pause,
    next_call: u64,
    clock: UnixTime,
    actions: VecDeque<Action>,
}

/// A set that is being loaded.
#[derive(Debug)]
struct Loading {
    set: RevocationSet,
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
            most: config.limits.parked,
            known: None,
            is_suspect: true,
            complete_until: UnixTime::from_secs(0),
            loading: None,
            load_at: None,
            waiting: BTreeMap::new(),
            pause: Pause::new(seed),
            next_call: 0,
            clock: UnixTime::from_secs(0),
            actions: VecDeque::new(),
        }
    }

    /// A request wants to know what was revoked.
    pub fn want(&mut self, now: UnixTime, request: u32, feed: &ChangeFeed) -> Want {
        self.observe(now);
        if let Some(known) = self.known.as_ref().filter(|_| !self.is_suspect) {
            return self.unless_stale(now, known, feed);
        }
        // The last try failed, and the next one is not due yet.
        if self.loading.is_none()
            && let Some(load_at) = self.load_at.filter(|load_at| now < *load_at)
            && self.pause.failures() > 0
        {
            return self.fallen_back(now, feed, load_at.since(now));
        }
        if self.waiting.len() >= self.most {
            return Want::Refused { cause: Unknown::TooManyWaiting, retry_after: self.timeout };
        }
        self.waiting.insert(request, now);
        Want::Parked
    }

    /// The change feed tells what has changed. That all may have is what a feed begins with.
    pub fn changed(&mut self, now: UnixTime, changes: &[Change]) {
        self.observe(now);
        for change in changes {
            match change {
                Change::All => {
                    self.is_suspect = true;
                    self.loading = None;
                    self.load_at = Some(now);
                }
                Change::Revocation(event) => {
                    // What is being loaded may have been read before it was written.
                    let known = self.known.as_mut().map(Rc::make_mut);
                    let loading = self.loading.as_mut().map(|loading| &mut loading.set);
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
                self.waiting.remove(&request);
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
        let is_idle = self.waiting.is_empty() && self.actions.is_empty();
        if is_idle { IDLE_TICK } else { BUSY_TICK }
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
            self.complete_until = self.complete_until - back;
            if let Some(loading) = &mut self.loading {
                loading.since = loading.since - back;
            }
            self.waiting.values_mut().for_each(|since| *since = *since - back);
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
            let set = RevocationSet::new(MAX_EVENTS, self.seed);
            self.fetch(now, set, 0, 0);
        }
        // The feed may never have begun, or the pages never end.
        let patience = self.timeout * 4;
        self.tell(now, feed, |since| now.since(since) >= patience);
    }

    fn fetch(&mut self, now: UnixTime, set: RevocationSet, after: u64, pages: u32) {
        let call = Call(self.next_call);
        self.next_call += 1;
        self.loading = Some(Loading { set, call, since: now, after, pages });
        let on_behalf_of = self.waiting.keys().next().copied();
        self.actions.push_back(Action::Fetch { call, after, on_behalf_of });
    }

    fn on_fetched(
        &mut self,
        now: UnixTime,
        call: Call,
        answer: Result<Answer<'_>, FetchFailure>,
        feed: &ChangeFeed,
    ) {
        let Some(Loading { mut set, after, pages, .. }) =
            self.loading.take_if(|loading| loading.call == call)
        else {
            return;
        };
        let page = answer.and_then(|answer| page(answer, after));
        match page {
            Ok(page) => {
                page.events.iter().for_each(|event| set.add(event));
                if !page.more {
                    self.loaded(now, set, feed);
                } else if pages < MAX_PAGES {
                    self.fetch(now, set, page.after, pages + 1);
                } else {
                    let endless = FetchFailure::Revocations(InvalidRevocations::EventCount);
                    self.failed(now, endless, feed);
                }
            }
            Err(failure) => self.failed(now, failure, feed),
        }
    }

    fn failed(&mut self, now: UnixTime, failure: FetchFailure, feed: &ChangeFeed) {
        let retry_after = self.pause.failed().min(LONGEST_WHILE_REFUSED);
        self.load_at = Some(now + retry_after);
        self.actions.push_back(Action::Report(Report::Failed { failure, retry_after }));
        self.tell(now, feed, |_| true);
    }

    fn loaded(&mut self, now: UnixTime, set: RevocationSet, feed: &ChangeFeed) {
        self.pause.succeeded();
        self.actions.push_back(Action::Report(Report::Loaded { events: set.len() }));
        self.known = Some(Rc::new(set));
        self.is_suspect = false;
        self.complete_until = now - feed.lag(now);
        self.load_at = Some(now + self.pause.shortened(RELOAD, 4));
        self.tell(now, feed, |_| true);
    }

    /// Tells those who have waited since such a time what there is.
    fn tell(&mut self, now: UnixTime, feed: &ChangeFeed, is_told: impl Fn(UnixTime) -> bool) {
        let told = self.waiting.extract_if(.., |_, since| is_told(*since));
        let told: Vec<_> = told.map(|(request, _)| request).collect();
        for request in told {
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

/// How long a client should wait where nothing better is known.
const A_MOMENT: Duration = Duration::from_secs(1);
