"""The gateway's own JWT on both hosts: who signs, what randomness it takes, and how bodies are waited for."""

import hashlib
import json

import pytest
from joserfc import jwt

from tests.host.faults import failing
from tests.host.gateway_jwt import ISSUER, KEYS, hashing, signing, verified
from tests.host.issuer import START
from tests.host.vm import Trap
from tests.host.worker import BAD_ARGUMENT

HELD = {"headers_stop_all": False}


def hashes(request, body):
    return verified(request)["payloadhash"] == hashlib.sha256(body).hexdigest()


def length(body):
    return [("content-length", str(len(body)))]


# Who signs


@pytest.mark.parametrize("algorithm", KEYS)
def test_every_algorithm_can_be_verified(either, algorithm):
    scene = either(signing(algorithm)).warm()
    request = scene.send(scene.issuer.token())
    claims = verified(request, algorithm)
    assert claims["sub"] == "5ae1" and claims["aud"] == "orders-service"
    assert claims["iat"] == START // 1000 and claims["exp"] == claims["iat"] + 60


@pytest.mark.parametrize("algorithm", KEYS)
def test_envoy_signs_where_it_can(envoy, algorithm):
    scene = envoy(signing(algorithm)).warm()
    asked = []
    scene.worker.fault = lambda name: asked.append(name)
    scene.send(scene.issuer.token())
    assert ("proxy_call_foreign_function" in asked) == (algorithm != "PS256")


@pytest.mark.parametrize("status", [1, 2, 10, 99])
@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "RS256"])
def test_it_signs_itself_where_envoy_does_not(envoy, algorithm, status):
    scene = envoy(signing(algorithm)).warm()
    scene.worker.fault = failing("proxy_call_foreign_function", status)
    assert verified(scene.send(scene.issuer.token()), algorithm)


@pytest.mark.parametrize(
    "answer", [b"", b"\0", b"\x12", b"\x12\x7f\x01", b"\x12\x03abc", b"\x08\x01", b"\xff" * 40, b"\x12\x40" + b"\0" * 64]
)
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_nor_does_it_believe_what_is_no_signature(envoy, monkeypatch, algorithm, answer):
    scene = envoy(signing(algorithm)).warm()
    monkeypatch.setattr(scene.worker, "_foreign", lambda name, arguments: (0, answer))
    assert verified(scene.send(scene.issuer.token()), algorithm)


# 4. Randomness


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_4_identifiers_are_unique_though_randomness_never_changes(scenes, profile):
    """Nor do they say anything of it: two keys have nothing in common."""
    scene = scenes(profile, signing(reuse=False), randomness=b"\0").warm()
    token = scene.issuer.token()
    seen = {verified(scene.send(token))["jti"] for _ in range(50)}
    assert len(seen) == 50


def test_4_workers_that_start_alike_make_no_identifier_twice(scenes):
    """WasmX's randomness has a seed that can be guessed, and may be the same; nginx's request_id is not."""
    settings = signing(reuse=False)
    first = scenes("wasmx", settings, random_seed=1).warm()
    second = scenes("wasmx", settings, random_seed=1, issuer=first.issuer).warm()
    token = first.issuer.token()
    for _ in range(10):
        assert verified(first.send(token))["jti"] != verified(second.send(token))["jti"]


def test_4_who_knows_all_but_the_key_cannot_foresee_them(scenes):
    """The same worker twice, but for its key; and once more with that as well."""
    named = {"randomness": b"\0", "new_request_id": lambda: "f" * 32}
    first = scenes("wasmx", signing(reuse=False), **named).warm()
    again = scenes("wasmx", signing(reuse=False), issuer=first.issuer, **named).warm()
    other = scenes("wasmx", signing("ES512", reuse=False), issuer=first.issuer, **named).warm()
    token = first.issuer.token()
    jtis = [verified(first.send(token)), verified(again.send(token)), verified(other.send(token), "ES512")]
    jtis = [claims["jti"] for claims in jtis]
    assert jtis[0] == jtis[1] != jtis[2], "the test knows all that there is"


def test_without_randomness_nothing_goes_up(either):
    scene = either(signing(reuse=False)).warm()
    scene.worker.fault = failing("random_get", BAD_ARGUMENT)
    request = scene.send(scene.issuer.token())
    assert request.status == 500 and request.upstream is None
    scene.worker.fault = lambda name: None
    assert scene.send(scene.issuer.token()).status == 200


# What is set


def test_one_of_a_clients_own_is_overwritten(either):
    scene = either(signing()).warm()
    for name in ("JWT", "jwt"):
        assert verified(scene.send(scene.issuer.token(), [(name, "forged")]))


@pytest.mark.parametrize("forged", [[("JWT", "a"), ("JWT", "b")], [("X_Gateway_JWT", "a")], [("x.gateway-jwt", "a")]])
def test_5_what_cannot_be_taken_away_is_refused(scenes, forged):
    for profile, status in (("wasmx", 400), ("envoy", 200)):
        header = "JWT" if forged[0][0] == "JWT" else "X-Gateway-JWT"
        scene = scenes(profile, signing(header=header)).warm()
        request = scene.send(scene.issuer.token(), forged)
        assert request.status == status
        if request.upstream:
            assert [value for name, value in request.upstream[1] if b"jwt" in name.lower()] != []
            assert not any(value in (b"a", b"b") for _, value in request.upstream[1])


def test_the_callers_token_gives_way_to_it(either):
    scene = either(signing(header="Authorization", include_credential_type=True)).warm()
    (value,) = scene.send(scene.issuer.token()).value(b"authorization")
    scheme, _, token = value.decode().partition(" ")
    assert scheme == "Bearer"
    assert jwt.decode(token, KEYS["ES256"], algorithms=["ES256"]).claims["iss"] == ISSUER


def test_the_names_are_the_hosts(either):
    members = {"aud": {"from": "route"}, "claims": {"s": {"from": "service"}}}
    scene = either(signing(**members)).warm()
    claims = verified(scene.send(scene.issuer.token()))
    assert (claims["aud"], claims["s"]) == ("orders-route", "orders-service")
    claims = verified(scene.send(scene.issuer.token(), service_name=None, route_name=None))
    assert "aud" not in claims and "s" not in claims


def test_names_are_not_asked_for_in_vain(either):
    scene = either(signing(aud="orders")).warm()
    asked = []
    real = scene.worker._property
    scene.worker._property = lambda path: asked.append(path) or real(path)
    scene.send(scene.issuer.token())
    assert not [path for path in asked if path[-1].endswith("_name")]


def test_the_keys_are_published(either):
    scene = either(signing(jwks_path="/keys"))
    request = scene.send(path="/keys?x=y")
    assert request.status == 200 and request.upstream is None
    (key,) = json.loads(request.response[2])["keys"]
    assert sorted(key) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
    assert dict(request.response[1])[b"cache-control"] == b"public, max-age=300"
    assert scene.send(path="/keys/").status == 401


# Bodies on Envoy


def test_envoys_body_is_hashed_however_it_comes(envoy):
    scene = envoy(hashing(), **HELD).warm()
    body = b"x" * 70_000
    token = scene.issuer.token()
    assert hashes(scene.send(token, method="POST", body=body), body)
    request = scene.send(token, method="POST", has_body=True)
    for start in range(0, len(body), 10_000):
        assert request.upstream is None
        scene.worker.body(request, body[start : start + 10_000], False)
    scene.worker.body(request, b"", True)
    assert hashes(request, body) and bytes(request.body.up) == body
    request = scene.send(token, method="POST", has_body=True)
    scene.worker.body(request, body, False)
    scene.worker.trailers(request, [(b"x-checksum", b"1")])
    assert hashes(request, body) and bytes(request.body.up) == body
    request = scene.send(token, method="POST", has_body=True)
    scene.worker.body(request, b"", True)
    assert hashes(request, b"")
    assert hashes(scene.send(token), b"")


def test_envoys_body_that_comes_before_the_keys_is_remembered(envoy):
    scene = envoy(hashing(), **HELD)
    request = scene.send(scene.issuer.token(), method="POST", has_body=True)
    scene.worker.body(request, b"ab", False)
    scene.worker.body(request, b"c", True)
    assert request.status is None
    scene.answer_all()
    assert hashes(request, b"abc") and bytes(request.body.up) == b"abc"


def test_envoys_body_may_come_after_the_keys(envoy):
    scene = envoy(hashing(), **HELD)
    request = scene.send(scene.issuer.token(), method="POST", has_body=True)
    scene.worker.body(request, b"ab", False)
    scene.answer_all()
    assert request.status is None
    scene.worker.body(request, b"c", True)
    assert hashes(request, b"abc") and bytes(request.body.up) == b"abc"


def test_envoys_body_above_the_limit_is_refused(envoy):
    scene = envoy(hashing(max_body_size=10), **HELD).warm()
    token = scene.issuer.token()
    assert scene.send(token, length(b"x" * 11), method="POST", has_body=True).status == 413
    request = scene.send(token, method="POST", has_body=True)
    scene.worker.body(request, b"x" * 10, False)
    assert request.status is None
    scene.worker.body(request, b"x", False)
    assert request.status == 413
    assert hashes(scene.send(token, method="POST", body=b"x" * 10), b"x" * 10)


def test_envoy_that_shows_no_bodies_is_found_out(envoy):
    scene = envoy(hashing()).warm()
    request = scene.send(scene.issuer.token(), method="POST", body=b"abc")
    scene.pass_time(4750)
    assert request.status is None
    scene.pass_time(500)
    assert request.status == 500
    told = [line for level, line in scene.worker.log if level == "error"]
    assert any("allow_on_headers_stop_iteration" in line for line in told)
    assert hashes(scene.send(scene.issuer.token()), b"")


def test_envoys_body_that_never_ends_is_not_waited_for_for_ever(envoy):
    scene = envoy(hashing(body_timeout=10), **HELD).warm()
    request = scene.send(scene.issuer.token(), method="POST", has_body=True)
    scene.worker.body(request, b"a", False)
    scene.pass_time(9750)
    assert request.status is None
    scene.pass_time(500)
    assert request.status == 408
    scene.worker.body(request, b"b", True)


@pytest.mark.parametrize("is_warm", [True, False], ids=["keys are there", "keys are fetched"])
def test_envoys_body_that_ends_while_there_is_no_clock_is_refused_at_once(envoy, is_warm):
    scene = envoy(hashing(), **HELD)
    if is_warm:
        scene.warm()
    request = scene.send(scene.issuer.token(), has_body=True)
    scene.worker.fault = failing("proxy_get_current_time_nanoseconds", 10)
    scene.worker.body(request, b"ab", False)
    assert request.status is None
    scene.worker.body(request, b"c", True)
    assert request.status == 500
    scene.worker.fault = lambda name: None
    scene.answer_all()
    scene.pass_time(40_000)
    assert request.upstream is None


def test_who_waits_for_a_body_may_go(envoy):
    scene = envoy(hashing(), **HELD).warm()
    request = scene.send(scene.issuer.token(), method="POST", has_body=True)
    scene.worker.body(request, b"a", False)
    scene.worker.leave(request)
    scene.pass_time(60_000)
    assert hashes(scene.send(scene.issuer.token(), method="POST", body=b"x"), b"x")


def test_a_body_that_the_host_does_not_give_is_refused(either):
    scene = either(hashing()).warm()
    scene.worker.headers_stop_all = False
    scene.worker.fault = failing("proxy_get_buffer_bytes", BAD_ARGUMENT)
    request = scene.send(scene.issuer.token(), length(b"abc"), method="POST", body=b"abc")
    assert request.status == 413 and request.upstream is None


# Bodies on WasmX: the head is let go first


def post(scene, body, fields=None, **named):
    fields = length(body) if fields is None else fields
    return scene.send(scene.issuer.token(), fields, method="POST", body=body, **named)


def test_kongs_body_is_hashed(kong):
    scene = kong(hashing()).warm()
    for body in (b"a", b"x" * 8192):
        request = post(scene, body)
        assert hashes(request, body) and bytes(request.body.up) == body
        assert request.variables["upstream_scheme"] == b"http"
    assert hashes(post(scene, b"abc", [("transfer-encoding", "chunked")]), b"abc")
    assert hashes(scene.send(scene.issuer.token()), b"")
    assert hashes(post(scene, b"", [("content-length", "0")]), b"")


def test_kongs_body_comes_after_the_keys(kong):
    scene = kong(hashing())
    request = post(scene, b"abc")
    assert request.status is None
    scene.answer_all()
    assert hashes(request, b"abc")


def test_kongs_body_that_is_in_a_file_is_refused(kong):
    scene = kong(hashing()).warm()
    request = post(scene, b"x" * 8193)
    assert request.status == 413 and request.upstream is None


def test_kongs_body_that_is_empty_and_chunked_leads_nowhere(kong):
    """No callback comes for it, and the way stays closed."""
    scene = kong(hashing()).warm()
    request = post(scene, b"", [("transfer-encoding", "chunked")])
    assert request.status == 500 and request.upstream is None


def test_kongs_body_that_nobody_announced_is_not_said_to_be_none(kong):
    """HTTP/2 needs no content-length."""
    scene = kong(hashing()).warm()
    request = post(scene, b"abc", [])
    assert request.status == 411 and request.upstream is None


def test_a_trap_while_a_body_comes_leads_nowhere(scenes):
    scene = scenes("wasmx", hashing(), may_trap=True).warm()

    def trap(name):
        if name == "proxy_get_buffer_bytes" and scene.worker.callback == "proxy_on_request_body":
            raise Trap("host")

    scene.worker.fault = trap
    request = post(scene, b"abc")
    assert scene.worker.traps and request.upstream is None and request.status == 500


@pytest.mark.parametrize("name", ["proxy_set_property", "proxy_get_property"])
def test_where_the_way_cannot_be_closed_nobody_waits_for_a_body(kong, name):
    scene = kong(hashing()).warm()

    def fault(called):
        return BAD_ARGUMENT if called == name and scene.worker.callback == "proxy_on_request_headers" else None

    scene.worker.fault = fault
    request = post(scene, b"abc")
    assert request.status == 500 and request.upstream is None


def two(kong, first, second):
    """A scene whose route has a filter of its own behind the service's."""
    scene = kong(first).warm()
    other = json.dumps({"allowed_iss": [scene.issuer.iss], "allowed_alg": ["EdDSA"], **second}).encode()
    return scene, scene.worker.configure(other)


@pytest.mark.parametrize("keys_first", [True, False])
def test_two_filters_may_wait_for_one_body(kong, keys_first):
    scene, other = two(kong, hashing(), signing(header="x-second", body_hash=True))
    if keys_first:
        scene.worker.tick(other)
        scene.answer_all()
    request = post(scene, b"abc", then=[other])
    scene.answer_all()
    assert hashes(request, b"abc")
    (second,) = request.value(b"x-second")
    assert jwt.decode(second.decode(), KEYS["ES256"], algorithms=["ES256"])
    assert request.variables["upstream_scheme"] == b"http"


@pytest.mark.parametrize("keys_first", [True, False])
@pytest.mark.parametrize("second", [{"scope": "admin"}, {"access": "deny"}, {**hashing(max_body_size=2)}])
def test_a_filter_behind_one_that_waits_for_a_body_is_asked_all_the_same(kong, second, keys_first):
    scene, other = two(kong, hashing(), second)
    if keys_first:
        scene.worker.tick(other)
        scene.answer_all()
    request = post(scene, b"abc", then=[other])
    scene.answer_all()
    assert request.status in (403, 413) and request.upstream is None


def test_what_the_filter_behind_has_changed_stays_changed(kong):
    """The first one's changes are made before the head comes to the second."""
    hides = {"upstream_token": "hide", "uri_param_names": [], "header_names": []}
    first = {**hashing(), **hides, "access": "optional", "cookie_names": ["a"]}
    second = {**hides, "access": "optional", "keep_consumer_headers": True, "cookie_names": ["b"]}
    scene, other = two(kong, first, second)
    token = scene.issuer.token()
    fields = [*length(b"abc"), ("cookie", f"a={token}; b={token}; c=1")]
    request = scene.worker.request(scene.root, method="POST", fields=fields, body=b"abc", then=[other])
    scene.requests.append(request)
    scene.answer_all()
    assert request.value(b"cookie") == [b"c=1"]


def test_the_filter_behind_sees_what_the_one_before_tells(kong):
    consumers = {"consumers": [{"username": "app"}], "consumer_match": True}
    second = {**signing(header="x-second"), "keep_consumer_headers": True}
    scene, other = two(kong, {**hashing(), **consumers}, second)
    for body in (b"abc", b""):
        request = post(scene, body, then=[other])
        scene.answer_all()
        (jwt_of_the_second,) = request.value(b"x-second")
        claims = jwt.decode(jwt_of_the_second.decode(), KEYS["ES256"], algorithms=["ES256"]).claims
        assert claims["consumername"] == "app", body


def test_an_upgrade_that_is_no_websocket_is_no_body(either):
    """Java's client and curl ask for h2c."""
    scene = either(hashing()).warm()
    scene.worker.headers_stop_all = False
    fields = [("connection", "upgrade"), ("upgrade", "h2c")]
    assert hashes(scene.send(scene.issuer.token(), fields, body=b""), b"")
    fields[1] = ("upgrade", "WebSocket")
    assert scene.send(scene.issuer.token(), fields, has_body=True).status == 400


def test_where_there_is_no_way_to_close_nothing_is_kept_of_a_request(scenes):
    """Another nginx than Kong's."""
    scene = scenes("wasmx", {**hashing(), "token_cache_size": 0}, variables={}).warm()
    sizes = []
    for count in (200, 2000):
        for _ in range(count):
            request = post(scene, b"abc")
            assert request.status == 500
            scene.worker.leave(request)
            scene.requests.clear()
        sizes.append(scene.worker.vm.memory_bytes())
    assert sizes[0] == sizes[1]
