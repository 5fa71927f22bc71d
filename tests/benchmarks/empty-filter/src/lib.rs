//! A filter that lets every request pass without a look at it, to compare others with. Configured with
//! `calls`, it makes the calls of the host that no filter with a verdict and two headers can do without, and
//! decides nothing even so: what is left is the price of the ABI.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType, MetricType};

mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Root { counter: None }));
    }}
}

struct Root {
    /// What is counted, where the calls are to be made.
    counter: Option<u32>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        if self.get_plugin_configuration().is_some_and(|text| text == br#"{"calls": true}"#) {
            self.counter = hostcalls::define_metric(MetricType::Counter, "requests").ok();
        }
        true
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match self.counter {
            Some(counter) => Box::new(Calls { counter }),
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

/// All headers are read, two are set, the time is asked for, and one more request is counted.
struct Calls {
    counter: u32,
}

impl Context for Calls {}

impl HttpContext for Calls {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders);
        let time = hostcalls::get_current_time();
        let is_done = ["x-user-id", "x-project-id"]
            .iter()
            .all(|name| hostcalls::add_map_value(MapType::HttpRequestHeaders, name, ID).is_ok());
        let is_counted = hostcalls::increment_metric(self.counter, 1).is_ok();
        if headers.is_ok() && time.is_ok() && is_done && is_counted {
            drop(black_box((headers, time)));
            Action::Continue
        } else {
            Action::Pause
        }
    }
}

/// As long as a user's or project's.
const ID: &str = "0123456789abcdef0123456789abcdef";
