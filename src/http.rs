//! One request: its callbacks, each an input for its gate.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use voussoir_core::gate::{Gate, Input};
use voussoir_core::identity::Part;

use crate::worker::Worker;

/// One request and the worker that it is on.
pub(crate) struct Request {
    context_id: u32,
    worker: Rc<Worker>,
    gate: Rc<RefCell<Gate>>,
}

impl Request {
    pub(crate) fn new(context_id: u32, worker: Rc<Worker>) -> Self {
        let gate = Rc::new(RefCell::new(worker.new_gate()));
        Self { context_id, worker, gate }
    }

    fn feed(&self, input: Input<'_>) {
        self.worker.feed(self.context_id, &self.gate, input, false);
    }

    /// Undecided means paused, in every callback: in Envoy's mode
    /// `allow_on_headers_stop_iteration` any other answer to a piece of the body would let go of
    /// the headers as well.
    fn action(&self) -> Action {
        if self.gate.borrow().is_open() { Action::Continue } else { Action::Pause }
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let is_stripped = Worker::strip(Part::Headers, |head| self.feed(Input::Head(head)));
        if !is_stripped {
            self.feed(Input::NoHead);
        }
        self.action()
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if !Worker::strip(Part::Trailers, |_| ()) {
            self.worker.abort(&self.gate);
        }
        self.action()
    }
}

/// The end of the stream: nothing may be resumed that is no more.
impl Drop for Request {
    fn drop(&mut self) {
        self.worker.forget(self.context_id);
    }
}

/// A request of a plugin that was never configured. No host sends one; none would pass.
pub(crate) struct Unconfigured;

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        Action::Pause
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        Action::Pause
    }
}
