"""The host calls that are alike on both hosts, of the proxy-wasm ABI and of WASI: what a module asks for,
out of its memory and into it. What they have to be told by the host itself begins with `_`.
"""

from tests.host import header_map
from tests.host.vm import Trap

OK, NOT_FOUND, BAD_ARGUMENT = 0, 1, 2
CAS_MISMATCH = 8
INTERNAL_FAILURE = 10

REQUEST_HEADERS, REQUEST_TRAILERS, CALL_HEADERS = 0, 1, 6
REQUEST_BODY, CALL_BODY, PLUGIN_CONFIGURATION = 0, 4, 7
COUNTER, GAUGE, HISTOGRAM = 0, 1, 2
LEVELS = ["trace", "debug", "info", "warn", "error", "critical"]


class HostCalls:
    """Of a Worker."""

    def proxy_log(self, level, address, size):
        self.log.append((LEVELS[level], self.vm.read(address, size).decode(errors="replace")))
        return OK

    def proxy_get_current_time_nanoseconds(self, address):
        self.vm.write_number(address, self.now * 1_000_000, 8)
        return OK

    def proxy_set_tick_period_milliseconds(self, period):
        self.tick_periods[self._root_of(self.active)] = period
        return OK

    def proxy_get_buffer_bytes(self, buffer, start, size, address, size_address):
        if buffer == PLUGIN_CONFIGURATION:
            data = self.configurations[self._root_of(self.active)]
        elif buffer == CALL_BODY and self.call_answer is not None:
            data = self.call_answer.body
            if self.call_answer.told_size is not None:
                return BAD_ARGUMENT
        elif buffer == REQUEST_BODY:
            data = self._shown_body(start)
            if data == b"":
                return OK  # and nothing is handed over
        else:
            return BAD_ARGUMENT
        if not data:
            return NOT_FOUND
        self._give(data[:size], address, size_address)
        return OK

    def proxy_get_header_map_pairs(self, kind, address, size_address):
        fields = self._fields(kind)
        if fields is None:
            return self._no_pairs()
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
        request = self._request()
        if not self._may_change(request):
            return BAD_ARGUMENT
        self._set_field(request, self.vm.read(name, name_size), self.vm.read(value, value_size))
        return OK

    def proxy_remove_header_map_value(self, kind, name, name_size):
        assert kind == REQUEST_HEADERS
        request = self._request()
        if not self._may_change(request):
            return BAD_ARGUMENT
        self._remove_field(request, self.vm.read(name, name_size))
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
        self, target, target_size, fields, fields_size, body, body_size, _trailers, _trailers_size, timeout, token
    ):  # fmt: skip
        fields = header_map.decode(self.vm.read(fields, fields_size))
        # WasmX writes them as they are: what is told as one field would be another, too.
        assert not any(set(b"\r\n\0") & set(value) for _, value in fields), fields
        call = self._make_call(
            self.vm.read(target, target_size).decode(),
            dict(fields),
            self.vm.read(body, body_size) if body_size else b"",
            timeout,
        )
        if call is None:
            return BAD_ARGUMENT
        self.calls[call.token] = call
        self.vm.write_number(token, call.token)
        return OK

    def proxy_call_foreign_function(self, name, name_size, arguments, arguments_size, address, size_address):
        status, result = self._foreign(self.vm.read(name, name_size), self.vm.read(arguments, arguments_size))
        if result:
            self._give(result, address, size_address)
        return status

    def random_get(self, address, size):
        """WASI's: its statuses are another list, in which 0 is success, too."""
        self.vm.write(address, self.randomness(size))
        return OK

    def proxy_continue_stream(self, stream):
        assert stream == 0, "not a request"
        return self._continue()

    def _metric(self, number):
        return list(self.metrics)[number]


ENV_CALLS = [name for name in dir(HostCalls) if name.startswith("proxy_")] + ["proxy_set_effective_context"]
WASI_CALLS = ["random_get"]
HOST_CALLS = ENV_CALLS + WASI_CALLS
