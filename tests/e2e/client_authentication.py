"""How a client proves who it is to the stub issuer, which takes nothing that is not exactly so.

RFC 6749, 2.3.1; OpenID Connect Core 1.0, 9; RFC 7523, 3. A client is `{auth_method, secret}` or, for
private_key_jwt, `{auth_method, key, alg, kid}` with a file of keys/ (`signing-p256`), the kid only if it
has to be named; see issuers.yaml.
"""

import base64
import binascii
import json
import threading
import time
import urllib.parse
import warnings

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import errors, jwk, jws

from tests.e2e.signing import FIXED

SEEN = []  # every assertion of this run, for the test that searches the log for them

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FIELDS = {"client_id", "client_secret", "client_assertion", "client_assertion_type"}
LIFETIME = 60  # seconds that an assertion may be good for: Keycloak takes none that is for longer
SKEW = 1
MOST_CHARACTERS = 4096

# RFC 9864 has a new name for EdDSA, which joserfc speaks of at every signature.
warnings.filterwarnings("ignore", category=errors.SecurityWarning, message="EdDSA is deprecated")


class InvalidClient(Exception):
    """Why this is not the client that it says it is."""


class Clients:
    """The clients of one issuer, by their ids."""

    def __init__(self, iss, specifications):
        self._iss = iss
        self._clients = specifications
        self._lock = threading.Lock()
        self._seen = set()  # (client, jti)

    def __getitem__(self, client_id):
        return self._clients[client_id]

    def authenticated(self, authorization, form):
        """The client's id, by the value of `Authorization` and the form's fields; InvalidClient."""
        offered = [
            method
            for method, is_there in (
                ("client_secret_basic", authorization is not None),
                ("client_secret_post", "client_secret" in form),
                ("assertion", "client_assertion" in form or "client_assertion_type" in form),
            )
            if is_there
        ]
        # RFC 6749, 2.3: never more than one in a request.
        _must(len(offered) == 1, f"{len(offered)} methods of client authentication: {offered}")
        (method,) = offered
        if method == "assertion":
            return self._asserted(form)
        client_id, secret = _basic(authorization) if authorization else (form.get("client_id"), form["client_secret"])
        if authorization and "client_id" in form:
            _must(form["client_id"] == client_id, "two ids of a client")
        client = self._registered(client_id, method)
        _must(secret == client["secret"], f"not the secret of {client_id}")
        return client_id

    def _registered(self, client_id, method):
        _must(client_id in self._clients, f"no client {client_id!r}")
        client = self._clients[client_id]
        _must(client["auth_method"] == method, f"{client_id} comes by {method}, not by {client['auth_method']}")
        return client

    def _asserted(self, form):
        """RFC 7523, 3."""
        _must(form.get("client_assertion_type") == ASSERTION, "not the type of a client assertion")
        text = form.get("client_assertion", "")
        SEEN.append(text)
        _must(len(text) <= MOST_CHARACTERS, "an assertion of that length")
        claimed = _payload(text)
        client_id = claimed.get("iss")
        _must(isinstance(client_id, str) and client_id in self._clients, f"no client {client_id!r}")
        client = self._clients[client_id]
        _must(client["auth_method"] in ("client_secret_jwt", "private_key_jwt"), f"{client_id} has no assertions")
        header, claims = _verified(text, client)
        _must(claims.get("sub") == client_id, "iss and sub differ")
        _must(form.get("client_id", client_id) == client_id, "two ids of a client")
        # Keycloak takes the issuer's name, alone.
        _must(claims.get("aud") == self._iss, f"aud is {claims.get('aud')!r}")
        _times(claims)
        # Keycloak refuses a kid that it does not know, and knows none where it has a certificate.
        _must(header.get("kid") == client.get("kid"), f"kid is {header.get('kid')!r}")
        jti = claims.get("jti")
        _must(isinstance(jti, str) and len(jti) >= 16, "a jti that can be guessed, or none")
        with self._lock:
            _must((client_id, jti) not in self._seen, "a jti that was there before")
            self._seen.add((client_id, jti))
        return client_id


def _must(holds, otherwise):
    if not holds:
        raise InvalidClient(otherwise)


def _basic(authorization):
    """RFC 7617, of what is form-encoded first (RFC 6749, 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    _must(scheme == "Basic", f"Authorization: {scheme}")
    try:
        text = base64.b64decode(credentials, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient("Basic, and not base64 of what is form-encoded") from None
    client_id, colon, secret = text.partition(":")
    _must(colon and ":" not in secret, "a colon that is not encoded, or none")
    return decoded(client_id), decoded(secret)


def decoded(text):
    """application/x-www-form-urlencoded, strictly."""
    try:
        return urllib.parse.unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise InvalidClient("not UTF-8 behind the percent signs") from None


def _payload(text):
    try:
        return json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    except (IndexError, ValueError):
        raise InvalidClient("an assertion that is no JWT") from None


def _verified(text, client):
    if client["auth_method"] == "client_secret_jwt":
        key, alg = jwk.OctKey.import_key(client["secret"]), "HS256"
    else:
        key, alg = public_key(client["key"]), client["alg"]
    try:
        verified = jws.deserialize_compact(text, key, algorithms=[alg])
        return verified.protected, json.loads(verified.payload)
    except (errors.JoseError, ValueError) as error:
        raise InvalidClient(f"an assertion that {client['auth_method']} does not verify: {error}") from None


def public_key(name):
    """The public half of a file of keys/, as joserfc has keys."""
    private = serialization.load_pem_private_key((FIXED / f"test-only-{name}.pem").read_bytes(), None)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kinds = {rsa.RSAPrivateKey: "RSA", ec.EllipticCurvePrivateKey: "EC", ed25519.Ed25519PrivateKey: "OKP"}
    return jwk.import_key(pem, next(kty for kind, kty in kinds.items() if isinstance(private, kind)))


def _times(claims):
    now = time.time()
    times = [claims.get(name) for name in ("iat", "exp")]
    _must(all(type(each) is int for each in times), "no iat, or no exp, as whole seconds")
    issued, ends = times
    _must(now - LIFETIME <= issued <= now + SKEW, "iat is not about now")
    _must(now < ends <= issued + LIFETIME, "exp is past, or too far ahead")
    _must(claims.get("nbf", issued) <= now + SKEW, "nbf is in the future")
