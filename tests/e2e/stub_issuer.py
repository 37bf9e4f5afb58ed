"""An identity provider that does as it is told: what Keycloak will not sign and will not answer.

One server, many issuers, each under its path: `/iss/<name>/.well-known/openid-configuration` and
`/iss/<name>/jwks`, and the endpoints of stub_endpoints.py under Keycloak's own paths. Keys and issuers
are in issuers.yaml. A test changes an issuer's behaviour, waits for the gateway to meet it, and counts
the fetches:

    fetches = stub["main"].fetches("jwks")
    stub["main"].answer(jwks="garbage")
    stub["main"].wait_for_fetches("jwks", fetches + 1)

`answer(introspection=["fails", "normal"])` is a behaviour for each of the next fetches; the last stays.
"""

import contextlib
import http.server
import json
import pathlib
import threading
import time

import yaml

from tests.e2e.signing import Key
from tests.e2e.stub_endpoints import Answer, Endpoints

WAIT = 40  # seconds that a condition may take on a slow machine before the test fails
# What is fetched, and what is asked: both are counted and can be made to go wrong.
DOCUMENTS = ("discovery", "jwks")
QUESTIONS = ("introspection", "decision", "pat", "permission", "token")
SERVED = (*DOCUMENTS, *QUESTIONS)
# Keycloak's paths: the filter makes the last of them of the token endpoint's.
TOKEN_PATH = "protocol/openid-connect/token"
POSTS = {
    f"{TOKEN_PATH}/introspect": "introspect",
    TOKEN_PATH: "token",
    "authz/protection/permission": "permission",
}


