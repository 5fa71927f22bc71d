//! One plugin in one worker: drives the core's machines and carries out what they ask for.

mod audit;
mod bodies;
mod calls;
mod edits;
mod feed;
mod keys;
mod listener_check;
mod records;
mod revocations;
mod schemas;
mod stream;
mod upkeep;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use voussoir_core::acl::Acl;
use voussoir_core::audit::AuditLog;
use voussoir_core::cache::{Kind, Question};
use voussoir_core::certificate::ClientCertificate;
use voussoir_core::complete_body::Waiting;
use voussoir_core::config::{Config, RecordRules};
use voussoir_core::feed::ChangeFeed;
use voussoir_core::gate::{Budget, Effect, Gate, Input, KnownTokens, Verdict};
use voussoir_core::head::RequestHead;
use voussoir_core::identity::{Part, claims};
use voussoir_core::keys::KeyStore;
use voussoir_core::recent::Recent;
use voussoir_core::refusal::Reply;
use voussoir_core::revocation::RevocationList;
use voussoir_core::schema::Documents;
use voussoir_core::time::UnixTime;

use crate::host::{self, Level, pairs};
use crate::metrics::Metrics;
use crate::phases;
use calls::Calls;
pub(crate) use edits::Shown;
use listener_check::Check;
use records::{Records, make_slots};
pub(crate) use stream::Stream;
use upkeep::Upkeep;

/// What the root context and the contexts of its requests share.
pub(crate) struct Worker {
    root_id: u32,
    config: Rc<Config>,
    /// What opens tokens, where the configuration takes any.
    keys: Option<RefCell<KeyStore>>,
    /// What verifies signatures, where the configuration takes any.
    access_keys: Option<Records>,
    /// What Keystone knows of tokens, where the configuration wants to know it.
    identities: Option<Records>,
    /// The service catalogues, where the service or an answer in its place wants them.
    catalogs: Option<Records>,
    /// What Keystone itself says of tokens, where the configuration has it asked.
    validations: Option<Records>,
    /// What Keystone has revoked of them.
    revocations: Option<RefCell<RevocationList>>,
    /// What tells that something which they hold has changed.
    feed: Option<RefCell<ChangeFeed>>,
    /// The documents of APIs that are yet to come from the key server.
    documents: Option<RefCell<Documents>>,
    /// Whether any rule asks where requests come from.
    needs_source: bool,
    /// What of bodies may be held back.
    budget: Rc<Budget>,
    /// The tokens that were opened lately.
    known: Rc<KnownTokens>,
    /// Who waits for the rest of a body.
    bodies: RefCell<Waiting>,
    /// What is told of requests that are over, where the configuration wants it.
    audit: Option<RefCell<AuditLog>>,
    /// The requests that wait, by the ids of their contexts.
    parked: RefCell<Recent<Rc<Stream>>>,
    metrics: Metrics,
    calls: Calls,
    check: Check,
    /// The queue that wakes the root context; `None` where the host has none.
    queue: Option<u32>,
    tick: Cell<Duration>,
    /// Whether the root context was woken and has not come yet.
    is_woken: Cell<bool>,
}

