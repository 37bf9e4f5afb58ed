"""What both hosts have in common: one worker with its instance of the module, the contexts in it,
the requests and callouts under way. Time is a number that the test sets.

A worker is told what happens (`request`, `body`, `answer`, `tick`, `leave`), calls the module, and
notes what becomes of each request. What the hosts do in a different way is in envoy.py and wasmx.py.
"""

import dataclasses
import urllib.parse

from tests.host.randomness import constant
from tests.host.body import Body
from tests.host.host_calls import (  # statuses and names: who has a worker finds them here
    BAD_ARGUMENT, CAS_MISMATCH, ENV_CALLS, HOST_CALLS, INTERNAL_FAILURE, NOT_FOUND, OK, WASI_CALLS, HostCalls,
)  # fmt: skip
from tests.host.vm import Trap, Vm

__all__ = ["BAD_ARGUMENT", "CAS_MISMATCH", "HOST_CALLS", "INTERNAL_FAILURE", "NOT_FOUND", "OK"]

CONTINUE, PAUSE = 0, 1


class Crash(Exception):
    """The worker's process would have ended."""


@dataclasses.dataclass
class Answer:
    """What a callout brings. A failed one has no fields at all."""

    fields: list
    body: bytes = b""
    # As WasmX tells it of an answer that was lost half-way.
    told_size: int | None = None

    @classmethod
    def of(cls, status, body=b"", **extra):
        fields = [(b":status", str(status).encode()), (b"content-type", b"application/json")]
        fields += [(name.encode(), value.encode()) for name, value in extra.items()]
        return cls(fields, body)


FAILED = Answer([])


@dataclasses.dataclass
class Call:
    """A callout under way. `context` is where its answer goes, `owner` who sent it. `fields` are those
    that go out, with what the host itself adds."""

    token: int
    context: int
    owner: int
    target: str
    fields: dict
    body: bytes
    timeout: int

    @property
    def method(self):
        return self.fields[b":method"].decode()

    @property
    def path(self):
        return self.fields[b":path"].decode()

    @property
    def form(self):
        """Its body as a form: values by name, in their order."""
        return urllib.parse.parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body))


class Request:
    """A request at the host, and what became of it: `upstream` is what went up (path and fields; of
    its body what `body.up` has), `response` what was answered (status, fields, body). Neither: it
    waits, or hangs."""

    # Of its route; None: it has none.
    service_name = "orders-service"
    route_name = "orders-route"

    def __init__(self, context, root, method, path, fields, has_body):
        self.context = context
        self.root = root
        self.method = method
        self.path = path
        self.fields = fields  # as the module sees them
        self.has_body = has_body
        self.body = Body(has_body)
        self.stashed = None
        self.resumed = False
        self.paused = False
        self.upstream = None
        self.times_up = 0
        self.response = None
        self.details = b""
        self.gone = False
        self.properties = {}

    @property
    def is_over(self):
        return self.gone or self.upstream is not None or self.response is not None

    @property
    def is_settled(self):
        """Nothing is left to be decided: what goes up has gone up with all of its body."""
        return self.gone or self.response is not None or (self.upstream is not None and self.body.has_ended)

    @property
    def status(self):
        """As a client sees it."""
        if self.upstream is not None:
            return 200
        return self.response[0] if self.response else None

    def value(self, name):
        """What went up under a name: all values."""
        return [value for key, value in self.upstream[1] if key.lower() == name.lower()]


