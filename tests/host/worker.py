"""What both hosts have in common: one worker with its instance of the module, the contexts in it,
the requests and callouts under way. Time is a number that the test sets.

A worker is told what happens (`request`, `body`, `answer`, `tick`, `leave`), calls the module, and
notes what becomes of each request. What the hosts do in a different way is in envoy.py and wasmx.py.
"""

import dataclasses

from tests.host import header_map
from tests.host.vm import Trap, Vm

OK, NOT_FOUND, BAD_ARGUMENT = 0, 1, 2
CAS_MISMATCH = 8
INTERNAL_FAILURE = 10
CONTINUE, PAUSE = 0, 1

REQUEST_HEADERS, CALL_HEADERS = 0, 6
CALL_BODY, PLUGIN_CONFIGURATION = 4, 7
COUNTER, GAUGE, HISTOGRAM = 0, 1, 2
LEVELS = ["trace", "debug", "info", "warn", "error", "critical"]


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
    """A callout under way. `context` is where its answer goes, `owner` who sent it."""

    token: int
    context: int
    owner: int
    target: str
    fields: dict
    timeout: int

    @property
    def path(self):
        return self.fields[b":path"].decode()


class Request:
    """A request at the host, and what became of it: `upstream` is what went up (path and fields),
    `response` what was answered (status, fields, body). Neither: it waits, or hangs."""

    def __init__(self, context, root, method, path, fields, has_body):
        self.context = context
        self.root = root
        self.method = method
        self.path = path
        self.fields = fields  # as the module sees them
        self.has_body = has_body
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
    def status(self):
        """As a client sees it."""
        if self.upstream is not None:
            return 200
        return self.response[0] if self.response else None

    def value(self, name):
        """What went up under a name: all values."""
        return [value for key, value in self.upstream[1] if key.lower() == name.lower()]


