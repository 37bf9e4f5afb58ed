"""At the level `debug` the log says of each request why it was decided so, and nothing of its token."""

import os
import re

import pytest

from tests.e2e import client, settings
from tests.e2e import gateway as configured
from tests.e2e.placeholders import key_set
from tests.e2e.stub_issuer import eventually
from tests.stack.envoy import Envoy

pytestmark = pytest.mark.skipif(bool(settings.GATEWAY), reason="this is about Envoy's log")

DECISION = re.compile(r"\[debug\]\[wasm\].* wasm log .*\b(allowed|refused|public|anonymous|reported)\b.*")
CLIENT = "shop-frontend"
# Claims that no requirement asks for: who logs one of them logs the token
PRIVATE = {
    "sub": "subject-that-nobody-may-read",
    "jti": "id-that-nobody-may-read",
    "name": "name-that-nobody-may-read",
    "preferred_username": "username-that-nobody-may-read",
    "groups": ["/group-that-nobody-may-read"],
    "scope": "Function1/read scope-that-nobody-may-read",
}


class Explained:
    """An Envoy that logs at `debug`."""

    def __init__(self, envoy, mint):
        self.envoy = envoy
        self._mint = mint

    def token(self, **recipe):
        claims = {**PRIVATE, "azp": CLIENT, **recipe.pop("claims", {})}
        return self._mint(issuer="pem", key="fixed-rsa", claims=claims, **recipe)

    def lines(self, token, status, path="/anything"):
        """What a request adds to the log; its status must be this."""
        start = os.path.getsize(self.envoy.log)
        seen = len(self.envoy.access_log())
        headers = [("authorization", f"Bearer {token}")] if token else []
        assert client.send(self.envoy.url, "GET", path, headers).status == status
        # The access log's line is the request's last.
        eventually(lambda: len(self.envoy.access_log()) > seen)
        with open(self.envoy.log, encoding="utf-8", errors="replace") as log:
            log.seek(start)
            return log.read().splitlines()

    def decision(self, token, status, **request):
        """The one line that explains it."""
        (line,) = [line for line in self.lines(token, status, **request) if DECISION.search(line)]
        return line.partition(" wasm log ")[2]


@pytest.fixture(scope="module")
def explained(upstream, stub, mint):
    config = {
        "issuers": [
            {
                "iss": stub["pem"].iss,
                "name": "explained_shop",
                "jwks": key_set("fixed-rsa"),
            }
        ],
        "log_decisions": "all",
        "scope": ["Function1/read"],
        "realm_roles": ["reader"],
        "require": {"any": [{"client_role": "app:editor"}, {"claim": "level", "equals": 7}]},
        "policies": {"orders": {"access": "public"}, "admin": {"anonymous": "guest"}, "reports": {"report_only": True}},
    }
    config = configured.on_free_ports(configured.with_configuration(configured.text(config)))
    with Envoy(config, name="e2e-explained", log_level="debug") as envoy:
        yield Explained(envoy, mint)


def words(line):
    return set(re.findall(r"[\w-]+", line))


def test_what_was_met(explained):
    line = explained.decision(explained.token(), 200)
    assert {"allowed", "explained_shop", "fixed-rsa", CLIENT} <= words(line)
    for requirement in ("Function1/read", "reader", "app:editor"):
        assert requirement in line
    assert "met" in line


def test_what_was_missing(explained):
    line = explained.decision(explained.token(claims={"scope": "email"}), 403)
    assert {"refused", "missing_scope", "explained_shop", "fixed-rsa", CLIENT} <= words(line)
    assert "Function1/read" in line
    assert "missing" in line.replace("missing_scope", "")
    # What was met is told as well: whoever asks for a role wants to see all that is lacking.
    assert "reader" in line and "app:editor" in line and "met" in line


def test_an_expression_that_was_not_met(explained):
    line = explained.decision(explained.token(claims={"resource_access": None}), 403)
    assert {"refused", "requirement_not_met"} <= words(line)
    assert "app:editor" in line and "level" in line and "missing" in line


def test_a_client_is_told_once_it_is_verified(explained):
    line = explained.decision(explained.token(tamper=[{"flip_signature_bit": 9}]), 401)
    assert {"refused", "invalid_signature", "explained_shop", "fixed-rsa"} <= words(line)
    assert CLIENT not in line


def test_no_token(explained):
    assert {"refused", "missing_token"} <= words(explained.decision(None, 401))


def test_other_outcomes(explained):
    assert "public" in words(explained.decision(None, 200, path="/orders/1"))
    assert "anonymous" in words(explained.decision(None, 200, path="/admin/1"))
    line = explained.decision(explained.token(claims={"exp": 1}), 200, path="/reports/1")
    assert {"reported", "token_expired"} <= words(line)


@pytest.mark.parametrize(
    ("recipe", "status"),
    [({}, 200), ({"claims": {"exp": 1}}, 401), ({"tamper": [{"flip_signature_bit": 9}]}, 401)],
    ids=["good", "expired", "tampered"],
)
def test_nothing_of_the_token(explained, recipe, status):
    token = explained.token(**recipe)
    log = "\n".join(explained.lines(token, status))
    assert "nobody-may-read" not in log
    _, payload, signature = token.split(".")
    for part in (payload, signature):
        assert not any(part[at : at + 16] in log for at in range(0, len(part) - 16, 8))


@pytest.mark.parametrize("name", ["kid", "client"])
def test_a_name_does_not_forge_lines(explained, name):
    forged = "x\r\nforged line\x1b[2K allowed"
    if name == "kid":
        lines = explained.lines(explained.token(kid=forged), 401)
    else:
        lines = explained.lines(explained.token(claims={"azp": forged}), 200)
    assert not any(line.startswith("forged") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_long_name_does_not_fill_the_log(explained):
    lines = explained.lines(explained.token(kid="k" * 4000), 401)
    assert not any("k" * 1000 in line for line in lines)


def test_nothing_at_the_usual_level(explained):
    explained.envoy.admin("/logging?wasm=info", "POST")
    try:
        lines = explained.lines(explained.token(), 200)
    finally:
        explained.envoy.admin("/logging?wasm=debug", "POST")
    assert not any("wasm log" in line for line in lines)
