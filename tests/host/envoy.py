"""Envoy 1.40, as a filter meets it: what is not decided waits; what traps takes the worker's module
down, and everything after that is refused."""

from tests.host.vm import Trap
from tests.host.worker import BAD_ARGUMENT, CONTINUE, NOT_FOUND, OK, Request, Worker

ROUTE_POLICY = ["xds", "route_metadata", "filter_metadata", "jwt_keycloak", "policy"]


class EnvoyWorker(Worker):
    """`headers_stop_all`: the plugin's `allow_on_headers_stop_iteration: false`, Envoy's default. With
    true, body callbacks come while the headers wait, and Continue in one lets all of it go up."""

    def __init__(self, *arguments, headers_stop_all=True, **named):
        super().__init__(*arguments, **named)
        self.headers_stop_all = headers_stop_all
        self.effective = None
        self.dead = False
        self.policies = {}  # path -> the policy that its route names
        self.load()

    def configure(self, configuration):
        """The root, or None: then Envoy does not serve with it."""
        root, taken = self.add_root(configuration)
        return root if taken else None

    def answer(self, call, answer):
        """The answer to a callout. Its client may have gone: then it is lost, or comes all the same."""
        self.calls.pop(call.token, None)
        self._deliver(call.context, call.token, answer)

    def answer_nobodys(self, request, token, answer):
        """An answer that belongs to no call."""
        self._deliver(request.root, token, answer)

    def body(self, request, last=True):
        """More of a request that has a body, as it arrives."""
        if request.is_over or (request.paused and self.headers_stop_all):
            return
        action = self._enter(request.context, "proxy_on_request_body", request.context, 1, int(last))
        if action == CONTINUE and request.stashed is None:
            self._forward(request)

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
            int(not request.has_body),
        )
        if request.response is not None:
            return
        if action == CONTINUE:
            self._forward(request)
        else:
            request.paused = True

    def _forward(self, request):
        if request.response is not None or request.gone:
            return
        # A second time is a second request to the upstream.
        request.times_up += 1
        path = next(value for name, value in request.fields if name == b":path")
        request.upstream = (path, [field for field in request.fields if not field[0].startswith(b":")])

    def _forget_calls(self, request):
        """The host may still bring the answer: it goes to the root."""

    def _trapped(self, context, callback):
        self.dead = True
        for request in self.requests.values():
            if not request.is_over:
                request.response = (503, [], b"")

    def _enter(self, context, callback, *arguments):
        if self.dead:
            return None
        saved, self.effective = self.effective, None
        try:
            return super()._enter(context, callback, *arguments)
        finally:
            self.effective = saved

    # Host calls

    def proxy_set_effective_context(self, context):
        known = context in self.requests or context in self.configurations
        if not known:
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
        if kind == 6:
            return self.call_answer.fields if self.call_answer else None
        request = self.requests.get(self._here())
        return request.fields if request and not request.is_over else None

    def _set_field(self, request, name, value):
        kept = [field for field in request.fields if field[0] != name]
        at = next((i for i, field in enumerate(request.fields) if field[0] == name), len(kept))
        request.fields = [*kept[:at], (name, value), *kept[at:]]

    def _remove_field(self, request, name):
        request.fields = [field for field in request.fields if field[0] != name]

    def _property(self, path):
        request = self.requests.get(self._here())
        if path == ROUTE_POLICY and request:
            policy = self.policy_of(request)
            return policy.encode() if policy else None
        return None

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

    def _make_call(self, target, fields, timeout):
        if not target:
            return None
        owner = self._here()
        return self._new_call(self._root_of(owner), owner, target, fields, timeout)

    def _continue(self):
        request = self.requests.get(self._here())
        if request is None or request.response is not None:
            return NOT_FOUND
        self._forward(request)
        return OK
