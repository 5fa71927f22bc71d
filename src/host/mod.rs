//! The proxy, as far as this filter uses it: bytes in and out, and every call a `Result`.
//!
//! The SDK's own wrappers panic on header bytes that are not UTF-8 and on statuses they do not
//! expect, and one panic ends the worker's instance: every request on that worker would be refused,
//! or with another failure policy let through, at the will of whoever sends such a byte. The SDK
//! remains for the contexts, and for the one call whose answer it has to route.

#![expect(unsafe_code, reason = "this is the boundary of the sandbox; nothing else is unsafe")]

mod abi;
pub(crate) mod pairs;

use std::net::IpAddr;
use std::ptr::{null_mut, slice_from_raw_parts_mut};
use std::time::Duration;

use voussoir_core::cache::Written;
use voussoir_core::refusal::Reply;
use voussoir_core::source::{self, SourceAddress};
use voussoir_core::time::{self, UnixTime};

/// A status other than "ok", by its number in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostError(u32);

impl HostError {
    /// There is no such thing.
    const NOT_FOUND: Self = Self(1);
    /// A conditional write came too late.
    const CAS_MISMATCH: Self = Self(8);
    /// The host answered "ok" and gave nothing, or nothing readable.
    pub(crate) const NOTHING: Self = Self(u32::MAX);
}

type Result<T> = core::result::Result<T, HostError>;

/// How loud a message is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MetricType {
    Counter,
    Gauge,
    Histogram,
}

/// Says something in the proxy's log.
pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // There is nobody to tell that a message could not be written.
    let _ = unsafe { abi::proxy_log(level, message.as_ptr(), message.len()) };
}

