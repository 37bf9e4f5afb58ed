//! The calls of the proxy-wasm ABI, each of which can fail and none of which traps of itself: bytes
//! in, and bytes or the host's status out.
//!
//! Only what both hosts have is imported: one name that WasmX does not know, or
//! `proxy_get_log_level`, and Kong serves nothing.

use std::ptr::{null, null_mut};
use std::time::Duration;

use jwt_keycloak_core::request::fields::Fields;

use crate::header_map;
use crate::types::{
    BAD_ARGUMENT, BufferType, HostError, LogLevel, MapType, MetricType, NOT_FOUND, OK, StreamType,
};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        size: usize,
        data: *mut *mut u8,
        data_size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, name_size: usize) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_define_metric(
        kind: MetricType,
        name: *const u8,
        name_size: usize,
        metric: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: u64) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        name: *const u8,
        name_size: usize,
        data: *const u8,
        size: usize,
        version: u32,
    ) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        target: *const u8,
        target_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(octets: *mut u8, size: usize) -> u16;
}

fn check(status: u32) -> Result<(), HostError> {
    if status == OK {
        Ok(())
    } else {
        Err(HostError(status))
    }
}

/// Runs a call that returns memory, and takes it over. The host allocated it through this
/// module's own allocator (`proxy_on_memory_allocate`), as a vector of exactly that capacity.
fn take(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: `proxy_on_memory_allocate` made it as a `Vec<u8>` of this capacity and gave it away.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

pub fn log(level: LogLevel, message: &str) {
    // A log line that the host does not take is lost; there is nowhere to say so.
    // SAFETY: pointer and size are of one live string.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

/// Nanoseconds since the Unix epoch.
pub fn current_time() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: `time` lives until the call returns.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

pub fn set_tick_period(period: Duration) -> Result<(), HostError> {
    // SAFETY: takes a number.
    check(unsafe { proxy_set_tick_period_milliseconds(millis(period)) })
}

/// The whole of a buffer of `size` bytes. The host may have less: the caller compares.
pub fn buffer(buffer: BufferType, size: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: `take` keeps both out-pointers alive.
    take(|data, length| unsafe { proxy_get_buffer_bytes(buffer, 0, size, data, length) })
}

/// A header's value; `None` if it is absent. Of several fields hosts give the first, except that
/// Envoy joins those of `authorization` with commas.
pub fn header(map: MapType, name: &str) -> Result<Option<Vec<u8>>, HostError> {
    // SAFETY: `name` and `take`'s out-pointers live until the call returns.
    let value = take(|data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    });
    match value {
        // Envoy answers Ok and nothing for an absent header, or NotFound.
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All fields of a header map, in order.
pub fn headers(map: MapType) -> Result<Fields, HostError> {
    // SAFETY: `take` keeps both out-pointers alive.
    let bytes = take(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })?;
    header_map::decode(bytes).ok_or(BAD_ARGUMENT)
}

/// Sets a request header in place of all fields of its name. (Kong: of the first.)
pub fn set_header(name: &str, value: &[u8]) -> Result<(), HostError> {
    // SAFETY: `name` and `value` live until the call returns.
    check(unsafe {
        proxy_replace_header_map_value(
            MapType::HttpRequestHeaders,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes all fields of a request header. (Kong: from this filter's sight only.)
pub fn remove_header(name: &str) -> Result<(), HostError> {
    // SAFETY: `name` lives until the call returns.
    check(unsafe {
        proxy_remove_header_map_value(MapType::HttpRequestHeaders, name.as_ptr(), name.len())
    })
}

pub fn set_property(path: &[&str], value: &[u8]) -> Result<(), HostError> {
    let path = path.join("\0");
    // SAFETY: `path` and `value` live until the call returns.
    check(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// The host's number for a metric of this name, made if there is none.
pub fn define_metric(kind: MetricType, name: &str) -> Result<u32, HostError> {
    let mut metric = 0;
    // SAFETY: `name` and `metric` live until the call returns.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut metric) })?;
    Ok(metric)
}

pub fn increment_metric(metric: u32) -> Result<(), HostError> {
    // SAFETY: takes numbers.
    check(unsafe { proxy_increment_metric(metric, 1) })
}

pub fn record_metric(metric: u32, value: u64) -> Result<(), HostError> {
    // SAFETY: takes numbers.
    check(unsafe { proxy_record_metric(metric, value) })
}

/// A property by its path; `None` if the host has none.
pub fn property(path: &[&str]) -> Result<Option<Vec<u8>>, HostError> {
    let path = path.join("\0");
    // SAFETY: `path` and `take`'s out-pointers live until the call returns.
    let value =
        take(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) });
    match value {
        Ok(value) => Ok(Some(value)),
        Err(NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A shared value and its version; `None` if there is none.
pub fn shared_data(name: &str) -> Result<Option<(Vec<u8>, u32)>, HostError> {
    let mut version = 0;
    // SAFETY: `name`, `version` and `take`'s out-pointers live until the call returns.
    let value = take(|data, size| unsafe {
        proxy_get_shared_data(name.as_ptr(), name.len(), data, size, &raw mut version)
    });
    match value {
        Ok(value) => Ok(Some((value, version))),
        Err(NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a shared value if its version is still `version`; 0 stands for no version.
pub fn set_shared_data(name: &str, value: &[u8], version: u32) -> Result<(), HostError> {
    // SAFETY: `name` and `value` live until the call returns.
    check(unsafe {
        proxy_set_shared_data(
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
            version,
        )
    })
}

/// Lets the effective context's paused request go on.
pub fn continue_request() -> Result<(), HostError> {
    // SAFETY: takes a number.
    check(unsafe { proxy_continue_stream(StreamType::HttpRequest) })
}

/// Answers the effective context's request. `details` reaches Envoy's access log as
/// `%RESPONSE_CODE_DETAILS%`.
pub fn send_response(
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    details: &str,
    grpc_status: Option<u8>,
) -> Result<(), HostError> {
    /// No gRPC status.
    const NONE: i32 = -1;
    let headers = header_map::encode(headers);
    // SAFETY: all pointers are of values that live until the call returns.
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            start(body),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status.map_or(NONE, i32::from),
        )
    })
}

/// Makes calls act on another context, where the host can.
pub fn set_effective_context(context: u32) -> Result<(), HostError> {
    // SAFETY: takes a number.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Sends a request; the host's token for its answer. Envoy brings that to the root, whoever is active
/// now, and WasmX to the context whose callback runs. Both write `content-length` themselves.
pub fn http_call(
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    timeout: Duration,
) -> Result<u32, HostError> {
    let headers = header_map::encode(headers);
    let trailers = header_map::encode(&[]);
    let mut token = 0;
    // SAFETY: all pointers are of values that live until the call returns.
    check(unsafe {
        proxy_http_call(
            target.as_ptr(),
            target.len(),
            headers.as_ptr(),
            headers.len(),
            start(body),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            millis(timeout),
            &raw mut token,
        )
    })?;
    Ok(token)
}

/// Calls a function that a host has beside the ABI. To call one that it does not have is a trap on
/// WasmX.
pub fn foreign_function(name: &str, arguments: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: `name`, `arguments` and `take`'s out-pointers live until the call returns.
    take(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    })
}

/// What the host has of randomness: on WasmX it can be predicted.
pub fn random() -> Result<[u8; 32], HostError> {
    let mut octets = [0; 32];
    // SAFETY: `octets` lives until the call returns, and is of that size.
    let status = unsafe { random_get(octets.as_mut_ptr(), octets.len()) };
    check(status.into()).map(|()| octets)
}

/// Where a body is, for a host to read. Null if it has none.
fn start(body: &[u8]) -> *const u8 {
    if body.is_empty() {
        null()
    } else {
        body.as_ptr()
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
