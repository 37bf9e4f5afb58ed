"""An issuer in memory: its keys, its documents, and tokens of its and of others'. Nothing listens
anywhere, and the time is the test's."""

import json
import uuid

from tests.e2e.signing import Key, base64url, compact_json
from tests.host.endpoints import Endpoints
from tests.host.worker import Answer

START = 1_800_000_000_000  # milliseconds
AUTHORITY = "keycloak:8080"
# The quickest to sign with and to verify.
ALG = "EdDSA"
SPECIFICATION = {"kty": "OKP", "crv": "Ed25519", "alg": ALG, "use": "sig"}
LIGHTWEIGHT = ["exp", "iat", "jti", "iss", "typ", "azp", "sid", "scope"]


class Issuer:
    """One realm at `keycloak:8080`."""

    def __init__(self, realm="demo", specification=SPECIFICATION):
        self.path = f"/realms/{realm}"
        self.iss = f"http://{AUTHORITY}{self.path}"
        self.specification = specification
        self.keys = [Key("first", specification)]
        self.endpoints = Endpoints(self)
        self._stranger = Key("stranger", specification)
        self._known = {}  # token -> the key that it needs, if any, and all its claims

    def rotate(self):
        """A new key beside the others."""
        self.keys.insert(0, Key("next", self.specification))

    def documents(self):
        return {
            f"{self.path}/.well-known/openid-configuration": {
                "issuer": self.iss,
                "jwks_uri": f"{self.iss}/certs",
                **self.endpoints.metadata(),
            },
            f"{self.path}/certs": {"keys": [key.jwk() for key in self.keys]},
        }

    def answer(self, call, now=START):
        """What it answers to a callout, at a time in milliseconds."""
        if call.method == "POST":
            return self.endpoints.answer(call, now)
        document = self.documents().get(call.path)
        return Answer.of(200, json.dumps(document).encode()) if document else Answer.of(404)

    def token(self, key=None, now=START, kid=None, **claims):
        """A good one, but for the claims that differ; null removes one."""
        key = key or self.keys[0]
        members = self._claims(now, claims)
        token = self.signed(members, key, kid)
        self._known[token] = key, members
        return token

    def lightweight(self, now=START, **claims):
        """Keycloak's, which says little; who asks is told the rest."""
        members = self._claims(now, {"jti": f"onltro:{uuid.uuid4()}", **claims})
        token = self.signed({name: members[name] for name in LIGHTWEIGHT if name in members})
        self._known[token] = self.keys[0], members
        return token

    def opaque(self, now=START, **claims):
        """One that is no JWT."""
        token = uuid.uuid4().hex
        self._known[token] = None, self._claims(now, claims)
        return token

    def claims_of(self, token):
        """Of a token that it made, if the key for it is one of its own, and has not been withdrawn."""
        key, claims = self._known.get(token, (None, None))
        return claims if key is None or key in self.keys else None

    def signed(self, claims, key=None, kid=None, typ="JWT"):
        """Any JWT."""
        key = key or self.keys[0]
        header = {"alg": key.alg, "typ": typ, "kid": kid or key.kid}
        signed = ".".join(base64url(compact_json(part)) for part in (header, claims))
        return f"{signed}.{base64url(key.sign(key.alg, signed.encode()))}"

    def _claims(self, now, claims):
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
        return {name: value for name, value in members.items() if value is not None}

    def forged(self, **claims):
        """By somebody else, who says that it is by the issuer's key."""
        return self.token(key=self._stranger, kid=self.keys[0].kid, **claims)

    def unknown(self, **claims):
        """By a key that nobody has published."""
        return self.token(key=self._stranger, **claims)


def bearer(token):
    return [("authorization", f"Bearer {token}")]
