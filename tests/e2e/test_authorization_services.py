"""Decisions of the real Keycloak's authorization services (UMA 2.0), for the resource server orders-api.

By its policies alice may read and delete orders, orders-app may read and write them and read reports,
lightweight-app may read orders and reports.
"""

import json
import re
import time

import pytest

from tests.e2e.signing import from_base64url
from tests.e2e.stub_issuer import eventually

DECISION = "/keycloak-authorization"
RULES = "/keycloak-authorization-rules"
PATH = "/keycloak-authorization-path"
BEARER = "/keycloak-authorization-bearer"
RPT = "/keycloak-authorization-rpt"
UMA = "/keycloak-authorization-uma"
LIGHTWEIGHT = "/keycloak-authorization-lightweight"
CHALLENGE = re.compile(r'UMA ([a-z_]+="[^"\\]*"(?:, [a-z_]+="[^"\\]*")*)')


@pytest.fixture
def alice(realm):
    return realm.alice()["access_token"]


@pytest.fixture
def app(realm):
    return realm.token("orders-app")


# By route


def test_granted_and_denied(gateway, alice, app):
    assert gateway.get(f"{DECISION}/read/1", alice).status == 200
    assert gateway.get(f"{DECISION}/write/1", app).status == 200
    gateway.check_refused(gateway.get(f"{DECISION}/write/1", alice), "permission_denied")
    # And again, from what is remembered of it.
    assert gateway.get(f"{DECISION}/read/1", alice).status == 200
    gateway.check_refused(gateway.get(f"{DECISION}/write/1", alice), "permission_denied")


def test_a_resource_without_a_scope_is_any_of_its_scopes(gateway, realm, alice):
    assert gateway.get(f"{DECISION}/any-scope/1", alice).status == 200
    gateway.check_refused(gateway.get(f"{DECISION}/any-scope/1", realm.token("es256-app")), "permission_denied")


def test_a_scope_without_a_resource_is_any_resource(gateway, alice, app):
    assert gateway.get(f"{DECISION}/any-resource/1", alice).status == 200
    gateway.check_refused(gateway.get(f"{DECISION}/any-resource/1", app), "permission_denied")


def test_all_permissions_are_asked_for(gateway, alice, app):
    # Keycloak itself would grant both of them to whoever has one.
    assert gateway.get(f"{DECISION}/both/1", alice).status == 200
    gateway.check_refused(gateway.get(f"{DECISION}/both/1", app), "permission_denied")


@pytest.mark.parametrize("policy", ["unknown", "unknown-scope"])
def test_what_keycloak_does_not_know_is_denied(gateway, alice, policy):
    gateway.check_refused(gateway.get(f"{DECISION}/{policy}/1", alice), "permission_denied")


def test_a_resource_server_that_keycloak_does_not_know(gateway, alice):
    gateway.check_refused(gateway.get(f"{DECISION}/unknown-server/1", alice), "authorization_unavailable")


def test_no_decision_is_asked_for_without_a_good_token(gateway, realm):
    assert gateway.get(f"{DECISION}/read/1").status == 401
    assert gateway.get(f"{DECISION}/read/1", "garbage").status == 401
    gateway.check_refused(gateway.get(f"{DECISION}/read/1", realm.token("billing-app")), "audience_not_allowed")


def test_nothing_of_a_denied_request_goes_up(gateway, upstream, alice):
    path = f"{DECISION}/write/not-to-be-seen"
    assert gateway.get(path, alice).status == 403
    assert upstream.requests(path) == 0


# Tokens that are good no longer


@pytest.mark.parametrize("path", [f"{DECISION}/uncached/1", f"{BEARER}/1"], ids=["client", "bearer"])
def test_a_revoked_token(gateway, realm, alice, path):
    assert gateway.get(path, alice).status == 200
    realm.revoke(alice, "orders-web")
    gateway.check_refused(gateway.get(path, alice), "token_inactive")


