"""Kong 3.4 to 3.9's WasmX, as a filter meets it, where it is known to differ in the worst way it was
seen to: what is not decided goes up.

`Crash` stands for the end of the worker's process (SIGSEGV).
"""

import re
import urllib.parse
import zlib

from tests.host.kong_json import rewritten
from tests.host.vm import Trap, Unloadable
from tests.host.worker import CONTINUE, NOT_FOUND, OK, Crash, Request, Worker

# The worker ends without one of these.
CALLBACKS = [
    "proxy_on_log", "proxy_on_done", "proxy_on_delete", "proxy_on_request_headers",
    "proxy_on_request_body", "proxy_on_response_headers", "proxy_on_response_body",
]  # fmt: skip
# Of another signature here, so that nothing is served.
FORBIDDEN = "proxy_get_log_level"
TARGET = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(\d{1,5}))?|unix:/.+")
MOST_FIELDS = 100


class WasmxWorker(Worker):
    """`names_root`: an answer's callback names the root, as in newer versions, and not the request.
    `shm_kv`: whether `nginx_wasm_shm_kv` is set. `variables`: nginx's, of each request; without
    `upstream_scheme` it is not Kong's nginx. `collide`: all shared names have one checksum."""

    def __init__(self, *arguments, names_root=False, shm_kv=False, variables=None, collide=False, **named):
        super().__init__(*arguments, **named)
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

    def body(self, request):
        """The body callback comes once, after the callouts' answers, with all of it."""

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
        request.variables = dict(self.variables)
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
        """On to the next filter; behind the last its body comes to all of them, and it goes up."""
        if request.is_over or self._next_filter(request):
            return
        if request.has_body and not request.is_over:
            for context, _ in request.contexts:
                action = self._enter(context, "proxy_on_request_body", context, 1, 1)
                if request.stashed is not None:
                    request.response = request.stashed
                    return
                if action != CONTINUE:
                    request.paused = True
                    return
        self._go_up(request)

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

    # Host calls

    def proxy_set_effective_context(self, _context):
        return OK  # and does nothing

    def _request(self):
        request = self.requests.get(self.active)
        if request is None:
            raise Crash(f"a request's host call in {self.callback}")
        return request

    def _fields(self, kind):
        if kind == 6:
            if self.call_answer is None:
                raise Crash("an answer's fields outside of its callback")
            return self.call_answer.fields
        # The rest is cut, silently.
        return self._request().fields[:MOST_FIELDS]

    def _set_field(self, request, name, value):
        if name == b":path":
            if b"?" in value:
                raise Trap("a path with a query cannot be set")
            return  # to no effect
        if not value:
            return self._remove_field(request, name)
        same = [i for i, field in enumerate(request.fields) if field[0].lower() == name.lower()]
        if len(same) > 1:
            # Hidden from the filter, and all go up.
            return self._hide(request, name)
        if same:
            request.fields[same[0]] = (request.fields[same[0]][0], value)
            real = [i for i, field in enumerate(request.real_fields) if field[0].lower() == name.lower()]
            # What was removed before is still there, in front.
            if len(real) == 1:
                request.real_fields[real[0]] = (request.real_fields[real[0]][0], value)
            return None
        request.fields.append((name, value))
        request.real_fields.append((name, value))
        return None

    def _remove_field(self, request, name):
        there = any(field[0].lower() == name.lower() for field in request.fields)
        if name == b":path" or (name.lower() == b"cookie" and not there):
            raise Crash(f"removing {name}")
        self._hide(request, name)

    @staticmethod
    def _hide(request, name):
        """From the filter: upstream it stays."""
        request.fields = [field for field in request.fields if field[0].lower() != name.lower()]

    def _property(self, path):
        if self.callback == "proxy_on_configure":
            raise Crash("get_property in on_configure")
        request = self._request()
        if path == ["request", "path"]:
            return request.raw_path
        if path[0] == "ngx":
            return request.variables.get(".".join(path[1:]))
        if path[0] == "kong" and path[1] in ("response", "service"):
            raise Trap(f"property {path}")
        return None

    def _set_property(self, path, value):
        request = self._request()
        if path[0] == "ngx" and path[1] in request.variables:
            request.variables[path[1]] = value
            return OK
        if path[:3] == ["kong", "ctx", "shared"]:
            request.properties[".".join(path)] = value
            return OK
        if path[0] == "kong":
            raise Trap(f"property {path}")
        return NOT_FOUND

    def _shared_name(self, name):
        if not self.shm_kv:
            raise Trap("no shared memory for keys and values")
        return 0 if self.collide else zlib.crc32(name)

    def _may_write(self, found, version):
        return (found is None and version == 0) or (found is not None and found[1] == version)

    def proxy_set_tick_period_milliseconds(self, period):
        root = self._root_of(self.active)
        if root in self.ticks_asked:
            raise Trap("tick_period already set")
        self.ticks_asked.add(root)
        return super().proxy_set_tick_period_milliseconds(period)

    def proxy_define_metric(self, kind, name, name_size, address):
        if name_size > 256 - len("pw.jwt_keycloak."):
            raise Trap("the name of a metric is too long")
        return super().proxy_define_metric(kind, name, name_size, address)

    def _local_response(self, response, _grpc_status):
        request = self._request()
        if request.stashed is not None or self._refused:
            raise Trap("local response already stashed")
        status, fields, body = response
        # Of several set-cookie only the last is left, and a line feed is added.
        request.stashed = (status, fields, body + b"\n")
        return OK

    def _make_call(self, target, fields, timeout):
        allowed = ("proxy_on_request_headers", "proxy_on_request_body", "proxy_on_tick", "proxy_on_http_call_response")
        if self.callback not in allowed:
            raise Trap(f"dispatch in {self.callback}")
        match = TARGET.fullmatch(target)
        if not match or (match[3] and not 0 < int(match[3]) < 65536):
            raise Trap(f"bad target {target!r}")
        if not fields.get(b":method") or not fields.get(b":path"):
            raise Trap("no :method or no :path")
        return self._new_call(self.active, self.active, target, fields, timeout)

    def _continue(self):
        self._request().resumed = True
        return OK
