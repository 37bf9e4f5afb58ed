"""Modules that do nothing, with more or fewer callbacks: what the host itself costs."""

import wasmtime

from tests.bench import WORK
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

SETS = {"few": (*NEEDED, *START), "request": (*NEEDED, *START, *REQUEST), "wasmx": (*NEEDED, *START, *REQUEST, *WASMX)}

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
    path.write_bytes(wasmtime.wat2wasm(text(SETS.get(name) or exported())))
    return path


def exported():
    compiled = wasmtime.Module.from_file(wasmtime.Engine(), str(WASM))
    functions = [export.name for export in compiled.exports if isinstance(export.type, wasmtime.FuncType)]
    return [name for name in functions if name in PARAMETERS]


def text(names):
    functions = "\n".join(function(name) for name in names)
    return f'(module (memory (export "memory") 2)\n{functions})'


def function(name):
    parameters, results = PARAMETERS[name]
    signature = f"(param {' '.join(['i32'] * parameters)})" if parameters else ""
    if not results:
        return f'(func (export "{name}") {signature})'
    # Nothing is ever asked of the host, so no memory is either.
    answer = 1 if name in YES else 1024 if name == "proxy_on_memory_allocate" else 0
    return f'(func (export "{name}") {signature} (result i32) (i32.const {answer}))'
