"""Tokens by recipe, as the table has them (see README.md, "Tokens").

A recipe changes one thing about a good access token of Keycloak's kind: its issuer, key,
algorithm, header, claims, or the finished text.
"""

import json
import re
import secrets
import time
import uuid

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.e2e.known_token import Known
from tests.e2e.signing import base64url, from_base64url

MINTED = []  # every JWT of this run, for the test that searches the log for them
OPAQUE = []  # and every token that is none

SIGNED = {
    "issuer", "key", "alg", "secret", "kid", "header", "claims", "duplicate", "payload", "tamper",
}  # fmt: skip
RECIPE = {"verbatim", "opaque", "lightweight", "introspection", "introspection_jwt", *SIGNED}
# All that a lightweight access token of Keycloak's has.
LIGHTWEIGHT = {"exp", "iat", "jti", "iss", "sub", "typ", "azp", "scope", "sid"}


def mint(stub, recipe):
    """The token's text. `recipe` is `good` or a mapping."""
    recipe = {} if recipe == "good" else recipe
    unknown = set(recipe) - RECIPE
    assert not unknown, f"a token's recipe knows no {sorted(unknown)}"
    if "verbatim" in recipe:
        return recipe["verbatim"]
    issuer = stub[recipe.get("issuer", "main")]
    stated = recipe.get("claims", {})
    if recipe.get("lightweight"):
        stated = {"jti": f"trltcc:{uuid.uuid4()}", **stated}
    claims = _changed(good_claims(issuer.iss), stated)
    if "opaque" in recipe:
        token = _opaque(recipe["opaque"])
        OPAQUE.append(token)
    else:
        is_light = recipe.get("lightweight")
        shown = {name: value for name, value in claims.items() if name in LIGHTWEIGHT} if is_light else claims
        token = _signed(stub, issuer, recipe, {"typ": "JWT"}, shown)
        MINTED.append(token)
    _made_known(stub, issuer, recipe, token, claims)
    return token


def claims_of(token):
    """What a token of this run says, or its issuer says of it when it is asked."""
    return _CLAIMS[token] if token in _CLAIMS else json.loads(from_base64url(token.split(".")[1]))


_CLAIMS = {}  # of opaque and lightweight tokens


def _opaque(template):
    """`true`, or a text with `{random}` in it."""
    text = "{random}" if template is True else template
    return re.sub(r"\{random\}", lambda _: secrets.token_urlsafe(32), text)


def _signed(stub, issuer, recipe, header, claims):
    """A JWT by the members of a recipe that say how one is made."""
    key = stub.key(recipe.get("key", "rs256"), issuer.name)
    alg = recipe.get("alg", key.default_alg())
    header = {"alg": alg, **header, "kid": recipe.get("kid", key.kid)}
    header = _changed(header, recipe.get("header", {}))
    header = {k: _other_keys(stub, issuer, v) for k, v in header.items()}
    duplicate = recipe.get("duplicate", {})
    payload = recipe.get("payload", _json(claims, duplicate.get("claims", {})))
    signed = ".".join(
        base64url(part.encode()) for part in (_json(header, duplicate.get("header", {})), payload)
    )
    token = signed + "." + base64url(key.sign(alg, signed.encode(), recipe.get("secret")))
    for step in recipe.get("tamper", []):
        ((change, argument),) = step.items() if isinstance(step, dict) else ((step, None),)
        token = TAMPERING[change](token, argument)
    return token


def _made_known(stub, issuer, recipe, token, claims):
    """To its issuer. What nobody of that name signed is inactive, unless the recipe says otherwise."""

    def sign(jwt, header, claims):
        """For an answer."""
        unknown = set(jwt) - SIGNED - {"verbatim"}
        assert not unknown, f"introspection_jwt knows no {sorted(unknown)}"
        of = stub[jwt["issuer"]] if "issuer" in jwt else issuer
        claims = _changed(claims, jwt.get("claims", {}))
        text = jwt["verbatim"] if "verbatim" in jwt else _signed(stub, of, jwt, header, claims)
        MINTED.append(text)
        return text

    key = recipe.get("key", "rs256")
    is_its_own = "opaque" in recipe or ("tamper" not in recipe and issuer.has(key))
    stated = recipe.get("introspection", "active" if is_its_own else "inactive")
    known = Known(claims, stated, recipe.get("introspection_jwt"), sign, _changed, lambda members: _json(members, {}))
    issuer.endpoints.known[token] = known
    if "opaque" in recipe or recipe.get("lightweight"):
        _CLAIMS[token] = {name: value for name, value in known.answer.items() if name not in ("active", "username")}