@pytest.mark.parametrize("path", [f"{DECISION}/uncached/1", f"{BEARER}/1"], ids=["client", "bearer"])
def test_a_user_who_has_logged_out(gateway, realm, path):
    tokens = realm.alice()
    assert gateway.get(path, tokens["access_token"]).status == 200
    realm.log_out(tokens)
    gateway.check_refused(gateway.get(path, tokens["access_token"]), "token_inactive")


def test_a_role_that_was_taken_away(gateway, realm, alice):
    # The policy fetches the roles; what the token says of them is old.
    assert gateway.get(f"{DECISION}/uncached/1", alice).status == 200
    with realm.without_realm_role("alice", "reader"):
        gateway.check_refused(gateway.get(f"{DECISION}/uncached/1", alice), "permission_denied")


# With the caller's token alone


def test_without_a_client(gateway, realm, alice, app):
    assert gateway.get(f"{BEARER}/1", alice).status == 200
    assert gateway.get(f"{BEARER}/1", app).status == 200
    gateway.check_refused(gateway.get(f"{BEARER}/1", realm.token("es256-app")), "permission_denied")


# By rule


@pytest.mark.parametrize(
    ("method", "granted"),
    [("GET", ["alice", "app"]), ("POST", ["app"]), ("PUT", ["app"]), ("DELETE", ["alice"])],
)
def test_a_rule_for_each_method(gateway, alice, app, method, granted):
    for name, token in (("alice", alice), ("app", app)):
        answer = gateway.send(method, f"{RULES}/orders/1", token)
        if name in granted:
            assert answer.status == 200
        else:
            gateway.check_refused(answer, "permission_denied")


def test_a_rule_without_authorization(gateway, realm):
    nobody = realm.token("es256-app")
    assert gateway.get(f"{RULES}/free/1", nobody).status == 200
    gateway.check_refused(gateway.get(f"{RULES}/orders/1", nobody), "permission_denied")


# By path and method


@pytest.fixture(scope="module")
def resource_by_path(realm):
    """Keycloak finds the resource `orders` by the path that the gateway's route has."""
    with realm.changed_resource("orders", uris=[f"{PATH}/orders/*"]):
        yield


@pytest.mark.parametrize(
    ("method", "granted"), [("GET", ["alice", "app"]), ("POST", ["app"]), ("DELETE", ["alice"])]
)
def test_resource_by_path_and_scope_by_method(gateway, resource_by_path, alice, app, method, granted):
    for name, token in (("alice", alice), ("app", app)):
        for path in ("orders/1", "orders/1/items?all=true", "orders/a%20b"):
            answer = gateway.send(method, f"{PATH}/{path}", token)
            if name in granted:
                assert answer.status == 200, answer
            else:
                gateway.check_refused(answer, "permission_denied")


def test_head_is_asked_for_as_get(gateway, resource_by_path, realm, alice):
    assert gateway.send("HEAD", f"{PATH}/orders/1", alice).status == 200
    assert gateway.send("HEAD", f"{PATH}/orders/1", realm.token("es256-app")).status == 403


def test_a_method_that_has_no_scope(gateway, resource_by_path, app):
    assert gateway.send("PATCH", f"{PATH}/orders/1", app).status == 403


def test_a_path_that_keycloak_does_not_know(gateway, resource_by_path, alice):
    gateway.check_refused(gateway.get(f"{PATH}/nothing/1", alice), "permission_denied")


@pytest.mark.parametrize(
    "path",
    ["/secret", "/secret/", "/%73ecret", "/secre%74/", "//secret", "/x/../secret", "/./secret", "/x%2f..%2fsecret"],
)
def test_no_way_round_a_resource(gateway, realm, resource_by_path, alice, path):
    # Keycloak compares octets: what is written otherwise is to it another of the `orders`.
    with realm.new_resource("secret", f"{PATH}/orders/secret"):
        assert gateway.get(f"{PATH}/orders{path}", alice).status in (400, 403)


