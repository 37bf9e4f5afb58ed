"""The issuer in memory answers to POSTs as Keycloak 26.7 was seen to."""

import base64
import json
import urllib.parse
import uuid

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.e2e.signing import base64url, from_base64url
from tests.host.endpoints import CLIENT_ID, SECRET, UMA, unusable
from tests.host.gateway_jwt import KEYS
from tests.host.issuer import START, Issuer
from tests.host.worker import Call

ENDPOINTS = {
    "introspection": "/protocol/openid-connect/token/introspect",
    "token": "/protocol/openid-connect/token",
    "ticket": "/authz/protection/permission",
}
BASIC = "Basic " + base64.b64encode(f"{CLIENT_ID}:{urllib.parse.quote_plus(SECRET)}".encode()).decode()
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def issuer():
    return Issuer()


def send(issuer, endpoint, body, authorization=BASIC, accept="application/json", now=START):
    """The status, and the answer's JSON."""
    body = urllib.parse.urlencode(body, doseq=True).encode() if isinstance(body, dict) else json.dumps(body).encode()
    fields = {b":method": b"POST", b":path": (issuer.path + ENDPOINTS[endpoint]).encode(), b"accept": accept.encode()}
    if authorization:
        fields[b"authorization"] = authorization.encode()
    answer = issuer.answer(Call(1, 1, 1, "keycloak:8080", fields, body, 1000), now)
    status = int(dict(answer.fields)[b":status"])
    return status, json.loads(answer.body) if answer.body[:1] == b"{" else answer.body


def introspect(issuer, token, **named):
    return send(issuer, "introspection", {"token": token}, **named)


def decide(issuer, permission="orders#read", authorization=BASIC, **more):
    form = {"grant_type": UMA, "audience": CLIENT_ID, "permission": permission, "response_mode": "decision", **more}
    return send(issuer, "token", {name: value for name, value in form.items() if value}, authorization)


def claims_in(token):
    return json.loads(from_base64url(token.split(".")[1]))


# Introspection


