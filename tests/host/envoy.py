"""Envoy 1.40, as a filter meets it: what is not decided waits; what traps takes the worker's module
down, and everything after that is refused."""

import os

from tests.host import foreign
from tests.host.host_calls import BAD_ARGUMENT, CALL_HEADERS, NOT_FOUND, OK, REQUEST_TRAILERS
from tests.host.vm import Trap
from tests.host.worker import CONTINUE, Answer, Crash, Request, Worker

ROUTE_POLICY = ["xds", "route_metadata", "filter_metadata", "jwt_keycloak", "policy"]


def _own_answer(status, why):
    return Answer([(b":status", b"%d" % status), (b"content-type", b"text/plain")], why)


# What Envoy says itself where a callout brings nothing. To a filter it is an answer as any other.
UNREACHABLE = _own_answer(503, b"upstream connect error or disconnect/reset before headers")
TIMED_OUT = _own_answer(504, b"upstream request timeout")


class EnvoyWorker(Worker):
    """`headers_stop_all`: the plugin's `allow_on_headers_stop_iteration: false`, Envoy's default. With
    true, body callbacks come while the headers wait, and Continue in one lets all of it go up.
    `buffer_limit`: how many octets of a body Envoy holds while a filter answers Pause."""

    def __init__(self, *arguments, headers_stop_all=True, buffer_limit=1 << 20, **named):
        super().__init__(*arguments, **named)
        self.headers_stop_all = headers_stop_all
        self.buffer_limit = buffer_limit
        self.randomness = self.randomness or os.urandom
        self.effective = None
        self.dead = False
        self.policies = {}  # path -> the policy that its route names
        self._resumed = []  # requests that go on as soon as the module's callback is over
        self._leaving = {}  # contexts of requests that are over, and when that was
        self.load()

    def configure(self, configuration):
        """The root, or None: then Envoy does not serve with it."""
        root, taken = self.add_root(configuration)
        return root if taken else None

    def answer(self, call, answer):
        """The answer to a callout. Its client may have gone: it comes all the same."""
        self.calls.pop(call.token, None)
        self._deliver(call.context, call.token, answer)

    def answer_nobodys(self, request, token, answer):
        """An answer that belongs to no call."""
        self._deliver(request.root, token, answer)

    def body(self, request, data=b"", last=True):
        """More of a body, as it arrives. HTTP/1.1's end comes by itself, as a last piece without data;
        in HTTP/2 it may come with the data."""
        if request.body.is_complete:
            return
        request.body.add(data, last)
        if self._is_stopped(request):
            request.body.withhold(data)
        elif not request.is_settled:
            self._piece(request, data, last)

    def trailers(self, request, fields):
        """The end of a body, with trailers."""
        if request.body.is_complete:
            return
        request.body.add(b"", True)
        request.body.trailers = [(name.lower(), value) for name, value in fields]
        if self._is_stopped(request):
            request.body.withhold(b"")
        elif not request.is_settled:
            self._trailers(request)

    # What becomes of a request

    def _make_request(self, context, root, method, path, pairs, has_body):
        pseudo = [(b":authority", b"gateway"), (b":path", path), (b":method", method), (b":scheme", b"http")]
        # Names are in lower case, and several authorization fields become one.
        fields = pseudo + [(name.lower(), value) for name, value in pairs]
        credentials = [value for name, value in fields if name == b"authorization"]
        if len(credentials) > 1:
            fields = [field for field in fields if field[0] != b"authorization"]
            fields.append((b"authorization", b",".join(credentials)))
        return Request(context, root, method, path, fields, has_body)

    def _headers(self, request):
        if self.dead:
            request.response = (503, [], b"")  # failure_policy FAIL_CLOSED
            return
        action = self._enter(
            request.context,
            "proxy_on_request_headers",
            request.context,
            len(request.fields),
            # What follows an upgrade is no body, and has no end that could be told.
            int(not request.has_body and not _upgrades(request)),
        )
        if request.response is not None:
            return
        if action == CONTINUE:
            self._forward(request)
        else:
            request.paused = True

    def _is_stopped(self, request):
        """Whether nothing of its body is shown yet; Envoy holds it by flow control, without a limit."""
        return request.paused and not request.is_over and self._headers_stop_all(request)

    def _headers_stop_all(self, _request):
        return self.headers_stop_all

    def _piece(self, request, data, last):
        """Context::decodeData: the answer before decides whether it is added to the buffer before the
        filter is told, and this one what becomes of it."""
        body = request.body
        had_gone_up = request.upstream is not None
        was_added = body.is_buffering
        if was_added and not self._buffer(request, data):
            return
        body.piece = data
        action = self._more(request, "proxy_on_request_body", len(body.shown), int(last))
        body.piece = None
        if action is None:
            return
        if last and not was_added and not had_gone_up and request.upstream is not None:
            # Told to go on within that callback, with nothing in the buffer and nothing more to come, it
            # goes up as a request without a body.
            body.is_lost = True
        if action != CONTINUE:
            if was_added or self._buffer(request, data):
                body.is_buffering = True
            return
        self._go_on(request)
        if not was_added:
            body.up += data
        body.has_ended |= last

    def _trailers(self, request):
        if self._more(request, "proxy_on_request_trailers", len(request.body.trailers)) == CONTINUE:
            self._go_on(request)
            request.body.has_ended = True

    def _more(self, request, callback, *numbers):
        """The filter's answer to more of a request; None if there is nothing more to be done."""
        if not self.vm.exports(callback):
            return CONTINUE
        action = self._enter(request.context, callback, request.context, *numbers)
        return None if request.response is not None or request.gone else action

    def _buffer(self, request, data):
        """False if it is too much: Envoy answers that itself."""
        request.body.buffer += data
        if len(request.body.buffer) > self.buffer_limit:
            request.response = (413, [], b"Payload Too Large")
        return request.response is None

    def _go_on(self, request):
        """Headers, if they have not gone up, and what was held of the body."""
        if request.upstream is None:
            self._forward(request)
        request.body.send_buffer()

    def _resume(self, request):
        """What a filter's call to go on brings about: after the callback in which it came."""
        body = request.body
        if request.response is not None or request.gone:
            return
        if body.withheld is not None:
            # This filter has not been told of it: now it is, of all at once.
            data, body.withheld = body.withheld, None
            if data or body.trailers is None:
                self._piece(request, bytes(data), body.is_complete and body.trailers is None)
            if body.trailers is not None and not request.is_settled:
                self._trailers(request)
            return
        was_buffering = body.is_buffering
        body.send_buffer()
        if was_buffering or body.piece is None:
            body.has_ended |= body.is_complete

    def _forward(self, request):
        if request.response is not None or request.gone:
            return
        # A second time is a second request to the upstream.
        request.times_up += 1
        path = next(value for name, value in request.fields if name == b":path")
        request.upstream = (path, [field for field in request.fields if not field[0].startswith(b":")])

    def leave(self, request):
        super().leave(request)
        self._leaving = {context: when for context, when in self._leaving.items() if when == self.now}
        self._leaving[request.context] = self.now

    def _is_leaving(self, context):
        """It is over, and its memory is not yet gone: that happens when the event loop comes round. Here it
        does when time has passed."""
        return self._leaving.get(context) == self.now

    def _forget_calls(self, request):
        """All are the root's."""

    def _trapped(self, context, callback):
        self.dead = True
        for request in self.requests.values():
            if not request.is_settled:
                request.response = (503, [], b"")

    def _enter(self, context, callback, *arguments):
        if self.dead:
            return None
        saved, self.effective = self.effective, None
        try:
            return super()._enter(context, callback, *arguments)
        finally:
            self.effective = saved
            while self.callback is None and self._resumed:
                self._resume(self._resumed.pop(0))

    # Host calls

    def proxy_set_effective_context(self, context):
        known = context in self.requests or context in self.configurations
        if not known and not self._is_leaving(context):
            return BAD_ARGUMENT
        self.effective = context
        return OK

    def _here(self):
        return self.active if self.effective is None else self.effective

    def _request(self):
        request = self.requests.get(self._here())
        if request is None:
            raise Trap("there is no request here")
        return request

    def _fields(self, kind):
        if kind == CALL_HEADERS:
            return self.call_answer.fields if self.call_answer else None
        request = self.requests.get(self._here())
        if request is None:
            return None
        if kind == REQUEST_TRAILERS:
            return None if request.body.has_ended else request.body.trailers
        return None if request.is_over else request.fields

    def _no_pairs(self):
        return OK  # and nothing is handed over

    def _may_change(self, request):
        return not request.is_over

    def _shown_body(self, start):
        request = self.requests.get(self._here())
        return bytes(request.body.shown[start:]) if request else b""

    def _set_field(self, request, name, value):
        kept = [field for field in request.fields if field[0] != name]
        at = next((i for i, field in enumerate(request.fields) if field[0] == name), len(kept))
        request.fields = [*kept[:at], (name, value), *kept[at:]]

    def _remove_field(self, request, name):
        request.fields = [field for field in request.fields if field[0] != name]

    def _property(self, path):
        request = self.requests.get(self._here())
        if request is None:
            return None
        named = {"cluster_name": request.service_name, "route_name": request.route_name}
        value = self.policy_of(request) if path == ROUTE_POLICY else None
        if path[0] == "xds" and len(path) == 2:
            value = named.get(path[1])
        return None if value is None else value.encode()

    def policy_of(self, request):
        """The policy that the request's route names."""
        matching = [prefix for prefix in self.policies if request.path.decode().startswith(prefix)]
        return self.policies[max(matching, key=len)] if matching else None

    def _set_property(self, path, value):
        self._request().properties["wasm." + ".".join(path)] = value
        return OK

    def _shared_name(self, name):
        return name

    def _may_write(self, found, version):
        # Without a version: unconditionally.
        return version == 0 or (found is not None and found[1] == version)

    def _local_response(self, response, grpc_status):
        if self._is_leaving(self._here()):
            raise Crash("a request that is over was answered")
        request = self.requests.get(self._here())
        if request is None or request.is_over:
            return OK  # and nothing happens
        if grpc_status is not None:
            # It speaks gRPC itself: Trailers-Only.
            message = response[2]
            fields = [*response[1], (b"content-type", b"application/grpc")]
            fields += [(b"grpc-status", str(grpc_status).encode()), (b"grpc-message", message)]
            response = (200, fields, b"")
        request.stashed = response
        request.response = response
        return OK

    def _make_call(self, target, fields, body, timeout):
        """The root's, whoever sends it."""
        if not target:
            return None
        if body:
            # Whatever the filter says.
            fields[b"content-length"] = b"%d" % len(body)
        owner = self._here()
        return self._new_call(self._root_of(owner), owner, target, fields, body, timeout)

    def _foreign(self, name, arguments):
        function = foreign.FUNCTIONS.get(name)
        return function(arguments) if function else (NOT_FOUND, None)

    def _continue(self):
        request = self.requests.get(self._here())
        if request is None or request.response is not None:
            return NOT_FOUND
        self._forward(request)
        self._resumed.append(request)
        return OK


def _upgrades(request):
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in request.fields)
