"""What the real Envoy says of signatures: a module that asks its function `verify_signature`.

    with verifying() as verify:
        answers = verify([arguments, ...])      # (status, result) each
"""

import contextlib
import struct
import tempfile
from pathlib import Path

import wasmtime

from tests.stack import ports
from tests.stack.envoy import Envoy, connection_manager, http_filters, render

from . import client

# As much as Envoy buffers of a request's body, roughly: 1 MiB.
MOST = 900_000

# A request's body is a list of messages, each after its length; the answer's is a list of results, each
# after the call's status and its own length.
MODULE = """
(module
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 64)
  (data (i32.const 16) "verify_signature")
  (global $answers i32 (i32.const 65536))
  (global $free (mut i32) (i32.const 1048576))
  (func (export "_initialize"))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_body") (param i32) (param $size i32) (param $last i32) (result i32)
    (local $at i32) (local $end i32) (local $to i32)
    (if (i32.eqz (local.get $last)) (then (return (i32.const 1))))
    (global.set $free (i32.const 1048576))
    (drop (call $buffer (i32.const 0) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
    (local.set $at (i32.load (i32.const 0)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
    (local.set $to (global.get $answers))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $end)) (then
        (i32.store (i32.const 12) (i32.const 0))
        (i32.store (local.get $to) (call $foreign (i32.const 16) (i32.const 16)
          (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at)) (i32.const 8) (i32.const 12)))
        (i32.store (i32.add (local.get $to) (i32.const 4)) (i32.load (i32.const 12)))
        (memory.copy (i32.add (local.get $to) (i32.const 8)) (i32.load (i32.const 8)) (i32.load (i32.const 12)))
        (local.set $at (i32.add (i32.add (local.get $at) (i32.const 4)) (i32.load (local.get $at))))
        (local.set $to (i32.add (i32.add (local.get $to) (i32.const 8)) (i32.load (i32.const 12))))
        (br $next))))
    (drop (call $answer (i32.const 200) (i32.const 0) (i32.const 0) (global.get $answers)
      (i32.sub (local.get $to) (global.get $answers)) (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 1)))
"""


@contextlib.contextmanager
def verifying():
    """An Envoy of its own; what asks it for the answers to a list of messages."""
    with tempfile.TemporaryDirectory() as directory:
        module = Path(directory) / "verify_signature.wasm"
        module.write_bytes(wasmtime.wat2wasm(MODULE))
        with Envoy(_config(module), name="verify-signature", concurrency=1) as envoy:
            yield lambda messages: [answer for batch in _batches(messages) for answer in _asked(envoy, batch)]


def _config(module):
    places = {"listener": (ports.HOST, ports.free()), "admin": (ports.HOST, ports.free())}
    config = render(wasm=module, addresses=places)
    config["static_resources"]["clusters"] = []
    manager = connection_manager(config)
    manager["http_filters"] = [http_filters(config)[0], http_filters(config)[-1]]
    manager["access_log"] = []
    plugin = manager["http_filters"][0]["typed_config"]["config"]
    # So that the body comes while the head is held.
    plugin["allow_on_headers_stop_iteration"] = True
    del plugin["configuration"]
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 500}}
    manager["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}
    return config


def _batches(messages):
    batch, size = [], 0
    for message in messages:
        if size + len(message) + 4 > MOST:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message) + 4
    if batch:
        yield batch


def _asked(envoy, messages):
    body = b"".join(struct.pack("<I", len(message)) + message for message in messages)
    answer = client.send(envoy.url, "POST", "/", [], client.Body(body))
    assert answer.status == 200, answer
    answers, at = [], 0
    while at < len(answer.body):
        status, size = struct.unpack_from("<II", answer.body, at)
        answers.append((status, answer.body[at + 8 : at + 8 + size]))
        at += 8 + size
    assert len(answers) == len(messages)
    return answers
