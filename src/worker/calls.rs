//! Calls to the key server, and to Keystone: how they are made, and whose answer it is that comes back.

use std::cell::RefCell;
use std::time::Duration;

use voussoir_core::audit;
use voussoir_core::cache::{Call, Kind};
use voussoir_core::config::Server;
use voussoir_core::feed;
use voussoir_core::fetch::{Answer, FetchFailure};
use voussoir_core::listener_check::Probe;
use voussoir_core::recent::Recent;
use voussoir_core::record::{
    MAX_CHANGES_BYTES, MAX_KEY_SET_BYTES, MAX_REVOCATIONS_BYTES, MAX_SCHEMA_BYTES, PROTOCOL_HEADER,
    PROTOCOL_VERSION,
};
use voussoir_core::revocation::list;
use voussoir_core::secret::Secret;
use voussoir_core::validations::ValidationRequest;

use super::Worker;
use super::records::max_bytes;
use crate::host::{self, pairs};

/// The calls under way, by the host's numbers.
#[derive(Default)]
pub(super) struct Calls(RefCell<Recent<Purpose>>);

/// What a call is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    KeySet,
    Record(Kind, Call),
    Revocations(list::Call),
    Changes(feed::Call),
    Schema,
    ListenerCheck,
    Audit(audit::Call),
}

/// What the key server is asked.
pub(super) struct Question<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) etag: Option<&'a str>,
    /// JSON.
    pub(super) body: Option<&'a str>,
    /// Headers by which the call can be told to be part of a request.
    pub(super) trace: &'a [(&'static str, String)],
}

impl Calls {
    /// Asks a key server. Only in callbacks of the root context.
    pub(super) fn ask(
        &self,
        keyserver: &Server,
        question: &Question<'_>,
        purpose: Purpose,
    ) -> Result<(), FetchFailure> {
        let authorization = keyserver.secret.as_ref().map(bearer);
        let mut headers = vec![
            (":method", question.method),
            (":path", question.path),
            (":authority", keyserver.authority.as_str()),
            ("accept", "application/json"),
            (PROTOCOL_HEADER, PROTOCOL_VERSION),
        ];
        headers.extend(authorization.as_ref().and_then(authorized));
        headers.extend(question.etag.map(|value| ("if-none-match", value)));
        headers.extend(question.body.map(|_| ("content-type", "application/json")));
        headers.extend(question.trace.iter().map(|(name, value)| (*name, value.as_str())));
        self.dispatch(keyserver, headers, question.body.map(str::as_bytes), purpose)
    }

