"""Tokens that the real Keycloak is asked about (RFC 7662): what it says counts, and at once."""

import json
import re
import time

import pytest
from joserfc import jwk, jwt

from tests.e2e import client, settings
from tests.e2e.placeholders import private_jwk
from tests.e2e.stub_issuer import eventually
from tests.e2e.tokens import MINTED

NEEDED = "/keycloak-introspection"
ALWAYS = "/keycloak-introspection-always"
AFTER_LOCAL = "/keycloak-introspection-after-local"
EACH_TIME = pytest.mark.parametrize("route", [ALWAYS, AFTER_LOCAL])
CACHED_SECONDS = 5  # as configurations.yaml has it

# How Keycloak takes its client `gateway` for itself: the client's settings and attributes.
BY_SECRET_JWT = {"clientAuthenticatorType": "client-secret-jwt"}
BY_PRIVATE_KEY_JWT = {"clientAuthenticatorType": "client-jwt"}


def public_key_set(name, **members):
    """The JWK set that a client shows Keycloak of a key of keys/."""
    public = jwk.import_key(private_jwk(name)).as_dict(private=False)
    return json.dumps({"keys": [{**public, **members}]})


# Tokens that cannot be judged here


def test_roles_and_audience_of_a_lightweight_token_come_from_keycloak(gateway, realm):
    token = realm.token("lightweight-app")
    assert gateway.get(f"{NEEDED}/editors/orders", token).status == 200
    # Elsewhere it has no audience, as is seen of what it says itself.
    gateway.check_refused(gateway.get("/keycloak-orders/orders", token), "audience_not_allowed")


def test_a_user_with_a_lightweight_token(gateway, realm):
    token = realm.alice("lightweight-app")["access_token"]
    assert gateway.get(f"{NEEDED}/orders", token).status == 200
    gateway.check_refused(gateway.get(f"{NEEDED}/editors/orders", token), "missing_role")


def test_a_lightweight_token_that_was_revoked(gateway, realm):
    token = realm.token("lightweight-app")
    realm.revoke(token, "lightweight-app")
    gateway.check_refused(gateway.get(f"{NEEDED}/orders", token), "token_inactive")


def test_a_shared_secret_that_only_keycloak_has(gateway, realm):
    token = realm.token("hs256-app")
    assert gateway.get(f"{NEEDED}/orders", token).status == 200
    gateway.check_refused(gateway.get(f"{NEEDED}/editors/orders", token), "missing_realm_role")
    assert gateway.get(f"{ALWAYS}/orders", token).status == 200
    # It has to be verified here first, and nobody here can.
    assert gateway.get(f"{AFTER_LOCAL}/orders", token).status == 401


def test_what_can_be_judged_here_is_not_asked_for(gateway, realm):
    tokens = realm.alice()
    realm.log_out(tokens)
    assert gateway.get(f"{NEEDED}/orders", tokens["access_token"]).status == 200


@pytest.mark.parametrize("route", [NEEDED, ALWAYS])
@pytest.mark.parametrize("token", ["garbage", "e30.e30.e30"])
def test_what_is_no_token(gateway, keycloak, route, token):
    assert gateway.get(f"{route}/orders", token).status == 401


# Tokens that are good no longer


@EACH_TIME
def test_good_tokens_pass(gateway, realm, route):
    token = realm.token()
    for _ in range(3):
        assert gateway.get(f"{route}/editors/orders", token).status == 200
    assert gateway.get(f"{route}/orders", realm.alice()["access_token"]).status == 200


@EACH_TIME
def test_a_revoked_token(gateway, realm, route):
    token = realm.token()
    assert gateway.get(f"{route}/orders", token).status == 200
    realm.revoke(token)
    gateway.check_refused(gateway.get(f"{route}/orders", token), "token_inactive")


@EACH_TIME
def test_a_user_who_has_logged_out(gateway, realm, route):
    tokens = realm.alice()
    assert gateway.get(f"{route}/orders", tokens["access_token"]).status == 200
    realm.log_out(tokens)
    gateway.check_refused(gateway.get(f"{route}/orders", tokens["access_token"]), "token_inactive")


