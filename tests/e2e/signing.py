"""Keys as an identity provider has them, and signatures as JOSE writes them (RFC 7515, 7518)."""

import base64
import hashlib
import hmac
import json
import pathlib
import secrets

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

FIXED = pathlib.Path(__file__).parent / "keys"
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}


def base64url(data):
    """Without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


# How a secret is written, as in the filter's configuration
_SECRETS = {"text": str.encode, "base64": base64.b64decode, "base64url": from_base64url}


class Key:
    """A key pair by its specification in issuers.yaml: `kty`, `bits` or `crv`, `alg`, `use`.

    `jwk` in the specification replaces members of the public JWK; null removes them. What has a
    `file` of keys/, or a `secret`, is the same in every run, its `kid` too.
    """

    def __init__(self, name, specification):
        self.specification = specification
        self.alg = specification.get("alg")
        self.fixed = "file" in specification or "secret" in specification
        self.kid = name if self.fixed else f"{name}-{secrets.token_hex(4)}"
        self.secret = None
        kty = specification["kty"]
        if "file" in specification:
            pem = (FIXED / f"test-only-{specification['file']}.pem").read_bytes()
            self.private = serialization.load_pem_private_key(pem, None)
        elif kty == "oct":
            self.private = None
            self.secret = _SECRETS[specification.get("encoding", "text")](specification["secret"])
        elif kty == "RSA":
            self.private = rsa.generate_private_key(65537, specification.get("bits", 2048))
        elif kty == "EC":
            self.private = ec.generate_private_key(CURVES[specification["crv"]]())
        elif kty == "OKP":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:  # a kind that nobody knows: published, never used
            self.private = None

    def jwk(self):
        """The public key as the issuer publishes it (RFC 7517)."""
        members = {"kid": self.kid, "kty": self.specification["kty"]}
        members.update({k: self.specification[k] for k in ("alg", "use") if k in self.specification})
        members.update(self._parameters())
        for member, value in self.specification.get("jwk", {}).items():
            members[member] = value
        return {member: value for member, value in members.items() if value is not None}

    def _parameters(self):
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return {name: base64url(_octets(getattr(numbers, name))) for name in ("n", "e")}
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            numbers = self.private.public_key().public_numbers()
            size = (self.private.key_size + 7) // 8
            return {
                "crv": self.specification["crv"],
                "x": base64url(numbers.x.to_bytes(size, "big")),
                "y": base64url(numbers.y.to_bytes(size, "big")),
            }
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            raw = self.private.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            return {"crv": "Ed25519", "x": base64url(raw)}
        if self.secret is not None:
            return {"k": base64url(self.secret)}
        return {}

    def public(self, encoding="PEM", form="SubjectPublicKeyInfo"):
        return self.private.public_key().public_bytes(
            getattr(serialization.Encoding, encoding), getattr(serialization.PublicFormat, form)
        )

    def public_secrets(self):
        """What everybody has, and what a careless verifier may take for an HMAC's secret."""
        if self.secret is not None:
            return {"own": self.secret}
        pem = self.public()
        jwk = self.jwk()
        return {
            "pem": pem,
            "pem without its last line feed": pem.strip(),
            "der": self.public("DER"),
            "jwk": compact_json(jwk),
            "modulus": from_base64url(jwk.get("n", jwk.get("x"))),
            "kid": self.kid.encode(),
            "nothing": b"",
        }

    def default_alg(self):
        """The algorithm that the issuer signs with when nobody asks for another."""
        by_type = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}
        return self.alg or by_type[self.specification["kty"]]

    def sign(self, alg, message, secret=None):
        """The signature that a token with `alg` in its header has, or a forger would give it."""
        if alg == "none":
            return b""
        if alg.startswith("HS"):
            # The forger's classic: the public key, which everybody has, as the HMAC's secret.
            secret = secret or ("pem" if self.secret is None else "own")
            return hmac.new(self.public_secrets()[secret], message, _digest(alg)).digest()
        if isinstance(self.private, rsa.RSAPrivateKey):
            hash_ = _hash(alg)
            if alg.startswith("PS"):
                pad = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
            else:
                pad = padding.PKCS1v15()
            return self.private.sign(message, pad, hash_)
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = (self.private.key_size + 7) // 8
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(_hash(alg))))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return self.private.sign(message)


def _octets(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _hash(alg):
    # An algorithm that is none of JOSE's is signed with SHA-256: it is refused for its name.
    return {"384": hashes.SHA384(), "512": hashes.SHA512()}.get(alg[-3:], hashes.SHA256())


def _digest(alg):
    return {"384": hashlib.sha384, "512": hashlib.sha512}.get(alg[-3:], hashlib.sha256)
