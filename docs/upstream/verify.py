"""Verifies the JWT that the gateway signs for an upstream, and the body's hash in it.

    pip install joserfc
"""

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
import urllib.request
from http.client import HTTPException

from joserfc import errors, jws, jwt
from joserfc.jwk import KeySet

MAX_AGE = 300  # seconds that fetched keys are used: the gateway's jwks_max_age
COOLDOWN = 10  # seconds between two fetches, whatever key a JWT names
MOST_HEADER_OCTETS = 16384  # of a JOSE header, which may have certificates: joserfc itself allows 512
log = logging.getLogger(__name__)


class Refused(Exception):
    """Why a request is not served: answer 401."""


class Keys:
    """The keys that the gateway publishes: fetched when they are old, or when one is not among them."""

    def __init__(self, url):
        self._url = url
        self._keys = {}
        self._old_at = self._again_at = time.monotonic()
        self._lock = threading.Lock()

    def get(self, kid):
        with self._lock:
            now = time.monotonic()
            if now >= self._again_at and (now >= self._old_at or kid not in self._keys):
                self._again_at = now + COOLDOWN
                try:
                    self._fetch()
                except (OSError, ValueError, HTTPException, errors.JoseError) as error:
                    log.warning("the gateway's keys cannot be fetched: %s", error)
            if kid not in self._keys:
                raise Refused("unknown key")
            return self._keys[kid]

    def _fetch(self):
        with urllib.request.urlopen(self._url, timeout=5) as answer:
            keys = KeySet.import_key_set(json.load(answer))
        self._keys = {key.kid: key for key in keys}
        self._old_at = time.monotonic() + MAX_AGE


class Verifier:
    """Verifies what one gateway signs for this service.

    `algorithm`: the one that the gateway signs with. Of "EdDSA" joserfc warns that RFC 9864 deprecates
    the name for "Ed25519"; the gateway signs under the former, so it has to stand here.
    `body_hash`: "hex" or "content-digest", as in the gateway's configuration; None if it sends none.
    `anonymous`: whether requests are served that passed the gateway without an accepted token.
    """

    def __init__(self, url, issuer, audience, algorithm="ES256", body_hash=None, anonymous=False):
        self._keys = Keys(url)
        self._registry = jws.JWSRegistry(algorithms=[algorithm])
        self._registry.max_header_length = MOST_HEADER_OCTETS
        self._body_hash = body_hash
        self._anonymous = anonymous
        self._claims = jwt.JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            nbf={"essential": True},
            iat={"essential": True},
        )

    def verify(self, values, body=b""):
        """The claims, by the values of the header `JWT` (all of them) and the body as it came."""
        if len(values) != 1:
            raise Refused("the header must be there once")
        try:
            # Finds the key by kid in the published set and nowhere else, and only then looks at it.
            token = jwt.decode(
                values[0], lambda found: self._keys.get(found.headers().get("kid")), registry=self._registry
            )
            self._claims.validate(token.claims)
        except (errors.JoseError, ValueError) as error:
            raise Refused(str(error)) from None
        if token.header.get("typ") != "JWT":
            raise Refused("not the type that the gateway signs")
        if token.claims.get("anonymous") and not self._anonymous:
            raise Refused("no caller")
        if self._body_hash and not same_body(self._body_hash, token.claims, body):
            raise Refused("not the body that the gateway saw")
        return token.claims


def same_body(form, claims, body):
    """Whether the body, in its octets as they came, is the one that was hashed."""
    digest = hashlib.sha256(body)
    if form == "hex":
        name, expected = "payloadhash", digest.hexdigest()
    else:  # RFC 9530
        name, expected = "content_digest", f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    found = claims.get(name)
    return isinstance(found, str) and hmac.compare_digest(found.encode(), expected.encode())


def caller(claims):
    """Who calls: a subject means something only together with its issuer (RFC 9493). None: nobody.

    Of a caller's token without `sub` the gateway says neither `sub` nor `sub_id`: Refused.
    """
    if claims.get("anonymous"):
        return None
    identity = claims.get("sub_id")
    who = (identity.get("iss"), identity.get("sub")) if isinstance(identity, dict) else ()
    if not who or not all(isinstance(text, str) for text in (*who, claims.get("sub"))):
        raise Refused("no caller")
    return who


class Once:
    """Refuses a JWT that was seen before. It needs `reuse: false` in the gateway.

    This remembers in one process; several need a store that they share.
    """

    def __init__(self):
        self._seen = {}
        self._lock = threading.Lock()

    def check(self, claims):
        if "jti" not in claims:
            raise Refused("no jti")
        now = time.time()
        with self._lock:
            self._seen = {jti: exp for jti, exp in self._seen.items() if exp + 5 > now}
            if claims["jti"] in self._seen:
                raise Refused("seen before")
            self._seen[claims["jti"]] = claims["exp"]
