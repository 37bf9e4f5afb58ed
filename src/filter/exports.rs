//! The callbacks of the proxy-wasm ABI, version 0.2.1, as the hosts call them.
//!
//! Envoy calls exactly those that a module exports; WasmX ends the worker if some are missing, also
//! of those that have nothing to do here. They are the filter's own, not the SDK's: its dispatcher
//! panics when an answer comes twice or for a request that is gone, and on Kong a panic lets the
//! request through.

use std::alloc::Layout;
use std::ptr::null_mut;

use jwt_keycloak_core::gate::Decision;
use jwt_keycloak_core::refusal::Reason;

use crate::body::More;
use crate::callout::Answered;
use crate::contexts::Contexts;
use crate::host::{Host, WASMX};
use crate::logger;
use crate::stream::{Stream, refusal};
use crate::types::Action;

thread_local! {
    static CONTEXTS: Contexts = Contexts::default();
}

unsafe extern "C" {
    /// The C library's and Rust's own start.
    fn __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, before anything else.
    unsafe { __wasm_call_ctors() };
    logger::install();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory that the host fills and gives to the call that asked: see `abi::take`. Null if there is
/// none.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // What an empty `Vec` points to.
        Ok(layout) if size == 0 => std::ptr::without_provenance_mut(layout.align()),
        // SAFETY: the size is not zero.
        Ok(layout) => unsafe { std::alloc::alloc(layout) },
        Err(_) => null_mut(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    /// Of a root itself.
    const NO_ROOT: u32 = 0;
    CONTEXTS.with(|contexts| match root {
        NO_ROOT => contexts.add_root(context),
        _ => contexts.add_request(context, root),
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    u32::from(true)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    let root = CONTEXTS.with(|contexts| contexts.root(root));
    // Without its root no request passes; to refuse would open Kong.
    u32::from(root.is_none_or(|root| root.on_configure(size)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    if let Some(root) = CONTEXTS.with(|contexts| contexts.root(root)) {
        root.on_tick();
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, fields: usize, end_of_stream: u32) -> Action {
    match CONTEXTS.with(|contexts| contexts.request(context)) {
        Some(request) => request.on_headers(fields, end_of_stream != 0),
        None => {
            log::error!("a request without a configuration");
            let decision = Decision::Reply(refusal(Reason::Misconfigured));
            Stream::default().decide(&decision, WASMX);
            Action::Pause
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, size: usize, end_of_stream: u32) -> Action {
    more(
        context,
        More::Body {
            size,
            is_last: end_of_stream != 0,
        },
    )
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _fields: usize) -> Action {
    more(context, More::Trailers)
}

fn more(context: u32, more: More) -> Action {
    match CONTEXTS.with(|contexts| contexts.request(context)) {
        Some(request) => request.on_more(more),
        // Held before a trap made all anew. Where its way is closed, it goes nowhere; there it would
        // hang.
        None if Host::detect().guard.is_some() => Action::Continue,
        None => Action::Pause,
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    fields: usize,
    body_size: usize,
    _trailers: usize,
) {
    let answered = Answered {
        token,
        fields,
        body_size,
    };
    let (request, root) =
        CONTEXTS.with(|contexts| (contexts.request(context), contexts.root(context)));
    if let Some(request) = request {
        request.on_answer(answered);
    } else if let Some(root) = root {
        root.on_answer(answered);
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    u32::from(true)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    CONTEXTS.with(|contexts| contexts.remove(context));
}

// For WasmX alone, which ends the worker without them. What comes from the upstream passes.

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(_: u32, _fields: usize, _end_of_stream: u32) -> Action {
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(_: u32, _size: usize, _end_of_stream: u32) -> Action {
    Action::Continue
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(_context: u32) {}
