"""What a resource server asks the stub issuer about tokens: introspection (RFC 7662, RFC 9701),
decisions, protection API tokens and permission tickets (UMA 2.0, as Keycloak has them).

Each reads its request strictly: what is wrong with it is answered as Keycloak does, and noted in
`complaints`, where test_inquiries.py looks at the end.
"""

import base64
import binascii
import json
import secrets
import threading
import time
import urllib.parse
from typing import NamedTuple

from tests.e2e.client_authentication import FIELDS, Clients, InvalidClient, decoded
from tests.e2e.permissions import Permissions

UMA = "urn:ietf:params:oauth:grant-type:uma-ticket"
CLAIM_TOKEN_FORMAT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FORM = "application/x-www-form-urlencoded"
PAT_SECONDS = 300
SIGNED = "application/token-introspection+jwt"

# What these endpoints have handed out, for the search of the log: protection API tokens, tickets.
HANDED_OUT = []


class Answer(NamedTuple):
    """`document`: a JSON object or array, or a text that is sent as it stands."""

    status: int
    document: object
    content_type: str = "application/json"

    @property
    def body(self):
        return self.document.encode() if isinstance(self.document, str) else json.dumps(self.document).encode()


class BadRequest(Exception):
    """`error` as in RFC 6749, 5.2; the text says what is wrong."""

    def __init__(self, error, text):
        super().__init__(text)
        self.error = error


class Asked(NamedTuple):
    """A request as it was understood. `what` names the counter; `token` is whom or what it is about."""

    what: str
    token: str
    accept: str
    client: str
    fields: dict