def test_a_path_with_parameters(gateway, resource_by_path, alice):
    gateway.check_refused(gateway.get(f"{PATH}/orders/1;a=b", alice), "ambiguous_path")


# What the request says of itself


@pytest.mark.parametrize(
    ("query", "granted"),
    [
        ("?amount=50", True),
        ("?amount=5000", False),
        ("", False),
        ("?amount=", False),
        ("?amount=%35%30", True),
        ("?x=1&amount=999", True),
    ],
)
def test_pushed_claims(gateway, alice, query, granted):
    answer = gateway.send("POST", f"{DECISION}/payments/1{query}", alice)
    if granted:
        assert answer.status == 200
    else:
        gateway.check_refused(answer, "permission_denied")


@pytest.mark.parametrize("query", ["amount=50&amount=5000", "amount=50&Amount=5000", "Amount=50", "amount=50;amount=5000"])
def test_a_claim_that_is_there_twice(gateway, alice, query):
    # Keycloak's policy would look at the first, and who knows at which the upstream does.
    answer = gateway.send("POST", f"{DECISION}/payments/1?{query}", alice)
    gateway.check_refused(answer, "ambiguous_parameter")


def test_pushed_claims_belong_to_their_request(gateway, alice):
    path = f"{DECISION}/payments/1"
    for _ in range(3):
        assert gateway.send("POST", f"{path}?amount=50", alice).status == 200
        gateway.check_refused(gateway.send("POST", f"{path}?amount=5000", alice), "permission_denied")


# What the token itself says


@pytest.fixture
def rpt(realm, alice):
    """What alice may do with orders: read and delete them."""
    return realm.rpt(alice, audience="orders-api", permission="orders")


def test_the_permissions_of_an_rpt(gateway, rpt, alice):
    assert gateway.get(f"{RPT}/rpt/1", rpt).status == 200
    gateway.check_refused(gateway.get(f"{RPT}/rpt/1", alice), "missing_permission")


def test_an_rpt_counts_without_keycloak(gateway, realm, rpt):
    realm.revoke(rpt, "orders-web")
    assert gateway.get(f"{RPT}/rpt/1", rpt).status == 200
    assert gateway.get(f"{RPT}/or-remote/1", rpt).status == 200


def test_what_an_rpt_lacks_is_asked_for(gateway, realm, alice, app):
    assert gateway.get(f"{RPT}/or-remote/1", alice).status == 200
    gateway.check_refused(gateway.get(f"{RPT}/or-remote/1", realm.token("es256-app")), "permission_denied")
    read_only = realm.rpt(alice, audience="orders-api", permission="orders#read")
    assert gateway.get(f"{RPT}/both/1", read_only).status == 200
    read_only = realm.rpt(app, audience="orders-api", permission="orders#read")
    gateway.check_refused(gateway.get(f"{RPT}/both/1", read_only), "permission_denied")


def test_a_permission_in_an_expression(gateway, realm, alice, rpt):
    assert gateway.get(f"{RPT}/leaf/1", rpt).status == 200
    assert gateway.get(f"{RPT}/leaf-of-two/1", rpt).status == 200
    read_only = realm.rpt(alice, audience="orders-api", permission="orders#read")
    assert gateway.get(f"{RPT}/leaf/1", read_only).status == 200
    assert gateway.get(f"{RPT}/leaf-of-two/1", read_only).status == 403
    assert gateway.get(f"{RPT}/leaf/1", alice).status == 403


# UMA's challenge


def challenge(answer):
    """The parameters of WWW-Authenticate (UMA 2.0 Grant, 3.2.1)."""
    assert answer.status == 401, answer
    match = CHALLENGE.fullmatch(answer.header("www-authenticate") or "")
    assert match, answer
    parameters = dict(re.findall(r'([a-z_]+)="([^"]*)"', match[1]))
    assert set(parameters) == {"realm", "as_uri", "ticket"}
    return parameters


