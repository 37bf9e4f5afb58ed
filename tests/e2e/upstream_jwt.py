"""What the gateway signs for the upstream: its JWT, verified and compared, and the keys it publishes.

The verifying is joserfc's (tests/stack/gateway_jwt.py); see README.md, "The gateway's JWT", for what
a case may say of it.
"""

import base64
import functools
import hashlib
import json
import time

from joserfc import jwk

from tests.e2e import settings, tokens
from tests.e2e.configurations import policy_path, upstream_jwt
from tests.e2e.placeholders import certificate_der, private_jwk
from tests.e2e.signing import from_base64url
from tests.stack.gateway_jwt import JWK_SET_TYPE, PRIVATE, PublishedKeys, SharedSecret, Verifier, folded, hashes

SEEN = []  # every JWT of this run, for the test that searches the log for them
SECONDS = 3  # that a request may be on its way
LIFETIME = 60
HEADER = "JWT"
# The configuration's fields that ask for a claim, and the claim.
HASHES = {"payloadhash": ("body_hash", (True, "hex")), "content_digest": ("body_hash", ("content-digest",)),
          "queryhash": ("query_hash", (True,))}  # fmt: skip


class Sent:
    """A request that reached the upstream with a JWT.

    `name` is its configuration's, `given` the configuration as configurations() has it, `path` what
    followed its name, `caller` the caller's token (a text).
    """

    def __init__(self, address, name, given, path, received, caller=None):
        signing = upstream_jwt(given, path)
        policy = policy_path(given, path)
        self.names = {"service": "upstream", "route": name}
        if settings.IS_KONG:
            # kong.py: a policy that a route names has a route and a service of its own.
            self.names = dict.fromkeys(self.names, f"{name}.{policy.strip('/')}" if policy else name)
        self.signing = signing
        self.received = received
        self._caller = caller
        header = signing.get("header", HEADER)
        self._verifier = Verifier(
            keys_for(address, signing),
            signing["issuer"],
            header=header,
            bearer=bool(signing.get("include_credential_type") or signing.get("include_bearer")),
            requires=[claim for claim, (field, values) in HASHES.items() if signing.get(field, False) in values],
        )
        self.text = self._verifier.text(received["headers"])
        SEEN.append(self.text)
        self.header, self.claims = self._verifier.verified(
            received["headers"], received["body_sha256"], received["path"]
        )

    @property
    def caller(self):
        """The claims of the caller's token, as its issuer knows them if it says none itself."""
        return tokens.claims_of(self._caller)


def check(sent, expected):
    """Fails where the JWT is not what the configuration and the case say."""
    _header_is_usual(sent)
    _times_are_usual(sent)
    _claims_are_usual(sent, expected.get("claims", {}))
    for name, wanted in expected.get("header", {}).items():
        compare(f"header.{name}", wanted, sent.header.get(name), sent)
    for name, wanted in expected.get("claims", {}).items():
        compare(f"claims.{name}", wanted, sent.claims.get(name), sent)
    if "claims_exactly" in expected:
        assert set(sent.claims) == set(expected["claims_exactly"])


def none_went_up(signing, received):
    """No header of that name, in whatever spelling."""
    name = (signing or {}).get("header", HEADER)
    assert [field for field in received["headers"] if folded(field[0]) == folded(name)] == []


# What holds of every JWT


def _header_is_usual(sent):
    certificate = _first_key(sent.signing).get("certificate")
    has_x5c = bool(certificate) and sent.signing.get("x5c", True) is not False
    assert set(sent.header) == {"typ", "alg", "kid"} | ({"x5c"} if has_x5c else set())
    if has_x5c:
        encoding = sent.signing.get("x5c_encoding", "base64")
        assert sent.header["x5c"] == [_encoded(der_of(certificate), encoding)]


def _times_are_usual(sent):
    """RFC 7519, 4.1: from now on, as long as configured, and no longer than the caller's token."""
    claims, signing = sent.claims, sent.signing
    now = time.time()
    assert all(type(claims[name]) is int for name in ("iat", "nbf", "exp")), claims
    lifetime = signing.get("exp", LIFETIME)
    ends = claims["iat"] + lifetime
    if "anonymous" not in claims and "exp" in sent.caller:
        ends = min(ends, int(sent.caller["exp"]))
    assert claims["exp"] == ends
    # One that is used again is at most half way through its life.
    age = (claims["exp"] - claims["iat"]) / 2 if signing.get("reuse", True) else 0
    assert now - age - SECONDS <= claims["iat"] <= now + 1
    assert claims["nbf"] <= claims["iat"]


def _claims_are_usual(sent, expected):
    claims, signing = sent.claims, sent.signing
    audience = _audience(sent)
    if audience != "unknown":
        assert claims.get("aud") == audience
    jti = claims.get("jti")
    assert (isinstance(jti, str) and len(jti) >= 16) if signing.get("jti", True) else jti is None
    for claim, (field, values) in HASHES.items():
        # Whether they are right has been verified.
        assert (claim in claims) == (signing.get(field, False) in values), claim
    assert claims.get("anonymous") == expected.get("anonymous")
    usual = dict.fromkeys(("sub", "sub_id", "client_id"))
    if "anonymous" not in claims:
        caller = sent.caller
        usual.update(sub=caller.get("sub"), client_id=caller.get("azp"))
        if usual["sub"] is not None:
            # RFC 9493, 3.2.3
            usual["sub_id"] = {"format": "iss_sub", "iss": caller["iss"], "sub": caller["sub"]}
    for name, value in usual.items():
        if name not in signing.get("claims", {}) and name not in expected:
            assert claims.get(name) == value, name