@EACH_TIME
def test_a_session_that_was_ended(gateway, realm, route):
    tokens, other = realm.alice(), realm.alice()
    assert gateway.get(f"{route}/orders", tokens["access_token"]).status == 200
    realm.end_session(tokens)
    gateway.check_refused(gateway.get(f"{route}/orders", tokens["access_token"]), "token_inactive")
    assert gateway.get(f"{route}/orders", other["access_token"]).status == 200


@EACH_TIME
def test_a_client_that_was_disabled(gateway, realm, route):
    token = realm.token("es256-app")
    assert gateway.get(f"{route}/orders", token).status == 200
    with realm.changed_client("es256-app", enabled=False):
        gateway.check_refused(gateway.get(f"{route}/orders", token), "token_inactive")


@EACH_TIME
def test_a_user_who_was_disabled(gateway, realm, route):
    token = realm.alice()["access_token"]
    assert gateway.get(f"{route}/orders", token).status == 200
    with realm.changed_user("alice", enabled=False):
        gateway.check_refused(gateway.get(f"{route}/orders", token), "token_inactive")


@EACH_TIME
def test_a_role_that_was_taken_away(gateway, realm, route):
    token = realm.token()
    assert gateway.get(f"{route}/editors/orders", token).status == 200
    with realm.without_realm_role("service-account-orders-app", "reader"):
        gateway.check_refused(gateway.get(f"{route}/editors/orders", token), "missing_realm_role")


@EACH_TIME
@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_only_access_tokens_pass(gateway, realm, route, kind):
    assert gateway.get(f"{route}/orders", realm.alice()[kind]).status == 401


@EACH_TIME
def test_a_token_for_another_audience(gateway, realm, route):
    assert gateway.get(f"{route}/orders", realm.token("billing-app")).status == 401
    assert gateway.get(f"{route}/orders", realm.token("no-audience-app")).status == 401


# What is remembered


def test_an_answer_counts_for_so_long_and_no_longer(gateway, realm):
    token = realm.token()
    headers = [("authorization", f"Bearer {token}")]
    # One connection, which has one of the gateway's workers.
    with client.Connection(gateway.address) as connection:

        def status():
            return connection.send("GET", "/keycloak-introspection-cached/orders", headers).status

        assert status() == 200
        asked = time.monotonic()
        realm.revoke(token)
        remembered = status()
        took = time.monotonic() - asked
        assert remembered == 200 or took > CACHED_SECONDS
        eventually(lambda: status() == 401)
        assert time.monotonic() - asked < CACHED_SECONDS + 3


@pytest.mark.skipif(settings.IS_KONG, reason="each policy is a configuration of its own there")
def test_nothing_is_remembered_of_a_session_that_has_ended(gateway, realm):
    tokens = realm.alice()
    first = tokens["access_token"]
    # Of the same session.
    second = realm.refreshed(tokens)["access_token"]
    with client.Connection(gateway.address) as connection:

        def status(token, policy="long"):
            headers = [("authorization", f"Bearer {token}")]
            return connection.send("GET", f"/keycloak-introspection-cached/{policy}/orders", headers).status

        assert status(first) == status(second) == 200
        realm.end_session(tokens)
        assert status(first) == status(second) == 200
        # Here Keycloak is asked, and what is known of the other one goes with what it says.
        assert status(second, "never") == 401
        assert status(first) == status(second) == 401


# A JWT in the answer


def sent_up(answer):
    """The token that the upstream got."""
    assert answer.status == 200, answer
    (header,) = [value for name, value in answer.json["headers"] if name == "authorization"]
    scheme, _, token = header.partition(" ")
    assert scheme == "Bearer"
    MINTED.append(token)
    return token


def test_the_upstream_gets_the_jwt_for_a_lightweight_token(gateway, keycloak, realm):
    token = realm.token("lightweight-app")
    sent = sent_up(gateway.get("/keycloak-introspection-jwt/orders", token))
    assert sent != token
    verified = jwt.decode(sent, jwk.KeySet.import_key_set({"keys": keycloak.keys("demo")}), algorithms=["RS256"])
    claims = verified.claims
    assert claims["iss"] == keycloak.issuer("demo") and claims["azp"] == "lightweight-app"
    assert {"orders-api", "gateway"} <= set(claims["aud"])
    assert claims["realm_access"]["roles"] == ["reader"]
    assert claims["resource_access"]["orders-api"]["roles"] == ["editor"]


