"""The gateway's JWT over time and among many: what a case of the table cannot say of it."""

import concurrent.futures
import secrets
import socket
import time
import urllib.parse
import uuid

import pytest

from tests.e2e import client, settings, upstream_jwt
from tests.e2e.configurations import configurations
from tests.e2e.stub_issuer import eventually
from tests.e2e.upstream_jwt import SECONDS, Sent

CONFIGURATIONS = configurations()
MANY = 2000
THREADS = 4

pieces = pytest.mark.skipif(settings.IS_KONG, reason="nginx waits for a body by itself")


class Calls:
    """Calls a configuration's route by one connection, which has one of the gateway's workers."""

    def __init__(self, address, configuration):
        self.configuration = configuration
        self._address = address
        self._connection = client.Connection(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def response(self, token=None, path="orders", method="GET", body=None, headers=()):
        credentials = [("authorization", f"Bearer {token}")] if token else []
        return self._connection.send(method, f"/{self.configuration}/{path}", [*credentials, *headers], body)

    def jwt(self, token=None, path="orders", method="GET", body=None):
        """The JWT that went up, verified."""
        response = self.response(token, path, method, body)
        assert response.status == 200, response
        return Sent(self._address, self.configuration, CONFIGURATIONS[self.configuration], path, response.json, token)


@pytest.fixture
def calls(gateway, upstream):
    return lambda configuration: Calls(gateway.address, configuration)


# Each has a name of its own


def test_every_jti_is_another(calls, mint):
    token = mint()

    def some(_):
        with calls("upstream-jwt-per-request") as each:
            return [each.jwt(token).claims["jti"] for _ in range(MANY // THREADS)]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        names = [name for part in pool.map(some, range(THREADS)) for name in part]
    assert len(set(names)) == MANY
    # Nobody guesses the next from the last: none begins as another does.
    assert len({name[: len(name) // 2] for name in names}) == MANY


# It is used again, by its caller alone


def test_the_same_for_the_same_caller(calls, mint):
    callers = [mint() for _ in range(8)]
    with calls("upstream-jwt-access") as each:
        texts = {token: set() for token in callers}
        for _ in range(20):
            for token in callers:
                sent = each.jwt(token)
                assert sent.claims["sub"] == sent.caller["sub"]
                texts[token].add(sent.text)
    # That half of its life passes meanwhile makes two of one.
    assert all(len(each) <= 2 for each in texts.values())
    assert len(set().union(*texts.values())) == sum(map(len, texts.values()))


def test_another_token_of_the_same_caller_has_another(calls, mint):
    with calls("upstream-jwt-access") as each:
        for name in ("alice", "alice again", "alice"):
            assert each.jwt(mint(claims={"sub": "4711", "preferred_username": name})).claims["name"] == name


def test_another_policy_has_another(calls, mint):
    token = mint()
    with calls("upstream-jwt-audience") as each:
        for _ in range(2):
            assert each.jwt(token, "text/orders").claims["aud"] == "orders"
            assert each.jwt(token, "list/orders").claims["aud"] == ["orders", "invoices"]
            assert "aud" not in each.jwt(token, "none/orders").claims


def test_another_configuration_has_another(calls, mint):
    token = mint()
    with calls("upstream-jwt-es256") as one, calls("upstream-jwt-rs256") as other:
        assert one.jwt(token).header["alg"] == "ES256"
        assert other.jwt(token).header["alg"] == "RS256"


def test_nobody_has_not_somebodys(calls, mint):
    token = mint()
    with calls("upstream-jwt-access") as each:
        for _ in range(3):
            assert "anonymous" not in each.jwt(token, "optional/orders").claims
            assert each.jwt(None, "optional/orders").claims["anonymous"] is True


def test_what_depends_on_the_request_is_not_used_again(calls, mint):
    token = mint()
    with calls("upstream-jwt-claims") as each:
        for method in ("GET", "PUT", "GET"):
            assert each.jwt(token, f"orders/{method}", method).claims["call"]["method"] == method
    with calls("upstream-jwt-query-hash") as each:
        for query in ("?a=1", "?a=2", ""):
            each.jwt(token, f"orders{query}")  # verified: of this query


@pytest.mark.parametrize("path", ["orders", "public/orders"])
def test_not_beyond_half_of_its_life(calls, mint, path):
    token = None if path.startswith("public") else mint()
    lifetime = CONFIGURATIONS["upstream-jwt-short"]["config"]["upstream_jwt"]["exp"]
    texts = []

    with calls("upstream-jwt-short") as each:

        def used_up():
            before = time.time()
            sent = each.jwt(token, path)
            # Times in a JWT are whole seconds.
            assert before - sent.claims["iat"] < lifetime / 2 + 1
            if sent.text not in texts:
                texts.append(sent.text)
            return len(texts) > 2

        eventually(used_up)


# Bodies


class Upload:
    """A request whose body comes as the test sends it."""

    def __init__(self, gateway, upstream, configuration, token, length):
        self.tag = uuid.uuid4().hex
        self._upstream = upstream
        url = urllib.parse.urlsplit(gateway.address)
        self._socket = socket.create_connection((url.hostname, url.port), client.TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(
            f"POST /{configuration}/orders HTTP/1.1\r\nhost: {url.netloc}\r\nauthorization: Bearer {token}\r\n"
            f"x-request-tag: {self.tag}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n".encode()
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, octets):
        self._socket.sendall(octets)

    def went_up(self):
        return self._upstream.tagged(self.tag) == 1

    def status(self, within=client.TIMEOUT):
        """Of the answer, when it comes; TimeoutError after so many seconds."""
        self._socket.settimeout(within)
        answer = b""
        while b"\r\n" not in answer and (part := self._socket.recv(4096)):
            answer += part
        return int(answer.split(b" ")[1]) if answer else None


def test_nothing_goes_up_before_the_last_octet(gateway, upstream, calls, mint):
    token = mint()
    name = "upstream-jwt-body-hash"
    with Upload(gateway, upstream, name, token, 8) as upload, calls("upstream-jwt-es256") as other:
        for octet in b"abcdefg":
            upload.send(bytes([octet]))
            # The gateway goes on working, and had the time to go wrong.
            other.jwt(token)
            assert not upload.went_up()
        upload.send(b"h")
        assert upload.status() == 200
        assert upload.went_up()


def test_nothing_goes_up_when_the_client_goes(gateway, upstream, calls, mint):
    token = mint()
    with Upload(gateway, upstream, "upstream-jwt-body-hash", token, 8) as upload:
        upload.send(b"abcd")
    with calls("upstream-jwt-body-hash") as other:
        for _ in range(20):
            other.jwt(token, method="POST", body=client.BODIES["small"])
    assert not upload.went_up()


def test_many_bodies_at_once(calls, mint):
    def some(_):
        token = mint()
        with calls("upstream-jwt-body-hash") as each:
            for size in (1, 0, 4096, 100):
                octets = secrets.token_bytes(size)
                sent = each.jwt(token, method="POST", body=client.Body(octets, chunks=size % 3))
                assert sent.claims["payloadhash"] == client.Body(octets).sha256
                assert sent.claims["sub"] == sent.caller["sub"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, range(16)))


def answered_after(gateway, upstream, configuration, token, trickle=False):
    """The status of a request whose body never ends, and the seconds that it took."""
    started = time.monotonic()
    with Upload(gateway, upstream, configuration, token, 1000) as upload:
        upload.send(b"a")
        status = None
        while status is None:
            try:
                status = upload.status(within=0.2 if trickle else client.TIMEOUT)
            except TimeoutError:
                assert trickle and time.monotonic() - started < client.TIMEOUT, "no answer"
                upload.send(b"a")
        assert not upload.went_up()
    return status, time.monotonic() - started


@pieces
@pytest.mark.parametrize("trickle", [False, True], ids=["nothing more", "an octet now and then"])
def test_a_body_that_never_ends_is_answered(gateway, upstream, mint, trickle):
    timeout = CONFIGURATIONS["upstream-jwt-body-timeout"]["config"]["upstream_jwt"]["body_timeout"]
    status, seconds = answered_after(gateway, upstream, "upstream-jwt-body-timeout", mint(), trickle)
    assert status == 408
    assert timeout <= seconds + 0.1 and seconds < timeout + 2 * SECONDS


@pieces
def test_a_body_that_is_not_shown_is_answered_and_explained(gateway, upstream, calls, mint):
    token = mint()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        name = "upstream-jwt-body-not-shown"
        waiting = [pool.submit(answered_after, gateway, upstream, name, token) for _ in range(4)]
        with calls(name) as other:
            while not all(each.done() for each in waiting):
                other.jwt(token)  # nobody else waits
        for each in waiting:
            status, seconds = each.result()
            assert status == 500
            assert seconds < 5 + 2 * SECONDS
    if gateway.envoy:
        log = gateway.envoy.log.read_text(errors="replace").splitlines()
        assert any("allow_on_headers_stop_iteration" in line for line in log if "/wasm_vm.cc:" not in line)


def test_jwts_have_been_kept_for_the_search_of_the_log(calls, mint):
    with calls("upstream-jwt-es256") as each:
        assert each.jwt(mint()).text in upstream_jwt.SEEN
