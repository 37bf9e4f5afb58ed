"""An identity provider that does as it is told: what Keycloak will not sign and will not answer.

One server, many issuers, each under its path: `/iss/<name>/.well-known/openid-configuration` and
`/iss/<name>/jwks`. Keys and issuers are in issuers.yaml. A test changes an issuer's behaviour,
waits for the gateway to meet it, and counts the fetches:

    fetches = stub["main"].fetches("jwks")
    stub["main"].answer(jwks="garbage")
    stub["main"].wait_for_fetches("jwks", fetches + 1)
"""

import contextlib
import http.server
import json
import pathlib
import threading
import time

import yaml

from tests.e2e.signing import Key

WAIT = 40  # seconds that a condition may take on a slow machine before the test fails
DOCUMENTS = ("discovery", "jwks")


def eventually(condition):
    """Polls until the condition holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"not so within {WAIT} s"
        time.sleep(0.05)


class Issuer:
    """One issuer: its name for tokens, its keys, its two documents and how it serves them."""

    def __init__(self, name, base_url, specification, keys):
        self.name = name
        self.base_url = f"{base_url}/iss/{name}"
        self.iss = specification.get("issuer", self.base_url)
        self._keys = {key: keys[key] for key in specification["keys"]}
        self._published = [keys[key] for key in specification["keys"]]
        self._discovery = specification.get("discovery", {})
        self._changed = threading.Condition()
        self._fetches = dict.fromkeys(DOCUMENTS, 0)
        self._open = dict.fromkeys(DOCUMENTS, 0)  # fetches whose answer is held
        self._behaviour = dict.fromkeys(DOCUMENTS, "normal")
        self._behaviour.update(specification.get("behaviour", {}))

    # What a test does

    def key(self, name):
        return self._keys[name]

    def answer(self, **behaviours):
        """`answer(jwks="cut")`: from now on; held answers that are no longer to be held leave."""
        with self._changed:
            for document, behaviour in behaviours.items():
                assert document in DOCUMENTS and behaviour in BEHAVIOURS, (document, behaviour)
                self._behaviour[document] = behaviour
            self._changed.notify_all()

    @contextlib.contextmanager
    def answering(self, **behaviours):
        """The same for the length of a `with` block, then normally again."""
        self.answer(**behaviours)
        try:
            yield self
        finally:
            self.answer(**dict.fromkeys(behaviours, "normal"))

    def rotate(self, name, withdraw=False):
        """A new key of that name; the old one stays published unless it is withdrawn."""
        with self._changed:
            old = self._keys[name]
            new = Key(name, old.specification)
            if withdraw:
                self._published = [key for key in self._published if key is not old]
            self._published = [new, *self._published]
            self._keys[name] = new
            return new

    def withdraw(self, name):
        with self._changed:
            self._published = [key for key in self._published if key is not self._keys[name]]

    def fetches(self, document):
        with self._changed:
            return self._fetches[document]

    def wait_for_fetches(self, document, total):
        """Until the document has been asked for that many times in all."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._fetches[document] >= total, WAIT)
        assert arrived, f"no {total} fetches of {self.name}'s {document} within {WAIT} s"

    def wait_until_held(self, document):
        """Until the gateway waits for this document."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: self._open[document] > 0, WAIT)
        assert arrived, f"no fetch of {self.name}'s {document} within {WAIT} s"

    # What the server does

    def document(self, document):
        if document == "jwks":
            with self._changed:
                return {"keys": [key.jwk() for key in self._published]}
        members = {
            "issuer": self.iss,
            "authorization_endpoint": f"{self.base_url}/authorize",
            "token_endpoint": f"{self.base_url}/token",
            "jwks_uri": f"{self.base_url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self._discovery,
        }
        return {member: value for member, value in members.items() if value is not None}

    def serve(self, document, handler):
        with self._changed:
            self._fetches[document] += 1
            self._open[document] += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._behaviour[document] != "held")
            self._open[document] -= 1
            behaviour = self._behaviour[document]
        BEHAVIOURS[behaviour](handler, self.document(document))


# Behaviours: how a document is answered


def normal(handler, document):
    handler.reply(200, json.dumps(document).encode())


def fails(handler, document):
    handler.reply(500, b'{"error":"server_error"}')


def redirects(handler, document):
    handler.reply(302, b"", location="http://192.0.2.1/elsewhere")


def garbage(handler, document):
    handler.reply(200, b'{"keys": [{"kty": "RSA", "n": <html>')


def not_a_set(handler, document):
    handler.reply(200, b'["keys"]')


def cut(handler, document):
    """The connection ends in the middle of a body that would be good JSON up to there."""
    body = json.dumps(document).encode()
    handler.reply(200, body, length=len(body) + 1000)
    handler.close_connection = True


def oversized(handler, document):
    """Good JSON, but megabytes of it."""
    handler.reply(200, json.dumps({**document, "padding": "x" * (8 << 20)}).encode())


def nested(handler, document):
    """Good JSON, but deep enough to overrun the stack of a parser that recurses."""
    deep = "[" * 100_000 + "]" * 100_000
    body = json.dumps({**document, "nested": 0}).replace('"nested": 0', f'"nested": {deep}')
    handler.reply(200, body.encode())


def held(handler, document):
    raise AssertionError("a held answer is not sent")


BEHAVIOURS = {
    behaviour.__name__: behaviour
    for behaviour in (normal, fails, redirects, garbage, not_a_set, cut, oversized, nested, held)
}


class Stub:
    """The server, a mapping from names to issuers. `base_url` is how the gateway reaches it."""

    def __init__(self, host, port, base_url):
        text = (pathlib.Path(__file__).parent / "issuers.yaml").read_text()
        table = yaml.safe_load(text.replace("${STUB}", base_url))
        self.keys = {name: Key(name, given) for name, given in table["keys"].items()}
        self._issuers = {
            name: Issuer(name, base_url, given, self.keys)
            for name, given in table["issuers"].items()
        }
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise RuntimeError(
                f"The stub issuer cannot listen on {host}:{port}: {error.strerror}. "
                "Free the port or choose another with STUB_PORT."
            ) from error
        self._server.issuers = self._issuers

    def __getitem__(self, name):
        return self._issuers[name]

    def __iter__(self):
        return iter(self._issuers.values())

    def key(self, name, issuer):
        """A key by its name: the issuer's own (it may have been rotated), or anybody's."""
        try:
            return self._issuers[issuer].key(name)
        except KeyError:
            return self.keys[name]

    def start(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        for issuer in self:
            issuer.answer(**dict.fromkeys(DOCUMENTS, "fails"))
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    PATHS = {".well-known/openid-configuration": "discovery", "jwks": "jwks"}

    def do_GET(self):
        _, _, rest = self.path.partition("/iss/")
        name, _, path = rest.partition("/")
        issuer = self.server.issuers.get(name)
        if issuer is None or path not in self.PATHS:
            self.reply(404, b'{"error":"not_found"}')
            return
        # The gateway may have given up on an answer that was held.
        with contextlib.suppress(OSError):
            issuer.serve(self.PATHS[path], self)

    def reply(self, status, body, length=None, **headers):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        # Keycloak's own; not to be obeyed literally.
        self.send_header("cache-control", "no-cache")
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass
