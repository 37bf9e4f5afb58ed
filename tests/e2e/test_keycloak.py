"""Tokens as the real Keycloak makes them, of both realms that keycloak/ holds."""

import time

import pytest

from tests.e2e.tokens import MINTED
from tests.stack.keycloak import SIGNED_JWT_KEY

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.fixture(scope="module")
def token(keycloak):
    """An access token by client credentials; the clients' secrets are named after them."""

    def issued(client_id="orders-app", scope=None, realm="demo"):
        token = keycloak.token(realm, client_id, f"{client_id}-secret", scope)
        MINTED.append(token)
        return token

    return issued


@pytest.fixture(scope="module")
def user_tokens(keycloak):
    answer = keycloak.user_tokens("demo", "orders-web", "alice", "alice-password", scope="openid")
    MINTED.extend(answer[name] for name in ("access_token", "id_token", "refresh_token"))
    return answer


@pytest.fixture(scope="module")
def by_algorithm(keycloak, token):
    """A token of each algorithm. Keycloak makes a key when the first one is asked for."""
    (client,) = keycloak.admin("GET", "realms/demo/clients?clientId=orders-app")
    path = f"realms/demo/clients/{client['id']}"

    def sign_with(algorithm):
        attributes = {**client.get("attributes", {}), "access.token.signed.response.alg": algorithm}
        keycloak.admin("PUT", path, {**client, "attributes": attributes})

    def issued(algorithm):
        sign_with(algorithm)
        return token()

    try:
        return {algorithm: issued(algorithm) for algorithm in [*ALGORITHMS, "HS256"]}
    finally:
        sign_with("RS256")


def refusal(answer):
    return answer.status, answer.json["error"]


def test_service_account(gateway, token):
    answer = gateway.get("/keycloak/orders", token())
    assert answer.status == 200


def test_scope_role_and_audience(gateway, token):
    path = "/keycloak-orders/orders"
    assert gateway.get(path, token(scope="Function1/read")).status == 200
    assert refusal(gateway.get(path, token(scope="Function2/write"))) == (403, "insufficient_scope")
    assert refusal(gateway.get(path, token("billing-app", "Function1/read"))) == (401, "invalid_token")
    assert refusal(gateway.get(path, token("no-audience-app", "Function1/read"))) == (401, "invalid_token")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithm(gateway, by_algorithm, algorithm):
    assert gateway.get("/keycloak-all-algorithms/orders", by_algorithm[algorithm]).status == 200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithm_by_default(gateway, by_algorithm, algorithm):
    allowed = algorithm.startswith(("RS", "ES"))
    answer = gateway.get("/keycloak/orders", by_algorithm[algorithm])
    assert answer.status == (200 if allowed else 401)


def test_shared_secret_is_refused(gateway, by_algorithm):
    answer = gateway.get("/keycloak-all-algorithms/orders", by_algorithm["HS256"])
    assert refusal(answer) == (401, "invalid_token")


def test_client_that_signs(gateway, keycloak):
    token = keycloak.signed_jwt_token("demo", "signed-jwt-app", SIGNED_JWT_KEY)
    MINTED.append(token)
    assert gateway.get("/keycloak/orders", token).status == 200


@pytest.mark.parametrize(
    ("kind", "status"), [("access_token", 200), ("id_token", 401), ("refresh_token", 401)]
)
def test_only_access_tokens_pass(gateway, user_tokens, kind, status):
    assert gateway.get("/keycloak/orders", user_tokens[kind]).status == status


def test_lightweight_token_passes_where_nothing_is_asked_of_it(gateway, token):
    lightweight = token("lightweight-app", "Function1/read")
    assert gateway.get("/keycloak/orders", lightweight).status == 200
    assert refusal(gateway.get("/keycloak-orders/orders", lightweight)) == (401, "invalid_token")


def test_second_realm(gateway, token):
    partner = token("partner-app", realm="partner")
    assert gateway.get("/keycloak-two-realms/orders", partner).status == 200
    assert gateway.get("/keycloak-two-realms/orders", token()).status == 200
    assert refusal(gateway.get("/keycloak/orders", partner)) == (401, "invalid_token")


def test_token_expires(gateway, token):
    short = token("short-lived-app")
    assert gateway.get("/keycloak/orders", short).status == 200
    time.sleep(2.1)  # its life
    assert refusal(gateway.get("/keycloak/orders", short)) == (401, "invalid_token")


def test_rotation_needs_no_restart(gateway, keycloak, token):
    old = token()
    assert gateway.get("/keycloak/orders", old).status == 200
    time.sleep(1)  # the cooldown (iss_key_grace_period) after whatever fetch there was
    keycloak.rotate_key("demo")
    new = token()
    assert gateway.get("/keycloak/orders", new).status == 200
    assert gateway.get("/keycloak/orders", old).status == 200