@pytest.mark.parametrize("kind", ["token", "lightweight", "opaque"])
def test_its_own_tokens_are_active_until_they_end(issuer, kind):
    token = getattr(issuer, kind)(exp=START // 1000 + 10, scope="orders")
    status, members = introspect(issuer, token)
    assert (status, members["active"], members["scope"]) == (200, True, "orders")
    assert (members["iss"], members["token_type"], members["client_id"]) == (issuer.iss, "Bearer", "app")
    assert introspect(issuer, token, now=START + 10_000) == (200, {"active": False})
    assert introspect(issuer, token)[1]["active"]
    issuer.endpoints.revoked.add(token)
    assert introspect(issuer, token) == (200, {"active": False})
    assert issuer.endpoints.asked == ["introspection"] * 4


@pytest.mark.parametrize("kind", ["forged", "unknown"])
def test_what_it_did_not_sign_is_inactive(issuer, kind):
    assert introspect(issuer, getattr(issuer, kind)()) == (200, {"active": False})
    assert introspect(issuer, "a.b.c") == introspect(issuer, "") == (200, {"active": False})


def test_a_token_by_a_key_that_was_withdrawn_is_inactive(issuer):
    token = issuer.token()
    issuer.rotate()
    assert introspect(issuer, token)[1]["active"]
    issuer.keys.pop()
    assert introspect(issuer, token) == (200, {"active": False})


def test_a_lightweight_token_says_little_itself(issuer):
    claims = claims_in(issuer.lightweight())
    assert "aud" not in claims and "sub" not in claims
    assert claims["jti"][2:4] == "lt"


def test_a_token_for_others_is_inactive_and_has_a_jwt_all_the_same(issuer):
    for audience in ("other", ["other"], None):
        token = issuer.token(aud=audience)
        assert introspect(issuer, token) == (200, {"active": False})
        status, members = introspect(issuer, token, accept="application/jwt")
        assert members["active"] is False and claims_in(members["jwt"])["iss"] == issuer.iss
    assert introspect(issuer, issuer.token(aud=["other", "app"]))[1]["active"]


def test_an_access_token_as_the_answer(issuer):
    token = issuer.lightweight(sub="anna")
    _, members = introspect(issuer, token, accept="application/jwt")
    assert claims_in(members["jwt"])["sub"] == "anna"
    issuer.endpoints.revoked.add(token)
    assert introspect(issuer, token, accept="application/jwt") == (200, {"active": False})
    issuer.endpoints.gives_jwt = False
    assert "jwt" not in introspect(issuer, issuer.token(), accept="application/jwt")[1]


def test_a_signed_answer_where_the_issuer_has_them(issuer):
    accept = "application/token-introspection+jwt"
    assert introspect(issuer, issuer.token(), accept=accept)[1]["active"]
    issuer.endpoints.signs_answers = True
    _, text = introspect(issuer, issuer.token(), accept=accept)
    claims = claims_in(text.decode())
    assert claims["iss"] == issuer.iss and claims["aud"] == CLIENT_ID
    assert claims["token_introspection"]["active"]
    assert json.loads(from_base64url(text.decode().split(".")[0]))["typ"] == "token-introspection+jwt"


# Who asks


def assertion(issuer, key, algorithm, jti=None, **more):
    claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": issuer.iss, "jti": jti or str(uuid.uuid4()), **more}
    return {"client_assertion": jwt.encode({"alg": algorithm}, claims, key), "client_assertion_type": ASSERTION_TYPE}


def test_a_client_proves_who_it_is(issuer):
    token = {"token": issuer.token()}
    ways = [
        {"client_id": CLIENT_ID, "client_secret": SECRET},
        assertion(issuer, OctKey.import_key(SECRET), "HS256"),
        assertion(issuer, KEYS["ES256"], "ES256"),
    ]
    for way in ways:
        assert send(issuer, "introspection", {**token, **way}, authorization=None)[1]["active"]
    for way in ways[1:]:
        status, members = send(issuer, "introspection", {**token, **way}, authorization=None)
        assert (status, members["error_description"]) == (400, "Token reuse detected")


def test_nobody_else_is_told_anything(issuer):
    token = {"token": issuer.token()}
    raw = "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    for authorization in (None, raw, "Basic eDp5", "Basic =", f"Bearer {token['token']}"):
        status, members = send(issuer, "introspection", token, authorization)
        assert (status, members["error"]) == (401, "invalid_client")
    for authorization in (None, raw, "Basic eDp5", "Basic ="):
        status, members = decide(issuer, authorization=authorization)
        assert (status, members["error"]) == (401, "unauthorized_client")
    wrong = [
        assertion(issuer, OctKey.import_key("x" * 32), "HS256"),
        assertion(issuer, KEYS["ES256"], "ES256", aud="other"),
        {**assertion(issuer, KEYS["ES256"], "ES256"), "client_assertion_type": "jwt"},
    ]
    for way in wrong:
        status, members = send(issuer, "introspection", {**token, **way}, authorization=None)
        assert (status, members["error"]) == (400, "invalid_client")


# Decisions


@pytest.mark.parametrize(
    "permission, error",
    [
        ("orders#read", None), ("orders", None), ("#read", None), ("orders#write,read", None),
        ("orders#read#write", None), (["orders#write", "orders#read"], None), ("", (403, "access_denied")),
        ("orders#write", (403, "access_denied")), ("invoices", (403, "access_denied")),
        ("nothing", (400, "invalid_resource")), ("orders#nope", (400, "invalid_scope")),
    ],
)  # fmt: skip
def test_a_decision(issuer, permission, error):
    issuer.endpoints.grants = {("orders", "read")}
    status, members = decide(issuer, permission, subject_token=issuer.token())
    assert (status, members) == (200, {"result": True}) if error is None else (status, members["error"]) == error
    status, members = decide(issuer, permission, f"Bearer {issuer.token()}")
    assert (status, members.get("error")) == (error or (200, None))


def test_a_decision_by_a_path(issuer):
    issuer.endpoints.grants = {("orders", "read")}
    by_path = {"permission_resource_format": "uri", "permission_resource_matching_uri": "true"}
    assert decide(issuer, "/orders/1#read", f"Bearer {issuer.token()}", **by_path) == (200, {"result": True})
    assert decide(issuer, "/other#read", f"Bearer {issuer.token()}", **by_path)[1]["error"] == "invalid_resource"
    assert decide(issuer, "/orders/1#read", f"Bearer {issuer.token()}")[1]["error"] == "invalid_resource"


def test_who_is_not_in_force_is_given_no_decision(issuer):
    issuer.endpoints.grants = {("orders", "read")}
    for token in (issuer.forged(), issuer.token(exp=1), "a.b.c"):
        status, members = decide(issuer, authorization=f"Bearer {token}")
        assert (status, members["error"]) == (400, "invalid_grant")
        status, members = decide(issuer, subject_token=token)
        assert (status, members["error"]) == (400, "unauthorized_client")
    assert decide(issuer)[0] == 200, "the client itself is judged"
    status, members = decide(issuer, audience="nobody", authorization=f"Bearer {issuer.token()}")
    assert (status, members["error"]) == (400, "invalid_request")


def test_claims_that_are_pushed(issuer):
    issuer.endpoints.grants = {("orders", "read")}
    kind = {"claim_token_format": "urn:ietf:params:oauth:token-type:jwt"}
    pushed = {"claim_token": base64url(json.dumps({"amount": ["42"]}).encode())}
    assert decide(issuer, subject_token=issuer.token(), **pushed, **kind)[0] == 200
    assert issuer.endpoints.claims == {"amount": ["42"]}
    assert decide(issuer, subject_token=issuer.token(), **pushed)[1]["error"] == "unauthorized_client"
    pushed = {"claim_token": base64url(json.dumps({"amount": 42}).encode())}
    assert decide(issuer, subject_token=issuer.token(), **pushed, **kind)[0] == 500


# Tickets


def test_a_ticket(issuer):
    status, members = send(issuer, "token", {"grant_type": "client_credentials"})
    assert status == 200
    bearer = f"Bearer {members['access_token']}"
    permission = [{"resource_id": "orders", "resource_scopes": ["read"]}]
    assert send(issuer, "ticket", permission, bearer) == (201, {"ticket": "ticket-1"})
    assert send(issuer, "ticket", permission, bearer) == (201, {"ticket": "ticket-2"})
    for authorization in (None, BASIC, "Bearer x"):
        assert send(issuer, "ticket", permission, authorization)[1]["error"] == "invalid_bearer_token"
    later = START + 300_000
    assert send(issuer, "ticket", permission, bearer, now=later)[1]["error"] == "invalid_bearer_token"
    others = f"Bearer {issuer.token(azp='other')}"
    assert send(issuer, "ticket", permission, others)[1]["error"] == "invalid_clientId"
    assert send(issuer, "ticket", [{"resource_id": "nothing"}], bearer)[1]["error"] == "invalid_resource_id"
    scopes = [{"resource_id": "invoices", "resource_scopes": ["write"]}]
    assert send(issuer, "ticket", scopes, bearer)[1]["error"] == "invalid_scope"
    assert send(issuer, "ticket", [], bearer)[1]["error"] == "invalid_permission_request"


def test_answers_that_are_unusable_say_nothing_good(issuer):
    call = Call(1, 1, 1, "keycloak:8080", {b"accept": b"application/json"}, b"", 1000)
    answers = unusable(issuer, call)
    assert len(answers) > 20
    for answer in answers:
        try:
            members = json.loads(answer.body)
        except ValueError:
            continue
        is_200 = answer.fields[0][1] == b"200" and isinstance(members, dict) and len(answer.body) <= 64 << 10
        assert not (is_200 and (members.get("active") is True or members.get("result") is True))


def test_another_address_is_not_there(issuer):
    fields = {b":method": b"POST", b":path": b"/realms/demo/certs"}
    assert dict(issuer.answer(Call(1, 1, 1, "keycloak:8080", fields, b"", 1000)).fields)[b":status"] == b"404"
