//! One request, as its own callbacks and those of the root context see it.

use std::cell::{Cell, RefCell};

use voussoir_core::gate::Gate;
use voussoir_core::head::{RequestHead, trace};

use crate::host::{self, pairs};
use crate::phases::Stopwatch;

/// One request: its gate, and how much of its body the host has.
pub(crate) struct Stream {
    pub(crate) context_id: u32,
    pub(crate) gate: RefCell<Gate>,
    /// How long it waits.
    pub(super) stopwatch: Stopwatch,
    /// The bytes of the body that the host has shown and not let go of.
    held: Cell<usize>,
    /// How many of those were handed to the gate.
    handed_in: Cell<usize>,
    /// Whether the host has shown the end of the body.
    has_ended: Cell<bool>,
    has_held_body: Cell<bool>,
    trace: RefCell<Vec<(&'static str, String)>>,
}

impl Stream {
    pub(super) fn new(context_id: u32, gate: Gate) -> Self {
        Self {
            context_id,
            gate: RefCell::new(gate),
            stopwatch: Stopwatch::default(),
            held: Cell::new(0),
            handed_in: Cell::new(0),
            has_ended: Cell::new(false),
            has_held_body: Cell::new(false),
            trace: RefCell::new(Vec::new()),
        }
    }

    /// Keeps what a call on this request's behalf has to carry; in a callback of its own.
    pub(super) fn remember_trace(&self) {
        let headers = host::request_headers();
        let fields = headers.as_ref().ok().and_then(|bytes| pairs::decode(bytes));
        let Some(fields) = fields.as_deref().map(RequestHead::new) else { return };
        *self.trace.borrow_mut() = trace(fields);
    }

    pub(super) fn trace(&self) -> Vec<(&'static str, String)> {
        self.trace.borrow().clone()
    }

    /// What of the body is new, when the host shows `size` bytes that it has not let go of.
    ///
    /// It is read only if the gate wants it.
    pub(crate) fn read_piece(&self, size: usize, is_end: bool) -> Result<Vec<u8>, host::HostError> {
        let is_open = self.gate.borrow().is_open();
        // What is shown again was handed in when it was shown first.
        let known = if is_open { 0 } else { self.handed_in.get() };
        self.held.set(size);
        self.has_ended.set(is_end);
        self.has_held_body.set(!is_open);
        if !self.gate.borrow().reads_body() || size <= known {
            return Ok(Vec::new());
        }
        let piece = host::request_body(known)?;
        self.handed_in.set(known + piece.len());
        // The host shows what it said it has, or else bytes could slip by.
        if known + piece.len() == size { Ok(piece) } else { Err(host::HostError::NOTHING) }
    }

    /// Whether the host holds some of the body, because it came before the decision.
    pub(super) fn has_held_body(&self) -> bool {
        self.has_held_body.get()
    }

    /// All of the body that the host holds, and whether it is the whole.
    pub(super) fn read_held_body(&self) -> Result<(Vec<u8>, bool), host::HostError> {
        let size = self.held.get();
        let piece = if size == 0 { Vec::new() } else { host::request_body(0)? };
        if piece.len() == size {
            Ok((piece, self.has_ended.get()))
        } else {
            Err(host::HostError::NOTHING)
        }
    }

    /// Puts other bytes in place of what the host shows of the body.
    pub(super) fn replace_piece(&self, bytes: &[u8]) -> Result<(), host::HostError> {
        let size = self.held.get();
        if size == 0 && bytes.is_empty() {
            return Ok(());
        }
        host::replace_request_body(size, bytes)
    }
}
