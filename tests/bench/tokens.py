"""The benchmark's tokens: like Keycloak's, thousands that are all different, signed once and kept.

Keys and tokens are below target/bench/, a file a set with a token a line, and serve the next run as
well: what measures tokens "never seen before" has to start a gateway that has not seen them.
"""

import base64
import functools
import json
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.bench import WORK

ISSUER = "https://sso.example.com/realms/demo"
AUDIENCE = "orders-api"
SCOPE, REALM_ROLE, CLIENT_ROLE = "orders/read", "clerk", "editor"
# What is to be told to the upstream: claims by their header.
TOLD = {"x-user": "preferred_username", "x-client": "azp", "x-subject": "sub"}
# 2100-01-01: a set that is kept must not expire between runs. As many digits as today's.
EXPIRY = 4102444800

KINDS = {"rs256": "RS256", "es256": "ES256", "large": "RS256"}
# Of kind large: the token then has about 4 kB.
MANY_ROLES = [f"department-{number:02}:case-worker" for number in range(76)]

# What can be wrong with a token, for the cost of refusals.
WRONG = {
    "no token": "",
    "garbage": "garbage",
    "expired": "expired",
    "wrong audience": "audience",
    "unknown key": "kid",
    "bad signature": "signature",
}
# What a token may lack, where it is asked for.
LACKS = ("scope", "realm-role", "client-role")


def jwks():
    """The public keys of the issuer, as both gateways are given them: one of each kind."""
    numbers = key("rs256").public_key().public_numbers()
    point = key("es256").public_key().public_numbers()
    return {
        "keys": [
            {
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid("RS256"),
                "n": encoded(numbers.n.to_bytes(256, "big")), "e": encoded(numbers.e.to_bytes(3, "big")),
            },
            {
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid("ES256"),
                "x": encoded(point.x.to_bytes(32, "big")), "y": encoded(point.y.to_bytes(32, "big")),
            },
        ]
    }  # fmt: skip


def good(kind, name, count):
    """The file of a set of tokens that pass."""
    return kept(kind, name, count, lambda number: token(kind, f"{name}-{number}"))


def wrong(kind, how, name, count):
    """The file of a set of tokens that have this wrong with them, one of WRONG's values."""
    made = {
        "": lambda number: "",
        "garbage": lambda number: garbage(f"{name}-{number}"),
        "expired": lambda number: token(kind, f"{name}-{number}", exp=int(time.time()) - 3600),
        "audience": lambda number: token(kind, f"{name}-{number}", aud=["billing-api", "account"]),
        "kid": lambda number: token(kind, f"{name}-{number}", header={"kid": "of-nobody"}),
        "signature": lambda number: token(kind, f"{name}-{number}", signer=f"other-{kind}"),
    }[how]
    return kept(kind, f"{how or 'none'}-{name}", count, made)


def lacking(kind, what):
    """A token that is good, but for one thing that rules ask for."""
    claims = claims_of("large" if kind == "large" else kind, f"lacks-{what}")
    if what == "scope":
        claims["scope"] = "openid profile email orders/read-all"
    elif what == "realm-role":
        claims["realm_access"]["roles"].remove(REALM_ROLE)
    else:
        claims["resource_access"][AUDIENCE]["roles"].remove(CLIENT_ROLE)
    return token(kind, "", **claims)


def token(kind, name, /, signer=None, header=None, **claims):
    alg = KINDS[kind]
    fields = {"alg": alg, "typ": "JWT", "kid": kid(alg), **(header or {})}
    text = f"{packed(fields)}.{packed({**claims_of(kind, name), **claims})}"
    return f"{text}.{encoded(signature(signer or alg.lower(), text.encode()))}"


def claims_of(kind, name):
    """As Keycloak 26 orders and names them, of a user who has logged in with a browser."""

    def identifier(of):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{name}/{of}"))

    now = int(time.time())
    user = identifier("user")[:8]
    return {
        "exp": EXPIRY,
        "iat": now,
        "auth_time": now,
        "jti": f"onrtac:{identifier('jti')}",
        "iss": ISSUER,
        "aud": [AUDIENCE, "account"],
        "sub": identifier("sub"),
        "typ": "Bearer",
        "azp": "orders-web",
        "sid": identifier("sid"),
        "acr": "1",
        "allowed-origins": ["https://app.example.com"],
        "realm_access": {"roles": [REALM_ROLE, *(MANY_ROLES if kind == "large" else ["offline_access"])]},
        "resource_access": {AUDIENCE: {"roles": [CLIENT_ROLE]}},
        "scope": f"openid profile {SCOPE}",
        "email_verified": True,
        "name": f"Ada {user}",
        "preferred_username": user,
        "email": f"{user}@example.com",
    }


def garbage(name):
    """As long as a token, of its letters and with two dots, and nothing in it."""
    parts = [uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{number}").bytes * 4 for number in range(14)]
    text = encoded(b"".join(parts))
    return f"{text[:100]}.{text[100:900]}.{text[900:]}"


def signature(signer, text):
    private = key(signer)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    # JOSE wants r and s side by side (RFC 7518, 3.4).
    r, s = decode_dss_signature(private.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@functools.cache
def key(name):
    path = WORK / "keys" / f"{name}.pem"
    if path.exists():
        return serialization.load_pem_private_key(path.read_bytes(), None)
    made = ec.generate_private_key(ec.SECP256R1()) if "es256" in name else rsa.generate_private_key(65537, 2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.private_bytes(encoding, form, serialization.NoEncryption()))
    return made


def kid(alg):
    """As long as Keycloak's."""
    return f"{alg.lower()}-4Hn0dXaUdDRa7-bench-Q8zJlCwGZUm5xT3V1k"


def kept(kind, name, count, make):
    path = WORK / "tokens" / f"{kind}-{name}-{count}.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text("".join(f"{make(number)}\n" for number in range(count)))
        # Renamed when complete: an interrupted run leaves no half set.
        part.rename(path)
    return path


def packed(value):
    return encoded(json.dumps(value, separators=(",", ":")).encode())


def encoded(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
