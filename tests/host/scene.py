"""A gateway of one worker, one route and one issuer, as most tests here need it."""

import json

from tests.host.envoy import EnvoyWorker
from tests.host.issuer import ALG, START, Issuer, bearer
from tests.host.wasmx import WasmxWorker
from tests.stack import ROOT

MODULE = ROOT / "jwt_keycloak.wasm"
PROFILES = {"envoy": EnvoyWorker, "wasmx": WasmxWorker}


class Scene:
    """`settings` are members of the configuration; `named` are for the worker."""

    def __init__(self, profile, settings=None, issuer=None, **named):
        self.issuer = issuer or Issuer()
        named.setdefault("now", START)
        self.worker = PROFILES[profile](MODULE, **named)
        self.requests = []
        configuration = {"allowed_iss": [self.issuer.iss], "allowed_alg": [ALG], **(settings or {})}
        self.root = self.worker.configure(json.dumps(configuration).encode())

    def send(self, token=None, fields=(), **named):
        """A request with a token: decided, or waiting."""
        credentials = bearer(token) if token else []
        request = self.worker.request(self.root, fields=[*credentials, *fields], **named)
        self.requests.append(request)
        return request

    def calls(self):
        return list(self.worker.calls.values())

    def answer_all(self):
        """The issuer answers until nothing is under way."""
        while self.worker.calls:
            call = self.calls()[0]
            self.worker.answer(call, self.issuer.answer(call, self.worker.now))

    def pass_time(self, milliseconds):
        """Ticks on the way included."""
        period = self.worker.tick_periods[self.root]
        for _ in range(milliseconds // period):
            self.worker.now += period
            self.worker.tick(self.root)

    def warm(self):
        """With keys from the first tick on."""
        self.pass_time(250)
        self.answer_all()
        return self