def _audience(sent):
    asked = sent.signing.get("aud", True)
    if asked is False:
        return None
    if asked is True:
        asked = {"from": "service"}
    return name_of(asked["from"], sent) if isinstance(asked, dict) else asked


def name_of(what, sent):
    """What the gateway calls the service or the route; `unknown` at somebody else's gateway."""
    return "unknown" if settings.GATEWAY and not settings.IS_KONG else sent.names[what]


# What a case says


def compare(where, wanted, got, sent):
    """Exactly, but for these forms: null (not there), any, {lifetime: …} and the like (FORMS)."""
    if wanted == "any":
        assert got is not None, f"{where} is missing"
        return
    if isinstance(wanted, dict) and len(wanted) == 1 and set(wanted) <= set(FORMS):
        ((form, argument),) = wanted.items()
        wanted = FORMS[form](argument, sent)
    if isinstance(wanted, dict):
        assert isinstance(got, dict) and set(got) == set(wanted), f"{where} is {got}, not {wanted}"
        for name, value in wanted.items():
            compare(f"{where}.{name}", value, got[name], sent)
        return
    # 1 and true are not the same.
    assert (type(got), got) == (type(wanted), wanted), f"{where} is {got!r}, not {wanted!r}"


def _of_the_caller(path, sent):
    value = sent.caller
    for name in [path] if isinstance(path, str) else path:
        value = value[name]
    return value


def _hash(text):
    return hashlib.sha256(text.encode("latin-1")).hexdigest()


FORMS = {
    # For exp: seconds after iat
    "lifetime": lambda seconds, sent: sent.claims["iat"] + seconds,
    # A claim of the caller's token: its name, or the names that lead to it
    "caller": _of_the_caller,
    # The hex SHA-256 of this text
    "sha256": lambda text, sent: _hash(text),
    # Of the body that went up: as sha256 (hex) or content-digest (RFC 9530)
    "body": lambda form, sent: hashes(sent.received["body_sha256"], "")[
        {"sha256": "payloadhash", "content-digest": "content_digest"}[form]
    ],
    # The path that was sent, without its query
    "sent": lambda _, sent: sent.received["path"].partition("?")[0],
    # The name that the gateway has for service or route
    "gateway": name_of,
}


# Keys


@functools.cache
def _published(url):
    return PublishedKeys(url)


def keys_for(address, signing):
    key = _first_key(signing)
    if "secret" in key:
        octets = {"text": str.encode, "base64": base64.b64decode, "base64url": from_base64url}
        secret = octets[key.get("encoding", "text")](key["secret"])
        return SharedSecret(secret, key.get("alg", "HS256"), key.get("kid"))
    members = _members(key)
    if members.get("kty") == "oct":
        return SharedSecret(from_base64url(members["k"]), key.get("alg", "HS256"), members.get("kid"))
    return _published(address + signing["jwks_path"])


def _members(key):
    members = key.get("jwk", {})
    return json.loads(members) if isinstance(members, str) else members


def _first_key(signing):
    """The one that signs, as `keys` has it, whichever way it is given."""
    if "private_key_location" in signing:
        return {"pem": signing["private_key_location"], "certificate": signing.get("public_key_location")}
    keys = signing["keys"]
    key = keys[0] if isinstance(keys, list) else keys
    return {"pem": key} if isinstance(key, str) else key


def der_of(certificate):
    """A certificate's octets, from PEM or base64."""
    return base64.b64decode("".join(line for line in certificate.splitlines() if not line.startswith("-----")))


def _encoded(octets, encoding):
    text = base64.b64encode(octets).decode()
    return text if encoding == "base64" else text.replace("+", "-").replace("/", "_").rstrip("=")


def check_published(response, signing, expected, has_body=True):
    """The answer to GET (or HEAD) of `jwks_path`: these keys, in this order, and nothing private."""
    assert response.status == 200
    assert response.header("content-type") == JWK_SET_TYPE
    assert response.header("cache-control") == f"public, max-age={signing.get('jwks_max_age', 300)}"
    if not has_body:
        assert response.body == b""
        return
    published = response.json["keys"]
    assert len(published) == len(expected)
    for members, wanted in zip(published, expected, strict=True):
        private = private_jwk(wanted["key"])
        assert not PRIVATE & set(members)
        assert all(text not in response.body.decode() for name, text in private.items() if name in PRIVATE)
        key = {"RSA": jwk.RSAKey, "EC": jwk.ECKey, "OKP": jwk.OKPKey}[private["kty"]].import_key(private)
        public = {name: value for name, value in private.items() if name not in PRIVATE}
        public["kid"] = wanted.get("kid", key.thumbprint())
        public["alg"] = wanted["alg"]
        if wanted.get("x5c"):
            public["x5c"] = [certificate_der(wanted["key"])]
        further = {name: members[name] for name in set(members) - set(public)}
        assert {name: members.get(name) for name in public} == public
        assert further in ({}, {"use": "sig"}), further
