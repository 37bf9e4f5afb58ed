"""The upstream's verifier (tests/stack/gateway_jwt.py) and the table's comparisons, with JWTs signed here:
they take what is right and refuse everything else, before any gateway is asked."""

import contextlib
import functools
import hashlib
import hmac
import http.server
import json
import threading
import time
import uuid

import pytest
from joserfc import jwk, jws

from tests.e2e import client, upstream_jwt
from tests.e2e.placeholders import certificate_der, private_jwk
from tests.e2e.signing import base64url, compact_json, from_base64url
from tests.stack.gateway_jwt import Invalid, PublishedKeys, SharedSecret, Verifier, hashes, max_age
from tests.stack.upstream import Upstream

ISSUER = "https://gateway.example.com"
KEYS = {
    "RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
    "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
}  # fmt: skip
KINDS = {"rsa": jwk.RSAKey, "ed2": jwk.OKPKey}
BODY = b'{"order": 1}'
PATH = "/orders?page=2"
SHA256 = hashlib.sha256(BODY).hexdigest()


@functools.cache
def key(name):
    return KINDS.get(name[:3], jwk.ECKey).import_key(private_jwk(f"signing-{name}"))


def public(name, alg, **members):
    return {**key(name).as_dict(private=False), "kid": f"k-{alg}", "alg": alg, "use": "sig", **members}


class Gateway:
    """Publishes keys and counts how often somebody fetches them."""

    def __init__(self):
        self.keys = [public(name, alg) for alg, name in KEYS.items()]
        self.headers = {"content-type": "application/jwk-set+json", "cache-control": "public, max-age=300"}
        self.status = 200
        self.fetches = 0
        self.url = None

    def answer(self, handler):
        self.fetches += 1
        body = json.dumps({"keys": self.keys}).encode()
        handler.send_response(self.status)
        for name, value in {**self.headers, "content-length": len(body)}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.gateway.answer(self)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def publishing(server):
    """Each at a URL of its own: what is fetched is kept."""
    server.gateway = Gateway()
    server.gateway.url = f"http://127.0.0.1:{server.server_address[1]}/{uuid.uuid4()}"
    return server.gateway


