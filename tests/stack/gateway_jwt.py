"""What an upstream does with the JWT that the gateway signs: it believes nothing before it is verified.

With joserfc, which has nothing to do with the filter, and the keys that the gateway publishes.
"""

import base64
import binascii
import hashlib
import json
import re
import threading
import time
import urllib.request
import warnings

from joserfc import errors, jwk, jws

ALGORITHMS = {
    "RSA": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "EC": ["ES256", "ES384", "ES512"],
    "OKP": ["EdDSA"],
}
# Members of a JWK that nobody but its owner may have (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
JWK_SET_TYPE = "application/jwk-set+json"
MOST_OCTETS = 1 << 20  # of a key set
MOST_HEADER_OCTETS = 16384  # of a JOSE header, which may have certificates (joserfc's own limit: 512)
PAUSE = 1  # seconds between two fetches for keys that nobody knows
TIMEOUT = 5  # seconds that a fetch may take

# RFC 9864 has a new name for EdDSA, which joserfc speaks of at every signature.
warnings.filterwarnings("ignore", category=errors.SecurityWarning, message="EdDSA is deprecated")


class Invalid(Exception):
    """Why this JWT counts for nothing."""


class PublishedKeys:
    """The gateway's JWK set, as `url` answers: asked for when it is needed, kept for its max-age (RFC 9111, 5.2.2.1).

    A `kid` that is unknown is a reason to ask again, at most once in PAUSE seconds: whoever makes
    names up must not make the upstream ask for each. `fetches` is how often it has asked.
    """

    def __init__(self, url, clock=time.monotonic):
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = {}  # kid -> (key, alg, JWK)
        self._fetched = None
        self._fresh_until = None
        self.fetches = 0

    def key(self, kid):
        """The key of that name and its algorithm; Invalid if there is none."""
        with self._lock:
            now = self._clock()
            is_stale = self._fetched is None or now >= self._fresh_until
            if is_stale or (kid not in self._keys and now - self._fetched >= PAUSE):
                self._fetch(now)
            if kid not in self._keys:
                raise Invalid(f"the gateway publishes no key {kid!r}")
            return self._keys[kid][:2]

    def jwk(self, kid):
        """What is published under that name."""
        with self._lock:
            return self._keys[kid][2]

    def _fetch(self, now):
        self.fetches += 1
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT) as answer:
                kind, control = (answer.headers.get(name, "") for name in ("content-type", "cache-control"))
                document = parsed(answer.read(MOST_OCTETS))
        except OSError as error:
            raise Invalid(f"the gateway's keys cannot be fetched: {error}") from None
        if kind.partition(";")[0].strip().lower() != JWK_SET_TYPE:
            raise Invalid(f"the gateway's keys are not {JWK_SET_TYPE} but {kind!r}")
        self._keys = keys_of(document)
        self._fetched = now
        self._fresh_until = now + max_age(control)


class SharedSecret:
    """The octets that gateway and upstream both have, for HS256, HS384 and HS512."""

    def __init__(self, secret, alg="HS256", kid=None):
        self._key = jwk.OctKey.import_key(secret)
        self._alg = alg
        self._kid = kid

    def key(self, kid):
        if kid != self._kid:
            raise Invalid(f"the secret is not called {kid!r}")
        return self._key, self._alg