def test_the_upstream_gets_any_other_token_itself(gateway, realm):
    token = realm.token()
    assert sent_up(gateway.get("/keycloak-introspection-jwt/orders", token)) == token


def test_a_jwt_counts_for_nothing_beside_inactive(gateway, realm):
    # Keycloak adds one all the same, and a good one, when a token is good for others.
    for name in ("no-audience-app", "billing-app"):
        answer = gateway.get("/keycloak-introspection-jwt/always/orders", realm.token(name))
        gateway.check_refused(answer, "token_inactive")


# Who asks


def test_client_secret_post(gateway, realm):
    path = "/keycloak-client-secret-post/orders"
    assert gateway.get(path, realm.token()).status == 200
    token = realm.token()
    realm.revoke(token)
    gateway.check_refused(gateway.get(path, token), "token_inactive")


@pytest.mark.parametrize(
    ("configuration", "settings_of_client", "attributes"),
    [
        ("introspection-client-secret-jwt", BY_SECRET_JWT, {}),
        (
            "introspection-keycloak-private-key",
            BY_PRIVATE_KEY_JWT,
            {
                "token.endpoint.auth.signing.alg": "ES256",
                "use.jwks.string": "true",
                "jwks.string": public_key_set("signing-p256", kid="gateway-2026", use="sig", alg="ES256"),
            },
        ),
    ],
    ids=["client_secret_jwt", "private_key_jwt"],
)
def test_client_that_signs(gateway, realm, configuration, settings_of_client, attributes):
    path = f"/{configuration}/orders"
    with realm.changed_client("gateway", attributes, **settings_of_client):
        # The gateway may still be looking for the issuer.
        eventually(lambda: gateway.get(path, realm.token()).status == 200)
        # An assertion is good for one call.
        for _ in range(3):
            assert gateway.get(path, realm.token()).status == 200
        token = realm.token()
        realm.revoke(token)
        gateway.check_refused(gateway.get(path, token), "token_inactive")


def test_with_a_wrong_secret_nothing_passes(gateway, realm):
    token = realm.token()
    answer = gateway.get("/introspection-wrong-secret/orders", token)
    gateway.check_refused(answer, "introspection_unavailable")
    assert int(answer.header("retry-after")) > 0
    assert answer.header("www-authenticate") is None


# What the log says


@pytest.fixture
def log(envoy):
    """What has been logged since the test began, and before."""

    def lines(pattern):
        with open(envoy.log, encoding="utf-8", errors="replace") as file:
            return [line for line in file if "wasm log" in line and re.search(pattern, line)]

    return lines


def test_the_log_says_that_keycloak_goes_by_the_audience(gateway, realm, log):
    assert gateway.get(f"{ALWAYS}/orders", realm.token("no-audience-app")).status == 401
    eventually(lambda: log(r"\[warning\].*audience.*gateway|\[warning\].*gateway.*audience"))


def test_the_log_says_that_the_secret_is_wrong(gateway, realm, log):
    assert gateway.get("/introspection-wrong-secret/orders", realm.token()).status == 503
    eventually(lambda: log(r"\[(warning|error)\].*introspection.*invalid_client"))


def test_no_secret_is_in_the_log(realm, log):
    # The client's, as it stands in the configuration, and as Basic has it.
    assert not log("demo-only-secret-of-the-gateway|Z2F0ZXdheTpkZW1vLW9ubHk|this is not its secret")


@pytest.mark.skipif(settings.IS_KONG, reason="the upstream that is counted is Envoy's")
def test_nothing_goes_up_before_keycloak_has_answered(gateway, upstream, realm):
    token = realm.token()
    realm.revoke(token)
    for method in ("GET", "POST"):
        path = f"{ALWAYS}/refused-{method}"
        assert gateway.send(method, path, token).status == 401
        assert upstream.requests(path) == 0