class Worker(HostCalls):
    """A worker with one module. `fault(name)` may answer for a host call, with a status; `garbage` is
    given instead of whatever the host would hand over. `randomness`: where `random_get` has its octets
    from in place of the host's own, as in randomness.py; octets are a constant."""

    def __init__(self, module, now=0, shared=None, fault=None, garbage=None, randomness=None):
        self.module = module
        self.now = now  # milliseconds since the Unix epoch
        self.shared = {} if shared is None else shared
        self.fault = fault or (lambda name: None)
        self.garbage = garbage
        self.randomness = constant(randomness) if isinstance(randomness, bytes) else randomness
        self.vm = None
        self.configurations = {}  # root -> text
        self.tick_periods = {}
        self.requests = {}
        self.calls = {}
        self.metrics = {}
        self.log = []
        self.traps = []
        self.active = None
        self.callback = None
        self.call_answer = None
        self.last_context = 0
        self.last_token = 0

    # The life of the module

    def load(self):
        env, wasi = ({name: self._call(name) for name in names} for names in (ENV_CALLS, WASI_CALLS))
        self.vm = Vm(self.module, env, wasi)

    def add_root(self, configuration):
        """A configuration (bytes): its root context, and whether the module took it."""
        root = self._new_root()
        self.configurations[root] = configuration
        self._enter(root, "proxy_on_context_create", root, 0)
        self._enter(root, "proxy_on_vm_start", root, 0)
        taken = self._enter(root, "proxy_on_configure", root, len(configuration))
        return root, bool(taken)

    def configure_again(self, root):
        """The same configuration once more, as hosts may after a trap."""
        self._enter(root, "proxy_on_configure", root, len(self.configurations[root]))

    def remove_root(self, root):
        for callback in ("proxy_on_done", "proxy_on_log", "proxy_on_delete"):
            self._enter(root, callback, root)
        self.configurations.pop(root)
        self.tick_periods.pop(root, None)

    def tick(self, root):
        assert root in self.tick_periods, "nobody asked for ticks"
        self._enter(root, "proxy_on_tick", root)

    # Requests

    def request(self, root, method="GET", path="/", fields=(), has_body=False, body=None, **attributes):
        """`body`: all of it, which comes at once. `has_body` without it: it comes by `body`, and perhaps
        `trailers`. `attributes` are the request's own, such as its `service_name`."""
        context = self._new_context()
        pairs = [(_bytes(name), _bytes(value)) for name, value in fields]
        has_body = has_body or bool(body)
        request = self._make_request(context, root, _bytes(method), _bytes(path), pairs, has_body)
        for name, value in attributes.items():
            assert hasattr(request, name), name
            setattr(request, name, value)
        self.requests[context] = request
        self._enter(context, "proxy_on_context_create", context, root)
        self._headers(request)
        if body:
            self.body(request, body)
        return request

    def leave(self, request):
        """Its client has gone, or it is over."""
        request.gone = True
        self._forget_calls(request)
        for callback in ("proxy_on_done", "proxy_on_log", "proxy_on_delete"):
            self._enter(request.context, callback, request.context)
        del self.requests[request.context]

    # Callouts

    def pending(self, context):
        return [call for call in self.calls.values() if call.owner == context]

    def _deliver(self, context, token, answer, named=None):
        """The callback itself: it happens to a context and may name another."""
        size = len(answer.body) if answer.told_size is None else answer.told_size
        self.call_answer = answer
        try:
            return self._enter(
                context,
                "proxy_on_http_call_response",
                context if named is None else named,
                token,
                len(answer.fields),
                size,
                0,
            )
        finally:
            self.call_answer = None

    # Entering the module

    def _enter(self, context, callback, *arguments):
        """Calls the module in a context; None after a trap."""
        saved = self.active, self.callback
        self.active, self.callback = context, callback
        try:
            return self.vm.call(callback, *arguments)
        except Trap as trap:
            self.traps.append(f"{callback}: {trap}\n{self.vm.stderr.decode(errors='replace')}")
            self._trapped(context, callback)
            return None
        finally:
            self.active, self.callback = saved

    def _new_root(self):
        return self._new_context()

    def _new_context(self):
        self.last_context += 1
        return self.last_context

    def _new_call(self, context, owner, target, fields, body, timeout):
        self.last_token += 1
        return Call(self.last_token, context, owner, target, fields, body, timeout)

    def _call(self, name):
        act = getattr(self, name)

        def call(*arguments):
            status = self.fault(name)
            return act(*arguments) if status is None else status

        return call

    def _give(self, data, address, size_address):
        self.vm.give(data if self.garbage is None else self.garbage, address, size_address)

    def _root_of(self, context):
        request = self.requests.get(context)
        return request.root if request else context


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")

