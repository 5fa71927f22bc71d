//! One request: its callbacks, each an input for its gate.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use voussoir_core::gate::Input;
use voussoir_core::identity::Part;

use crate::host::{self, Level};
use crate::worker::{Phase, Stream, Worker};

/// One request and the worker that it is on.
pub(crate) struct Request {
    worker: Rc<Worker>,
    stream: Rc<Stream>,
}

impl Request {
    pub(crate) fn new(context_id: u32, worker: Rc<Worker>) -> Self {
        let stream = Rc::new(worker.new_stream(context_id));
        Self { worker, stream }
    }

    fn feed(&self, input: Input<'_>) {
        self.worker.feed(&self.stream, input, Phase::Callback);
    }

    /// Undecided means paused, in every callback: in Envoy's mode
    /// `allow_on_headers_stop_iteration` any other answer to a piece of the body would let go of
    /// the headers as well.
    fn action(&self) -> Action {
        if self.stream.gate.borrow().is_open() { Action::Continue } else { Action::Pause }
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let begun = self.worker.begin_head();
        let is_stripped = Worker::strip(Part::Headers, |shown| {
            let mut head = self.worker.with_source(shown.fields);
            // Envoy tells which route it chose with the claims still there, and will choose anew without.
            let properties = (!shown.has_claims()).then(|| self.worker.properties());
            if let Some(properties) = &properties {
                head = head.with_properties(properties);
            }
            #[cfg(feature = "provoke-traps")]
            provoke_trap(head);
            let input = Input::Head { head, is_end: end_of_stream };
            self.worker.feed(&self.stream, input, Phase::Head(shown));
        });
        if !is_stripped {
            self.feed(Input::NoHead);
        }
        self.worker.end_head(begun);
        self.action()
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.stream.read_piece(size, end_of_stream) {
            Ok(piece) => self.feed(Input::Body { piece: &piece, is_end: end_of_stream }),
            Err(_) => self.worker.abort(&self.stream),
        }
        self.action()
    }

    /// The answers of other filters behind this one are the service's, too; ours are not, since they are
    /// given to requests that did not pass.
    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let gate = self.stream.gate.borrow();
        if gate.reads_status()
            && let Ok(status) = host::response_status()
            && let Some((name, value)) = gate.challenge(&status)
            && host::add_response_header(name, &value).is_err()
        {
            host::log(Level::Warn, "voussoir: a 401 of the service does not say where tokens are");
        }
        Action::Continue
    }

    /// The request is over, whatever became of it. All there is to do is for the audit log, if there is one.
    fn on_log(&mut self) {
        self.worker.audit(&self.stream);
    }

    /// Trailers without a field end a body like any others: HTTP/2 has them, and there is no last
    /// piece then.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        if Worker::strip(Part::Trailers, |_| ()) {
            self.feed(Input::Trailers);
        } else {
            self.worker.abort(&self.stream);
        }
        self.action()
    }
}

#[cfg(feature = "provoke-traps")]
fn provoke_trap(head: voussoir_core::head::RequestHead<'_>) {
    assert!(!head.has(b"x-provoke-trap"), "a trap was provoked");
}

/// The end of the stream: nothing may be resumed that is no more.
impl Drop for Request {
    fn drop(&mut self) {
        self.worker.forget(self.stream.context_id);
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
