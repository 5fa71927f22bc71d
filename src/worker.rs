//! One plugin in one worker: drives the core's two machines and carries out what they ask for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::config::Config;
use voussoir_core::gate::{Effect, Gate, Input};
use voussoir_core::head::RequestHead;
use voussoir_core::identity::{HeaderEdits, Part, claims};
use voussoir_core::keys::{
    Action, Answer, Event, FetchFailure, KeyStore, Keys, Report, Slot, Want, Written,
};
use voussoir_core::record::{
    MAX_KEY_SET_BYTES, PROTOCOL_HEADER, PROTOCOL_VERSION, TOKEN_KEYS_PATH,
};
use voussoir_core::refusal::Unknown;
use voussoir_core::secret::Secret;
use voussoir_core::time::UnixTime;

use crate::host::{self, Level, pairs};
use crate::metrics::Metrics;

/// What the root context and the contexts of its requests share.
pub(crate) struct Worker {
    root_id: u32,
    config: Rc<Config>,
    store: RefCell<KeyStore>,
    /// The requests that wait, by the ids of their contexts.
    parked: RefCell<HashMap<u32, Rc<RefCell<Gate>>>>,
    metrics: Metrics,
    /// The queue that wakes the root context; `None` where the host has none.
    queue: Option<u32>,
    tick: Cell<Duration>,
    /// Whether the root context was woken and has not come yet.
    is_woken: Cell<bool>,
    /// The call under way, by the host's number.
    call: Cell<Option<u32>>,
}

/// What a request that waited is told.
enum Told {
    Keys(Rc<Keys>),
    NoKeys { cause: Unknown, retry_after: Duration },
}

impl Worker {
    /// To be made in the root context's own callback, since the queue becomes that context's.
    pub(crate) fn new(root_id: u32, config: Config, seed: u64) -> Self {
        let worker = Self {
            root_id,
            store: RefCell::new(KeyStore::new(&config, seed)),
            parked: RefCell::new(HashMap::new()),
            metrics: Metrics::define(config.mode),
            // A queue has one reader: a name that workers shared would wake just one of them.
            queue: host::register_queue(&format!("voussoir/{seed:016x}")).ok(),
            tick: Cell::new(Duration::ZERO),
            is_woken: Cell::new(false),
            call: Cell::new(None),
            config: Rc::new(config),
        };
        worker.adjust_tick();
        worker
    }

    pub(crate) fn new_gate(&self) -> Gate {
        Gate::new(Rc::clone(&self.config))
    }

    /// Hands an input to a request and carries out what it asks for, on the effective context.
    ///
    /// `is_resumed` says that the request's callback has long returned, so that the host waits to
    /// be told to go on.
    pub(crate) fn feed(
        &self,
        context_id: u32,
        gate: &Rc<RefCell<Gate>>,
        input: Input<'_>,
        is_resumed: bool,
    ) {
        let Some(now) = now() else { return self.abort(gate) };
        let mut effect = gate.borrow_mut().handle(now, input);
        while let Effect::NeedKeys { newer_than } = effect {
            let want = self.store.borrow_mut().want(now, context_id, newer_than);
            let Some(told) = told(want) else {
                self.parked.borrow_mut().insert(context_id, Rc::clone(gate));
                return self.wake_root();
            };
            effect = gate.borrow_mut().handle(now, told.input());
        }
        self.decide(gate, effect, is_resumed);
    }

