"""A module that does in each callback what a test tells it, and nothing else: it shows what the host
does where the filter would not go.

    puppet = puppet_at("envoy", headers_stop_all=False)
    puppet.on("body", PAUSE, "read")
    puppet.send(body=b"order")
    assert puppet.result("read") == (OK, b"order")
"""

import functools
import pathlib
import tempfile

import wasmtime

from tests.host.scene import PROFILES

# A body's answer: Pause, and Continue at its end.
UNTIL_END = 2
# What it can do, in this order; each has a slot for its result: status, address, size.
ACTS = [
    "enter", "read", "pairs", "get", "set", "property", "sign", "random", "call", "back", "answer", "continue", "trap",
]  # fmt: skip
CALLBACKS = ["headers", "body", "trailers", "tick", "response"]
# Where what it needs stands in its memory: two numbers for each callback, the slots, and texts.
ANSWERS, SLOTS, REQUEST, OFFSET, ENTERED, OWN = 0, 64, 300, 304, 308, 312
TEXTS = {
    "name": 1024, "target": 1040, "function": 1100, "property": 1200, "fields": 1400, "body": 1800, "arguments": 2048,
}  # fmt: skip


def _module():
    slot = {act: SLOTS + 16 * index for index, act in enumerate(ACTS)}
    at = {text: f"(i32.const {address + 4}) (i32.load (i32.const {address}))" for text, address in TEXTS.items()}
    given = {act: f"(i32.const {address + 4}) (i32.const {address + 8})" for act, address in slot.items()}
    acts = {
        # Of another context, and back.
        "enter": f"(call $effective (i32.load (i32.const {ENTERED})))",
        "back": f"(call $effective (i32.load (i32.const {OWN})))",
        "read": f"(call $buffer (i32.const 0) (i32.load (i32.const {OFFSET})) (i32.const 0x7fffffff) {given['read']})",
        "pairs": f"(call $pairs (i32.const 0) {given['pairs']})",
        "get": f"(call $get (i32.const 0) {at['name']} {given['get']})",
        "set": f"(call $set (i32.const 0) {at['name']} {at['name']})",
        "property": f"(call $property {at['property']} {given['property']})",
        "sign": f"(call $foreign {at['function']} {at['arguments']} {given['sign']})",
        "random": "(call $random (i32.const 900) (i32.const 16))",
        "call": f"(call $http {at['target']} {at['fields']} {at['body']} (i32.const 0) (i32.const 0)"
        f" (i32.const 1000) (i32.const {slot['call'] + 4}))",
        "answer": "(call $answer (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"
        " (i32.const 0) (i32.const 0) (i32.const -1))",
        "continue": "(call $continue (i32.const 0))",
        "trap": "(unreachable)",
    }
    # What is drawn has an address of its own, and always the same size.
    drawn = {slot["random"] + 4: 900, slot["random"] + 8: 16}
    steps = "\n".join(
        f"(if (i32.and (local.get $acts) (i32.const {1 << index})) (then"
        f" (i32.store (i32.const {slot[act] + 8}) (i32.const 0))"
        f" (i32.store (i32.const {slot[act]}) {acts[act]})))"
        for index, act in enumerate(ACTS)
    )
    data = "\n".join(f"(i32.store (i32.const {at}) (i32.const {value}))" for at, value in drawn.items())

    def callback(name, parameters, index, result="(result i32)", before=""):
        answer = f"(i32.load (i32.const {ANSWERS + 8 * index}))" if result else ""
        if name == "request_body":
            until_end = f"(i32.eq {answer} (i32.const {UNTIL_END}))"
            answer = f"(select (i32.eqz (local.get 2)) {answer} {until_end})"
        return (
            f'(func (export "proxy_on_{name}") (param {parameters}) {result} {before}'
            f" (i32.store (i32.const {OWN}) (local.get 0))"
            f" (call $do (i32.load (i32.const {ANSWERS + 8 * index + 4}))) {answer})"
        )

    effective = f"(drop (call $effective (i32.load (i32.const {REQUEST}))))"
    return f"""
    (module
      (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
      (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_http_call" (func $http
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_send_local_response" (func $answer
        (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
      (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
      (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (memory (export "memory") 200)
      (global $heap (mut i32) (i32.const 65536))
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "proxy_on_memory_allocate") (param i32) (result i32)
        (global.get $heap) (global.set $heap (i32.add (global.get $heap) (local.get 0))))
      (func $do (param $acts i32)
        {steps}
        {data})
      (func (export "proxy_on_context_create") (param i32 i32))
      (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $period (i32.const 250))) (i32.const 1))
      {callback("request_headers", "i32 i32 i32", 0)}
      {callback("request_body", "i32 i32 i32", 1)}
      {callback("request_trailers", "i32 i32", 2)}
      {callback("tick", "i32", 3, "", effective)}
      {callback("http_call_response", "i32 i32 i32 i32 i32", 4, "", effective)}
      (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
      (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
      (func (export "proxy_on_log") (param i32))
      (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
      (func (export "proxy_on_delete") (param i32)))
    """


@functools.cache
def _directory():
    """Gone when the tests are over."""
    return tempfile.TemporaryDirectory(prefix="jwt-keycloak-puppet-")


@functools.cache
def path():
    """The module's file."""
    file = pathlib.Path(_directory().name) / "puppet.wasm"
    file.write_bytes(wasmtime.wat2wasm(_module()))
    return file


def puppet_at(profile, **named):
    """In a worker of this host, with a root."""
    puppet = Puppet(PROFILES[profile](path(), **named))
    puppet.root = puppet.worker.configure(b"{}")
    return puppet


class Puppet:
    """A worker with the module. Each callback answers Continue and does nothing, until it is told.
    `callbacks` has those of requests that came: name and numbers."""

    def __init__(self, worker):
        self.worker = worker
        self.callbacks = []
        enter = self.worker._enter

        def entered(context, callback, *numbers):
            if callback.startswith("proxy_on_request_"):
                self.callbacks.append((callback.removeprefix("proxy_on_request_"), *numbers[1:]))
            return enter(context, callback, *numbers)

        self.worker._enter = entered
        self.tell(name=b"x-set", function=b"sign", target=b"1.2.3.4:80")

    def on(self, callback, answer=0, *acts):
        at = ANSWERS + 8 * CALLBACKS.index(callback)
        self.worker.vm.write_number(at, answer)
        self.worker.vm.write_number(at + 4, sum(1 << ACTS.index(act) for act in acts))

    def tell(self, **texts):
        """What its acts need: octets."""
        for name, octets in texts.items():
            self.worker.vm.write_number(TEXTS[name], len(octets))
            self.worker.vm.write(TEXTS[name] + 4, octets)

    def offset(self, offset):
        self.worker.vm.write_number(OFFSET, offset)

    def enters(self, context):
        """Whose context it enters."""
        self.worker.vm.write_number(ENTERED, context)

    def acts_for(self, context):
        """For whom it acts in ticks and answers (where the host lets it)."""
        self.worker.vm.write_number(REQUEST, context)

    def tick_for(self, request):
        """A tick in which it acts for a request."""
        self.acts_for(request.context)
        self.worker.tick(self.root)

    def send(self, **named):
        return self.worker.request(self.root, **named)

    def result(self, act):
        """Of the last time: status and octets."""
        status, address, size = (
            int.from_bytes(self.worker.vm.read(SLOTS + 16 * ACTS.index(act) + 4 * index, 4), "little")
            for index in range(3)
        )
        return status, self.worker.vm.read(address, size) if size else b""