def good_claims(**changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "upstream", "iat": now, "nbf": now, "exp": now + 60, "jti": "x" * 22}
    claims.update(hashes(SHA256, PATH))
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims, alg="ES256", name=None, header=None):
    members = {"typ": "JWT", "alg": alg, "kid": f"k-{alg}", **(header or {})}
    members = {name: value for name, value in members.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else compact_json(claims)
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jws.serialize_compact(members, payload, key(name or KEYS[alg]), registry=registry)


def verifier(publishing, **arguments):
    return Verifier(PublishedKeys(publishing.url), ISSUER, **{"audience": "upstream", **arguments})


def shown(publishing, headers, **arguments):
    return verifier(publishing, **arguments).shown(headers, SHA256, PATH)


# What is right


@pytest.mark.parametrize("alg", KEYS)
def test_every_algorithm(publishing, alg):
    text = signed(good_claims(), alg)
    answer = shown(publishing, [("host", "x"), ("jwt", text)])
    assert answer == {
        "verified": True,
        "header": {"typ": "JWT", "alg": alg, "kid": f"k-{alg}"},
        "claims": json.loads(from_base64url(text.split(".")[1])),
    }


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_shared_secret(alg):
    octets = from_base64url(private_jwk("signing-secret")["k"])
    text = jws.serialize_compact(
        {"typ": "JWT", "alg": alg, "kid": "s"}, compact_json(good_claims()), jwk.OctKey.import_key(octets), [alg]
    )
    for secret, is_good in [(octets, True), (octets[::-1], False)]:
        answer = Verifier(SharedSecret(secret, alg, "s"), ISSUER).shown([("jwt", text)], SHA256, PATH)
        assert answer["verified"] == is_good
    assert not Verifier(SharedSecret(octets, "HS256", "t"), ISSUER).shown([("jwt", text)], SHA256, PATH)["verified"]


def test_bearer(publishing):
    text = signed(good_claims())
    of_bearer = {"header": "authorization", "bearer": True}
    assert shown(publishing, [("authorization", f"Bearer {text}")], **of_bearer)["verified"]
    for value in (text, "Bearer ", f"Basic {text}"):
        assert not shown(publishing, [("authorization", value)], **of_bearer)["verified"]
    assert not shown(publishing, [("jwt", f"Bearer {text}")])["verified"]


def test_an_audience_among_others(publishing):
    assert shown(publishing, [("jwt", signed(good_claims(aud=["a", "upstream"])))])["verified"]


# What is not: what is wrong, and a word of what the verifier says of it

WRONG_CLAIMS = {
    "another issuer": ({"iss": "https://other"}, "iss"),
    "no issuer": ({"iss": None}, "iss"),
    "another audience": ({"aud": "other"}, "aud"),
    "no audience": ({"aud": None}, "aud"),
    "expired": ({"exp": int(time.time()) - 1}, "expired"),
    "no exp": ({"exp": None}, "exp"),
    "exp a text": ({"exp": "2099"}, "exp"),
    "exp true": ({"exp": True}, "exp"),
    "not yet": ({"nbf": int(time.time()) + 3600}, "nbf"),
    "no nbf": ({"nbf": None}, "nbf"),
    "issued in the future": ({"iat": int(time.time()) + 3600}, "iat"),
    "no iat": ({"iat": None}, "iat"),
    "another body": ({"payloadhash": hashlib.sha256(b"").hexdigest()}, "payloadhash"),
    "no body hash": ({"payloadhash": None}, "payloadhash"),
    "another body's digest": ({"content_digest": "sha-256=:AAAA:"}, "content_digest"),
    "another query": ({"queryhash": hashlib.sha256(b"page=3").hexdigest()}, "queryhash"),
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_wrong_claims(publishing, name):
    changes, word = WRONG_CLAIMS[name]
    answer = shown(publishing, [("jwt", signed(good_claims(**changes)))], requires=["payloadhash"])
    assert not answer["verified"] and word in answer["error"], answer


def forged(alg, header=None, secret=None):
    """Signed by nobody, or with what everybody has."""
    members = compact_json({"typ": "JWT", "alg": alg, "kid": "k-RS256", **(header or {})})
    text = f"{base64url(members)}.{base64url(compact_json(good_claims()))}"
    if secret is None:
        return f"{text}."
    return f"{text}.{base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def tampered(text):
    header, payload, signature = text.split(".")
    claims = {**json.loads(from_base64url(payload)), "sub": "root"}
    return f"{header}.{base64url(compact_json(claims))}.{signature}"


def other_key():
    return jwk.generate_key("EC", "P-256")


WRONG_JWTS = {
    "nothing": lambda: ("", "compact"),
    "no JWT": lambda: ("a.b.c", ""),
    "padding": lambda: (signed(good_claims()) + "=", "compact"),
    "claims changed": lambda: (tampered(signed(good_claims())), "signature"),
    "a signature cut": lambda: (signed(good_claims())[:-4], "signature"),
    "another's key": lambda: (
        jws.serialize_compact(
            {"typ": "JWT", "alg": "ES256", "kid": "k-ES256"}, compact_json(good_claims()), other_key()
        ),
        "signature",
    ),
    "not signed": lambda: (forged("none"), "compact"),
    "not signed, and a signature": lambda: (forged("none") + "AAAA", "alg"),
    "signed with the public key": lambda: (forged("HS256", secret=key("rsa").as_pem(private=False)), "alg"),
    "another algorithm of the key's": lambda: (signed(good_claims(), "RS384", header={"kid": "k-RS256"}), "alg"),
    "an unknown key": lambda: (signed(good_claims(), header={"kid": "other"}), "no key"),
    "no kid": lambda: (signed(good_claims(), header={"kid": None}), "no key"),
    "another type": lambda: (signed(good_claims(), header={"typ": "at+jwt"}), "typ"),
    "no type": lambda: (signed(good_claims(), header={"typ": None}), "typ"),
    "no object": lambda: (signed(b'["iss"]'), "object"),
    "a claim twice": lambda: (signed(b'{"iss":"a","iss":"b"}'), "twice"),
}


@pytest.mark.parametrize("name", WRONG_JWTS)
def test_wrong_jwts(publishing, name):
    text, word = WRONG_JWTS[name]()
    answer = shown(publishing, [("jwt", text)])
    assert not answer["verified"] and word in answer["error"], answer


@pytest.mark.parametrize("headers", [[], ["jwt", "JWT"], ["x-jwt"]], ids=["none", "twice", "another"])
def test_one_header(publishing, headers):
    text = signed(good_claims())
    answer = shown(publishing, [(name, text) for name in headers])
    assert not answer["verified"] and "headers JWT" in answer["error"]


def test_another_spelling_of_the_header_counts(publishing):
    text = signed(good_claims())
    headers = [("x-gateway-jwt", text), ("x_gateway.jwt", "spoof")]
    assert not shown(publishing, headers, header="X-Gateway-JWT")["verified"]
    assert shown(publishing, headers[:1], header="X-Gateway-JWT")["verified"]


# The published keys


@contextlib.contextmanager
def moving_clock(publishing):
    now = [100.0]
    yield PublishedKeys(publishing.url, clock=lambda: now[0]), now


def test_keys_are_kept_for_their_max_age(publishing):
    with moving_clock(publishing) as (keys, now):
        for later, fetches in [(0, 1), (299, 1), (1, 2), (299, 2)]:
            now[0] += later
            keys.key("k-ES256")
            assert publishing.fetches == fetches, later
        publishing.headers["cache-control"] = "no-cache"
        now[0] += 1
        for fetches in (3, 4):
            keys.key("k-ES256")
            assert publishing.fetches == fetches


def test_an_unknown_key_is_asked_for_and_not_too_often(publishing):
    with moving_clock(publishing) as (keys, now):
        keys.key("k-ES256")
        now[0] += 5
        with pytest.raises(Invalid):
            keys.key("new")
        assert publishing.fetches == 2
        publishing.keys.append(public("p256", "ES256", kid="new"))
        now[0] += 0.5
        with pytest.raises(Invalid):
            keys.key("new")
        assert publishing.fetches == 2
        now[0] += 0.5
        assert keys.key("new")[1] == "ES256"
        assert publishing.fetches == 3


def test_a_key_that_was_withdrawn_is_gone(publishing):
    with moving_clock(publishing) as (keys, now):
        keys.key("k-ES256")
        publishing.keys = publishing.keys[:1]
        now[0] += 300
        with pytest.raises(Invalid):
            keys.key("k-ES256")


BAD_SETS = {
    "a private member": (lambda: [{**public("p256", "ES256"), "d": "AAAA"}], "private"),
    "a secret": (lambda: [{"kty": "oct", "k": "AAAA", "kid": "k-ES256", "alg": "HS256"}], "private"),
    "two of a name": (lambda: [public("rsa", "RS256", kid="k-ES256"), public("p256", "ES256")], "two keys"),
    "another kind's algorithm": (lambda: [public("p256", "RS256", kid="k-ES256")], "no key"),
    "for encryption": (lambda: [public("p256", "ES256", use="enc")], "no key"),
    "no algorithm": (lambda: [public("p256", None, kid="k-ES256")], "no key"),
    "a broken key": (lambda: [public("p256", "ES256", y="AAAA")], "no good key"),
    "no list": (lambda: {"kid": "k-ES256"}, "no JWK set"),
}


@pytest.mark.parametrize("name", BAD_SETS)
def test_a_bad_key_set(publishing, name):
    keys, word = BAD_SETS[name]
    publishing.keys = keys()
    answer = shown(publishing, [("jwt", signed(good_claims()))])
    assert not answer["verified"] and word in answer["error"], answer


@pytest.mark.parametrize("fault", ["status", "type", "address"])
def test_no_key_set(publishing, fault):
    if fault == "status":
        publishing.status = 404
    elif fault == "type":
        publishing.headers["content-type"] = "application/json"
    else:
        publishing.url = "http://127.0.0.1:9"  # nobody listens on `discard`
    answer = shown(publishing, [("jwt", signed(good_claims()))])
    assert not answer["verified"] and "gateway's keys" in answer["error"]


@pytest.mark.parametrize(
    ("control", "seconds"),
    [("public, max-age=300", 300), ("max-age=60", 60), ("no-store, max-age=60", 0), ("", 0), ("max-age=-1", 0)],
)
def test_max_age(control, seconds):
    assert max_age(control) == seconds


def test_the_upstream_shows_it(publishing):
    good, bad = good_claims(), good_claims(aud="other")
    with Upstream(verifier=verifier(publishing)) as upstream:
        for claims, is_good in [(good, True), (bad, False)]:
            answer = client.send(
                f"http://127.0.0.1:{upstream.port}", "POST", PATH, [("JWT", signed(claims))], client.Body(BODY)
            )
            seen = answer.json["gateway_jwt"]
            assert seen["verified"] == is_good
            assert ("aud" in seen["error"]) if not is_good else (seen["claims"] == claims)
    with Upstream() as upstream:
        assert "gateway_jwt" not in client.send(f"http://127.0.0.1:{upstream.port}", "GET", PATH).json


# What the table compares

GIVEN = {
    "config": {
        "upstream_jwt": {
            "issuer": ISSUER,
            "keys": [{"pem": "…", "kid": "k-ES256"}],
            "jwks_path": "/jwks",
            "body_hash": True,
            "query_hash": True,
        },
        "policies": {"lists": {"upstream_jwt": {"aud": ["a", "b"]}}, "off": {"upstream_jwt": False}},
    },
    "policies": {"lists/": "lists", "off/": "off"},
}
CALLER = {"iss": "https://sso", "sub": "4711", "azp": "app", "exp": int(time.time()) + 3600}


def usual_claims(**changes):
    sub_id = {"format": "iss_sub", "iss": "https://sso", "sub": "4711"}
    claims = good_claims(sub="4711", client_id="app", sub_id=sub_id, content_digest=None)
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def checked(publishing, expected, claims=None, path="orders", given=GIVEN, header=None, caller=CALLER):
    received = {
        "headers": [("jwt", signed(claims or usual_claims(), header=header))],
        "body_sha256": SHA256,
        "path": PATH,
    }
    token = f"e30.{base64url(compact_json(caller))}.AAAA"
    sent = upstream_jwt.Sent(publishing.url, "orders-api", given, path, received, token)
    upstream_jwt.check(sent, expected)


@pytest.fixture
def on_envoy(monkeypatch):
    monkeypatch.setattr(upstream_jwt.settings, "IS_KONG", False)
    monkeypatch.setattr(upstream_jwt.settings, "GATEWAY", "")


RIGHT = {
    "nothing said": {},
    "values": {"claims": {"sub": "4711", "nickname": None, "jti": "any"}},
    "forms": {
        "claims": {
            "exp": {"lifetime": 60}, "sub": {"caller": "sub"}, "payloadhash": {"body": "sha256"},
            "queryhash": {"sha256": "page=2"}, "aud": {"gateway": "service"},
            "sub_id": {"format": "iss_sub", "iss": "any", "sub": {"caller": ["sub"]}},
        }
    },
    "header": {"header": {"alg": "ES256", "kid": "k-ES256", "x5c": None}},
    "exactly": {
        "claims_exactly": [
            "iss", "aud", "iat", "nbf", "exp", "jti", "payloadhash", "queryhash", "sub", "client_id", "sub_id",
        ]
    },
}  # fmt: skip
WRONG = {
    "a value": {"claims": {"sub": "4712"}},
    "another type": {"claims": {"sub": 4711}},
    "there": {"claims": {"sub": None}},
    "not there": {"claims": {"nickname": "any"}},
    "a lifetime": {"claims": {"exp": {"lifetime": 61}}},
    "the caller's": {"claims": {"sub": {"caller": "azp"}}},
    "a hash": {"claims": {"queryhash": {"sha256": "page=3"}}},
    "a member": {"claims": {"sub_id": {"format": "iss_sub", "iss": "any", "sub": "4712"}}},
    "a member too many": {"claims": {"sub_id": {"format": "iss_sub", "iss": "any"}}},
    "a header": {"header": {"alg": "RS256"}},
    "a header too many": {"header": {"x5c": "any"}},
    "not all": {"claims_exactly": ["iss", "aud", "iat", "nbf", "exp", "jti"]},
    "the route for the service": {"claims": {"aud": {"gateway": "route"}}},
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_table_agrees(publishing, on_envoy, name):
    checked(publishing, RIGHT[name])


@pytest.mark.parametrize("name", WRONG)
def test_the_table_disagrees(publishing, on_envoy, name):
    with pytest.raises(AssertionError):
        checked(publishing, WRONG[name])


UNUSUAL = {
    "another issuer": {"iss": "https://other"},
    "another audience": {"aud": "other"},
    "a shorter life": {"exp": int(time.time()) + 50},
    "a longer life": {"exp": int(time.time()) + 600},
    "used too long": {
        "iat": int(time.time()) - 36, "nbf": int(time.time()) - 36, "exp": int(time.time()) + 24,
    },
    "no jti": {"jti": None},
    "a short jti": {"jti": "1"},
    "a hash that nobody asked for": {"content_digest": hashes(SHA256, "")["content_digest"]},
    "no body hash": {"payloadhash": None},
    "no query hash": {"queryhash": None},
    "anonymous": {"anonymous": True},
    "another's sub": {"sub": "1"},
    "no sub_id": {"sub_id": None},
    "another client": {"client_id": "other"},
    "a time with a fraction": {"nbf": time.time() - 10},
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_wrong_whatever_a_case_says(publishing, on_envoy, name):
    with pytest.raises((AssertionError, Invalid)):
        checked(publishing, {}, usual_claims(**UNUSUAL[name]))


def test_an_extra_header_is_wrong(publishing, on_envoy):
    with pytest.raises(AssertionError):
        checked(publishing, {}, header={"jku": "https://evil"})


def test_no_longer_than_the_caller(publishing, on_envoy):
    soon = int(time.time()) + 20
    checked(publishing, {"claims": {"exp": {"caller": "exp"}}}, usual_claims(exp=soon), caller={**CALLER, "exp": soon})
    checked(publishing, {}, usual_claims(exp=soon), caller={**CALLER, "exp": soon + 0.5})
    with pytest.raises(AssertionError):
        checked(publishing, {}, caller={**CALLER, "exp": soon})


def test_anonymous_has_nothing_of_a_token(publishing, on_envoy):
    nobody = usual_claims(anonymous=True, sub=None, sub_id=None, client_id=None)
    checked(publishing, {"claims": {"anonymous": True}}, nobody)
    with pytest.raises(AssertionError):
        checked(publishing, {}, nobody)
    with pytest.raises(AssertionError):
        checked(publishing, {"claims": {"anonymous": True}}, {**nobody, "sub": "4711"})


def test_the_policy_of_the_path_counts(publishing, on_envoy):
    checked(publishing, {}, usual_claims(aud=["a", "b"]), path="lists/orders")
    with pytest.raises(AssertionError):
        checked(publishing, {}, path="lists/orders")
    assert upstream_jwt.upstream_jwt(GIVEN, "off/orders") is None
    upstream_jwt.none_went_up(GIVEN["config"]["upstream_jwt"], {"headers": [("x-jwt", "a")]})
    with pytest.raises(AssertionError):
        upstream_jwt.none_went_up(GIVEN["config"]["upstream_jwt"], {"headers": [("jwt", "a")]})


def with_signing(**fields):
    signing = {**GIVEN["config"]["upstream_jwt"], **fields}
    return {**GIVEN, "config": {**GIVEN["config"], "upstream_jwt": signing}}


def test_x5c(publishing, on_envoy):
    der = certificate_der("signing-p256")
    given = with_signing(keys={"pem": "…", "certificate": der})
    url = der.replace("+", "-").replace("/", "_").rstrip("=")
    assert url != der
    checked(publishing, {}, given=given, header={"x5c": [der]})
    checked(publishing, {}, given=with_signing(keys=given["config"]["upstream_jwt"]["keys"], x5c=False))
    for header in ({}, {"x5c": [url]}, {"x5c": [certificate_der("signing-rsa")]}):
        with pytest.raises(AssertionError):
            checked(publishing, {}, given=given, header=header)


PUBLISHED = [{"key": "signing-p256", "alg": "ES256", "kid": "k-ES256"}]


def published(publishing, expected=PUBLISHED, signing=None, has_body=True, **headers):
    fields = {**publishing.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    body = json.dumps({"keys": publishing.keys}).encode() if has_body else b""
    response = client.Response(publishing.status, list(fields.items()), body)
    upstream_jwt.check_published(response, signing or {}, expected, has_body)


def test_what_is_published(publishing):
    publishing.keys = [public("p256", "ES256")]
    published(publishing)
    published(publishing, signing={"jwks_max_age": 60}, cache_control="public, max-age=60")
    published(publishing, has_body=False)
    publishing.keys = [public("p256", "ES256", kid=key("p256").thumbprint(), x5c=[certificate_der("signing-p256")])]
    published(publishing, [{"key": "signing-p256", "alg": "ES256", "x5c": True}])


WRONG_KEY_SETS = {
    "none": lambda: [],
    "another": lambda: [public("p384", "ES256")],
    "another name": lambda: [public("p256", "ES256", kid="other")],
    "another algorithm": lambda: [public("p256", "ES384", kid="k-ES256")],
    "a private member": lambda: [{**public("p256", "ES256"), "d": private_jwk("signing-p256")["d"]}],
    "a private member by another name": lambda: [{**public("p256", "ES256"), "x-d": private_jwk("signing-p256")["d"]}],
    "for encryption": lambda: [public("p256", "ES256", use="enc")],
    "one too many": lambda: [public("p256", "ES256"), public("p256", "ES256")],
}


@pytest.mark.parametrize("name", WRONG_KEY_SETS)
def test_what_is_published_wrongly(publishing, name):
    publishing.keys = WRONG_KEY_SETS[name]()
    with pytest.raises(AssertionError):
        published(publishing)


def test_how_it_is_published(publishing):
    publishing.keys = [public("p256", "ES256")]
    for headers in ({"content_type": "application/json"}, {"cache_control": "no-store"}):
        with pytest.raises(AssertionError):
            published(publishing, **headers)
    publishing.status = 404
    with pytest.raises(AssertionError):
        published(publishing)
