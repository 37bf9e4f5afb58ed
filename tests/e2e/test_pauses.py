"""No way round a pause: while keys are being fetched, nothing of a request reaches the upstream.

In both of Envoy's settings of `allow_on_headers_stop_iteration`: with true, the filter sees body
and trailers while it waits, and one answer of "continue" would let the whole request through.
"""

import concurrent.futures
import socket
import time
import urllib.parse

import pytest

from tests.e2e import client

KINDS = client.WITH_AN_END
TOKENS = {"good": {}, "forged": {"key": "stranger", "kid": "kid:rs256"}}


class Paused:
    """Every kind of request sent while the key set is held, and then released."""

    def __init__(self, configuration, gateway, upstream, stub, mint):
        self.configuration = configuration
        issuer = stub[configuration]
        issuer.hold_anew("jwks")
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(KINDS) * len(TOKENS)) as pool:
            running = {
                (kind, name): pool.submit(
                    client.send,
                    gateway.address,
                    "POST",
                    self.path(kind, name),
                    [("authorization", f"Bearer {mint(issuer=configuration, **recipe)}")],
                    client.BODIES[kind],
                )
                for kind in KINDS
                for name, recipe in TOKENS.items()
            }
            self._abort(gateway, mint(issuer=configuration))
            # There is nothing to wait for: that nothing happens takes a moment to see.
            time.sleep(0.7)
            self.went_up = {sent: upstream.requests(self.path(*sent)) for sent in running}
            self.early = {sent: future.result() for sent, future in running.items() if future.done()}
            without = client.send(gateway.address, "POST", self.path("none", "missing"))
            self.without_token = without.status
            issuer.answer(jwks="normal")
            self.answers = {sent: future.result() for sent, future in running.items()}
        self.later = {sent: upstream.requests(self.path(*sent)) for sent in running}
        self.aborted = upstream.requests(self.path("small", "aborted"))

    def path(self, kind, name):
        return f"/{self.configuration}/{kind.replace(' ', '-')}/{name}"

    def _abort(self, gateway, token):
        """A client that does not wait for its answer."""
        url = urllib.parse.urlsplit(gateway.address)
        with socket.create_connection((url.hostname, url.port)) as connection:
            path = self.path("small", "aborted")
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
                "content-length: 4\r\n\r\nbody".encode()
            )
            time.sleep(0.2)


@pytest.fixture(scope="module", params=["pause", "pause-headers-only"])
def paused(request, gateway, upstream, stub, mint):
    return Paused(request.param, gateway, upstream, stub, mint)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", list(TOKENS))
def test_nothing_goes_up_before_the_decision(paused, kind, token):
    assert paused.went_up[kind, token] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_token_passes_afterwards_with_its_body(paused, kind):
    answer = paused.answers[kind, "good"]
    if _too_large_to_buffer(paused, kind, answer):
        assert paused.later[kind, "good"] == 0
        return
    body = client.BODIES[kind] or client.Body()
    assert answer.status == 200, answer
    assert answer.json["body_length"] == len(body.octets)
    assert answer.json["body_sha256"] == body.sha256
    if body.trailers:
        assert dict(answer.json["trailers"]) == body.trailers
    assert paused.later[kind, "good"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_token_is_refused_afterwards(paused, kind):
    answer = paused.answers[kind, "forged"]
    assert answer.status == 401 or _too_large_to_buffer(paused, kind, answer), answer
    assert paused.later[kind, "forged"] == 0


def test_only_a_body_too_large_is_answered_before_the_decision(paused):
    assert {sent[0] for sent in paused.early} <= {"large", "large chunked"}
    assert {answer.status for answer in paused.early.values()} <= {413}


def test_a_request_without_a_token_does_not_wait(paused):
    assert paused.without_token == 401


def test_a_request_whose_client_has_gone_does_not_go_up(paused):
    assert paused.aborted == 0


def _too_large_to_buffer(paused, kind, answer):
    """Envoy answers a body above its buffer itself, where the filter holds it bit by bit."""
    return paused.configuration == "pause-headers-only" and kind.startswith("large") and answer.status == 413
