"""Host calls that the filter need not make on every host, or never in this way: `sign`, randomness, names."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.host import foreign
from tests.host.puppet import puppet_at
from tests.host.worker import BAD_ARGUMENT, CONTINUE, NOT_FOUND, OK

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS8, TRADITIONAL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def octets(key, encoding=DER, form=PKCS8):
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def arguments(key=None, pem=None, hash_=b"sha256", text=b"text"):
    fields = {1: hash_, 2: key, 3: text, 4: pem}
    return b"".join(foreign.written(number, value) for number, value in fields.items() if value is not None)


def verified(key, signature, digest=hashes.SHA256):
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(signature, b"text", padding.PKCS1v15(), digest())
    else:
        key.public_key().verify(signature, b"text", ec.ECDSA(digest()))
    return True


@pytest.fixture
def signed():
    """Envoy's answer: the status, and the members of the result."""
    puppet = puppet_at("envoy")
    puppet.on("headers", CONTINUE, "sign")

    def sign(message, function=b"sign"):
        puppet.tell(arguments=message, function=function)
        puppet.send()
        assert puppet.worker.traps == []
        status, result = puppet.result("sign")
        return status, result

    return sign


@pytest.mark.parametrize("key", [RSA, EC], ids=["RSA", "EC"])
@pytest.mark.parametrize("name", [b"sha256", b"SHA512", b"sha384"])
def test_envoy_signs(signed, key, name):
    for given in ({"key": octets(key)}, {"pem": octets(key, PEM)}, {"pem": octets(key, PEM, TRADITIONAL)}):
        status, result = signed(arguments(hash_=name, **given))
        assert status == OK and result.startswith(b"\x08\x01"), "result: true"
        members = foreign.read(result)
        assert set(members) == {2}
        assert verified(key, members[2], getattr(hashes, name.decode().upper()))


@pytest.mark.parametrize(
    "message, error",
    [
        pytest.param(arguments(octets(EC), hash_=b"md5"), b"md5 is not supported.", id="a hash that it has not"),
        pytest.param(arguments(b"garbage"), b"private key required for signing operation.", id="no DER"),
        pytest.param(arguments(octets(EC, DER, TRADITIONAL)), b"private key required for signing operation.", id="SEC 1"),
        pytest.param(arguments(octets(RSA, DER, TRADITIONAL)), b"private key required for signing operation.", id="PKCS 1"),
        pytest.param(arguments(pem=b"garbage"), b"private key required for signing operation.", id="no PEM"),
        pytest.param(arguments(octets(ED)), b"key data is corrupted or malformed.", id="Ed25519"),
    ],
)
def test_envoy_says_why_it_does_not_sign(signed, message, error):
    assert signed(message) == (OK, foreign.written(3, error))


GOOD = arguments(octets(EC))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(GOOD + b"\x02\0", id="a field of number 0"),
        pytest.param(GOOD + b"\x4f", id="a field of no type"),
        pytest.param(GOOD + b"\x4a\5abc", id="a field that is cut"),
        pytest.param(GOOD + b"\x49abc", id="a number that is cut"),
        pytest.param(GOOD + b"\xff\xff", id="a tag that is cut"),
        pytest.param(GOOD + b"\x48" + b"\xff" * 10 + b"\1", id="a number without end"),
        pytest.param(arguments(octets(EC), hash_=b"\xff"), id="a text that is none"),
        pytest.param(arguments(), id="no key"),
        pytest.param(arguments(octets(EC), octets(EC, PEM)), id="two keys"),
    ],
)
def test_envoy_takes_no_such_arguments(signed, message):
    assert signed(GOOD)[0] == OK
    assert signed(message) == (BAD_ARGUMENT, b"")


def test_envoy_knows_no_other_function(signed):
    assert signed(arguments(octets(EC)), b"sing") == (NOT_FOUND, b"")


def test_fields_that_nobody_knows_are_skipped(signed):
    extra = b"\x28\x96\x01" + b"\x31" + bytes(8) + b"\x3d" + bytes(4) + foreign.written(9, b"x")
    status, result = signed(extra + arguments(octets(EC)))
    assert status == OK and verified(EC, foreign.read(result)[2])


