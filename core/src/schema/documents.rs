//! Documents that come from the key server: each is fetched once, and kept.
//!
//! What is fetched is known by its SHA-256 beforehand. So there is nothing to renew, and nobody to believe.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::time::Duration;

use sha2::{Digest as _, Sha256};

use super::document::Document;
use super::read::InvalidDocument;
use super::requests::Governed;
use crate::fetch::{Answer, BUSY_TICK, FetchFailure, IDLE_TICK, LONGEST, Pause};
use crate::record::SCHEMAS_PATH;
use crate::time::UnixTime;

/// What one worker has yet to fetch. **Hand in one [`Event`], then carry out the [`Action`]s until there are
/// none.**
#[derive(Debug)]
pub struct Documents {
    /// The next one first.
    missing: VecDeque<Missing>,
    timeout: Duration,
    /// Since when the first of them is being fetched.
    call: Option<UnixTime>,
    /// When to try again.
    next_try: UnixTime,
    pause: Pause,
    actions: VecDeque<Action>,
}

/// A document that is not there.
#[derive(Debug)]
struct Missing {
    name: String,
    digest: Option<[u8; 32]>,
    /// When it was told last that it could not be fetched.
    told_at: Option<UnixTime>,
    /// Where it goes: routes may have the same.
    places: Vec<Rc<OnceCell<Rc<Document>>>>,
}

/// What the world tells.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Time has passed.
    Tick,
    /// What became of an [`Action::Fetch`].
    Fetched(Result<Answer<'a>, FetchFailure>),
}

/// What is asked of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Ask the key server for what is at this path.
    Fetch(String),
    /// Count and log what happened.
    Report(Report),
}

/// What happened to a document, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It is there.
    Loaded(String),
    /// It could not be fetched.
    Failed {
        /// What it is called.
        name: String,
        /// What went wrong.
        failure: FetchFailure,
        /// How long until the next try.
        retry_after: Duration,
        /// Whether to log it: what stays wrong, as another digest does, is told once in [`BETWEEN_WARNINGS`].
        is_news: bool,
    },
}

impl Documents {
    /// Of all of these that are not there. `timeout` is that of calls, and `seed` makes this worker's jitter
    /// differ from others'.
    #[must_use]
    pub fn new<'a>(all: impl Iterator<Item = &'a Governed>, timeout: Duration, seed: u64) -> Self {
        let mut missing = VecDeque::<Missing>::new();
        for governed in all.filter(|it| it.document.get().is_none()) {
            let (name, digest) = (&governed.name, governed.digest);
            let place = Rc::clone(&governed.document);
            let same = missing.iter_mut().find(|it| it.name == *name && it.digest == digest);
            if let Some(same) = same {
                same.places.push(place);
            } else {
                let places = Vec::from([place]);
                let name = name.clone();
                missing.push_back(Missing { name, digest, told_at: None, places });
            }
        }
        Self {
            missing,
            timeout,
            call: None,
            next_try: UnixTime::from_secs(0),
            pause: Pause::new(seed),
            actions: VecDeque::new(),
        }
    }

    /// Takes in one event at the time `now`.
    pub fn handle(&mut self, now: UnixTime, event: Event<'_>) {
        match event {
            Event::Tick => {
                // A call of which nothing was heard is lost; the proxy should have said so long ago.
                let is_lost = |since| now.since(since) >= self.timeout * 2 || now < since;
                if self.call.is_some_and(is_lost) {
                    self.fetched(now, Err(FetchFailure::NoAnswer));
                }
            }
            Event::Fetched(answer) => self.fetched(now, answer),
        }
        // A clock that goes back makes nobody wait for a time that is far off again.
        self.next_try = self.next_try.min(now + LONGEST);
        if self.call.is_none()
            && self.next_try <= now
            && let Some(missing) = self.missing.front()
        {
            self.actions.push_back(Action::Fetch(format!("{SCHEMAS_PATH}/{}", missing.name)));
            self.call = Some(now);
        }
    }

    /// What to do next; `None` until another event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next tick is wanted at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Duration {
        if self.missing.is_empty() && self.actions.is_empty() { IDLE_TICK } else { BUSY_TICK }
    }

    fn fetched(&mut self, now: UnixTime, answer: Result<Answer<'_>, FetchFailure>) {
        let Some(missing) = self.missing.front_mut().filter(|_| self.call.is_some()) else {
            return;
        };
        self.call = None;
        let name = missing.name.clone();
        let report = match answer.and_then(|answer| document(answer, missing)) {
            Ok(document) => {
                let document = Rc::new(document);
                for place in &missing.places {
                    // Nobody else puts anything there.
                    let _ = place.set(Rc::clone(&document));
                }
                self.missing.pop_front();
                self.pause.succeeded();
                Report::Loaded(name)
            }
            Err(failure) => {
                // Requests are refused meanwhile.
                let retry_after = self.pause.failed();
                self.next_try = now + retry_after;
                let is_lately = |told_at| now >= told_at && now.since(told_at) < BETWEEN_WARNINGS;
                let is_news = !missing.told_at.is_some_and(is_lately);
                if is_news {
                    missing.told_at = Some(now);
                }
                self.missing.rotate_left(1);
                Report::Failed { name, failure, retry_after, is_news }
            }
        };
        self.actions.push_back(Action::Report(report));
    }
}