class Endpoints:
    """Those of one issuer. `known`: the tokens of this issuer, a mapping from their texts to
    known_token.Known."""

    def __init__(self, iss, specification):
        self.known = {}
        self.complaints = []
        self._iss = iss
        self._clients = Clients(iss, specification.get("clients", {}))
        self._permissions = Permissions(specification.get("authorization", {}))
        self._pat_seconds = specification.get("pat_seconds", PAT_SECONDS)
        self._pats = {}  # text -> when it ends
        self._tickets = {}
        self._lock = threading.Lock()
        self._asked = []

    def asked(self, what, token):
        """The requests about this token, in their order."""
        with self._lock:
            return [each for each in self._asked if each.what == what and each.token == token]

    def ticket(self, text):
        """The permissions that a ticket is for, as pairs of resource and scopes; None if it is not ours."""
        with self._lock:
            return self._tickets.get(text)

    def forget_pats(self):
        """None that was handed out is good any more."""
        with self._lock:
            self._pats.clear()

    def read(self, path, headers, body):
        """The request's counter, and a function that answers it later. `headers`: by lower-case name."""
        what = {"introspect": "introspection", "permission": "permission"}.get(path, "token")
        try:
            form = {} if path == "permission" else self._form(headers, body)
            if path == "token":
                what = {UMA: "decision", "client_credentials": "pat"}.get(form["grant_type"], "token")
            read = {
                "introspection": self._introspection,
                "decision": self._decision,
                "pat": self._pat,
                "permission": self._permission,
            }
            _must(what in read, "unsupported_grant_type", form.get("grant_type", ""))
            asked, answer = read[what](headers, form, body)
        except InvalidClient as error:
            return what, self._complaining(what, error, _not_this_client(what, body))
        except (BadRequest, KeyError, ValueError) as error:
            kind = getattr(error, "error", "invalid_request")
            status = 401 if kind == "invalid_token" else 400
            return what, self._complaining(what, error, Answer(status, {"error": kind}))
        with self._lock:
            self._asked.append(asked)
        return what, answer

    def _complaining(self, what, error, answer):
        with self._lock:
            self.complaints.append(f"{what}: {error!r}")
        return lambda: answer

    def _form(self, headers, body):
        """One of each name, but for `permission`, which is a list (RFC 6749, 3.2)."""
        _must(headers.get("content-type", "").partition(";")[0] == FORM, "invalid_request", "not a form")
        form = {}
        for pair in body.decode("ascii").split("&"):
            name, equals, value = (decoded(part) if part != "=" else part for part in pair.partition("="))
            _must(equals, "invalid_request", "a field without a value")
            if name == "permission":
                form.setdefault(name, []).append(value)
                continue
            _must(name not in form, "invalid_request", f"{name} twice")
            form[name] = value
        return form

    # Introspection

    def _introspection(self, headers, form, body):
        client = self._clients.authenticated(headers.get("authorization"), form)
        _only(form, {"token", "token_type_hint"})
        # Keycloak calls an access token inactive that is said to be a refresh token.
        _must(form.get("token_type_hint", "access_token") == "access_token", "invalid_request", "another hint")
        token, accept = form["token"], headers.get("accept", "")
        _must(token, "invalid_request", "no token")
        asked = Asked("introspection", token, accept, client, form)
        return asked, lambda: self._introspected(token, accept, client)

    def _introspected(self, token, accept, client):
        known, registered = self.known.get(token), self._clients[client]
        if known is None:
            return Answer(200, {"active": False})
        # Exactly: Keycloak looks for no quality, and into no list.
        if accept == "application/jwt" and registered.get("jwt"):
            return Answer(200, known.with_jwt())
        if accept == SIGNED and registered.get("signed") and (text := known.signed(self._iss, client)):
            return Answer(200, text, known.signed_as or SIGNED)
        return Answer(200, known.as_json())

    # Decisions

    def _decision(self, headers, form, body):
        authorization = headers.get("authorization", "")
        pushed = self._pushed(form)
        if authorization.startswith("Bearer "):
            client, token = None, authorization[len("Bearer ") :]
            _must("subject_token" not in form, "invalid_request", "a bearer token and a subject token")
            # Those of public clients may not: whose this is, the gateway cannot know.
            _must(not pushed, "invalid_grant", "Public clients are not allowed to send claims")
        else:
            client, token = self._clients.authenticated(headers.get("authorization"), form), form["subject_token"]
        _only(form, {
            "grant_type", "audience", "permission", "response_mode", "subject_token", "subject_token_type",
            "claim_token", "claim_token_format", "permission_resource_format",
            "permission_resource_matching_uri",
        }, with_client=client is not None)  # fmt: skip
        _must(form.get("response_mode") == "decision", "invalid_request", "response_mode is another")
        _must(form.get("subject_token_type", ACCESS_TOKEN) == ACCESS_TOKEN, "invalid_request", "no access token")
        _must(form.get("permission"), "invalid_request", "no permission")
        form = {**form, "claims": pushed, "by_uri": self._by_uri(form)}
        asked = Asked("decision", token, headers.get("accept", ""), client, form)
        return asked, lambda: self._decided(asked)

    def _by_uri(self, form):
        _must(form.get("permission_resource_format", "uri") == "uri", "invalid_request", "another format")
        _must(form.get("permission_resource_matching_uri", "true") == "true", "invalid_request", "another word")
        return "permission_resource_format" in form and "permission_resource_matching_uri" in form

    def _pushed(self, form):
        """base64url of a JSON object whose members are lists of texts, each."""
        if "claim_token" not in form:
            return {}
        _must(form.get("claim_token_format") == CLAIM_TOKEN_FORMAT, "invalid_request", "another format of claims")
        try:
            text = form["claim_token"]
            claims = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True))
        except (binascii.Error, ValueError):
            raise BadRequest("invalid_request", "Invalid claim token") from None
        _must(isinstance(claims, dict), "invalid_request", "claims that are no object")
        are_lists = all(isinstance(v, list) and all(isinstance(each, str) for each in v) for v in claims.values())
        _must(are_lists, "invalid_request", "claims that are no lists of texts")
        return claims

    def _decided(self, asked):
        known, form = self.known.get(asked.token), asked.fields
        if known is None or not known.is_active:
            if asked.client is None:
                return Answer(400, {"error": "invalid_grant", "error_description": "Invalid bearer token"})
            return Answer(400, {"error": "unauthorized_client", "error_description": "Invalid identity"})
        status, answer = self._permissions.decision(
            form.get("audience"), form["permission"], form["by_uri"], known.claims, form["claims"]
        )
        return Answer(status, answer)

    # Protection API tokens and tickets

    def _pat(self, headers, form, body):
        client = self._clients.authenticated(headers.get("authorization"), form)
        _only(form, {"grant_type", "scope"})
        return Asked("pat", client, headers.get("accept", ""), client, form), lambda: self._new_pat(client)

    def _new_pat(self, client):
        text = f"{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(48)}.{secrets.token_urlsafe(24)}"
        HANDED_OUT.append(text)
        with self._lock:
            self._pats[text] = (client, time.time() + self._pat_seconds)
        return Answer(200, {"access_token": text, "token_type": "Bearer", "expires_in": self._pat_seconds})

    def _permission(self, headers, form, body):
        """UMA 2.0 Federated Authorization, 4.1: a list, always."""
        kind = headers.get("content-type", "").partition(";")[0]
        _must(kind == "application/json", "invalid_request", f"{kind} is not JSON")
        scheme, _, pat = headers.get("authorization", "").partition(" ")
        _must(scheme == "Bearer", "invalid_token", "no protection API token")
        asked = Asked("permission", pat, headers.get("accept", ""), "", {})
        with self._lock:
            client, ends = self._pats.get(pat, (None, 0))
        # This may happen: it has ended, or the issuer has been started anew.
        if ends <= time.time():
            return asked, lambda: Answer(403, {"error": "invalid_bearer_token"})
        if not self._permissions.is_of(client):
            return asked, lambda: Answer(403, {"error": "invalid_clientId"})
        wanted = json.loads(body)
        _must(isinstance(wanted, list) and wanted, "invalid_permission_request", "no list of permissions")
        permissions = sorted(self._wanted(each) for each in wanted)
        return asked, lambda: self._new_ticket(permissions)

    def _wanted(self, each):
        _must(set(each) <= {"resource_id", "resource_scopes", "claims"}, "invalid_request", f"{sorted(each)}")
        given = self._permissions.resource(each.get("resource_id"))
        _must(given, "invalid_resource_id", each.get("resource_id"))
        scopes = each.get("resource_scopes", [])
        _must(set(scopes) <= set(given["scopes"]), "invalid_scope", f"{scopes}")
        return each["resource_id"], sorted(scopes)

    def _new_ticket(self, permissions):
        text = f"{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(48)}.{secrets.token_urlsafe(24)}"
        HANDED_OUT.append(text)
        with self._lock:
            self._tickets[text] = permissions
        return Answer(201, {"ticket": text})


def _not_this_client(what, body):
    """Keycloak has different words for it at its endpoints, and for assertions."""
    if b"client_assertion" in body:
        return Answer(400, {"error": "invalid_client", "error_description": "Invalid token audience"})
    error = "invalid_client" if what == "introspection" else "unauthorized_client"
    return Answer(401, {"error": error, "error_description": "Invalid client or Invalid client credentials"})


def _must(holds, error, text):
    if not holds:
        raise BadRequest(error, text)


def _only(form, names, with_client=True):
    """No other fields: whoever sends one sends something that nobody asked for."""
    unknown = set(form) - names - (FIELDS if with_client else set())
    _must(not unknown, "invalid_request", f"fields that nobody knows: {sorted(unknown)}")
