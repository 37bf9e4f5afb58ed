"""The stub issuer's endpoints (stub_endpoints.py), without a gateway: they take what is right, and nothing else."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from joserfc import jwk, jws

from tests.e2e import tokens
from tests.e2e.client_authentication import ASSERTION
from tests.e2e.signing import FIXED, base64url, from_base64url
from tests.e2e.stub_endpoints import CLAIM_TOKEN_FORMAT, UMA

INTROSPECT = "protocol/openid-connect/token/introspect"
TOKEN = "protocol/openid-connect/token"
PERMISSION = "authz/protection/permission"


def post(issuer, path, body, headers=()):
    """Status, content type, and the JSON or text of the answer."""
    data = body.encode() if isinstance(body, str) else urllib.parse.urlencode(body, doseq=True).encode()
    headers = {"content-type": "application/x-www-form-urlencoded", **dict(headers)}
    request = urllib.request.Request(f"{issuer.base_url}/{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return _read(answer)
    except urllib.error.HTTPError as answer:
        return _read(answer)


def _read(answer):
    text, kind = answer.read().decode(), answer.headers["content-type"]
    return answer.status, kind, json.loads(text) if kind == "application/json" else text


def secret_of(issuer, client):
    return issuer.endpoints._clients[client]["secret"]


def basic(issuer, client="gateway", encode=urllib.parse.quote_plus):
    pair = f"{encode(client)}:{encode(secret_of(issuer, client))}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def assertion(issuer, client, key, alg, kid=None, **claims):
    now = int(time.time())
    usual = {"iss": client, "sub": client, "aud": issuer.iss, "jti": uuid.uuid4().hex, "iat": now, "exp": now + 30}
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    text = jws.serialize_compact(header, json.dumps({**usual, **claims}), key, algorithms=[alg])
    return {"client_assertion_type": ASSERTION, "client_assertion": text}


def key_of(name, kind):
    return jwk.import_key((FIXED / f"test-only-{name}.pem").read_bytes(), kind)


@pytest.fixture
def issuer(stub):
    return stub["asked"]


@pytest.fixture
def complaints(issuer):
    """Takes back what these tests do wrong on purpose."""
    before = list(issuer.endpoints.complaints)
    yield lambda: issuer.endpoints.complaints[len(before) :]
    issuer.endpoints.complaints[:] = before


def introspect(issuer, token, fields=(), headers=None):
    headers = basic(issuer) if headers is None else headers
    return post(issuer, INTROSPECT, {"token": token, **dict(fields)}, headers)


# Who asks

RIGHT = {
    "basic": lambda issuer: (basic(issuer), {}),
    "basic, what has to be encoded": lambda issuer: (basic(issuer, "g/a:t e+w%ä&y="), {}),
    "post": lambda issuer: ({}, {"client_id": "gateway-post", "client_secret": secret_of(issuer, "gateway-post")}),
    "secret jwt": lambda issuer: ({}, by_secret(issuer)),
    "ES256": lambda issuer: ({}, assertion(issuer, "gateway-es256", key_of("signing-p256", "EC"), "ES256")),
    "PS256": lambda issuer: (
        {},
        assertion(issuer, "gateway-ps256", key_of("signing-rsa", "RSA"), "PS256", kid="2026-11"),
    ),
    "RS256": lambda issuer: ({}, assertion(issuer, "gateway-rs256", key_of("signing-rsa", "RSA"), "RS256")),
    "EdDSA": lambda issuer: (
        {},
        assertion(issuer, "gateway-eddsa", key_of("signing-ed25519", "OKP"), "EdDSA", kid="ed"),
    ),
}


def by_secret(issuer, **claims):
    client = "gateway-secret-jwt"
    return assertion(issuer, client, jwk.OctKey.import_key(secret_of(issuer, client)), "HS256", **claims)


@pytest.mark.parametrize("name", RIGHT)
def test_the_client_is_known(issuer, mint, complaints, name):
    headers, fields = RIGHT[name](issuer)
    status, kind, answer = introspect(issuer, mint(issuer="asked"), fields, headers)
    assert (status, kind, answer["active"]) == (200, "application/json", True)
    assert complaints() == []


def es256(issuer, **claims):
    return assertion(issuer, "gateway-es256", key_of("signing-p256", "EC"), "ES256", **claims)


def wrong_signature(issuer):
    fields = es256(issuer)
    text = fields["client_assertion"]
    return {**fields, "client_assertion": text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]}


WRONG = {
    "nobody": lambda issuer: ({}, {}),
    "an id alone": lambda issuer: ({}, {"client_id": "gateway"}),
    "a client that is not there": lambda issuer: (
        {"authorization": "Basic " + base64.b64encode(b"x:y").decode()},
        {},
    ),
    "another secret": lambda issuer: ({"authorization": "Basic " + base64.b64encode(b"gateway:x").decode()}, {}),
    "not encoded": lambda issuer: (basic(issuer, "g/a:t e+w%ä&y=", encode=str), {}),
    "two methods": lambda issuer: (basic(issuer), {"client_id": "gateway", "client_secret": "x"}),
    "post for basic": lambda issuer: ({}, {"client_id": "gateway", "client_secret": secret_of(issuer, "gateway")}),
    "basic for post": lambda issuer: (basic(issuer, "gateway-post"), {}),
    "a secret for an assertion": lambda issuer: (basic(issuer, "gateway-secret-jwt"), {}),
    "another key": lambda issuer: (
        {},
        assertion(issuer, "gateway-es256", jwk.ECKey.generate_key("P-256"), "ES256"),
    ),
    "another algorithm": lambda issuer: (
        {},
        assertion(issuer, "gateway-rs256", key_of("signing-rsa", "RSA"), "PS256"),
    ),
    "a kid that nobody knows": lambda issuer: ({}, es256(issuer) | assertion(
        issuer, "gateway-es256", key_of("signing-p256", "EC"), "ES256", kid="x")),
    "tampered": lambda issuer: ({}, wrong_signature(issuer)),
    "another sub": lambda issuer: ({}, es256(issuer, sub="gateway")),
    "another aud": lambda issuer: ({}, es256(issuer, aud=f"{issuer.iss}/")),
    "two aud": lambda issuer: ({}, es256(issuer, aud=[issuer.iss, issuer.iss])),
    "expired": lambda issuer: ({}, es256(issuer, exp=int(time.time()) - 1)),
    "no exp": lambda issuer: ({}, es256(issuer, exp=None)),
    "for ever": lambda issuer: ({}, es256(issuer, exp=int(time.time()) + 3600)),
    "of tomorrow": lambda issuer: ({}, es256(issuer, iat=int(time.time()) + 60, exp=int(time.time()) + 90)),
    "no jti": lambda issuer: ({}, es256(issuer, jti=None)),
    "another type": lambda issuer: ({}, {**es256(issuer), "client_assertion_type": "jwt"}),
    "another id": lambda issuer: ({}, {**es256(issuer), "client_id": "gateway"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_nobody_else(issuer, mint, complaints, name):
    headers, fields = WRONG[name](issuer)
    status, _, answer = introspect(issuer, mint(issuer="asked"), fields, headers)
    assert status == (400 if "client_assertion" in fields else 401)
    assert answer["error"] == "invalid_client"
    assert len(complaints()) == 1


def test_an_assertion_counts_once(issuer, mint, complaints):
    fields = es256(issuer)
    token = mint(issuer="asked")
    assert introspect(issuer, token, fields, {})[0] == 200
    assert introspect(issuer, token, fields, {})[0] == 400
    assert "was there before" in complaints()[0]


MALFORMED = {
    "no token": ("a=b", {}),
    "a token twice": ("token=a&token=b", {}),
    "an empty token": ("token=", {}),
    "a field that nobody knows": ("token=a&x=y", {}),
    "no form": ('{"token":"a"}', {"content-type": "application/json"}),
    "another hint": ("token=a&token_type_hint=refresh_token", {}),
    "no UTF-8": ("token=%ff", {}),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_question(issuer, complaints, name):
    body, headers = MALFORMED[name]
    assert post(issuer, INTROSPECT, body, {**basic(issuer), **headers})[0] in (400, 401)
    assert len(complaints()) == 1


# What is said of tokens


def known(issuer, **recipe):
    return {"issuer": issuer.name, **recipe}


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({}, {"active": True, "client_id": "app", "token_type": "Bearer", "username": "service-account-app"}),
        ({"opaque": True}, {"active": True, "azp": "app"}),
        ({"opaque": True, "introspection": {"sub": "alice", "aud": None}}, {"sub": "alice", "aud": None}),
        ({"opaque": True, "introspection": {"only": {"active": True}}}, {"active": True, "sub": None}),
        ({"opaque": True, "introspection": "inactive"}, {"active": False}),
        ({"introspection": "inactive"}, {"active": False}),
        ({"tamper": [{"flip_signature_bit": 9}]}, {"active": False}),
        ({"key": "stranger"}, {"active": False}),
        ({"key": "stranger", "introspection": "active"}, {"active": True, "azp": "app"}),
        ({"claims": {"exp": 1}}, {"active": True, "exp": 1}),
        ({"claims": {"authorization": {"permissions": []}}}, {"active": True, "authorization": None}),
        ({"lightweight": True}, {"active": True, "aud": ["app", "account"]}),
    ],
    ids=str,
)
def test_what_is_said_of_a_token(stub, issuer, recipe, expected):
    token = tokens.mint(stub, known(issuer, **recipe))
    status, _, answer = introspect(issuer, token)
    assert status == 200
    assert {name: answer.get(name) for name in expected} == expected
    if expected == {"active": False}:
        assert answer == expected
    assert stub.asked("introspection", token) == 1


def test_a_lightweight_token_says_little(stub, issuer):
    token = tokens.mint(stub, known(issuer, lightweight=True))
    claims = json.loads(from_base64url(token.split(".")[1]))
    assert set(claims) == {"exp", "iat", "jti", "iss", "sub", "typ", "azp", "scope"}
    assert claims["jti"].startswith("trltcc:")
    assert tokens.claims_of(token)["realm_access"] == {"roles": ["reader", "offline_access"]}


def test_another_issuer_knows_nothing_of_it(stub, issuer):
    token = tokens.mint(stub, {"opaque": True, "issuer": "asked-too"})
    assert introspect(issuer, token)[2] == {"active": False}


def test_a_token_that_is_revoked(stub, issuer):
    token = tokens.mint(stub, known(issuer))
    assert introspect(issuer, token)[2]["active"]
    issuer.revoke(token)
    assert introspect(issuer, token)[2] == {"active": False}


def verified(stub, issuer, text):
    key = jwk.RSAKey.import_key(stub.key("rs256", issuer.name).jwk())
    return jws.deserialize_compact(text, key, algorithms=["RS256"])


def test_keycloaks_jwt(stub, issuer):
    token = tokens.mint(stub, known(issuer, lightweight=True))
    headers = {**basic(issuer, "gateway-jwt"), "accept": "application/jwt"}
    _, kind, answer = introspect(issuer, token, headers=headers)
    assert kind == "application/json" and answer["active"]
    signed = verified(stub, issuer, answer["jwt"])
    assert signed.protected["typ"] == "JWT"
    claims = json.loads(signed.payload)
    assert claims["realm_access"] and "active" not in claims and "username" not in claims
    assert stub.issued(token) == [answer["jwt"]]


@pytest.mark.parametrize("accept", ["application/json", "application/jwt;q=1", "application/jwt, application/json"])
def test_no_jwt_unless_it_is_asked_for(stub, issuer, accept):
    headers = {**basic(issuer, "gateway-jwt"), "accept": accept}
    assert "jwt" not in introspect(issuer, tokens.mint(stub, known(issuer)), headers=headers)[2]


def test_no_jwt_for_who_may_not(stub, issuer):
    headers = {**basic(issuer), "accept": "application/jwt"}
    assert "jwt" not in introspect(issuer, tokens.mint(stub, known(issuer)), headers=headers)[2]


def test_an_inactive_answer_may_have_a_jwt(stub, issuer):
    token = tokens.mint(stub, known(issuer, introspection="inactive", introspection_jwt={}))
    headers = {**basic(issuer, "gateway-jwt"), "accept": "application/jwt"}
    answer = introspect(issuer, token, headers=headers)[2]
    assert answer["active"] is False
    assert json.loads(verified(stub, issuer, answer["jwt"]).payload)["azp"] == "app"


def signed_answer(stub, issuer, **recipe):
    headers = {**basic(issuer, "gateway-signed"), "accept": "application/token-introspection+jwt"}
    return introspect(issuer, tokens.mint(stub, known(issuer, **recipe)), headers=headers)


def test_a_signed_answer(stub, issuer):
    status, kind, text = signed_answer(stub, issuer, opaque=True)
    assert (status, kind) == (200, "application/token-introspection+jwt")
    signed = verified(stub, issuer, text)
    assert signed.protected["typ"] == "token-introspection+jwt"
    claims = json.loads(signed.payload)
    assert (claims["iss"], claims["aud"]) == (issuer.iss, "gateway-signed")
    assert claims["token_introspection"]["active"] is True


def test_signed_answers_that_are_not_good(stub, issuer):
    _, _, text = signed_answer(stub, issuer, introspection_jwt={"claims": {"aud": "x"}, "header": {"typ": "JWT"}})
    signed = verified(stub, issuer, text)
    assert (signed.protected["typ"], json.loads(signed.payload)["aud"]) == ("JWT", "x")
    _, _, text = signed_answer(stub, issuer, introspection_jwt={"key": "stranger"})
    with pytest.raises(Exception, match="bad_signature"):
        verified(stub, issuer, text)
    _, kind, answer = signed_answer(stub, issuer, introspection_jwt={"absent": True})
    assert kind == "application/json" and answer["active"] is True
    _, kind, _ = signed_answer(stub, issuer, introspection_jwt={"content_type": "application/jwt"})
    assert kind == "application/jwt"


def test_what_an_answer_hands_out_is_known(stub, issuer):
    """Or test_log.py would not look for it."""
    _, _, text = signed_answer(stub, issuer)
    assert text in tokens.MINTED
    assert tokens.mint(stub, known(issuer, opaque=True)) in tokens.OPAQUE


# What is permitted


@pytest.fixture
def permits(stub):
    issuer = stub["permits"]
    before = list(issuer.endpoints.complaints)
    yield issuer
    issuer.endpoints.complaints[:] = before


def decide(issuer, token, permission, claims=None, **fields):
    form = {"grant_type": UMA, "audience": "orders-api", "permission": permission, "response_mode": "decision",
            "subject_token": token, **fields}  # fmt: skip
    if claims is not None:
        form["claim_token"] = base64url(json.dumps(claims).encode())
        form["claim_token_format"] = CLAIM_TOKEN_FORMAT
    form = {name: value for name, value in form.items() if value is not None}
    status, _, answer = post(issuer, TOKEN, form, basic(issuer, "orders-api"))
    return (status, answer.get("error", answer.get("result")))


BY_URI = {"permission_resource_format": "uri", "permission_resource_matching_uri": "true"}


@pytest.mark.parametrize(
    ("permission", "more", "expected"),
    [
        ("orders#read", {}, (200, True)),
        ("orders#write", {}, (403, "access_denied")),
        ("orders", {}, (200, True)),
        ("orders#", {}, (200, True)),
        ("#read", {}, (200, True)),
        ("#delete", {}, (403, "access_denied")),
        ("orders#read,write", {}, (200, True)),
        (["orders#write", "orders#read"], {}, (200, True)),
        ("orders#nope", {}, (400, "invalid_scope")),
        ("invoices#write", {}, (400, "invalid_resource")),
        ("nope#read", {}, (400, "invalid_resource")),
        ("orders#read", {"audience": "other"}, (400, "invalid_request")),
        ("orders#read", {"response_mode": None}, (400, "invalid_request")),
        ("orders#read", {"x": "y"}, (400, "invalid_request")),
        ("/decision-path/orders/1#read", BY_URI, (200, True)),
        ("/decision-path/orders/special#read", BY_URI, (403, "access_denied")),
        ("/decision-path/elsewhere#read", BY_URI, (400, "invalid_resource")),
        ("/decision-path/orders/1#read", {}, (400, "invalid_resource")),
        ("payments#approve", {}, (403, "access_denied")),
        ("payments#approve", {"claims": {"amount": ["42"]}}, (200, True)),
        ("payments#approve", {"claims": {"amount": ["420", "42"]}}, (403, "access_denied")),
        ("payments#approve", {"claims": {"amount": "42"}}, (400, "invalid_request")),
    ],
    ids=str,
)
def test_decisions(stub, permits, permission, more, expected):
    token = tokens.mint(stub, {"issuer": "permits"})
    assert decide(permits, token, permission, **more) == expected


def test_a_decision_is_about_the_token(stub, permits):
    alice = tokens.mint(stub, {"issuer": "permits", "claims": {"preferred_username": "alice"}})
    assert decide(permits, alice, "orders#write") == (200, True)
    assert permits.endpoints.asked("decision", alice)[0].fields["permission"] == ["orders#write"]
    permits.revoke(alice)
    assert decide(permits, alice, "orders#write") == (400, "unauthorized_client")


def test_a_decision_for_the_caller_itself(stub, permits):
    token = tokens.mint(stub, {"issuer": "permits"})
    form = {"grant_type": UMA, "audience": "orders-api", "permission": "orders#read", "response_mode": "decision"}
    assert post(permits, TOKEN, form, {"authorization": f"Bearer {token}"})[2] == {"result": True}
    assert post(permits, TOKEN, form, {"authorization": "Bearer x"})[2]["error"] == "invalid_grant"
    assert post(permits, TOKEN, {**form, "client_id": "x"}, {"authorization": f"Bearer {token}"})[0] == 400
    assert stub.asked("decision", token) == 1


def pat(issuer, client="orders-api"):
    return post(issuer, TOKEN, {"grant_type": "client_credentials"}, basic(issuer, client))[2]["access_token"]


def ticket(issuer, pat, body):
    body = body if isinstance(body, str) else json.dumps(body)
    return post(issuer, PERMISSION, body, {"authorization": f"Bearer {pat}", "content-type": "application/json"})


def test_tickets(stub, permits):
    status, _, answer = ticket(permits, pat(permits), [{"resource_id": "orders", "resource_scopes": ["write", "read"]}])
    assert status == 201
    assert stub.ticket(answer["ticket"]) == [("orders", ["read", "write"])]
    assert stub.ticket("x") is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"resource_id": "orders"}, 400),
        ([], 400),
        ([{"resource_id": "nope"}], 400),
        ([{"resource_id": "orders", "resource_scopes": ["nope"]}], 400),
        ([{"resource_id": "orders", "x": 1}], 400),
        ("garbage", 400),
    ],
    ids=str,
)
def test_no_ticket(permits, body, status):
    assert ticket(permits, pat(permits), body)[0] == status


def test_no_ticket_for_another(permits, stub):
    assert ticket(permits, "x", [{"resource_id": "orders"}])[0] == 403
    old = pat(permits)
    permits.endpoints.forget_pats()
    assert ticket(permits, old, [{"resource_id": "orders"}])[0] == 403


# How it is answered


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [("fails", 500), ("unavailable", 503), ("too_many", 429), ("unauthorized", 401), ("partial", 206)],
)
def test_behaviours(stub, mint, behaviour, status):
    issuer = stub["inquiry"]
    before = issuer.fetches("introspection")
    with issuer.answering(introspection=[behaviour, "normal"]):
        token = mint(issuer="inquiry")
        assert post(issuer, INTROSPECT, {"token": token}, basic(issuer))[0] == status
        assert introspect(issuer, token)[2]["active"]
    assert issuer.fetches("introspection") - before == 2


def test_an_answer_is_held(stub, mint):
    issuer, answers = stub["inquiry"], []
    token = mint(issuer="inquiry")
    with issuer.answering(introspection="held"):
        asking = threading.Thread(target=lambda: answers.append(introspect(issuer, token)))
        asking.start()
        issuer.wait_until_held("introspection")
        assert answers == []
    asking.join()
    assert answers[0][2]["active"]
