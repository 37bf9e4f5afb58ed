"""An issuer in memory: its keys, its documents, and tokens of its and of others'. Nothing listens
anywhere, and the time is the test's."""

import json
import uuid

from tests.e2e.signing import Key, base64url, compact_json
from tests.host.worker import Answer

START = 1_800_000_000_000  # milliseconds
AUTHORITY = "keycloak:8080"
# The quickest to sign with and to verify.
ALG = "EdDSA"
SPECIFICATION = {"kty": "OKP", "crv": "Ed25519", "alg": ALG, "use": "sig"}


class Issuer:
    """One realm at `keycloak:8080`."""

    def __init__(self, realm="demo"):
        self.path = f"/realms/{realm}"
        self.iss = f"http://{AUTHORITY}{self.path}"
        self.keys = [Key("first", SPECIFICATION)]
        self._stranger = Key("stranger", SPECIFICATION)

    def rotate(self):
        """A new key beside the others."""
        self.keys.insert(0, Key("next", SPECIFICATION))

    def documents(self):
        return {
            f"{self.path}/.well-known/openid-configuration": {
                "issuer": self.iss,
                "jwks_uri": f"{self.iss}/certs",
            },
            f"{self.path}/certs": {"keys": [key.jwk() for key in self.keys]},
        }

    def answer(self, call):
        """What it answers to a callout."""
        document = self.documents().get(call.path)
        return Answer.of(200, json.dumps(document).encode()) if document else Answer.of(404)

    def token(self, key=None, now=START, kid=None, **claims):
        """A good one, but for the claims that differ; null removes one."""
        key = key or self.keys[0]
        seconds = now // 1000
        members = {
            "exp": seconds + 36_000,
            "iat": seconds,
            "jti": str(uuid.uuid4()),
            "iss": self.iss,
            "aud": "app",
            "sub": "5ae1",
            "typ": "Bearer",
            "azp": "app",
            "scope": "email",
            **claims,
        }
        members = {name: value for name, value in members.items() if value is not None}
        header = {"alg": ALG, "typ": "JWT", "kid": kid or key.kid}
        signed = ".".join(base64url(compact_json(part)) for part in (header, members))
        return f"{signed}.{base64url(key.sign(ALG, signed.encode()))}"

    def forged(self, **claims):
        """By somebody else, who says that it is by the issuer's key."""
        return self.token(key=self._stranger, kid=self.keys[0].kid, **claims)

    def unknown(self, **claims):
        """By a key that nobody has published."""
        return self.token(key=self._stranger, **claims)


def bearer(token):
    return [("authorization", f"Bearer {token}")]
