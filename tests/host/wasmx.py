"""Kong 3.4 to 3.9's WasmX, as a filter meets it, where it is known to differ in the worst way it was
seen to: what is not decided goes up.

`Crash` stands for the end of the worker's process (SIGSEGV).
"""

import os
import urllib.parse

from tests.host.kong_json import rewritten
from tests.host.randomness import predictable
from tests.host.vm import Unloadable
from tests.host.wasmx_calls import WasmxCalls
from tests.host.worker import CONTINUE, Crash, Request, Worker

# The worker ends without one of these.
CALLBACKS = [
    "proxy_on_log", "proxy_on_done", "proxy_on_delete", "proxy_on_request_headers",
    "proxy_on_request_body", "proxy_on_response_headers", "proxy_on_response_body",
]  # fmt: skip
# Of another signature here, so that nothing is served.
FORBIDDEN = "proxy_get_log_level"


class WasmxWorker(WasmxCalls, Worker):
    """`names_root`: an answer's callback names the root, as in newer versions, and not the request.
    `shm_kv`: whether `nginx_wasm_shm_kv` is set. `variables`: nginx's, of each request; without
    `upstream_scheme` it is not Kong's nginx. `collide`: all shared names have one checksum.
    `client_body_buffer_size`: a longer body (octets) is told of and not shown. `random_seed`: of
    `random_get`, in each instance anew. `new_request_id`: makes `$request_id`."""

    def __init__(
        self, *arguments, names_root=False, shm_kv=False, variables=None, collide=False,
        client_body_buffer_size=8192, random_seed=4711, new_request_id=lambda: os.urandom(16).hex(), **named,
    ):  # fmt: skip
        super().__init__(*arguments, **named)
        self.client_body_buffer_size = client_body_buffer_size
        self.random_seed = random_seed
        self.new_request_id = new_request_id
        self._own_randomness = self.randomness is None
        self.names_root = names_root
        self.last_root = 0x8000_0000
        self.shm_kv = shm_kv
        self.variables = {"upstream_scheme": b"http"} if variables is None else variables
        self.collide = collide
        self.filters_off = False
        self.is_new = False  # after a trap: made again when it is next needed
        self.ticks_asked = set()
        self._then = []
        self._refused = False  # by a filter before the one that runs
        self.load()
        missing = [callback for callback in CALLBACKS if not self.vm.exports(callback)]
        if missing:
            raise Crash(f"missing callbacks: {missing}")
        if FORBIDDEN in self.vm.imports:
            raise Unloadable(FORBIDDEN)

    def load(self):
        if self._own_randomness:
            self.randomness = predictable(self.random_seed)
        super().load()

    def configure(self, configuration):
        """The root. Refused, or after a trap, all filters are off on every route."""
        root, taken = self.add_root(rewritten(configuration))
        self.filters_off |= not taken
        return root

    def answer(self, call, answer):
        """The answer to a callout: after the last one the request goes on by itself."""
        self.calls.pop(call.token, None)
        request = self.requests.get(call.context)
        trapped = len(self.traps)
        self._deliver(call.context, call.token, answer, self._named(call.context))
        if request is not None and len(self.traps) == trapped:
            self._after_answer(request)

    def answer_nobodys(self, request, token, answer):
        """An answer that belongs to no call of the request."""
        self._deliver(request.context, token, answer, self._named(request.context))
        self._after_answer(request)

    def _named(self, context):
        return self._root_of(context) if self.names_root else context

    def body(self, request, data=b"", last=True):
        """More of a body, as it arrives. Only when all of it is there a filter is told, and not before
        its callouts have their answers."""
        if request.body.is_complete:
            return
        request.body.add(data, last)
        if request.is_read and not request.is_over:
            self._forward(request)

    def trailers(self, request, _fields):
        """The end of a body, with trailers, of which no filter is told."""
        self.body(request, b"", True)

    def pending(self, context):
        """Of all filters of its request."""
        request = self.requests.get(context)
        contexts = [context for context, _ in request.contexts] if request else [context]
        return [call for call in self.calls.values() if call.owner in contexts]

    def _root_of(self, context):
        request = self.requests.get(context)
        return dict(request.contexts)[context] if request else context

    def _after_answer(self, request):
        if request.is_over:
            return
        if self.pending(request.context):
            return
        if request.stashed is not None and request.response is None:
            # The filters behind it run all the same.
            self._next_filter(request)
            request.response = request.response or request.stashed
        else:
            self._forward(request)

    # What becomes of a request

    def request(self, root, *arguments, then=(), **named):
        """`then`: the roots of the filters behind the first, on the same request."""
        self._then = list(then)
        return super().request(root, *arguments, **named)

    def _make_request(self, context, root, method, path, pairs, has_body):
        # Decoded here; raw in the property request.path.
        decoded = urllib.parse.unquote_to_bytes(path)
        pseudo = [(b":path", decoded), (b":method", method), (b":scheme", b"http")]
        pseudo.append((b":authority", b"localhost:8000"))
        request = Request(context, root, method, path, pseudo + pairs, has_body)
        request.real_fields = list(pairs)
        own = {"request_id": self.new_request_id().encode(), "server_protocol": b"HTTP/1.1"}
        request.variables = {**own, **self.variables}
        request.is_read = False  # by nginx, as all filters let its headers pass
        request.untold = None  # contexts of those that have not been told of its body
        request.raw_path = path
        request.contexts = [(context, root)]
        request.then = self._then
        return request

    def _headers(self, request):
        if self.filters_off:
            return self._go_up(request)
        trapped = len(self.traps)
        pseudo = 4
        action = self._enter(
            request.context,
            "proxy_on_request_headers",
            request.context,
            len(request.fields) - pseudo,
            0,  # never known
        )
        if len(self.traps) > trapped:
            request.response = request.response or (500, [], b"")
        elif request.stashed is not None:
            request.response = request.stashed
        elif action == CONTINUE:
            if self.pending(request.context):
                raise Crash("Continue after a dispatch")
            self._forward(request)
        else:
            request.paused = True

    def _next_filter(self, request):
        """The head comes to the next filter; False if there is none."""
        if not request.then:
            return False
        request.context, request.root = self._new_context(), request.then.pop(0)
        request.contexts.append((request.context, request.root))
        self.requests[request.context] = request
        self._enter(request.context, "proxy_on_context_create", request.context, request.root)
        stashed, request.stashed = request.stashed, None
        self._refused = stashed is not None
        self._headers(request)
        self._refused = False
        request.stashed = stashed or request.stashed
        return True

    def _forward(self, request):
        """On to the next filter; behind the last its body is read and comes to all of them, and it goes
        up."""
        if request.is_over or self._next_filter(request):
            return
        request.is_read = True
        if request.body.is_complete and self._tell_of_body(request):
            self._go_up(request)

    def _tell_of_body(self, request):
        """False if one of the filters holds it, or answers."""
        if request.untold is None:
            request.untold = [context for context, _ in request.contexts] if request.body.come else []
        while request.untold and not request.is_over:
            context = request.untold.pop(0)
            size, trapped = len(request.body.come), len(self.traps)
            action = self._enter(context, "proxy_on_request_body", context, size, 1)
            if len(self.traps) > trapped:
                return False  # what becomes of it is decided
            if request.stashed is not None:
                request.response = request.response or request.stashed
            elif action != CONTINUE:
                request.paused = True
                return False
            elif self.pending(context):
                raise Crash("Continue after a dispatch")
        return True

    def leave(self, request):
        for context, _ in request.contexts[:-1]:
            for callback in ("proxy_on_done", "proxy_on_log", "proxy_on_delete"):
                self._enter(context, callback, context)
            self.requests.pop(context, None)
        super().leave(request)

    def _go_up(self, request):
        """By nginx: to `$upstream_scheme`, which has to be one that it knows."""
        if request.is_over or self._refused:
            return
        if request.variables.get("upstream_scheme", b"http") not in (b"http", b"https"):
            request.response = (500, [], b"")
            return
        request.times_up += 1
        request.upstream = (request.raw_path, request.real_fields)
        request.body.up, request.body.has_ended = request.body.come, True

    def _new_root(self):
        # A checksum, while requests are counted: the two may meet.
        self.last_root += 1
        return self.last_root

    def _forget_calls(self, request):
        for call in self.pending(request.context):
            del self.calls[call.token]

    def _trapped(self, context, callback):
        """The request whose callback it was goes up, and so do others that wait."""
        if callback == "proxy_on_configure":
            self.filters_off = True
        if callback == "proxy_on_request_headers":
            waiting = [request for request in self.requests.values() if request.paused]
        else:
            waiting = list(self.requests.values())
        for request in waiting:
            self._go_up(request)
        self.is_new = True

    def _enter(self, context, callback, *arguments):
        if self.filters_off and callback != "proxy_on_context_create":
            return None
        if self.is_new:
            self._make_again()
        return super()._enter(context, callback, *arguments)

    def _make_again(self):
        """Another instance, which knows of no request that came before."""
        self.is_new = False
        self.ticks_asked.clear()
        self.load()
        for root, configuration in self.configurations.items():
            self._enter(root, "proxy_on_context_create", root, 0)
            self._enter(root, "proxy_on_configure", root, len(configuration))