impl Worker {
    /// To be made in the root context's own callback, since the queue becomes that context's. `seed` is a
    /// secret of this worker, and `name` a number by which others may know it.
    pub(crate) fn new(root_id: u32, config: Config, seed: u64, name: u64) -> Self {
        let has_tokens = config.token.is_some();
        let takes_signatures = config.sigv4.is_some();
        let rules = config.token.as_ref().and_then(|token| token.records.as_ref());
        let keystone = rules.and_then(RecordRules::keystone);
        let has_records = rules.is_some() && keystone.is_none();
        let has_catalogs = has_records && rules.is_some_and(RecordRules::needs_catalogs);
        let has_feed = takes_signatures || has_records;
        let keyserver = config.keyserver.as_ref();
        // Of what comes from the key server: where it is needed, there is one.
        let server = |is_needed: bool| keyserver.filter(|_| is_needed).map(|it| &it.server);
        let keys = server(has_tokens).map(|server| KeyStore::new(&config, server, seed));
        let revocations =
            server(has_records).map(|server| RevocationList::new(&config, server, seed));
        let feed = keyserver.filter(|_| has_feed).map(|keyserver| ChangeFeed::new(keyserver, seed));
        make_slots(keys.iter().flat_map(KeyStore::slot_names));
        make_slots(feed.iter().flat_map(ChangeFeed::slot_names));
        let schemas = || config.all_settings().flat_map(|it| &it.schemas.all);
        let has_missing = schemas().any(|it| it.document.get().is_none());
        let documents =
            server(has_missing).map(|server| Documents::new(schemas(), server.timeout, seed));
        let records = |kind, server| Records::new(kind, &config, server, seed);
        let needs_source =
            config.all_settings().any(|it| it.acl.as_ref().is_some_and(Acl::needs_source));
        let node = config.audit.as_ref().and_then(|_| host::node_id());
        let audit = config.audit.as_ref().map(|it| AuditLog::new(it, node.as_deref(), seed));
        let worker = Self {
            root_id,
            needs_source,
            audit: audit.map(RefCell::new),
            keys: keys.map(RefCell::new),
            access_keys: server(takes_signatures).map(|it| records(Kind::AccessKey, it)),
            identities: server(has_records).map(|it| records(Kind::Identity, it)),
            catalogs: server(has_catalogs).map(|it| records(Kind::Catalog, it)),
            validations: keystone.map(|it| records(Kind::Validation, &it.server)),
            revocations: revocations.map(RefCell::new),
            feed: feed.map(RefCell::new),
            documents: documents.map(RefCell::new),
            known: Rc::new(KnownTokens::new(config.limits.entries, seed)),
            budget: Rc::new(Budget::new(config.limits.held_body)),
            bodies: RefCell::new(Waiting::new(config.limits.parked)),
            parked: RefCell::default(),
            metrics: Metrics::define(&config),
            calls: Calls::default(),
            check: Check::new(name),
            // A queue has one reader: a name that workers shared would wake just one of them.
            queue: host::register_queue(&format!("voussoir/{name:016x}")).ok(),
            tick: Cell::new(Duration::ZERO),
            is_woken: Cell::new(false),
            config: Rc::new(config),
        };
        worker.adjust_tick();
        worker
    }

    pub(crate) fn new_stream(&self, context_id: u32) -> Stream {
        let (config, budget, known) = (&self.config, &self.budget, &self.known);
        Stream::new(context_id, Gate::new(Rc::clone(config), Rc::clone(budget), Rc::clone(known)))
    }

    /// What the host tells of the effective context's request that routes ask for.
    pub(crate) fn properties(&self) -> Vec<Option<Vec<u8>>> {
        self.config.routes.properties().iter().map(|path| host::text_property(path)).collect()
    }