class Verifier:
    """Verifies the JWT of one request: who signed it, for whom, for how long, and for which request.

    `audience`: None where the gateway names none. `requires`: claims without which a JWT is refused,
    such as `payloadhash`: what a gateway could leave out an attacker could, too. `now` is in seconds
    since the epoch, `leeway` in seconds.
    """

    def __init__(self, keys, issuer, audience=None, header="JWT", bearer=False, requires=(), leeway=0, now=time.time):
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._header = header
        self._bearer = bearer
        self._requires = requires
        self._leeway = leeway
        self._now = now

    def shown(self, headers, body_sha256, path):
        """What an answer tells of it. `headers` are pairs, `body_sha256` is in hex."""
        try:
            header, claims = self.verified(headers, body_sha256, path)
        except Invalid as error:
            return {"verified": False, "error": str(error)}
        return {"verified": True, "header": header, "claims": claims}

    def verified(self, headers, body_sha256, path):
        """The JOSE header and the claims; Invalid if it is not to be believed."""
        header, claims = signed_by(self._keys, self.text(headers))
        self._check_times(claims)
        if claims.get("iss") != self._issuer:
            raise Invalid(f"iss is {claims.get('iss')!r}")
        audiences = claims.get("aud", [])
        audiences = audiences if isinstance(audiences, list) else [audiences]
        if self._audience is not None and self._audience not in audiences:
            raise Invalid(f"aud is {claims.get('aud')!r}")
        for name in self._requires:
            if name not in claims:
                raise Invalid(f"{name} is missing")
        for name, value in hashes(body_sha256, path).items():
            if name in claims and claims[name] != value:
                raise Invalid(f"{name} is not that of this request")
        return header, claims

    def text(self, headers):
        """The JWT itself: one, under one spelling of the header's name."""
        found = [value for name, value in headers if folded(name) == folded(self._header)]
        if len(found) != 1:
            raise Invalid(f"{len(found)} headers {self._header}")
        (text,) = found
        if not self._bearer:
            return text
        scheme, _, text = text.partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Invalid(f"{self._header} is not: Bearer <JWT>")
        return text

    def _check_times(self, claims):
        """RFC 7519, 4.1.4 to 4.1.6: all three have to be there."""
        for name in ("iat", "nbf", "exp"):
            if type(claims.get(name)) not in (int, float):
                raise Invalid(f"{name} is {claims.get(name)!r}")
        now = self._now()
        if now >= claims["exp"] + self._leeway:
            raise Invalid("it has expired")
        for name in ("iat", "nbf"):
            if now + self._leeway < claims[name]:
                raise Invalid(f"{name} has not come yet")


def signed_by(keys, text):
    """The JOSE header and the claims of a JWT that one of these keys has signed."""
    parts = text.split(".")
    if len(parts) != 3 or not all(re.fullmatch("[A-Za-z0-9_-]+", part) for part in parts):
        raise Invalid("it is not a JWS in its compact form")
    header = parsed_part(parts[0])
    kid = header.get("kid")
    if not (kid is None or isinstance(kid, str)):
        raise Invalid("kid is not a text")
    key, alg = keys.key(kid)
    # The key says how it is used, not the JWT (RFC 8725, 3.1).
    if header.get("alg") != alg:
        raise Invalid(f"alg is {header.get('alg')!r}, and the key's {alg!r}")
    if header.get("typ") != "JWT":
        raise Invalid(f"typ is {header.get('typ')!r}")
    if "crit" in header:
        raise Invalid("it has critical headers")
    try:
        registry = jws.JWSRegistry(algorithms=[alg])
        registry.max_header_length = MOST_HEADER_OCTETS
        jws.deserialize_compact(text, key, registry=registry)
    except (errors.JoseError, ValueError) as error:
        raise Invalid(f"the signature is not the gateway's ({type(error).__name__})") from None
    return header, parsed_part(parts[1])


def keys_of(document):
    """kid -> key, algorithm, JWK. What cannot be used is not there; what is private is a scandal."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Invalid("the gateway's keys are no JWK set")
    found = {}
    for members in listed:
        if PRIVATE & set(members):
            raise Invalid("the gateway publishes private keys")
        kid, alg = members.get("kid"), members.get("alg")
        if alg not in ALGORITHMS.get(members.get("kty"), []) or members.get("use", "sig") != "sig":
            continue
        if kid in found:
            raise Invalid(f"the gateway publishes two keys {kid!r}")
        try:
            found[kid] = jwk.import_key(members), alg, members
        except (errors.JoseError, ValueError) as error:
            raise Invalid(f"the gateway publishes no good key: {error}") from None
    return found


def hashes(body_sha256, path):
    """The claims that tie a JWT to its request: the body's two (RFC 9530, 2) and the query's."""
    digest = bytes.fromhex(body_sha256)
    query = path.partition("?")[2]
    return {
        "payloadhash": body_sha256,
        "content_digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
        "queryhash": hashlib.sha256(query.encode("latin-1")).hexdigest(),
    }


def max_age(control):
    """Seconds; 0 where the answer may not be kept."""
    directives = [directive.strip().lower() for directive in control.split(",")]
    if "no-store" in directives or "no-cache" in directives:
        return 0
    for directive in directives:
        if found := re.fullmatch(r'max-age="?([0-9]{1,9})"?', directive):
            return int(found[1])
    return 0


def parsed(text):
    """A JSON object whose members are there once each (RFC 8725, 2.4)."""

    def unique(pairs):
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a member twice")
        return members

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Invalid("it is no JSON object")
    return value


def parsed_part(part):
    try:
        return parsed(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except binascii.Error as error:
        raise Invalid(f"it is no base64url: {error}") from None


def folded(name):
    """What an upstream may take a header's name for: CGI and its heirs know no `-` and no case."""
    return re.sub(r"[^a-z0-9]", "-", name.lower())
