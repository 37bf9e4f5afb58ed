"""Both workers as a gateway has them: what it does itself before a filter sees a request, where
callouts go, and what becomes of their answers."""

import re

from tests.host.envoy import TIMED_OUT, UNREACHABLE, EnvoyWorker
from tests.host.wasmx import WasmxWorker
from tests.host.wasmx_calls import TARGET
from tests.host.worker import FAILED, Answer

MOST_FIELDS = 100  # Envoy's max_request_headers_count, unless it is told otherwise
NAME = re.compile(rb"[A-Za-z0-9_-]+")


class _Gateway:
    """What both do alike. The tests read from the answer why the filter gave it, whichever it is."""

    def arrived(self, request, data, is_complete, trailers):
        """More of a request's body. In HTTP/1.1 its end comes by itself."""
        if data:
            self.body(request, data, False)
        if is_complete and trailers:
            self.trailers(request, trailers)
        elif is_complete:
            self.body(request, b"", True)

    def proxy_send_local_response(self, status, details, details_size, *others):
        self._details = self.vm.read(details, details_size)
        return super().proxy_send_local_response(status, details, details_size, *others)

    def _local_response(self, response, grpc_status):
        status, fields, body = response
        fields = [*fields, (b"x-details", self._details)]
        return super()._local_response((status, fields, body), grpc_status)


class EnvoyGateway(_Gateway, EnvoyWorker):
    """`clusters`: name -> (host, port)."""

    def __init__(self, module, clusters):
        super().__init__(module)
        self.clusters = clusters

    def policy_of(self, request):
        return self.route_of(request.path).policy

    def taken(self, fields):
        return fields

    def own_answer(self, fields):
        return 431 if len(fields) > MOST_FIELDS else None

    def _headers_stop_all(self, request):
        return self.route_of(request.path).headers_stop_all

    def address_of(self, cluster):
        return self.clusters[cluster]

    def answer_of(self, outcome):
        if outcome.ended == "ok":
            return _whole(outcome)
        # Before the answer's fields Envoy says itself what is wrong; later the call has failed.
        if outcome.status is not None:
            return FAILED
        return TIMED_OUT if outcome.ended == "timeout" else UNREACHABLE

    def _make_call(self, target, fields, body, timeout):
        if target not in self.clusters:
            return None
        return super()._make_call(target, fields, body, timeout)


class WasmxGateway(_Gateway, WasmxWorker):
    """Kong's: with its `upstream_scheme`, and with names of fields as its nginx takes them."""

    def taken(self, fields):
        # `underscores_in_headers on`, and `ignore_invalid_headers` is nginx's default.
        return [field for field in fields if NAME.fullmatch(field[0])]

    def own_answer(self, fields):
        several = sum(name.lower() == b"authorization" for name, _ in fields) > 1
        return 400 if several else None

    def address_of(self, target):
        match = TARGET.fullmatch(target)
        return (match[1].strip("[]"), int(match[3] or 80)) if match[1] else None

    def answer_of(self, outcome):
        if outcome.ended == "failed" or (outcome.ended == "timeout" and outcome.status is None):
            return FAILED
        ended = (b":dispatch_status", b"timeout" if outcome.ended == "timeout" else b"ok")
        if outcome.status is None:
            return Answer([ended])
        answer = _whole(outcome)
        answer.fields.append(ended)
        if outcome.ended != "ok":
            # As if it were all there.
            answer.told_size = outcome.length or len(outcome.body)
        return answer


def _whole(outcome):
    return Answer([(b":status", b"%d" % outcome.status), *outcome.fields], outcome.body)