    /// Asks Keystone about a token. Only in callbacks of the root context.
    pub(super) fn validate(
        &self,
        keystone: &Server,
        request: &ValidationRequest,
        trace: &[(&'static str, String)],
        purpose: Purpose,
    ) -> Result<(), FetchFailure> {
        let asked = request.path().zip(request.tokens());
        let (path, (token, caller)) = asked.ok_or(FetchFailure::NotSent)?;
        let [Ok(token), Ok(caller)] = [token, caller].map(|it| str::from_utf8(it.expose())) else {
            return Err(FetchFailure::NotSent);
        };
        let mut headers = vec![
            (":method", "GET"),
            (":path", path),
            (":authority", &keystone.authority),
            ("accept", "application/json"),
            // Else Keystone knows no tokens with access rules.
            ("openstack-identity-access-rules", "1.0"),
            ("x-auth-token", caller),
            ("x-subject-token", token),
        ];
        headers.extend(trace.iter().map(|(name, value)| (*name, value.as_str())));
        self.dispatch(keystone, headers, None, purpose)
    }

    /// Sends events to a collector. Only in callbacks of the root context.
    pub(super) fn send(
        &self,
        collector: &Server,
        path: &str,
        events: &[u8],
        purpose: Purpose,
    ) -> Result<(), FetchFailure> {
        let authorization = collector.secret.as_ref().map(bearer);
        let mut headers = vec![
            (":method", "POST"),
            (":path", path),
            (":authority", collector.authority.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(authorization.as_ref().and_then(authorized));
        self.dispatch(collector, headers, Some(events), purpose)
    }

    fn dispatch(
        &self,
        server: &Server,
        headers: Vec<(&str, &str)>,
        body: Option<&[u8]>,
        purpose: Purpose,
    ) -> Result<(), FetchFailure> {
        // The SDK's own wrapper, because its dispatcher has to know whose call it is. It panics on
        // no status that Envoy's implementation of this function can return. Its copy of the headers
        // is not wiped.
        let token = proxy_wasm::hostcalls::dispatch_http_call(
            &server.cluster,
            headers,
            body,
            vec![],
            server.timeout,
        )
        .map_err(|_| FetchFailure::NotSent)?;
        self.0.borrow_mut().insert(token.into(), purpose);
        Ok(())
    }

    /// Sends a request to this very listener.
    pub(super) fn probe(&self, cluster: &str, probe: &Probe, timeout: Duration) -> bool {
        let headers =
            vec![(":method", "GET"), (":path", &probe.path), (":authority", &probe.authority)];
        let token =
            proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout);
        let is_sent = token.is_ok();
        if let Ok(token) = token {
            self.0.borrow_mut().insert(token.into(), Purpose::ListenerCheck);
        }
        is_sent
    }
}

impl Worker {
    /// Asks the key server. Only in callbacks of the root context.
    pub(super) fn ask_key_server(
        &self,
        question: &Question<'_>,
        purpose: Purpose,
    ) -> Result<(), FetchFailure> {
        let keyserver = self.config.keyserver.as_ref().ok_or(FetchFailure::NotSent)?;
        self.calls.ask(&keyserver.server, question, purpose)
    }

    /// The trace of a request that waits.
    pub(super) fn trace_of(&self, request: Option<u32>) -> Vec<(&'static str, String)> {
        let parked = self.parked.borrow();
        let stream = request.and_then(|request| parked.get(request.into()));
        stream.map(|stream| stream.trace()).unwrap_or_default()
    }

    /// An answer to a call. Only within this callback can the answer be read.
    pub(crate) fn on_call_response(&self, token: u32, header_count: usize) {
        // Whatever else arrives belongs to nobody.
        let Some(purpose) = self.calls.0.borrow_mut().remove(token.into()) else { return };
        let headers = host::call_response_headers();
        let headers = headers.as_ref().ok().and_then(|bytes| pairs::decode(bytes));
        let most = match purpose {
            Purpose::KeySet => MAX_KEY_SET_BYTES,
            Purpose::Record(kind, _) => max_bytes(kind),
            Purpose::Revocations(_) => MAX_REVOCATIONS_BYTES,
            Purpose::Changes(_) => MAX_CHANGES_BYTES,
            Purpose::Schema => MAX_SCHEMA_BYTES,
            Purpose::ListenerCheck => MAX_PROBE_BYTES,
            // What a collector says beside its status does not matter.
            Purpose::Audit(_) => 0,
        };
        // One byte more than is allowed, to tell.
        let body = host::call_response_body(most + 1).map(Secret::new);
        let answer = headers.as_ref().filter(|_| header_count > 0).map(|headers| {
            let value = |name: &str| {
                let mut values = headers.iter().filter(|(other, _)| *other == name.as_bytes());
                values.next().map(|(_, value)| *value)
            };
            Answer {
                status: value(":status").unwrap_or_default(),
                protocol: value(PROTOCOL_HEADER),
                etag: value("etag"),
                subject_token: value("x-subject-token"),
                body: body.as_ref().map(Secret::expose).unwrap_or_default(),
            }
        });
        let answer = answer.ok_or(FetchFailure::NoAnswer);
        match purpose {
            Purpose::KeySet => self.key_set_fetched(answer),
            Purpose::Record(kind, call) => self.record_fetched(kind, call, answer),
            Purpose::Revocations(call) => self.revocations_fetched(call, answer),
            Purpose::Changes(call) => self.changes_fetched(call, answer),
            Purpose::Schema => self.schema_fetched(answer),
            Purpose::ListenerCheck => self.probe_answered(answer),
            Purpose::Audit(call) => self.events_sent(call, answer),
        }
        self.carry_out();
    }
}

/// The most bytes of the answer to a probe: its path and authority.
const MAX_PROBE_BYTES: usize = 4096;

/// The value of `authorization`.
fn bearer(token: &Secret) -> Secret {
    Secret::new([b"Bearer ", token.expose()].concat())
}

/// The header with such a value.
fn authorized(value: &Secret) -> Option<(&str, &str)> {
    str::from_utf8(value.expose()).ok().map(|value| ("authorization", value))
}