def eventually(condition):
    """Polls until the condition holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"not so within {WAIT} s"
        time.sleep(0.05)


class Issuer:
    """One issuer: its name for tokens, its keys, its documents and endpoints, and how it serves them."""

    def __init__(self, name, base_url, specification, keys):
        self.name = name
        self.base_url = f"{base_url}/iss/{name}"
        self.iss = specification.get("issuer", self.base_url)
        self._keys = {key: keys[key] for key in specification["keys"]}
        self._published = [keys[key] for key in specification["keys"]]
        self._discovery = specification.get("discovery", {})
        self._changed = threading.Condition()
        self._fetches = dict.fromkeys(SERVED, 0)
        self._open = dict.fromkeys(SERVED, 0)  # fetches whose answer is held
        self._behaviour = {name: ["normal"] for name in SERVED}
        self._behaviour.update({name: [each] for name, each in specification.get("behaviour", {}).items()})
        self.endpoints = Endpoints(self.iss, specification)

    # What a test does

    def key(self, name):
        return self._keys[name]

    def has(self, name):
        """Whether this key is one of its own."""
        return name in self._keys

    def answer(self, **behaviours):
        """`answer(jwks="cut")`: from now on; held answers that are no longer to be held leave."""
        with self._changed:
            for document, behaviour in behaviours.items():
                wanted = [behaviour] if isinstance(behaviour, str) else list(behaviour)
                assert document in SERVED and set(wanted) <= set(BEHAVIOURS), (document, behaviour)
                self._behaviour[document] = wanted
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

    def hold_anew(self, document):
        """Answers what is held with an error, and waits until the gateway has asked again: a fetch that has
        just begun does not come to its end while a test looks on."""
        self.wait_until_held(document)
        self.answer(**{document: "fails"})
        with self._changed:
            left = self._changed.wait_for(lambda: self._open[document] == 0, WAIT)
        assert left, f"fetches of {self.name}'s {document} do not end"
        self.answer(**{document: "held"})
        self.wait_until_held(document)

    def revoke(self, token):
        """What is asked about it from now on is answered with `active: false`."""
        self.endpoints.known[token].end()

    def asked(self, what, token):
        """How often this was asked about this token, as far as the questions could be understood."""
        return len(self.endpoints.asked(what, token))

    # What the server does

    def document(self, document):
        if document == "jwks":
            with self._changed:
                return {"keys": [key.jwk() for key in self._published]}
        members = {
            "issuer": self.iss,
            "authorization_endpoint": f"{self.base_url}/authorize",
            "token_endpoint": f"{self.base_url}/{TOKEN_PATH}",
            "introspection_endpoint": f"{self.base_url}/{TOKEN_PATH}/introspect",
            "jwks_uri": f"{self.base_url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self._discovery,
        }
        return {member: value for member, value in members.items() if value is not None}

    def serve(self, document, handler):
        self._serve(document, handler, lambda: Answer(200, self.document(document)))

    def serve_post(self, path, handler, body):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        question, answer = self.endpoints.read(path, headers, body)
        self._serve(question, handler, answer)

    def _serve(self, name, handler, answer):
        with self._changed:
            self._fetches[name] += 1
            self._open[name] += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._behaviour[name][0] != "held")
            self._open[name] -= 1
            self._changed.notify_all()
            behaviours = self._behaviour[name]
            behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        BEHAVIOURS[behaviour](handler, answer())


# Behaviours: how a document is answered, and a question


def normal(handler, answer):
    handler.reply(answer.status, answer.body, content_type=answer.content_type)


def fails(handler, answer):
    handler.reply(500, b'{"error":"server_error"}')


def unavailable(handler, answer):
    """As a proxy in front of the issuer answers."""
    handler.reply(503, b"<html>no healthy upstream</html>", content_type="text/html")


def too_many(handler, answer):
    handler.reply(429, b'{"error":"too_many_requests"}')


def unauthorized(handler, answer):
    """As for a client that the issuer does not know (any more)."""
    handler.reply(401, b'{"error":"invalid_client"}')


def redirects(handler, answer):
    handler.reply(302, b"", location="http://192.0.2.1/elsewhere")


def garbage(handler, answer):
    handler.reply(200, b'{"keys": [{"kty": "RSA", "n": <html>')


def not_a_set(handler, answer):
    handler.reply(200, b'["keys"]')


def empty(handler, answer):
    handler.reply(200, b"")


def partial(handler, answer):
    """What would be good news with another status (RFC 9110, 15.3.7)."""
    handler.reply(206, answer.body)


def no_decision(handler, answer):
    """An RPT, as where nobody asked for a decision: it is no permission for this request."""
    handler.reply(200, b'{"upgraded":false,"access_token":"a.b.c","token_type":"Bearer"}')


def result_text(handler, answer):
    handler.reply(200, b'{"result":"true"}')


def result_false(handler, answer):
    handler.reply(200, b'{"result":false}')


def cut(handler, answer):
    """The connection ends in the middle of a body that would be good JSON up to there."""
    handler.reply(answer.status, answer.body, length=len(answer.body) + 1000)
    handler.close_connection = True


def oversized(handler, answer):
    """Good JSON, but megabytes of it."""
    handler.reply(200, padded(answer, 8 << 20))


def too_large(handler, answer):
    """Good JSON, and more than 64 KiB of it."""
    handler.reply(200, padded(answer, 64 << 10))


def nested(handler, answer):
    """Good JSON, but deep enough to overrun the stack of a parser that recurses."""
    deep = "[" * 100_000 + "]" * 100_000
    body = json.dumps({**members(answer), "nested": 0}).replace('"nested": 0', f'"nested": {deep}')
    handler.reply(200, body.encode())


def members(answer):
    return json.loads(answer.body) if isinstance(answer.document, str) else answer.document


def padded(answer, octets):
    return json.dumps({**members(answer), "padding": "x" * octets}).encode()


def held(handler, answer):
    raise AssertionError("a held answer is not sent")


BEHAVIOURS = {
    behaviour.__name__: behaviour
    for behaviour in (
        normal, fails, unavailable, too_many, unauthorized, redirects, garbage, not_a_set, empty, partial,
        no_decision, result_text, result_false, cut, oversized, too_large, nested, held,
    )
}  # fmt: skip


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

    def asked(self, what, token):
        """How often any of the issuers was asked this about this token."""
        return sum(issuer.asked(what, token) for issuer in self)

    def questions(self, what, token):
        """What they were asked: see stub_endpoints.Asked."""
        return [each for issuer in self for each in issuer.endpoints.asked(what, token)]

    def issued(self, token):
        """The JWTs that answers about this token had."""
        known = (issuer.endpoints.known.get(token) for issuer in self)
        return [text for each in known if each is not None for text in each.issued]

    def ticket(self, text):
        """The permissions that a ticket of any of them is for; None if it is nobody's."""
        found = (issuer.endpoints.ticket(text) for issuer in self)
        return next((ticket for ticket in found if ticket is not None), None)

    def start(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        for issuer in self:
            issuer.answer(**dict.fromkeys(SERVED, "fails"))
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
        issuer, path = self._issuer()
        if issuer is None or path not in self.PATHS:
            self.reply(404, b'{"error":"not_found"}')
            return
        # The gateway may have given up on an answer that was held.
        with contextlib.suppress(OSError):
            issuer.serve(self.PATHS[path], self)

    def do_POST(self):
        body = self._body()
        issuer, path = self._issuer()
        if issuer is None or path not in POSTS:
            self.reply(404, b'{"error":"not_found"}')
            return
        with contextlib.suppress(OSError):
            issuer.serve_post(POSTS[path], self, body)

    def _issuer(self):
        _, _, rest = self.path.partition("/iss/")
        name, _, path = rest.partition("/")
        return self.server.issuers.get(name), path

    def _body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def reply(self, status, body, length=None, content_type="application/json", **headers):
        self.send_response(status)
        self.send_header("content-type", content_type)
        # Keycloak's own; not to be obeyed literally.
        self.send_header("cache-control", "no-cache")
        self.send_header("content-length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass
