"""`upstream_jwt` with keys of a run's own, and what was signed with them."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ISSUER = "https://gateway.example.com"
KEYS = {
    "ES256": ECKey.import_key(ec.generate_private_key(ec.SECP256R1())),
    "ES512": ECKey.import_key(ec.generate_private_key(ec.SECP521R1())),
    "RS256": RSAKey.import_key(rsa.generate_private_key(65537, 2048)),
}
KEYS["PS256"] = KEYS["RS256"]


def pem(algorithm):
    key = KEYS[algorithm].private_key
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def signing(algorithm="ES256", **more):
    keys = [{"pem": pem(algorithm), "alg": algorithm, "kid": "gateway"}]
    return {"upstream_jwt": {"issuer": ISSUER, "keys": keys, **more}}


def hashing(**more):
    return signing(body_hash=True, **more)


def verified(request, algorithm="ES256", header=b"jwt"):
    """The claims of the one JWT that went up."""
    (value,) = request.value(header)
    return jwt.decode(value.decode(), KEYS[algorithm], algorithms=[algorithm]).claims