    /// Reads the headers or trailers of the effective context's request, removes what the client
    /// claims about its identity, and hands them on. `false` when the host fails: the claims may
    /// still be there.
    ///
    /// It happens as soon as they arrive. After a pause the host does not show trailers again, and a
    /// request that waits shall not make us keep what it claims.
    pub(crate) fn strip(part: Part, hand_on: impl FnOnce(RequestHead<'_>)) -> bool {
        let bytes = match part {
            Part::Headers => host::request_headers(),
            Part::Trailers => host::request_trailers(),
        };
        let fields = bytes.as_ref().ok().and_then(|bytes| pairs::decode(bytes));
        let Some(fields) = fields.as_deref().map(RequestHead::new) else { return false };
        let is_stripped = claims(fields, part).into_iter().all(|name| match part {
            Part::Headers => host::remove_request_header(name).is_ok(),
            Part::Trailers => host::remove_request_trailer(name).is_ok(),
        });
        if is_stripped {
            hand_on(fields);
        }
        is_stripped
    }

    /// The host failed a request: whatever was decided, it does not pass.
    pub(crate) fn abort(&self, gate: &Rc<RefCell<Gate>>) {
        let effect = gate.borrow_mut().abort();
        self.decide(gate, effect, false);
    }

    /// The stream of a request has ended, whatever became of it.
    pub(crate) fn forget(&self, context_id: u32) {
        if self.parked.borrow_mut().remove(&context_id).is_some()
            && let Some(now) = now()
        {
            self.store.borrow_mut().handle(now, Event::Gone(context_id));
        }
    }

    /// Messages in the queue say no more than that somebody waits.
    pub(crate) fn on_queue_ready(&self, queue: u32) {
        while host::dequeue(queue) {}
        self.on_tick();
    }

    pub(crate) fn on_tick(&self) {
        self.is_woken.set(false);
        self.drive(Event::Tick);
    }

    /// An answer to a call. Only within this callback can the answer be read.
    pub(crate) fn on_call_response(&self, token: u32, header_count: usize) {
        // Whatever else arrives belongs to a call that was given up.
        if self.call.get() != Some(token) {
            return;
        }
        self.call.set(None);
        let headers = host::call_response_headers();
        let headers = headers.as_ref().ok().and_then(|bytes| pairs::decode(bytes));
        let (Some(headers), true) = (headers, header_count > 0) else {
            return self.drive(Event::Fetched(Err(FetchFailure::NoAnswer)));
        };
        // One byte more than is allowed, to tell.
        let body = host::call_response_body(MAX_KEY_SET_BYTES + 1).map(Secret::new);
        let value = |name: &str| {
            let mut values = headers.iter().filter(|(other, _)| *other == name.as_bytes());
            values.next().map(|(_, value)| *value)
        };
        let answer = Answer {
            status: value(":status").unwrap_or_default(),
            protocol: value(PROTOCOL_HEADER),
            etag: value("etag"),
            body: body.as_ref().map(Secret::expose).unwrap_or_default(),
        };
        self.drive(Event::Fetched(Ok(answer)));
    }

    /// Hands an event to the store and carries out what it asks for. Only in callbacks of the root
    /// context: a call that another context makes is lost when that context ends.
    fn drive(&self, event: Event<'_>) {
        let Some(began) = now() else { return };
        self.store.borrow_mut().handle(began, event);
        let mut resumed = 0;
        // The clock is read anew each time: a request that is resumed reads it too, and to go on
        // with an older time would look like a clock that goes back. And the borrow must end before
        // the action, which may lead back to the store.
        while resumed < MAX_RESUMED
            && let Some(now) = now()
            && let Some(action) = self.next_action()
        {
            resumed += usize::from(matches!(action, Action::Resume { .. }));
            self.perform(now, action);
        }
        if resumed == MAX_RESUMED {
            self.wake_root();
        }
        self.adjust_tick();
    }

    fn next_action(&self) -> Option<Action> {
        self.store.borrow_mut().next_action()
    }

    fn perform(&self, now: UnixTime, action: Action) {
        match action {
            Action::Read(slot) => self.read(now, slot),
            Action::Write { slot, value, version } => self.write(now, slot, &value, version),
            Action::Fetch { etag } => self.fetch(now, etag.as_deref()),
            Action::Resume { request, answer } => self.resume(request, answer),
            Action::Report(report) => self.report(&report),
        }
    }

    fn read(&self, now: UnixTime, slot: Slot) {
        let name = self.store.borrow().slot_name(slot);
        // Shared data that cannot be read is as good as empty; writing it will tell.
        let found = host::shared_data(&name).ok().flatten();
        let (value, version) =
            found.as_ref().map_or((None, 0), |(value, version)| (Some(&value[..]), *version));
        self.store.borrow_mut().handle(now, Event::Slot { slot, value, version });
    }

    fn write(&self, now: UnixTime, slot: Slot, value: &[u8], version: Option<u32>) {
        let name = self.store.borrow().slot_name(slot);
        let outcome = match host::set_shared_data(&name, value, version.unwrap_or(0)) {
            Ok(()) => Written::Done,
            Err(error) if error.is_conflict() => Written::Conflict,
            Err(_) => Written::Unsupported,
        };
        self.store.borrow_mut().handle(now, Event::Written { slot, outcome });
    }

    fn fetch(&self, now: UnixTime, etag: Option<&str>) {
        let keyserver = &self.config.keyserver;
        let authorization = keyserver.bearer_token.as_ref().map(bearer);
        let mut headers = vec![
            (":method", "GET"),
            (":path", TOKEN_KEYS_PATH),
            (":authority", keyserver.authority.as_str()),
            ("accept", "application/json"),
            (PROTOCOL_HEADER, PROTOCOL_VERSION),
        ];
        headers.extend(authorization.as_ref().and_then(|value| {
            core::str::from_utf8(value.expose()).ok().map(|value| ("authorization", value))
        }));
        headers.extend(etag.map(|value| ("if-none-match", value)));
        // The SDK's own wrapper, because its dispatcher has to know whose call it is. It panics on
        // no status that Envoy's implementation of this function can return. Its copy of the headers
        // is not wiped.
        let sent = proxy_wasm::hostcalls::dispatch_http_call(
            &keyserver.cluster,
            headers,
            None,
            vec![],
            keyserver.timeout,
        );
        if let Ok(token) = sent {
            self.call.set(Some(token));
        } else {
            let failed = Event::Fetched(Err(FetchFailure::NotSent));
            self.store.borrow_mut().handle(now, failed);
        }
    }

    fn resume(&self, context_id: u32, answer: Want) {
        let Some(gate) = self.parked.borrow_mut().remove(&context_id) else {
            return;
        };
        let Some(told) = told(answer) else { return };
        // Its stream may be gone although its context is not yet.
        if host::set_effective_context(context_id).is_ok() {
            self.feed(context_id, &gate, told.input(), true);
        }
        if host::set_effective_context(self.root_id).is_err() {
            host::log(Level::Error, "voussoir: the root context is gone");
        }
    }

    fn report(&self, report: &Report) {
        self.metrics.count_report(report);
        self.metrics.record_keys(self.store.borrow().key_count());
        match report {
            Report::Updated { keys, primary } => {
                let primary = primary.unwrap_or_default();
                let message = format!("voussoir: token keys updated: {keys}, primary {primary}");
                host::log(Level::Info, &message);
            }
            Report::Unchanged => {}
            Report::Failed { failure, retry_after } => {
                let millis = retry_after.as_millis();
                let message = format!(
                    "voussoir: token keys could not be fetched: {failure}; next try in {millis} ms"
                );
                host::log(Level::Warn, &message);
            }
            Report::Expired => {
                let message = "voussoir: token keys are past cache.stale and used no more; \
                               requests are answered 503 until the key server confirms them";
                host::log(Level::Error, message);
            }
        }
    }

    /// Carries out a decision on the effective context.
    fn decide(&self, gate: &Rc<RefCell<Gate>>, effect: Effect, is_resumed: bool) {
        match effect {
            Effect::Nothing | Effect::NeedKeys { .. } => {}
            Effect::Forward(edits, verdict) => {
                // What the client claims must be out and what we say must be in, all of it, or
                // the request does not pass.
                let is_forwarded =
                    apply(&edits).is_ok() && (!is_resumed || host::continue_request().is_ok());
                if is_forwarded {
                    self.metrics.count_request(verdict);
                } else {
                    self.abort(gate);
                }
            }
            Effect::Refuse(reply, verdict) => {
                self.metrics.count_request(verdict);
                if host::send_reply(&reply).is_err() {
                    host::log(Level::Error, "voussoir: a request was refused, but not answered");
                }
            }
        }
    }

    /// Lets the root context look after those who wait, as soon as this callback is over: once for
    /// all who come to wait until then.
    fn wake_root(&self) {
        if self.is_woken.get() {
            return;
        }
        let is_woken = self.queue.is_some_and(|queue| host::wake(queue).is_ok());
        self.is_woken.set(is_woken);
        if !is_woken {
            self.adjust_tick();
        }
    }

    fn adjust_tick(&self) {
        let period = self.store.borrow().next_tick();
        if self.tick.get() != period && host::set_tick_period(period).is_ok() {
            self.tick.set(period);
        }
    }
}

impl Told {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Keys(keys) => Input::Keys(keys),
            Self::NoKeys { cause, retry_after } => {
                Input::NoKeys { cause: *cause, retry_after: *retry_after }
            }
        }
    }
}

/// `None` when there is nothing to tell yet.
fn told(want: Want) -> Option<Told> {
    match want {
        Want::Ready(keys) => Some(Told::Keys(keys)),
        Want::Refused { cause, retry_after } => Some(Told::NoKeys { cause, retry_after }),
        Want::Parked => None,
    }
}

/// The value of `authorization`.
fn bearer(token: &Secret) -> Secret {
    Secret::new([b"Bearer ", token.expose()].concat())
}

fn apply(edits: &HeaderEdits) -> Result<(), host::HostError> {
    for name in &edits.remove {
        host::remove_request_header(name)?;
    }
    for (name, value) in &edits.set {
        host::set_request_header(name, value)?;
    }
    Ok(())
}

/// Without a clock nothing can be decided.
fn now() -> Option<UnixTime> {
    host::now().inspect_err(|_| host::log(Level::Error, "voussoir: the host has no clock")).ok()
}

/// How many requests are resumed in one callback.
///
/// When a callback has ended, Envoy sends the local replies that it asked for, each from within the
/// end of the one before: the stack grows with every one, and V8's ends after some three hundred
/// (measured on Envoy 1.40). That would cost the worker its VM.
const MAX_RESUMED: usize = 32;