def good_claims(iss):
    """What Keycloak puts into the access token of a service account."""
    now = int(time.time())
    return {
        "exp": now + 3600,
        "iat": now,
        "jti": f"trrtcc:{uuid.uuid4()}",
        "iss": iss,
        "aud": ["app", "account"],
        "sub": str(uuid.uuid4()),
        "typ": "Bearer",
        "azp": "app",
        "acr": "1",
        "realm_access": {"roles": ["reader", "offline_access"]},
        "resource_access": {"app": {"roles": ["editor"]}, "other:svc": {"roles": ["x"]}},
        "scope": "email profile Function1/read",
        "clientHost": "127.0.0.1",
        "email_verified": False,
        "clientAddress": "127.0.0.1",
        "preferred_username": "service-account-app",
        "client_id": "app",
    }


def _changed(members, changes):
    """`null` removes a member, everything else replaces it."""
    members = {**members, **changes}
    return {name: _timed(value) for name, value in members.items() if value is not None}


def _timed(value):
    """`now+60` and `now-0.5` are times, as numbers."""
    if isinstance(value, str) and (time_ := re.fullmatch(r"now([+-][0-9.]+)", value)):
        offset = time_[1]
        return int(time.time()) + (float(offset) if "." in offset else int(offset))
    return value


def _other_keys(stub, issuer, value):
    """`kid:es256` and `jwk:stranger` stand for another key's name and public JWK."""
    if isinstance(value, str):
        for prefix, of in (("kid:", lambda key: key.kid), ("jwk:", lambda key: key.jwk())):
            if value.startswith(prefix):
                return of(stub.key(value[len(prefix) :], issuer.name))
    return value


def _json(members, duplicates):
    """A JSON object, duplicates first; `json:…` is a value written as it stands."""

    def written(value):
        if isinstance(value, str) and value.startswith("json:"):
            return value[len("json:") :]
        return json.dumps(value, separators=(",", ":"))

    pairs = [*duplicates.items(), *members.items()]
    return "{" + ",".join(f"{json.dumps(name)}:{written(value)}" for name, value in pairs) + "}"


# What is done to a finished token


def _with_signature(token, signature):
    return token[: token.rindex(".") + 1] + base64url(signature)


def _signature(token):
    return from_base64url(token.rpartition(".")[2])


def _flip_signature_bit(token, bit):
    signature = bytearray(_signature(token))
    signature[bit // 8] ^= 1 << (bit % 8)
    return _with_signature(token, bytes(signature))


def _claims(token, changes):
    """Other claims under the old signature."""
    header, payload, signature = token.split(".")
    claims = _changed(json.loads(from_base64url(payload)), changes)
    return f"{header}.{base64url(_json(claims, {}).encode())}.{signature}"


def _alg(token, alg):
    """Another algorithm in the header, under the old signature."""
    header, payload, signature = token.split(".")
    members = {**json.loads(from_base64url(header)), "alg": alg}
    return f"{base64url(_json(members, {}).encode())}.{payload}.{signature}"


def _last_character(token, _):
    """The last character's unused bits set: the same octets to a lenient decoder."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(token.rpartition(".")[2]) % 4 in (2, 3), "this signature leaves no bits unused"
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def _der_signature(token, _):
    """ECDSA as X.509 writes it, not as JOSE does."""
    raw = _signature(token)
    half = len(raw) // 2
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))
    return _with_signature(token, encode_dss_signature(r, s))


def _zero_signature(token, _):
    """r = s = 0, which a careless ECDSA takes for any message's signature."""
    return _with_signature(token, bytes(len(_signature(token))))


TAMPERING = {
    "alg": _alg,
    "append": lambda token, text: token + text,
    "prepend": lambda token, text: text + token,
    "cut": lambda token, characters: token[:-characters],
    "claims": _claims,
    "der_signature": _der_signature,
    "flip_signature_bit": _flip_signature_bit,
    "last_character": _last_character,
    "no_signature": lambda token, _: token.rpartition(".")[0],
    "empty_signature": lambda token, _: token[: token.rindex(".") + 1],
    "standard_base64": lambda token, _: token.replace("-", "+").replace("_", "/"),
    "zero_signature": _zero_signature,
}