/// How often it is told of a document that it could not be fetched, by each worker.
pub const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);

fn document(answer: Answer<'_>, missing: &Missing) -> Result<Document, FetchFailure> {
    let status = answer.status()?;
    if status != 200 {
        return Err(FetchFailure::Status(status));
    }
    let digest: [u8; 32] = Sha256::digest(answer.body).into();
    if missing.digest != Some(digest) {
        return Err(FetchFailure::Schema(InvalidDocument::Digest));
    }
    Document::from_json(answer.body).map_err(FetchFailure::Schema)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Config, example};
    use crate::schema::Schemas;
    use serde_json::json;

    const JSON: &str = r#"{"voussoir_schema":1,"paths":[],"nodes":[],"patterns":[]}"#;

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_micros(1_000_000_000 + millis * 1000)
    }

    /// Of documents whose bytes are these.
    fn schemas(texts: &[&str]) -> Schemas {
        let digest = |text: &str| {
            let digest = Sha256::digest(text);
            digest.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
        };
        let documents: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(place, text)| {
                json!({"name": format!("d{place}"), "digest": format!("sha256:{}", digest(text))})
            })
            .collect();
        let changes = json!({"hold_headers": true, "schema": documents});
        Config::parse(example::with(&changes).as_bytes()).unwrap().schemas
    }

    fn answer(status: &'static [u8], body: &'static str) -> Answer<'static> {
        Answer { status, protocol: Some(b"1"), body: body.as_bytes(), ..Answer::default() }
    }

    fn actions(documents: &mut Documents) -> Vec<Action> {
        core::iter::from_fn(|| documents.next_action()).collect()
    }

    /// The one that is told.
    fn failure(documents: &mut Documents) -> (FetchFailure, Duration) {
        match actions(documents).pop() {
            Some(Action::Report(Report::Failed { failure, retry_after, name, .. })) => {
                assert!(name.starts_with('d'));
                (failure, retry_after)
            }
            other => panic!("no failure: {other:?}"),
        }
    }

    fn fetch(path: &str) -> Action {
        Action::Fetch(path.into())
    }

    #[test]
    fn each_document_is_fetched_once_and_kept() {
        let schemas = schemas(&[JSON, "x"]);
        let mut documents = Documents::new(schemas.all.iter(), Duration::from_secs(1), 7);
        documents.handle(at(0), Event::Tick);
        assert_eq!(actions(&mut documents), [fetch("/v1/schemas/d0")]);
        documents.handle(at(1), Event::Tick);
        assert_eq!(actions(&mut documents), []);
        documents.handle(at(2), Event::Fetched(Ok(answer(b"200", JSON))));
        let loaded = Action::Report(Report::Loaded("d0".into()));
        assert_eq!(actions(&mut documents), [loaded, fetch("/v1/schemas/d1")]);
        assert!(schemas.all[0].document.get().is_some());
        // Its digest is right, and it is none.
        documents.handle(at(3), Event::Fetched(Ok(answer(b"200", "x"))));
        let expected = FetchFailure::Schema(InvalidDocument::NotJson);
        assert_eq!(failure(&mut documents).0, expected);
        assert!(schemas.all[1].document.get().is_none());
        assert_eq!(documents.next_tick(), BUSY_TICK);
    }

    #[test]
    fn what_is_not_what_was_named_is_not_taken_and_asked_for_again() {
        for (given, expected) in [
            (Ok(answer(b"200", "{}")), FetchFailure::Schema(InvalidDocument::Digest)),
            (Ok(answer(b"404", JSON)), FetchFailure::Status(404)),
            (Ok(Answer { protocol: None, ..answer(b"200", JSON) }), FetchFailure::Protocol),
            (Err(FetchFailure::NoAnswer), FetchFailure::NoAnswer),
        ] {
            let schemas = schemas(&[JSON]);
            let mut documents = Documents::new(schemas.all.iter(), Duration::from_secs(1), 7);
            documents.handle(at(0), Event::Tick);
            assert_eq!(actions(&mut documents).len(), 1);
            documents.handle(at(1), Event::Fetched(given));
            let (found, retry_after) = failure(&mut documents);
            assert_eq!(found, expected);
            let waits = Duration::from_millis(400)..=LONGEST;
            assert!(waits.contains(&retry_after));
            assert!(schemas.all[0].document.get().is_none());
            documents.handle(at(2), Event::Tick);
            assert_eq!(actions(&mut documents), []);
            documents.handle(at(1600), Event::Tick);
            assert_eq!(actions(&mut documents), [fetch("/v1/schemas/d0")]);
            documents.handle(at(1601), Event::Fetched(Ok(answer(b"200", JSON))));
            assert_eq!(actions(&mut documents), [Action::Report(Report::Loaded("d0".into()))]);
            assert_eq!(documents.next_tick(), IDLE_TICK);
        }
    }

    #[test]
    fn of_each_that_stays_wrong_it_is_told_once_in_a_while() {
        let schemas = schemas(&["x", "y"]);
        let mut documents = Documents::new(schemas.all.iter(), Duration::from_secs(1), 7);
        let mut told = Vec::new();
        for second in 0..60 {
            let now = at(second * 1000);
            documents.handle(now, Event::Tick);
            documents.handle(now, Event::Fetched(Ok(answer(b"200", "{}"))));
            for action in actions(&mut documents) {
                if let Action::Report(Report::Failed { name, is_news: true, .. }) = action {
                    told.push((name, second));
                }
            }
        }
        for name in ["d0", "d1"] {
            let times: Vec<_> = told.iter().filter(|it| it.0 == name).map(|it| it.1).collect();
            assert!((4..=6).contains(&times.len()) && times[0] <= 2, "{told:?}");
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 10), "{told:?}");
        }
        // A clock that goes back hides nothing.
        documents.handle(at(0), Event::Tick);
        documents.handle(at(1600), Event::Tick);
        documents.handle(at(1600), Event::Fetched(Ok(answer(b"200", "{}"))));
        let last = actions(&mut documents).pop();
        assert!(matches!(last, Some(Action::Report(Report::Failed { is_news: true, .. }))));
    }

    #[test]
    fn a_call_of_which_nothing_is_heard_is_lost_and_a_clock_that_goes_back_stops_nothing() {
        let schemas = schemas(&[JSON]);
        let mut documents = Documents::new(schemas.all.iter(), Duration::from_secs(1), 7);
        documents.handle(at(100_000), Event::Tick);
        assert_eq!(actions(&mut documents), [fetch("/v1/schemas/d0")]);
        documents.handle(at(102_000), Event::Tick);
        assert!(matches!(&*actions(&mut documents), [Action::Report(Report::Failed { .. })]));
        documents.handle(at(0), Event::Tick);
        documents.handle(at(1600), Event::Tick);
        assert_eq!(actions(&mut documents), [fetch("/v1/schemas/d0")]);
    }

    #[test]
    fn one_that_fails_does_not_keep_others_waiting() {
        let schemas = schemas(&["x", JSON]);
        let mut documents = Documents::new(schemas.all.iter(), Duration::from_secs(1), 7);
        documents.handle(at(0), Event::Tick);
        documents.handle(at(1), Event::Fetched(Ok(answer(b"404", ""))));
        documents.handle(at(1600), Event::Tick);
        let last = actions(&mut documents).pop();
        assert_eq!(last, Some(fetch("/v1/schemas/d1")));
    }

    #[test]
    fn one_that_is_there_twice_is_fetched_once() {
        let schemas = schemas(&[JSON]);
        let other = Governed { document: Rc::default(), ..schemas.all[0].clone() };
        let all = schemas.all.iter().chain([&other, &schemas.all[0]]);
        let mut documents = Documents::new(all, Duration::from_secs(1), 7);
        documents.handle(at(0), Event::Tick);
        assert_eq!(actions(&mut documents), [fetch("/v1/schemas/d0")]);
        documents.handle(at(1), Event::Fetched(Ok(answer(b"200", JSON))));
        assert_eq!(actions(&mut documents), [Action::Report(Report::Loaded("d0".into()))]);
        assert!(other.document.get().is_some() && schemas.all[0].document.get().is_some());
    }
}
