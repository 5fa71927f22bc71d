//! Which of the proxy's numbers stands for what: plugins, each with a root of its own, and requests.
//!
//! Nothing is borrowed while a callback runs: one may lead to another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::http::Request;
use crate::root::Root;
use crate::worker::Worker;

thread_local! {
    static CONTEXTS: Contexts = Contexts::default();
}

#[derive(Default)]
struct Contexts {
    /// One, unless several plugins share this instance of the module.
    roots: RefCell<Vec<Rc<Root>>>,
    requests: RefCell<ById<Rc<Request>>>,
}

/// Makes a plugin's root, or a request of the plugin with that root.
pub(crate) fn create(context_id: u32, root_id: u32) {
    if root_id == 0 {
        let root = Rc::new(Root::new(context_id));
        return CONTEXTS.with(|contexts| contexts.roots.borrow_mut().push(root));
    }
    // No host sends requests to a plugin that was never configured; none would pass.
    if let Some(worker) = worker(root_id) {
        let request = Rc::new(Request::new(context_id, worker));
        CONTEXTS.with(|contexts| contexts.requests.borrow_mut().insert(context_id, request));
    }
}

/// Its end, whichever it was.
pub(crate) fn delete(context_id: u32) {
    let request = CONTEXTS.with(|contexts| contexts.requests.borrow_mut().remove(&context_id));
    if request.is_none() {
        CONTEXTS.with(|contexts| {
            contexts.roots.borrow_mut().retain(|root| root.context_id != context_id);
        });
    }
}

pub(crate) fn root(root_id: u32) -> Option<Rc<Root>> {
    CONTEXTS.with(|contexts| {
        contexts.roots.borrow().iter().find(|root| root.context_id == root_id).cloned()
    })
}

/// What a plugin does in this worker, once it is configured.
pub(crate) fn worker(root_id: u32) -> Option<Rc<Worker>> {
    root(root_id)?.worker()
}

pub(crate) fn request(context_id: u32) -> Option<Rc<Request>> {
    CONTEXTS.with(|contexts| contexts.requests.borrow().get(&context_id).cloned())
}

/// By numbers that the host gives out, one after another: nobody else chooses them, and spreading them takes no
/// more than a multiplication.
pub(crate) type ById<T> = HashMap<u32, T, BuildHasherDefault<IdHasher>>;

#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
