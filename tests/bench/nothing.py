"""Modules that decide nothing, with more or fewer callbacks and calls: what the host itself costs."""

import wasmtime

from tests.bench import WORK, tokens
from tests.stack.envoy import WASM

# What Envoy needs to load a module.
NEEDED = ("_initialize", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate")
START = ("proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure")
REQUEST = ("proxy_on_request_headers",)
# Without these WasmX ends its worker.
WASMX = (
    "proxy_on_request_body", "proxy_on_response_headers", "proxy_on_response_body",
    "proxy_on_done", "proxy_on_log", "proxy_on_delete",
)  # fmt: skip

BOTH = (*NEEDED, *START, *REQUEST, *WASMX)
SETS = {"few": (*NEEDED, *START), "request": (*NEEDED, *START, *REQUEST), "wasmx": BOTH, "asks": BOTH, "tells": BOTH}

# What the filter calls for each request, in its order: the route's policy (there is none), all header fields,
# the time; then what a claim is told in, and the count of requests. Of what is kept here, each has a place.
IMPORTS = """
(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_pairs" (func $fields (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
(import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))
"""
POLICY = "\\00".join(("xds", "route_metadata", "filter_metadata", "jwt_keycloak", "policy"))
RESULT, METRIC, TEXTS, GIVEN = 0, 16, 32, 4096
VALUE = "a" * 36

# Those that answer yes; the others answer 0, which is to go on.
YES = {"proxy_on_vm_start", "proxy_on_configure", "proxy_on_done"}
PARAMETERS = {
    "_initialize": (0, 0), "proxy_abi_version_0_2_1": (0, 0), "proxy_on_memory_allocate": (1, 1),
    "proxy_on_context_create": (2, 0), "proxy_on_vm_start": (2, 1), "proxy_on_configure": (2, 1),
    "proxy_on_request_headers": (3, 1), "proxy_on_request_body": (3, 1), "proxy_on_request_trailers": (2, 1),
    "proxy_on_response_headers": (3, 1), "proxy_on_response_body": (3, 1), "proxy_on_response_trailers": (2, 1),
    "proxy_on_done": (1, 1), "proxy_on_log": (1, 0), "proxy_on_delete": (1, 0), "proxy_on_tick": (1, 0),
    "proxy_on_http_call_response": (5, 0), "proxy_on_queue_ready": (2, 0),
}  # fmt: skip


def module(name):
    """The file of a module of SETS; `all` has the callbacks that the filter has."""
    path = WORK / f"nothing-{name}.wasm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wasmtime.wat2wasm(text(SETS.get(name) or exported(), calls(name))))
    return path


def exported():
    compiled = wasmtime.Module.from_file(wasmtime.Engine(), str(WASM))
    functions = [export.name for export in compiled.exports if isinstance(export.type, wasmtime.FuncType)]
    return [name for name in functions if name in PARAMETERS]


def calls(name):
    """Texts for its memory, and what is called by callback."""
    texts = []

    def place(text):
        """Where it will stand, and its length."""
        start = TEXTS + sum(map(length, texts))
        texts.append(text)
        return f"(i32.const {start}) (i32.const {length(text)})"

    def call(function, arguments):
        return f"(drop (call ${function} {arguments}))"

    if name not in ("asks", "tells"):
        return texts, {}
    result, given = f"(i32.const {RESULT})", f"(i32.const {RESULT}) (i32.const {RESULT + 4})"
    told = [f"(i32.const 0) {place(header)} {place(VALUE)}" for header in tokens.TOLD if name == "tells"]
    return texts, {
        "proxy_on_configure": call("define", f"(i32.const 0) {place('requests')} (i32.const {METRIC})"),
        "proxy_on_request_headers": " ".join((
            call("property", f"{place(POLICY)} {given}"),
            call("fields", f"(i32.const 0) {given}"),
            call("time", result),
            *(call("set", header) for header in told),
            call("count", f"(i32.load (i32.const {METRIC})) (i64.const 1)"),
        )),
    }  # fmt: skip


def length(text):
    return len(text.replace("\\00", "0"))


def text(names, calls):
    texts, bodies = calls
    imports = IMPORTS if bodies else ""
    data = f'(data (i32.const {TEXTS}) "{"".join(texts)}")'
    functions = "\n".join(function(name, bodies.get(name, "")) for name in names)
    return f'(module {imports} (memory (export "memory") 2) {data}\n{functions})'


def function(name, body):
    parameters, results = PARAMETERS[name]
    signature = f"(param {' '.join(['i32'] * parameters)})" if parameters else ""
    if not results:
        return f'(func (export "{name}") {signature})'
    # What the host gives is overwritten by what it gives next.
    answer = 1 if name in YES else GIVEN if name == "proxy_on_memory_allocate" else 0
    return f'(func (export "{name}") {signature} (result i32) {body} (i32.const {answer}))'
