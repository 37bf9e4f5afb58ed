"""Signatures that Envoy checks itself, by its function `verify_signature`: what it is asked, when it is
believed, and what becomes of a signature of which it says nothing."""

import functools
import re

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.host import foreign
from tests.host.foreign import NO, YES
from tests.host.issuer import Issuer
from tests.host.puppet import puppet_at
from tests.host.worker import BAD_ARGUMENT, CONTINUE, NOT_FOUND, OK

KINDS = {"RS": {"kty": "RSA"}, "PS": {"kty": "RSA"}, "ES": {"kty": "EC", "crv": "P-256"}, "Ed": {"kty": "OKP"}}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "EdDSA"]
# So often Envoy is asked in vain.
CHANCES = 3


@functools.cache
def issuer(algorithm):
    crv = {"crv": "Ed25519"} if algorithm == "EdDSA" else {}
    return Issuer(specification={**KINDS[algorithm[:2]], **crv, "alg": algorithm, "use": "sig"})


def gateway(make, algorithm="RS256"):
    return make({"allowed_alg": [algorithm]}, issuer=issuer(algorithm)).warm()


def asked(scene, answer=None):
    """What Envoy is asked from now on; it answers as it does, or this."""
    questions, real = [], scene.worker._foreign

    def ask(name, arguments):
        questions.append((name, arguments))
        return answer or real(name, arguments)

    scene.worker._foreign = ask
    return questions


def goes_up(scene, token):
    """Whether it does; it is refused with 401 otherwise."""
    request = scene.send(token)
    scene.answer_all()  # newer keys are no better
    if request.upstream is None:
        assert request.response[0] == 401
    return request.upstream is not None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_envoy_is_asked_about_rs_and_nothing_else(envoy, algorithm):
    scene = gateway(envoy, algorithm)
    questions = asked(scene)
    token = scene.issuer.token()
    assert goes_up(scene, token)
    assert [name for name, _ in questions] == ([b"verify_signature"] if algorithm.startswith("RS") else [])
    for _, arguments in questions:
        given = foreign.read(arguments)
        assert given[1] == f"sha{algorithm[2:]}".encode() and given[4] == token.rpartition(".")[0].encode()
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        assert given[2] == scene.issuer.keys[0].private.public_key().public_bytes(serialization.Encoding.DER, spki)
    # A token that is known is not checked again.
    before = len(questions)
    assert goes_up(scene, token) and len(questions) == before
    assert not goes_up(scene, scene.issuer.forged())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wasmx_is_never_asked(kong, algorithm):
    """It would trap."""
    scene = gateway(kong, algorithm)
    assert goes_up(scene, scene.issuer.token()) and not goes_up(scene, scene.issuer.forged())


def test_envoy_is_believed(envoy):
    scene = gateway(envoy)
    questions = asked(scene, (OK, YES))
    assert goes_up(scene, scene.issuer.forged()) and len(questions) == 1
    scene = gateway(envoy)
    questions = asked(scene, (OK, NO))
    assert not goes_up(scene, scene.issuer.token()) and questions


NONSENSE = [
    pytest.param((OK, None), id="nothing"),
    pytest.param((OK, b""), id="an empty answer"),
    pytest.param((OK, b"\x08\x00"), id="false without a reason"),
    pytest.param((OK, b"\x08\x02"), id="2"),
    pytest.param((OK, b"\x08\x81\x00"), id="1 in two octets"),
    pytest.param((OK, b"\x10\x01"), id="another member"),
    pytest.param((OK, b"\x08\x01\x00"), id="true and an octet"),
    pytest.param((OK, YES + NO), id="true and an error"),
    pytest.param((OK, b"\x08\x01\x18\x01"), id="true and a member that nobody knows"),
    pytest.param((OK, NO[:-1]), id="a text that is cut"),
    pytest.param((OK, b"\x12\x18sha256 is not supported."), id="another error"),
    pytest.param((OK, b"\xff" * 40), id="no message"),
    pytest.param((BAD_ARGUMENT, None), id="bad argument"),
    pytest.param((NOT_FOUND, None), id="no such function"),
    pytest.param((99, YES), id="an unknown status, and true"),
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_the_filter_checks_itself_what_envoy_says_nothing_of(envoy, answer):
    scene = gateway(envoy)
    questions = asked(scene, answer)
    for _ in range(CHANCES + 2):
        assert goes_up(scene, scene.issuer.token())
        assert not goes_up(scene, scene.issuer.forged())
    assert len(questions) == CHANCES, "it is not asked for ever"
    told = [line for line in scene.worker.log if re.search("host does not check signatures", str(line))]
    assert len(told) == 1, "and the log says so once"


def test_envoy_is_asked_again_after_a_slip(envoy):
    scene = gateway(envoy)
    real = scene.worker._foreign
    asked(scene, (OK, b""))
    for _ in range(CHANCES - 1):
        assert goes_up(scene, scene.issuer.token())
    scene.worker._foreign = real
    questions = asked(scene)
    assert goes_up(scene, scene.issuer.token()) and not goes_up(scene, scene.issuer.forged())
    assert len(questions) >= 2


# Envoy itself

KEYS = {"RSA": rsa.generate_private_key(65537, 2048), "EC": ec.generate_private_key(ec.SECP256R1())}


def arguments(private, signature=None, **members):
    if signature is None:
        by = [ec.ECDSA(SHA256())] if private is KEYS["EC"] else [padding.PKCS1v15(), SHA256()]
        signature = private.sign(b"text", *by)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    given = {"hash": b"sha256", "key": public, "signature": signature, "text": b"text", **members}
    numbers = {"hash": 1, "key": 2, "signature": 3, "text": 4}
    return b"".join(foreign.written(numbers[name], value) for name, value in given.items() if value is not None)


@pytest.mark.parametrize("kind", KEYS)
def test_envoy_says_whether_it_is_a_signature(kind):
    puppet = puppet_at("envoy")
    puppet.on("headers", CONTINUE, "sign")

    def verified(**given):
        puppet.tell(function=b"verify_signature", arguments=arguments(KEYS[kind], **given))
        puppet.send()
        return puppet.result("sign")

    assert verified() == verified(hash=b"SHA256") == (OK, YES)
    for bad in ({"text": b"test"}, {"signature": b""}, {"signature": b"x" * 256}, {"hash": b"sha1"}):
        assert verified(**bad) == (OK, NO)
    assert verified(hash=b"md5") == (OK, foreign.written(2, b"md5 is not supported."))
    assert verified(key=b"garbage") == (OK, foreign.written(2, b"Failed to initialize digest verify."))
    assert verified(key=None) == verified(hash=b"\xff") == (BAD_ARGUMENT, b"")