class Worker:
    """A worker with one module. `fault(name)` may answer for a host call, with a status; `garbage` is
    given instead of whatever the host would hand over."""

    def __init__(self, module, now=0, shared=None, fault=None, garbage=None):
        self.module = module
        self.now = now  # milliseconds since the Unix epoch
        self.shared = {} if shared is None else shared
        self.fault = fault or (lambda name: None)
        self.garbage = garbage
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
        self.vm = Vm(self.module, {name: self._call(name) for name in HOST_CALLS})

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

    def request(self, root, method="GET", path="/", fields=(), has_body=False):
        context = self._new_context()
        pairs = [(_bytes(name), _bytes(value)) for name, value in fields]
        request = self._make_request(context, root, _bytes(method), _bytes(path), pairs, has_body)
        self.requests[context] = request
        self._enter(context, "proxy_on_context_create", context, root)
        self._headers(request)
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

    def _new_call(self, context, owner, target, fields, timeout):
        self.last_token += 1
        return Call(self.last_token, context, owner, target, fields, timeout)

    def _call(self, name):
        act = getattr(self, name)

        def call(*arguments):
            status = self.fault(name)
            return act(*arguments) if status is None else status

        return call

    def _give(self, data, address, size_address):
        self.vm.give(data if self.garbage is None else self.garbage, address, size_address)

    # Host calls that are alike

    def proxy_log(self, level, address, size):
        self.log.append((LEVELS[level], self.vm.read(address, size).decode(errors="replace")))
        return OK

    def proxy_get_current_time_nanoseconds(self, address):
        self.vm.write_number(address, self.now * 1_000_000, 8)
        return OK

    def proxy_set_tick_period_milliseconds(self, period):
        self.tick_periods[self._root_of(self.active)] = period
        return OK

    def proxy_get_buffer_bytes(self, buffer, _start, size, address, size_address):
        if buffer == PLUGIN_CONFIGURATION:
            data = self.configurations[self._root_of(self.active)]
        elif buffer == CALL_BODY and self.call_answer is not None:
            data = self.call_answer.body
            if self.call_answer.told_size is not None:
                return BAD_ARGUMENT
        else:
            return BAD_ARGUMENT
        if not data:
            return NOT_FOUND
        self._give(data[:size], address, size_address)
        return OK

    def proxy_get_header_map_pairs(self, kind, address, size_address):
        fields = self._fields(kind)
        if fields is None:
            return BAD_ARGUMENT
        self._give(header_map.encode(fields), address, size_address)
        return OK

    def proxy_get_header_map_value(self, kind, name, name_size, address, size_address):
        fields = self._fields(kind)
        if fields is None:
            return BAD_ARGUMENT
        wanted = self.vm.read(name, name_size).lower()
        for key, value in fields:
            if key.lower() == wanted:
                self._give(value, address, size_address)
                return OK
        return NOT_FOUND

    def proxy_replace_header_map_value(self, kind, name, name_size, value, value_size):
        assert kind == REQUEST_HEADERS
        self._set_field(self._request(), self.vm.read(name, name_size), self.vm.read(value, value_size))
        return OK

    def proxy_remove_header_map_value(self, kind, name, name_size):
        assert kind == REQUEST_HEADERS
        self._remove_field(self._request(), self.vm.read(name, name_size))
        return OK

    def proxy_get_property(self, path, path_size, address, size_address):
        value = self._property(self.vm.read(path, path_size).decode().split("\0"))
        if value is None:
            return NOT_FOUND
        self._give(value, address, size_address)
        return OK

    def proxy_set_property(self, path, path_size, value, value_size):
        path = self.vm.read(path, path_size).decode().split("\0")
        return self._set_property(path, self.vm.read(value, value_size))

    def proxy_define_metric(self, kind, name, name_size, address):
        metric = (kind, self.vm.read(name, name_size).decode())
        numbers = list(self.metrics)
        if metric not in self.metrics:
            self.metrics[metric] = 0
            numbers.append(metric)
        self.vm.write_number(address, numbers.index(metric))
        return OK

    def proxy_increment_metric(self, metric, by):
        kind, _ = self._metric(metric)
        if kind != COUNTER:
            raise Trap("only counters are incremented")
        self.metrics[self._metric(metric)] += by
        return OK

    def proxy_record_metric(self, metric, value):
        kind, _ = self._metric(metric)
        if kind == COUNTER:
            raise Trap("a counter is not recorded")
        self.metrics[self._metric(metric)] += value
        return OK

    def proxy_get_shared_data(self, name, name_size, address, size_address, version_address):
        found = self.shared.get(self._shared_name(self.vm.read(name, name_size)))
        if found is None:
            return NOT_FOUND
        value, version = found
        self._give(value, address, size_address)
        self.vm.write_number(version_address, version)
        return OK

    def proxy_set_shared_data(self, name, name_size, value, value_size, version):
        key = self._shared_name(self.vm.read(name, name_size))
        found = self.shared.get(key)
        if not self._may_write(found, version):
            return CAS_MISMATCH
        self.shared[key] = (self.vm.read(value, value_size), found[1] + 1 if found else 1)
        return OK

    def proxy_send_local_response(
        self, status, details, details_size, body, body_size, fields, fields_size, grpc_status
    ):
        request = self.requests.get(self.active)
        if request:
            request.details = self.vm.read(details, details_size)
        response = (
            status,
            header_map.decode(self.vm.read(fields, fields_size)),
            self.vm.read(body, body_size) if body_size else b"",
        )
        return self._local_response(response, None if grpc_status == 0xFFFFFFFF else grpc_status)

    def proxy_http_call(
        self, target, target_size, fields, fields_size, _body, _body_size, _trailers, _trailers_size, timeout, token
    ):  # fmt: skip
        call = self._make_call(
            self.vm.read(target, target_size).decode(),
            dict(header_map.decode(self.vm.read(fields, fields_size))),
            timeout,
        )
        if call is None:
            return BAD_ARGUMENT
        self.calls[call.token] = call
        self.vm.write_number(token, call.token)
        return OK

    def proxy_continue_stream(self, stream):
        assert stream == 0, "not a request"
        return self._continue()

    def _metric(self, number):
        return list(self.metrics)[number]

    def _root_of(self, context):
        request = self.requests.get(context)
        return request.root if request else context


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


HOST_CALLS = [name for name in dir(Worker) if name.startswith("proxy_")] + ["proxy_set_effective_context"]
