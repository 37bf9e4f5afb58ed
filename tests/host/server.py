"""A worker as a gateway: real requests, real callouts, and the time that it is.

    with Server(WasmxGateway(module), routes, upstream=("127.0.0.1", 8081)) as server:
        …requests to server.address…
    assert server.faults() == []
"""

import contextlib
import dataclasses
import heapq
import socket
import socketserver
import threading
import time

from tests.host import callout
from tests.host.connection import Connection, Down


@dataclasses.dataclass(frozen=True)
class Route:
    """Requests whose path begins with `prefix` are guarded by the filter `name` with this
    configuration (bytes): one root for all routes with that name. On Envoy a route can name a policy,
    and a filter has `headers_stop_all` (see EnvoyWorker). `service_name` and `route_name` are what the
    gateway calls them: on Envoy the first is the cluster's."""

    prefix: bytes
    name: str
    configuration: bytes
    policy: str | None = None
    headers_stop_all: bool = True
    service_name: str | None = None
    route_name: str | None = None


class Held:
    """A request at the worker. When nothing is left to be decided, `told` can be read from."""

    def __init__(self, request):
        self.request = request
        self.told, self._telling = socket.socketpair()
        self._has_told = False

    def tell(self):
        """Once: this must not wait for a reader."""
        if not self._has_told:
            self._has_told = True
            self._telling.send(b".")

    def close(self):
        self.told.close()
        self._telling.close()


class Server:
    """`worker` is one of gateways.py, `upstream` an address. Port 0: any that is free."""

    def __init__(self, worker, routes, upstream, port=0):
        self.upstream = upstream
        self._worker = worker
        # The longest prefix first.
        self._routes = sorted(routes, key=lambda route: -len(route.prefix))
        worker.route_of = self._route
        self._lock = threading.Lock()
        self._held = {}  # context -> Held
        self._last_call = 0
        self._crash = None
        self._closed = threading.Event()
        self._roots = {}
        with self._inside():
            for route in routes:
                if route.name not in self._roots:
                    self._roots[route.name] = worker.configure(route.configuration)
                    assert self._roots[route.name], f"{route.name}: {worker.log[-5:]}"
        self._listener = _Listener(("127.0.0.1", port), Connection)
        self._listener.gateway = self
        self.address = "http://127.0.0.1:%d" % self._listener.server_address[1]

    def __enter__(self):
        for act in (self._listen, self._tick):
            threading.Thread(target=act, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._listener.shutdown()
        self._listener.server_close()

    def faults(self):
        """Every trap so far, and what ended the worker."""
        return [*self._worker.traps, *([repr(self._crash)] if self._crash else [])]

    # What connections ask for

    def taken(self, fields):
        """The fields that the gateway takes notice of."""
        return self._worker.taken(fields)

    def own_answer(self, path, fields):
        """The status with which the gateway itself answers, if it does."""
        return self._worker.own_answer(fields) or (None if self._route(path) else 404)

    @contextlib.contextmanager
    def holding(self, method, path, fields, has_body):
        route = self._route(path)
        with self._inside() as worker:
            names = {"service_name": route.service_name, "route_name": route.route_name}
            request = worker.request(self._roots[route.name], method, path, fields, has_body, **names)
            held = self._held[request.context] = Held(request)
        try:
            yield held
        finally:
            del self._held[request.context]
            try:
                with self._inside() as worker:
                    worker.leave(request)
            finally:
                held.close()

    def more(self, held, data, is_complete, trailers):
        """More of a request's body has come, or its end."""
        with self._inside() as worker:
            worker.arrived(held.request, data, is_complete, trailers)

    def must_be_up(self):
        if self._crash:
            raise Down

    # The worker

    def _route(self, path):
        return next((route for route in self._routes if path.startswith(route.prefix)), None)

    @contextlib.contextmanager
    def _inside(self):
        """The worker, for one thread at a time, at the time that it is."""
        with self._lock:
            self.must_be_up()
            self._worker.now = time.time_ns() // 1_000_000
            try:
                yield self._worker
            except Exception as error:
                self._crash = error
                raise Down from error
            finally:
                self._look_after()

    def _look_after(self):
        """What the worker's callback has brought about."""
        for call in list(self._worker.calls.values()):
            if call.token > self._last_call:
                self._last_call = call.token
                threading.Thread(target=self._call, args=(call,), daemon=True).start()
        for held in list(self._held.values()):
            if held.request.is_settled or self._crash:
                held.tell()

    def _call(self, call):
        outcome = callout.send(self._worker.address_of(call.target), call)
        with contextlib.suppress(Down), self._inside() as worker:
            # Its request may have gone, and the call with it.
            if call.token in worker.calls and not self._closed.is_set():
                worker.answer(call, worker.answer_of(outcome))

    def _tick(self):
        """Each root at the period that it asked for."""
        now = time.monotonic()
        due = [(now + period / 1000, root) for root, period in self._worker.tick_periods.items()]
        heapq.heapify(due)
        while due:
            when, root = heapq.heappop(due)
            if self._closed.wait(max(0, when - time.monotonic())):
                return
            try:
                with self._inside() as worker:
                    worker.tick(root)
            except Down:
                return
            period = self._worker.tick_periods[root] / 1000
            heapq.heappush(due, (max(when, time.monotonic()) + period, root))

    def _listen(self):
        self._listener.serve_forever(0.05)


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