def test_from_the_challenge_to_an_admitted_request(gateway, keycloak, realm, alice):
    asked = challenge(gateway.get(f"{UMA}/rpt/1"))
    assert asked["as_uri"] == keycloak.issuer("demo")
    # The client goes there with its own token and the ticket.
    app = realm.token("orders-app")
    gateway_says = gateway.get(f"{UMA}/rpt/1", app)
    rpt = realm.rpt(app, ticket=challenge(gateway_says)["ticket"])
    assert gateway.get(f"{UMA}/rpt/1", rpt).status == 200
    # alice may read orders, and no reports.
    half = realm.rpt(alice, ticket=asked["ticket"])
    challenge(gateway.get(f"{UMA}/rpt/1", half))


def test_a_ticket_is_for_what_was_asked(gateway, alice):
    ticket = challenge(gateway.get(f"{UMA}/write/1", alice))["ticket"]
    (permission,) = permissions_of(ticket)
    assert permission["scopes"] == ["write"]
    assert len(permissions_of(challenge(gateway.get(f"{UMA}/rpt/1"))["ticket"])) == 2


def permissions_of(ticket):
    """What Keycloak has written into it; a client takes it for a text."""
    return json.loads(from_base64url(ticket.split(".")[1]))["permissions"]


def test_who_may_is_not_challenged(gateway, alice, app):
    assert gateway.get(f"{UMA}/read/1", alice).status == 200
    assert gateway.get(f"{UMA}/write/1", app).status == 200


def test_each_challenge_has_a_ticket(gateway, keycloak):
    tickets = {challenge(gateway.get(f"{UMA}/read/1"))["ticket"] for _ in range(3)}
    assert len(tickets) == 3


def test_a_challenge_for_a_token_that_is_good_no_longer(gateway, realm, alice):
    assert gateway.get(f"{UMA}/uncached/1", alice).status == 200
    realm.revoke(alice, "orders-web")
    challenge(gateway.get(f"{UMA}/uncached/1", alice))
    short = realm.token("short-lived-app")
    expires = json.loads(from_base64url(short.split(".")[1]))["exp"]
    eventually(lambda: time.time() > expires)
    challenge(gateway.get(f"{UMA}/read/1", short))


def test_no_ticket_for_a_token_that_is_none(gateway):
    # It is no credential that could be bettered: the usual answer.
    answer = gateway.get(f"{UMA}/read/1", "garbage")
    assert answer.status == 401
    assert (answer.header("www-authenticate") or "").startswith("Bearer ")


def test_where_no_ticket_can_be_had(gateway, realm):
    with realm.changed_client("orders-api", enabled=False):
        answer = gateway.get(f"{UMA}/read/1")
        assert answer.status == 403
        assert answer.header("warning") == '199 - "UMA Authorization Server Unreachable"'
        assert "UMA" not in (answer.header("www-authenticate") or "")
    # It is tried again, before long.
    eventually(lambda: gateway.get(f"{UMA}/read/1").status == 401)


# Lightweight tokens


def test_a_lightweight_token(gateway, realm):
    token = realm.token("lightweight-app")
    assert gateway.get(f"{LIGHTWEIGHT}/read/1", token).status == 200
    gateway.check_refused(gateway.get(f"{LIGHTWEIGHT}/write/1", token), "permission_denied")
    alice = realm.alice("lightweight-app")["access_token"]
    assert gateway.get(f"{LIGHTWEIGHT}/read/1", alice).status == 200


def test_a_lightweight_token_that_was_revoked(gateway, realm):
    token = realm.token("lightweight-app")
    realm.revoke(token, "lightweight-app")
    gateway.check_refused(gateway.get(f"{LIGHTWEIGHT}/read/1", token), "token_inactive")
