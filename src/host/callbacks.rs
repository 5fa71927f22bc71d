//! The functions that the proxy calls (proxy-wasm ABI 0.2.1), and no more: a proxy calls each that is there
//! for every request, and none of those that are not.
//!
//! A number that is not known cannot be refused here: whatever has none is for [`crate::contexts`] to see.

use std::panic;

use super::{Level, log};
use crate::contexts;

unsafe extern "C" {
    /// What has to run before anything else in a library; the linker puts it together.
    safe fn __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    __wasm_call_ctors();
    panic::set_hook(Box::new(|panic| log(Level::Critical, &panic.to_string())));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// The host fills what it asks for, and then it is [`super::bytes`]'s to free.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::into_raw(Box::<[u8]>::new_uninit_slice(size)).cast()
}

/// The root of a plugin has no parent.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context_id: u32, root_id: u32) {
    contexts::create(context_id, root_id);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context_id: u32) {
    contexts::delete(context_id);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root_id: u32, _size: usize) -> bool {
    true
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root_id: u32, _size: usize) -> bool {
    contexts::root(root_id).is_some_and(|root| root.on_configure())
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root_id: u32) {
    if let Some(worker) = contexts::worker(root_id) {
        worker.on_tick();
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(root_id: u32, queue: u32) {
    if let Some(worker) = contexts::worker(root_id) {
        worker.on_queue_ready(queue);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root_id: u32,
    token: u32,
    header_count: usize,
    _body_size: usize,
    _trailer_count: usize,
) {
    if let Some(worker) = contexts::worker(root_id) {
        worker.on_call_response(token, header_count);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context_id: u32, _count: usize, is_end: bool) -> Action {
    contexts::request(context_id).map_or(Action::Pause, |request| request.on_headers(is_end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context_id: u32, size: usize, is_end: bool) -> Action {
    contexts::request(context_id).map_or(Action::Pause, |request| request.on_body(size, is_end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context_id: u32, _count: usize) -> Action {
    contexts::request(context_id).map_or(Action::Pause, |request| request.on_trailers())
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context_id: u32, _count: usize, _is_end: bool) -> Action {
    if let Some(request) = contexts::request(context_id) {
        request.on_response_headers();
    }
    Action::Continue
}

/// What the proxy does with what it has just shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Action {
    /// It lets it go on.
    Continue = 0,
    /// It holds it until it is told to let it go.
    Pause = 1,
}
