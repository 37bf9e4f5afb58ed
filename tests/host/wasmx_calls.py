"""WasmX's host calls, where they are its own: see wasmx.py."""

import re
import zlib

from tests.host.host_calls import BAD_ARGUMENT, CALL_HEADERS, NOT_FOUND, OK, REQUEST_HEADERS
from tests.host.vm import Trap
from tests.host.worker import Crash

TARGET = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(\d{1,5}))?|unix:/.+")
MOST_FIELDS = 100
# Where something may be asked for that takes its time.
ASKING = ("proxy_on_request_headers", "proxy_on_request_body", "proxy_on_tick", "proxy_on_http_call_response")
SHOWING_BODY = ("proxy_on_request_headers", "proxy_on_request_body", "proxy_on_log")
READ_ONLY = ("request_id", "server_protocol")


class WasmxCalls:
    """Of a WasmxWorker."""

    def proxy_set_effective_context(self, _context):
        return OK  # and does nothing

    def _request(self):
        request = self.requests.get(self.active)
        if request is None:
            raise Crash(f"a request's host call in {self.callback}")
        return request

    def _fields(self, kind):
        if kind == CALL_HEADERS:
            if self.call_answer is None:
                raise Crash("an answer's fields outside of its callback")
            return self.call_answer.fields
        # The rest is cut, silently.
        return self._request().fields[:MOST_FIELDS] if kind == REQUEST_HEADERS else None

    def _no_pairs(self):
        return BAD_ARGUMENT

    def _may_change(self, _request):
        return True

    def _shown_body(self, _start):
        """Any offset is the first."""
        if self.callback not in SHOWING_BODY:
            raise Trap("can only get request body during on_request_body, on_log")
        body = self._request().body
        is_read = self._request().untold is not None
        # In a file, or not there.
        return bytes(body.come) if is_read and 0 < len(body.come) <= self.client_body_buffer_size else None

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
        # As nginx has it: what is between the parts does not matter.
        name = ".".join(path)
        named = {"kong.service_name": request.service_name, "kong.route_name": request.route_name}
        if name == "request.path":
            return request.raw_path
        if name.startswith("ngx."):
            return request.variables.get(name[4:])
        if name.startswith(("kong.response", "kong.service.")):
            raise Trap(f"property {name}")
        value = named.get(name)
        return None if value is None else value.encode()

    def _set_property(self, path, value):
        request = self._request()
        name = ".".join(path)
        if name.startswith("ngx.") and name[4:] in request.variables and name[4:] not in READ_ONLY:
            request.variables[name[4:]] = value
            return OK
        if name.startswith("kong.ctx.shared."):
            request.properties[name] = value
            return OK
        if name.startswith("kong."):
            raise Trap(f"property {name}")
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

    def _make_call(self, target, fields, body, timeout):
        if self.callback not in ASKING:
            raise Trap(f"dispatch in {self.callback}")
        match = TARGET.fullmatch(target)
        if not match or (match[3] and not 0 < int(match[3]) < 65536):
            raise Trap(f"bad target {target!r}")
        if not fields.get(b":method") or not fields.get(b":path"):
            raise Trap("no :method or no :path")
        # Of every call, unless the filter says another.
        fields.setdefault(b"content-length", b"%d" % len(body))
        return self._new_call(self.active, self.active, target, fields, body, timeout)

    def _foreign(self, name, _arguments):
        if name != b"resolve_lua" or self.callback not in ASKING:
            raise Trap(f"foreign function {name} in {self.callback}")
        return OK, None  # it is looked up

    def _continue(self):
        self._request().resumed = True
        return OK