    /// The head with the client's address, where a rule asks for it.
    pub(crate) fn with_source<'a>(&self, head: RequestHead<'a>) -> RequestHead<'a> {
        let source = self.needs_source.then(host::source_ip).flatten();
        source.map_or(head, |source| head.from_source(source))
    }

    /// The time at which work on a request's head begins, where that is measured.
    pub(crate) fn begin_head(&self) -> Option<UnixTime> {
        self.config.times_heads.then(now).flatten()
    }

    /// That work has ended.
    pub(crate) fn end_head(&self, begun: Option<UnixTime>) {
        if let Some((begun, now)) = begun.and_then(|begun| Some((begun, now()?))) {
            self.metrics.record_phase(phases::Phase::Head, now.since(begun));
        }
    }

    /// Hands an input to a request and carries out what it asks for, on the effective context.
    pub(crate) fn feed(&self, stream: &Rc<Stream>, input: Input<'_>, phase: Phase<'_>) {
        let Some(now) = now() else { return self.abort(stream) };
        if matches!(phase, Phase::Resumed) {
            stream.stopwatch.resume(now, &self.metrics);
        }
        let mut effect = stream.gate.borrow_mut().handle(now, input);
        loop {
            let waits_for = phases::Phase::of(&effect);
            let told = match effect {
                Effect::NeedKeys { newer_than } => self.want_keys(now, stream, newer_than),
                Effect::NeedCertificate => Some(client_certificate()),
                Effect::NeedIdentity(request) => {
                    self.want(now, stream, &Question::Identity(request))
                }
                Effect::NeedRevocations => self.want_revocations(now, stream),
                Effect::NeedCatalog(request) => self.want(now, stream, &Question::Catalog(request)),
                Effect::NeedValidation(request) => {
                    self.want(now, stream, &Question::Validation(request))
                }
                Effect::NeedSigningKey(credential) => {
                    self.want(now, stream, &Question::AccessKey(credential))
                }
                Effect::NeedRest { until } => {
                    stream.stopwatch.wait(now, waits_for, &self.metrics);
                    return self.await_rest(now, stream, until);
                }
                decided => return self.decide(now, stream, decided, phase),
            };
            let Some(told) = told else {
                // If it waited for its body, that is there now.
                self.stop_waiting(stream);
                stream.stopwatch.wait(now, waits_for, &self.metrics);
                stream.remember_trace();
                self.parked.borrow_mut().insert(stream.context_id.into(), Rc::clone(stream));
                return self.wake_root();
            };
            effect = stream.gate.borrow_mut().handle(now, told);
        }
    }

    /// Reads the headers or trailers of the effective context's request, removes what the client
    /// claims about its identity, and hands them on. `false` when the host fails: the claims may
    /// still be there.
    ///
    /// It happens as soon as they arrive. After a pause the host does not show trailers again, and a
    /// request that waits shall not make us keep what it claims.
    pub(crate) fn strip(part: Part, hand_on: impl FnOnce(Shown<'_>)) -> bool {
        let bytes = match part {
            Part::Headers => host::request_headers(),
            Part::Trailers => host::request_trailers(),
        };
        let fields = bytes.as_ref().ok().and_then(|bytes| pairs::decode(bytes));
        let Some(fields) = fields.as_deref().map(RequestHead::new) else { return false };
        let claims = claims(fields, part);
        let is_stripped = claims.iter().all(|name| match part {
            Part::Headers => host::remove_request_header(name).is_ok(),
            Part::Trailers => host::remove_request_trailer(name).is_ok(),
        });
        if is_stripped {
            hand_on(Shown { fields, claims: &claims });
        }
        is_stripped
    }

    /// The host failed a request: whatever was decided, it does not pass.
    pub(crate) fn abort(&self, stream: &Stream) {
        // What is refused looks at the gate, too.
        let effect = stream.gate.borrow_mut().abort();
        if let Effect::Refuse(reply, verdict) = effect {
            self.refuse(stream, &reply, verdict);
        }
    }

    /// The stream of a request has ended, whatever became of it.
    pub(crate) fn forget(&self, context_id: u32) {
        if self.parked.borrow_mut().remove(context_id.into()).is_some()
            && let Some(now) = now()
        {
            self.machines().for_each(|machine| machine.gone(self, now, context_id));
        }
    }

    /// Messages in the queue say no more than that somebody waits.
    pub(crate) fn on_queue_ready(&self, queue: u32) {
        while host::dequeue(queue) {}
        self.on_tick();
    }

    /// Only in callbacks of the root context: a call that another context makes is lost when that
    /// context ends.
    pub(crate) fn on_tick(&self) {
        self.is_woken.set(false);
        if let Some(now) = now() {
            self.machines().for_each(|machine| machine.tick(self, now));
        }
        self.probe_listener();
        self.carry_out();
        if let Some(now) = now() {
            self.machines().for_each(|machine| machine.record(self, now));
        }
        self.metrics.record_waiting(self.parked.borrow().len());
    }

    /// Carries out what the machines ask for.
    fn carry_out(&self) {
        let mut resumed = 0;
        while resumed < MAX_RESUMED
            && let Some(is_resumed) = self.machines().find_map(|machine| machine.next(self))
        {
            resumed += usize::from(is_resumed);
        }
        if resumed == MAX_RESUMED {
            self.wake_root();
        }
        self.adjust_tick();
    }

    /// Tells a request that waited what there is.
    fn resume(&self, context_id: u32, told: Input<'_>) {
        let Some(stream) = self.parked.borrow_mut().remove(context_id.into()) else { return };
        // Its stream may be gone although its context is not yet.
        if host::set_effective_context(context_id).is_ok() {
            self.feed(&stream, told, Phase::Resumed);
        }
        if host::set_effective_context(self.root_id).is_err() {
            host::log(Level::Error, "voussoir: the root context is gone");
        }
    }

    /// Carries out a decision on the effective context.
    fn decide(&self, now: UnixTime, stream: &Stream, effect: Effect, phase: Phase<'_>) {
        self.count_decision(stream);
        self.count_schema(stream);
        match effect {
            Effect::Nothing => self.make_room(),
            Effect::NeedKeys { .. }
            | Effect::NeedCertificate
            | Effect::NeedIdentity(_)
            | Effect::NeedRevocations
            | Effect::NeedValidation(_)
            | Effect::NeedCatalog(_)
            | Effect::NeedRest { .. }
            | Effect::NeedSigningKey(_) => {}
            Effect::Forward(edits, verdict) => {
                self.stop_waiting(stream);
                // What the client claims must be out and what we say must be in, all of it, or
                // the request does not pass.
                let shown = if let Phase::Head(shown) = phase { Some(shown) } else { None };
                if edits::apply(&edits, shown).is_err() {
                    return self.abort(stream);
                }
                stream.stopwatch.decide(now, &self.metrics);
                self.count(stream, verdict);
                self.go_on(now, stream, phase);
            }
            Effect::Pass { replacement, verdict } => self.pass(stream, replacement, verdict),
            Effect::Refuse(reply, verdict) => {
                self.stop_waiting(stream);
                stream.stopwatch.decide(now, &self.metrics);
                self.refuse(stream, &reply, verdict);
            }
        }
    }

    /// Lets a request go on. Where its callback has long returned, the host waits to be told.
    fn go_on(&self, now: UnixTime, stream: &Stream, phase: Phase<'_>) {
        // What of the body came meanwhile the host holds, and lets go of as it is then.
        if stream.has_held_body() && stream.gate.borrow().reads_body() {
            let effect = stream.read_held_body().map(|(piece, is_end)| {
                stream.gate.borrow_mut().handle(now, Input::Body { piece: &piece, is_end })
            });
            self.count_schema(stream);
            match effect {
                Ok(Effect::Pass { replacement, verdict }) => {
                    self.pass(stream, replacement, verdict);
                }
                Ok(Effect::Refuse(reply, verdict)) => return self.refuse(stream, &reply, verdict),
                _ => return self.abort(stream),
            }
        }
        let is_waiting = matches!(phase, Phase::Resumed);
        if !stream.gate.borrow().is_open() || (is_waiting && host::continue_request().is_err()) {
            self.abort(stream);
        }
    }

    /// Lets a piece of the body pass.
    fn pass(&self, stream: &Stream, replacement: Option<Vec<u8>>, verdict: Option<Verdict>) {
        let is_replaced = replacement.is_none_or(|bytes| stream.replace_piece(&bytes).is_ok());
        if is_replaced {
            self.count(stream, verdict);
        } else {
            self.abort(stream);
        }
    }

    fn refuse(&self, stream: &Stream, reply: &Reply, verdict: Verdict) {
        self.count(stream, Some(verdict));
        if host::send_reply(reply).is_err() {
            host::log(Level::Error, "voussoir: a request was refused, but not answered");
        }
    }

    fn count(&self, stream: &Stream, verdict: Option<Verdict>) {
        if let Some(verdict) = verdict {
            let gate = stream.gate.borrow();
            self.metrics.count_request(gate.route(), gate.mechanism(), verdict);
        }
    }

    /// Counts what the access control list has said since the last time.
    fn count_decision(&self, stream: &Stream) {
        let mut gate = stream.gate.borrow_mut();
        if let Some(decision) = gate.take_decision()
            && let Some(acl) = &gate.settings().acl
        {
            self.metrics.count_decision(gate.route(), acl, decision);
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
        let wanted = self.machines().map(Upkeep::next_tick).min();
        let period = wanted.unwrap_or(IDLE_TICK);
        if self.tick.get() != period && host::set_tick_period(period).is_ok() {
            self.tick.set(period);
        }
    }
}

/// Where an input comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase<'a> {
    /// The request's callback for its headers, whose return value lets it go on.
    Head(Shown<'a>),
    /// Another callback of the request's own, likewise.
    Callback,
    /// Another callback; the host waits to be told.
    Resumed,
}

/// What the effective context's connection and headers tell of the client's certificate.
fn client_certificate() -> Input<'static> {
    let (Ok(sha256), Ok(headers)) = (host::certificate_sha256(), host::request_headers()) else {
        return Input::NoHead;
    };
    let head = pairs::decode(&headers);
    let Some(head) = head.as_deref().map(RequestHead::new) else { return Input::NoHead };
    Input::Certificate(ClientCertificate::of(sha256.as_deref(), head))
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

/// How often to look when nobody says more.
const IDLE_TICK: Duration = Duration::from_secs(1);