def test_wasmx_traps_on_every_foreign_function_but_its_own():
    puppet = puppet_at("wasmx")
    puppet.on("headers", CONTINUE, "sign")
    assert puppet.send().status == 500
    assert "foreign function" in puppet.worker.traps[0]
    puppet = puppet_at("wasmx")
    puppet.on("headers", CONTINUE, "sign")
    puppet.tell(function=b"resolve_lua")
    assert puppet.send().status == 200


def draws(profile, count, **named):
    puppet = puppet_at(profile, **named)
    drawn = []
    for _ in range(count):
        puppet.on("headers", CONTINUE, "random")
        puppet.send()
        drawn.append(puppet.result("random"))
    return drawn


def test_randomness():
    assert len({octets for status, octets in draws("envoy", 4) if status == OK}) == 4
    # WasmX's is the same in each instance, for who knows the seed.
    assert draws("wasmx", 3, random_seed=7) == draws("wasmx", 3, random_seed=7) != draws("wasmx", 3, random_seed=8)
    assert len(set(draws("wasmx", 3))) == 3


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_randomness_that_a_test_gives(profile):
    assert draws(profile, 2, randomness=b"ab") == [(OK, b"ab" * 8)] * 2
    assert draws(profile, 1, randomness=lambda size: b"x" * size) == [(OK, b"x" * 16)]


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_randomness_may_fail(profile):
    (drawn,) = draws(profile, 1, fault=lambda name: 29 if name == "random_get" else None)
    assert drawn == (29, bytes(16))


def test_wasmx_draws_the_same_again_in_the_instance_after_a_trap():
    puppet = puppet_at("wasmx")
    puppet.on("headers", CONTINUE, "random")
    puppet.send()
    first = puppet.result("random")
    puppet.on("headers", CONTINUE, "trap")
    puppet.send()
    puppet.send()  # makes the instance again
    puppet.on("headers", CONTINUE, "random")
    puppet.send()
    assert puppet.result("random") == first


def told(profile, path, request=None, **named):
    puppet = puppet_at(profile, **named)
    puppet.tell(property=path.replace(".", "\0").encode())
    puppet.on("headers", CONTINUE, "property")
    puppet.send(**(request or {}))
    assert puppet.worker.traps == []
    return puppet.result("property")


@pytest.mark.parametrize(
    "profile, service, route",
    [("envoy", "xds.cluster_name", "xds.route_name"), ("wasmx", "kong.service_name", "kong.route_name")],
)
def test_names_of_service_and_route(profile, service, route):
    assert told(profile, service) == (OK, b"orders-service")
    assert told(profile, route) == (OK, b"orders-route")
    names = {"service_name": "s", "route_name": None}
    assert told(profile, service, names) == (OK, b"s")
    assert told(profile, route, names) == (NOT_FOUND, b"")


def test_envoy_knows_neither_by_its_name_alone():
    assert told("envoy", "route_name") == told("envoy", "cluster_name") == (NOT_FOUND, b"")


def test_nginx_variables():
    status, one = told("wasmx", "ngx.request_id")
    assert status == OK and len(one) == 32 and one.isalnum()
    assert told("wasmx", "ngx.request_id")[1] != one
    assert told("wasmx", "ngx.request_id", new_request_id=lambda: "a1") == (OK, b"a1")
    assert told("wasmx", "ngx.request_id", variables={"request_id": b"b2"}) == (OK, b"b2")
    assert told("wasmx", "ngx.server_protocol") == (OK, b"HTTP/1.1")
    assert told("wasmx", "ngx.server_protocol", variables={"server_protocol": b"HTTP/2.0"}) == (OK, b"HTTP/2.0")


def test_garbage_is_given_for_bodies_and_signatures_too():
    puppet = puppet_at("envoy", headers_stop_all=False)
    puppet.tell(arguments=arguments(octets(EC)))
    puppet.on("body", CONTINUE, "read", "sign")
    puppet.worker.garbage = b"\xff"
    puppet.send(body=b"order")
    assert puppet.result("read") == puppet.result("sign") == (OK, b"\xff")
