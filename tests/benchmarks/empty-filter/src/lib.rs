//! A filter that lets every request pass without a look at it, to compare others with. Configured with
//! `calls`, it makes the calls of the host that no filter with a verdict and so many headers can do without, and
//! decides nothing even so: what is left is the price of the ABI.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, Bytes, ContextType, MapType, MetricType};

mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root { calls: None }));
    }}
}

struct Root {
    /// The calls that are to be made, if any.
    calls: Option<Calls>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let names = match self.get_plugin_configuration().as_deref() {
            Some(br#"{"calls": "two headers"}"#) => &NAMES[..2],
            Some(br#"{"calls": "all headers"}"#) => &NAMES[..],
            _ => return true,
        };
        let counter = hostcalls::define_metric(MetricType::Counter, "requests").ok();
        self.calls = counter.map(|counter| Calls { counter, names });
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self.calls {
            Some(calls) => Box::new(calls),
            None => Box::new(Request),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request;

impl Context for Request {}

impl HttpContext for Request {}

/// All headers are read, some are set, the time is asked for, and one more request is counted. With many headers
/// the status of the answer is looked at, too, as keystonemiddleware does.
#[derive(Clone, Copy)]
struct Calls {
    counter: u32,
    names: &'static [&'static str],
}

impl Context for Calls {}

impl HttpContext for Calls {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let headers = hostcalls::get_map_bytes(REQUEST);
        let time = hostcalls::get_current_time();
        let is_told = headers.as_ref().is_ok_and(|headers| self.tell(headers));
        let is_counted = hostcalls::increment_metric(self.counter, 1).is_ok();
        if time.is_ok() && is_told && is_counted {
            drop(black_box((headers, time)));
            Action::Continue
        } else {
            Action::Pause
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if self.is_many() {
            black_box(hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, ":status").ok());
        }
        Action::Continue
    }
}

impl Calls {
    /// One by one, or all at once, whichever is cheaper.
    fn tell(self, headers: &[(String, Bytes)]) -> bool {
        if !self.is_many() {
            let mut names = self.names.iter();
            return names.all(|name| hostcalls::add_map_value(REQUEST, name, ID).is_ok());
        }
        let came = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let all = came.chain(self.names.iter().map(|name| (*name, ID.as_bytes())));
        hostcalls::set_map_bytes(REQUEST, all.collect()).is_ok()
    }

    fn is_many(self) -> bool {
        self.names.len() >= 10
    }
}

const REQUEST: MapType = MapType::HttpRequestHeaders;

/// As many as keystonemiddleware sets of a project-scoped token, and Voussoir beside it.
const NAMES: [&str; 22] = [
    "x-user-id",
    "x-project-id",
    "x-identity-status",
    "x-user-name",
    "x-user-domain-id",
    "x-user-domain-name",
    "x-project-name",
    "x-project-domain-id",
    "x-project-domain-name",
    "x-roles",
    "x-is-admin-project",
    "x-user",
    "x-tenant-id",
    "x-tenant-name",
    "x-tenant",
    "x-role",
    "x-voussoir-token-kind",
    "x-voussoir-token-methods",
    "x-voussoir-token-audit-ids",
    "x-voussoir-token-expires-at",
    "x-voussoir-token-issued-at",
    "x-voussoir-group-ids",
];

/// As long as a user's or project's.
const ID: &str = "0123456789abcdef0123456789abcdef";
