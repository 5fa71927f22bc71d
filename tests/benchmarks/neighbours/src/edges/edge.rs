//! One edge: what a worker of the filter looks after, and carries out for it (`src/worker/`).

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::sleep;
use voussoir_core::config::Config;
use voussoir_core::feed::{self, ChangeFeed, Written};
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::keys::{self, KeyStore};
use voussoir_core::record::{Change, Cursor, Revocations, TOKEN_KEYS_PATH};
use voussoir_core::revocation::{RevocationList, list};
use voussoir_core::time::UnixTime;

use super::connection::{Connection, Reply};
use super::counts::{Asked, Counts};
use crate::clock::{instant, now};

pub(super) struct Edge {
    number: u32,
    feed: ChangeFeed,
    keys: KeyStore,
    revocations: RevocationList,
    connection: Connection,
    counts: Arc<Mutex<Counts>>,
    /// Whether it knows what was revoked before it began.
    is_loaded: bool,
}

impl Edge {
    pub(super) fn new(
        address: &str,
        config: &Config,
        number: u32,
        counts: Arc<Mutex<Counts>>,
    ) -> Self {
        let keyserver = config.keyserver.as_ref().expect("a key server in the configuration");
        let seed = u64::from(number);
        Self {
            number,
            feed: ChangeFeed::new(keyserver, seed),
            keys: KeyStore::new(config, &keyserver.server, seed),
            revocations: RevocationList::new(config, &keyserver.server, seed),
            connection: Connection::new(address, &keyserver.server),
            counts,
            is_loaded: false,
        }
    }

    /// Does what is due, for ever.
    pub(super) async fn live(mut self) {
        loop {
            self.feed.handle(now(), feed::Event::Tick);
            self.keys.handle(now(), keys::Event::Tick, Some(&self.feed));
            self.revocations.handle(now(), list::Event::Tick, &self.feed);
            self.carry_out().await;
            if self.is_loaded && self.keys.key_count() > 0 {
                self.counts().ready(self.number);
            }
            let ticks = [self.keys.next_tick(), self.revocations.next_tick()];
            sleep(ticks.into_iter().fold(self.feed.next_tick(), Ord::min)).await;
        }
    }

    /// What has changed is looked for first, and acted upon in the same round.
    async fn carry_out(&mut self) {
        loop {
            if let Some(action) = self.feed.next_action() {
                self.of_feed(action).await;
            } else if let Some(action) = self.keys.next_action() {
                self.of_keys(action).await;
            } else if let Some(action) = self.revocations.next_action() {
                self.of_revocations(action).await;
            } else {
                return;
            }
        }
    }

    async fn of_feed(&mut self, action: feed::Action) {
        match action {
            feed::Action::Read(slot) => {
                self.feed.handle(now(), feed::Event::Slot { slot, value: None, version: 0 });
            }
            feed::Action::Write { slot, .. } => {
                // There is no other worker to share anything with.
                let outcome = Written::Unsupported;
                self.feed.handle(now(), feed::Event::Written { slot, outcome });
            }
            feed::Action::Fetch { call, after } => {
                let reply = self.ask(Asked::Changes, &Cursor::path(after.as_ref()), None).await;
                self.feed.handle(now(), feed::Event::Fetched(call, answer(&reply)));
            }
            feed::Action::Changed { changes, at } => self.changed(&changes, at),
            feed::Action::Report(feed::Report::Failed { failure, .. }) => self.failed(failure),
            feed::Action::Report(_) => {}
        }
    }

    fn changed(&mut self, changes: &[Change], at: UnixTime) {
        if changes.iter().any(|change| matches!(change, Change::All | Change::TokenKeys)) {
            self.keys.renew(now(), at);
        }
        self.revocations.changed(now(), changes);
        let told = changes.iter().filter(|change| matches!(change, Change::Revocation(_)));
        let told = u64::try_from(told.count()).unwrap_or(u64::MAX);
        if told > 0 {
            self.counts().told(self.number, told);
        }
    }

    async fn of_keys(&mut self, action: keys::Action) {
        match action {
            keys::Action::Read(slot) => {
                let event = keys::Event::Slot { slot, value: None, version: 0 };
                self.keys.handle(now(), event, Some(&self.feed));
            }
            keys::Action::Write { slot, .. } => {
                let outcome = Written::Unsupported;
                self.keys.handle(now(), keys::Event::Written { slot, outcome }, Some(&self.feed));
            }
            keys::Action::Fetch { etag, .. } => {
                let reply = self.ask(Asked::Keys, TOKEN_KEYS_PATH, etag.as_deref()).await;
                self.keys.handle(now(), keys::Event::Fetched(answer(&reply)), Some(&self.feed));
            }
            // No request waits here.
            keys::Action::Resume { .. } => {}
            keys::Action::Report(report) => match report {
                keys::Report::Updated { .. } => self.counts().renewed(self.number),
                keys::Report::Unchanged => self.counts().unchanged(),
                keys::Report::Failed { failure, .. } => self.failed(failure),
                keys::Report::Expired => self.counts().failed(&"too old keys"),
            },
        }
    }

    async fn of_revocations(&mut self, action: list::Action) {
        match action {
            list::Action::Fetch { call, after, .. } => {
                let reply = self.ask(Asked::Revocations, &Revocations::path(after), None).await;
                let event = list::Event::Fetched(call, answer(&reply));
                self.revocations.handle(now(), event, &self.feed);
            }
            list::Action::Resume { .. } => {}
            list::Action::Report(list::Report::Loaded { .. }) => self.is_loaded = true,
            list::Action::Report(list::Report::Failed { failure, .. }) => self.failed(failure),
        }
    }

    async fn ask(
        &mut self,
        asked: Asked,
        path: &str,
        etag: Option<&str>,
    ) -> Result<Reply, FetchFailure> {
        let begin = instant();
        let reply = self.connection.get(path, etag).await;
        if reply.is_ok() {
            self.counts().answered(asked, instant().duration_since(begin));
        }
        reply
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no panic")
    }

    fn failed(&self, failure: FetchFailure) {
        self.counts().failed(&failure);
    }
}

fn answer(reply: &Result<Reply, FetchFailure>) -> Result<Answer<'_>, FetchFailure> {
    reply.as_ref().map(Reply::answer).map_err(|failure| *failure)
}
