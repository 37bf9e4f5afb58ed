"""The tables' placeholders: this run's addresses, and the fixed keys of keys/.

`${PEM:fixed-rsa}`, `${PKCS1:…}` and `${JWK:…}` are the public half of a key of issuers.yaml that
has a `file`; `${PRIVATE:rsa}`, `${PRIVATE_JWK:signing-rsa}` and `${CERTIFICATE:rsa-expired}` are files,
`${CERTIFICATE_DER:…}` the same without PEM's lines around it, in base64. What is PEM belongs between
double quotes; a JWK is an object, and between single quotes a text. `${SECRET:gateway}` is the secret of a
client of issuers.yaml, which is the same at every issuer that has it; between double quotes.
"""

import functools
import json
import pathlib
import re

import yaml

from tests.e2e import settings
from tests.e2e.signing import FIXED, Key

PLACEHOLDER = re.compile(r"\$\{(PEM|PKCS1|JWK|PRIVATE|PRIVATE_JWK|CERTIFICATE|CERTIFICATE_DER|SECRET):([a-z0-9-]+)\}")


def filled(text):
    for placeholder, value in settings.PLACEHOLDERS.items():
        text = text.replace(placeholder, value)
    return PLACEHOLDER.sub(lambda match: fixed(*match.groups()), text)


def key_set(name):
    """The JSON of a JWK set that has a fixed key alone."""
    return f'{{"keys": [{fixed("JWK", name)}]}}'


def fixed(form, name):
    """What stands for `${form:name}`."""
    if form == "JWK":
        return json.dumps(_key(name).jwk())
    if form == "PRIVATE_JWK":
        return json.dumps(private_jwk(name))
    if form == "CERTIFICATE_DER":
        return certificate_der(name)
    if form == "SECRET":
        return json.dumps(client_secrets()[name], ensure_ascii=False)[1:-1]
    if form == "PRIVATE":
        pem = (FIXED / f"test-only-{name}.pem").read_bytes()
    elif form == "CERTIFICATE":
        pem = (FIXED / f"test-only-{name}.crt.pem").read_bytes()
    else:
        pem = _key(name).public(form={"PEM": "SubjectPublicKeyInfo"}.get(form, form))
    return json.dumps(pem.decode())[1:-1]


def private_jwk(name):
    """The members of a JWK that stands in configurations with its private half."""
    return json.loads((FIXED / f"test-only-{name}.jwk.json").read_text())


@functools.cache
def client_secrets():
    """client id -> secret, of all issuers."""
    secrets = {}
    for given in _issuers()["issuers"].values():
        for name, client in given.get("clients", {}).items():
            if "secret" in client:
                assert secrets.setdefault(name, client["secret"]) == client["secret"], f"{name} has two secrets"
    return secrets


def certificate_der(name):
    """In base64, as `x5c` has it (RFC 7515, 4.1.6)."""
    pem = (FIXED / f"test-only-{name}.crt.pem").read_text()
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


def _key(name):
    key = Key(name, _issuers()["keys"][name])
    assert key.fixed, f"{name} is another key in every run"
    return key


@functools.cache
def _issuers():
    return yaml.safe_load((pathlib.Path(__file__).parent / "issuers.yaml").read_text())
