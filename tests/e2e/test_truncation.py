"""Every truncation of a good token and every single-bit flip of its signature is refused."""

import itertools

import pytest

from tests.e2e import client
from tests.e2e.signing import base64url, from_base64url


def all_refused(gateway, upstream, path, tokens):
    """Sends each on one connection; none may pass, and the one it came from still does."""
    with client.Connection(gateway.address) as connection:

        def status(token):
            return connection.send("GET", path, [("authorization", f"Bearer {token}")]).status

        passed = [token for token in tokens if status(token) not in (400, 401)]
    assert passed == []
    assert upstream.requests(path) == 0


def test_every_truncation(gateway, upstream, mint):
    token = mint()
    truncated = (token[:length] for length in range(len(token)))
    all_refused(gateway, upstream, "/base/truncated", truncated)
    assert gateway.get("/base/whole", token).status == 200


@pytest.mark.parametrize("key", ["rs256", "es256", "eddsa"])
def test_every_bit_of_the_signature(gateway, upstream, mint, key):
    token = mint(issuer="many", key=key)
    signed, _, signature = token.rpartition(".")
    octets = from_base64url(signature)
    flipped = (
        f"{signed}.{base64url(octets[:at] + bytes([octets[at] ^ (1 << bit)]) + octets[at + 1:])}"
        for at, bit in itertools.product(range(len(octets)), range(8))
    )
    all_refused(gateway, upstream, f"/algorithms/flipped/{key}", flipped)
    assert gateway.get("/algorithms/whole", token).status == 200
