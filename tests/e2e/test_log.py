"""Nothing of a token, of a private key or of a client's secret is in the gateway's log, which the filter
fills at the level `trace`."""

import base64
import re
import urllib.parse

import pytest

from tests.e2e import leaks, tokens
from tests.e2e.placeholders import client_secrets
from tests.e2e.signing import FIXED, from_base64url

PERSONAL = re.compile(rb'"(?:jti|sub)":"([^"]{16,})"')


@pytest.mark.last
def test_no_token_is_in_the_log(envoy):
    assert tokens.MINTED, "this test comes last, when tokens have been sent"
    with open(envoy.log, encoding="utf-8", errors="replace") as log:
        # Envoy's trace of calls is most of the log: their names and numbers.
        lines = (line for line in log if "/wasm_vm.cc:" not in line)
        found, seen = leaks.found(lines, "\n".join([leaks.of_tokens(), leaks.of_keys(), leaks.of_clients()]))
    assert not found
    assert not (seen & _personal()), "claims that name a token or its subject are in the log"


def _personal():
    values = set()
    for token in tokens.MINTED:
        parts = token.split(".")
        try:
            payload = from_base64url(parts[1])
        except (IndexError, ValueError):
            continue  # a token that was broken on purpose
        for value in PERSONAL.findall(payload):
            # As the log's words are cut: a jti has a prefix and a colon.
            values.add(value.decode("utf-8", "replace").rpartition(":")[2])
    return values


@pytest.mark.parametrize("name", ["p256", "rsa-pkcs1", "p521-sec1"])
def test_a_key_would_be_found(name):
    pem = (FIXED / f"test-only-signing-{name}.pem").read_text()
    for line in (pem, repr(pem), f"configuration: $.upstream_jwt.keys: found {pem.splitlines()[1]}"):
        assert leaks.found([line], leaks.of_keys())[0], line
    jwk = (FIXED / f"test-only-signing-{name.partition('-')[0]}.jwk.json").read_text()
    assert leaks.found([jwk], leaks.of_keys())[0]


@pytest.mark.parametrize("client", ["gateway", "gateway-post", "gateway-secret-jwt"])
def test_a_clients_secret_would_be_found(client):
    secret = client_secrets()[client]
    basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
    for line in (secret, repr(secret), f"configuration: $.client.client_secret: found {secret}", f"Basic {basic}"):
        # In a form it is encoded, and not as Basic has it.
        if line.startswith("Basic") and secret != urllib.parse.quote_plus(secret):
            continue
        assert leaks.found([line], leaks.of_clients())[0], line


def test_what_is_no_jwt_would_be_found(mint, stub):
    token = mint(issuer="asked", opaque=True)
    assert leaks.found([f"token={token}&x=y"], leaks.of_tokens())[0]