/// The proxy's clock.
pub(crate) fn now() -> Result<UnixTime> {
    let mut nanos = 0;
    check(unsafe { abi::proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(UnixTime::from_micros(nanos / 1000))
}

/// The plugin's configuration, as the operator wrote it.
pub(crate) fn plugin_configuration() -> Result<Vec<u8>> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    buffer(PLUGIN_CONFIGURATION, 0, usize::MAX)
}

/// The headers of the effective context's request, serialised; [`pairs::decode`] reads them.
pub(crate) fn request_headers() -> Result<Vec<u8>> {
    bytes(|data, size| unsafe { abi::proxy_get_header_map_pairs(REQUEST_HEADERS, data, size) })
}

/// The trailers of the effective context's request, serialised, within their callback.
pub(crate) fn request_trailers() -> Result<Vec<u8>> {
    bytes(|data, size| unsafe { abi::proxy_get_header_map_pairs(REQUEST_TRAILERS, data, size) })
}

/// The headers of the answer to a dispatched call, within its callback.
pub(crate) fn call_response_headers() -> Result<Vec<u8>> {
    const CALL_RESPONSE_HEADERS: u32 = 6;
    bytes(|data, size| unsafe {
        abi::proxy_get_header_map_pairs(CALL_RESPONSE_HEADERS, data, size)
    })
}

/// The body of the answer to a dispatched call, at most so many bytes, within its callback.
pub(crate) fn call_response_body(most: usize) -> Result<Vec<u8>> {
    const CALL_RESPONSE_BODY: u32 = 4;
    buffer(CALL_RESPONSE_BODY, 0, most)
}

/// The body of the effective context's request from this byte on, as far as the host has it; there
/// must be that many.
pub(crate) fn request_body(start: usize) -> Result<Vec<u8>> {
    buffer(REQUEST_BODY, start, usize::MAX >> 1)
}

/// Puts other bytes in place of the `size` that the host has of the effective context's request's
/// body.
pub(crate) fn replace_request_body(size: usize, bytes: &[u8]) -> Result<()> {
    check(unsafe {
        abi::proxy_set_buffer_bytes(REQUEST_BODY, 0, size, bytes.as_ptr(), bytes.len())
    })
}

/// What the proxy's configuration calls this plugin.
pub(crate) fn plugin_name() -> Result<Vec<u8>> {
    property(b"plugin_name")
}

/// A property of the effective context's request, by the steps of its path; `None` where there is none.
pub(crate) fn text_property(path: &[String]) -> Option<Vec<u8>> {
    property(path.join("\0").as_bytes()).ok()
}

/// The address of the client of the effective context's connection, as the proxy has determined it; `None`
/// where it is none of IP.
pub(crate) fn source_address() -> Option<SourceAddress> {
    SourceAddress::from_socket(&source_socket()?)
}

/// The same, where nobody needs its text.
pub(crate) fn source_ip() -> Option<IpAddr> {
    source::ip_of_socket(&source_socket()?)
}

fn source_socket() -> Option<String> {
    String::from_utf8(property(b"source\0address").ok()?).ok()
}

/// The status of the answer to the effective context's request, when it is over; `None` if it was not
/// answered.
pub(crate) fn response_code() -> Option<u16> {
    let code = property(b"response\0code").ok()?;
    let code = i64::from_le_bytes(code.try_into().ok()?);
    u16::try_from(code).ok().filter(|code| *code > 0)
}

/// What the proxy is called among others, if it has a name.
pub(crate) fn node_id() -> Option<String> {
    let id = property(b"xds\0node\0id").ok().and_then(|id| String::from_utf8(id).ok())?;
    (!id.is_empty()).then_some(id)
}

/// Keeps a text with the effective context's request, for whoever writes its access log: Envoy calls it
/// `wasm.` and the name.
pub(crate) fn set_filter_state(name: &str, text: &str) -> Result<()> {
    check(unsafe { abi::proxy_set_property(name.as_ptr(), name.len(), text.as_ptr(), text.len()) })
}

/// The SHA-256 of the certificate that the client of the effective context's connection has shown, in
/// hexadecimal digits; `None` without one.
pub(crate) fn certificate_sha256() -> Result<Option<Vec<u8>>> {
    match property(b"connection\0sha256_peer_certificate_digest") {
        Ok(digest) if digest.is_empty() => Ok(None),
        Ok(digest) => Ok(Some(digest)),
        Err(HostError::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes all headers of this name from the effective context's request.
pub(crate) fn remove_request_header(name: &[u8]) -> Result<()> {
    check(unsafe { abi::proxy_remove_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len()) })
}

/// Removes all trailers of this name from the effective context's request.
pub(crate) fn remove_request_trailer(name: &[u8]) -> Result<()> {
    check(unsafe {
        abi::proxy_remove_header_map_value(REQUEST_TRAILERS, name.as_ptr(), name.len())
    })
}

/// Sets all headers of the effective context's request anew, as [`pairs::encode`] serialises them.
pub(crate) fn set_request_headers(headers: &[u8]) -> Result<()> {
    check(unsafe {
        abi::proxy_set_header_map_pairs(REQUEST_HEADERS, headers.as_ptr(), headers.len())
    })
}

/// Sets a header of the effective context's request, in place of all of its name.
pub(crate) fn set_request_header(name: &str, value: &str) -> Result<()> {
    check(unsafe {
        abi::proxy_replace_header_map_value(
            REQUEST_HEADERS,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Adds a header to the effective context's request, beside any of its name.
pub(crate) fn add_request_header(name: &str, value: &str) -> Result<()> {
    add_header(REQUEST_HEADERS, name, value)
}

/// The status of the answer to the effective context's request, within the callback for its headers.
pub(crate) fn response_status() -> Result<Vec<u8>> {
    const STATUS: &[u8] = b":status";
    bytes(|data, size| unsafe {
        abi::proxy_get_header_map_value(RESPONSE_HEADERS, STATUS.as_ptr(), STATUS.len(), data, size)
    })
}

/// Adds a header to the answer to the effective context's request, beside any of its name.
pub(crate) fn add_response_header(name: &str, value: &str) -> Result<()> {
    add_header(RESPONSE_HEADERS, name, value)
}

/// Lets the effective context's request go on after a pause.
pub(crate) fn continue_request() -> Result<()> {
    const REQUEST: u32 = 0;
    check(abi::proxy_continue_stream(REQUEST))
}

/// Answers the effective context's request in the service's place.
pub(crate) fn send_reply(reply: &Reply) -> Result<()> {
    const NO_GRPC_STATUS: i32 = -1;
    let headers = reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers = pairs::encode(&headers.collect::<Vec<_>>());
    check(unsafe {
        abi::proxy_send_local_response(
            reply.status.into(),
            reply.details.as_ptr(),
            reply.details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Makes the calls that follow act on another context. An error means that it is gone.
pub(crate) fn set_effective_context(context_id: u32) -> Result<()> {
    check(abi::proxy_set_effective_context(context_id))
}

/// Asks for a tick each so often.
pub(crate) fn set_tick_period(period: Duration) -> Result<()> {
    let millis = u32::try_from(time::millis(period)).unwrap_or(u32::MAX);
    check(abi::proxy_set_tick_period_milliseconds(millis))
}

/// A value of shared data and its version; `None` when it was never written.
pub(crate) fn shared_data(key: &str) -> Result<Option<(Vec<u8>, u32)>> {
    let mut version = 0;
    let value = bytes(|data, size| unsafe {
        abi::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version)
    });
    match value {
        Ok(value) => Ok(Some((value, version))),
        Err(HostError::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a value of shared data, if it still has this version; version 0 stands for any.
pub(crate) fn set_shared_data(key: &str, value: &[u8], version: u32) -> Result<()> {
    check(unsafe {
        abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)
    })
}

/// Writes a value of shared data, if a version is named only to replace that, and says how it went.
pub(crate) fn write_shared_data(key: &str, value: &[u8], version: Option<u32>) -> Written {
    match set_shared_data(key, value, version.unwrap_or(0)) {
        Ok(()) => Written::Done,
        Err(HostError::CAS_MISMATCH) => Written::Conflict,
        Err(_) => Written::Unsupported,
    }
}

/// What a slot of shared data holds, and the version that a conditional write must name.
///
/// Shared data that cannot be read is as good as empty; writing it will tell.
pub(crate) fn shared_slot(name: &str) -> (Option<Vec<u8>>, u32) {
    match shared_data(name) {
        Ok(Some((value, version))) => (Some(value), version),
        Ok(None) | Err(_) => (None, 0),
    }
}

/// Makes the calling root context the reader of a queue.
pub(crate) fn register_queue(name: &str) -> Result<u32> {
    let mut queue = 0;
    check(unsafe { abi::proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut queue) })?;
    Ok(queue)
}

/// Wakes the reader of a queue, at once and in its own callback.
pub(crate) fn wake(queue: u32) -> Result<()> {
    check(unsafe { abi::proxy_enqueue_shared_queue(queue, [].as_ptr(), 0) })
}

/// Takes one message out of a queue; whether there was one.
pub(crate) fn dequeue(queue: u32) -> bool {
    bytes(|data, size| unsafe { abi::proxy_dequeue_shared_queue(queue, data, size) }).is_ok()
}

/// The id of a metric.
pub(crate) fn define_metric(metric_type: MetricType, name: &str) -> Result<u32> {
    let metric_type = match metric_type {
        MetricType::Counter => 0,
        MetricType::Gauge => 1,
        MetricType::Histogram => 2,
    };
    let mut id = 0;
    check(unsafe {
        abi::proxy_define_metric(metric_type, name.as_ptr(), name.len(), &raw mut id)
    })?;
    Ok(id)
}

/// Adds one to a counter.
pub(crate) fn increment_metric(id: u32) {
    // A count that is lost must not cost a request.
    let _ = abi::proxy_increment_metric(id, 1);
}

/// Adds to a counter.
pub(crate) fn add_to_metric(id: u32, count: u64) {
    let _ = abi::proxy_increment_metric(id, i64::try_from(count).unwrap_or(i64::MAX));
}

/// Changes a gauge by the difference of two numbers.
pub(crate) fn change_metric(id: u32, before: usize, after: usize) {
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    if before != after {
        let _ = abi::proxy_increment_metric(id, number(after).saturating_sub(number(before)));
    }
}

/// Sets a gauge.
pub(crate) fn record_metric(id: u32, value: u64) {
    let _ = abi::proxy_record_metric(id, value);
}

/// A property of the effective context's stream, or of the proxy; a zero stands between the parts of its
/// path.
fn property(path: &[u8]) -> Result<Vec<u8>> {
    bytes(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

fn add_header(map: u32, name: &str, value: &str) -> Result<()> {
    check(unsafe {
        abi::proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

fn buffer(buffer_type: u32, start: usize, most: usize) -> Result<Vec<u8>> {
    match bytes(|data, size| unsafe {
        abi::proxy_get_buffer_bytes(buffer_type, start, most, data, size)
    }) {
        Err(HostError::NOT_FOUND) => Ok(Vec::new()),
        result => result,
    }
}

/// Takes over bytes that the host has put into memory it asked us for.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return if size == 0 { Ok(Vec::new()) } else { Err(HostError::NOTHING) };
    }
    // SAFETY: the host allocates through the SDK's `proxy_on_memory_allocate`, which gives it a
    // boxed slice of exactly `size` bytes and forgets it: from here on it is ours alone.
    Ok(unsafe { Box::from_raw(slice_from_raw_parts_mut(data, size)) }.into_vec())
}

fn check(status: u32) -> Result<()> {
    const OK: u32 = 0;
    if status == OK { Ok(()) } else { Err(HostError(status)) }
}

const REQUEST_BODY: u32 = 0;
const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
