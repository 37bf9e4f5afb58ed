"""What an issuer in memory answers to POSTs, as Keycloak 26.7 does: token introspection (RFC 7662),
decisions of its authorization services, access tokens for clients, permission tickets (UMA 2.0).

    issuer.endpoints.grants = {("orders", "read")}
    issuer.endpoints.revoked.add(token)
    assert issuer.endpoints.asked == ["introspection", "decision"]
"""

import base64
import binascii
import json
import urllib.parse

from joserfc import errors, jwt
from joserfc.jwk import OctKey

from tests.e2e.signing import from_base64url
from tests.host.gateway_jwt import KEYS
from tests.host.worker import Answer

# Tokens of issuer.py have it in their `aud`.
CLIENT_ID = "app"
SECRET = "s p:é/%+& of thirty-two octets or more"
KEY_ALGORITHM = "ES256"  # of gateway_jwt.py's keys
UMA = "urn:ietf:params:oauth:grant-type:uma-ticket"


class Refused(Exception):
    """An answer with an error (RFC 6749, 5.2)."""

    def __init__(self, status, error, description=""):
        super().__init__(error)
        self.answer = _json(status, {"error": error, "error_description": description})


class Endpoints:
    """Of one issuer. There is one client, `app`, which has a secret and a key, and may be the resource
    server. `asked` are the questions so far, and `claims` what was pushed with the last decision."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.resources = {"orders": {"read", "write"}, "invoices": {"read"}}
        self.grants = set()  # of these: resource, scope
        self.uris = {"/orders/*": "orders"}
        self.revoked = set()  # tokens
        self.gives_jwt = True  # the client's `client.introspection.response.allow.jwt.claim.enabled`
        self.signs_answers = False  # RFC 9701; Keycloak does not
        self.asked = []
        self.claims = {}
        self._assertions = set()
        self._tickets = 0

    def metadata(self):
        base = f"{self.issuer.iss}/protocol/openid-connect"
        return {"token_endpoint": f"{base}/token", "introspection_endpoint": f"{base}/token/introspect"}

    def answer(self, call, now):
        """To a POST, at a time in milliseconds."""
        endpoint = {
            f"{self.issuer.path}/protocol/openid-connect/token/introspect": self._introspection,
            f"{self.issuer.path}/protocol/openid-connect/token": self._token,
            f"{self.issuer.path}/authz/protection/permission": self._ticket,
        }.get(call.path)
        if endpoint is None:
            return Answer.of(404)
        try:
            return endpoint(call, now)
        except Refused as refused:
            return refused.answer

    # RFC 7662

    def _introspection(self, call, now):
        self.asked.append("introspection")
        client = self._client(call, 401, "invalid_client")
        if "token" not in call.form:
            raise Refused(400, "invalid_request", "Token not provided.")
        (token,) = call.form["token"]
        claims = self._in_force(token, now)
        audience = (claims or {}).get("aud", [])
        is_active = claims is not None and client in ([audience] if isinstance(audience, str) else audience)
        members = {"active": is_active}
        if is_active:
            members.update(claims, client_id=claims["azp"], username="anna", token_type=claims["typ"])
        accept = call.fields[b"accept"]
        if accept == b"application/jwt" and self.gives_jwt and claims is not None:
            # Also beside `active: false`, to a client that the token is not for.
            members["jwt"] = self.issuer.signed(claims)
        if accept == b"application/token-introspection+jwt" and self.signs_answers:
            seconds = now // 1000
            whole = {"iss": self.issuer.iss, "aud": client, "iat": seconds, "token_introspection": members}
            text = self.issuer.signed(whole, typ="token-introspection+jwt")
            return Answer([(b":status", b"200"), (b"content-type", accept)], text.encode())
        return _json(200, members)

    def _in_force(self, token, now):
        """The claims of one of its own access tokens that has not ended."""
        claims = self.issuer.claims_of(token)
        if claims is None or token in self.revoked or claims.get("exp", 0) <= now // 1000:
            return None
        return claims

    # The token endpoint

    def _token(self, call, now):
        (grant,) = call.form.get("grant_type", [""])
        if grant == "client_credentials":
            self.asked.append("client credentials")
            client = self._client(call, 401, "unauthorized_client")
            own = self.issuer.token(now=now, azp=client, sub=f"service-account-{client}", exp=now // 1000 + 300)
            return _json(200, {"access_token": own, "expires_in": 300, "token_type": "Bearer"})
        if grant != UMA:
            raise Refused(400, "unsupported_grant_type")
        self.asked.append("decision")
        self._subject(call, now)
        self.claims = self._pushed(call)
        if call.form.get("audience") != [CLIENT_ID]:
            raise Refused(400, "invalid_request", "Unknown resource server id")
        if call.form.get("response_mode") != ["decision"]:
            raise Refused(400, "invalid_request", "only decisions are given here")
        # Of several, one is enough.
        wanted = [self._permission(text, call.form) for text in call.form.get("permission", [])]
        if not any(self._is_granted(*permission) for permission in wanted):
            raise Refused(403, "access_denied", "not_authorized")
        return _json(200, {"result": True})

    def _subject(self, call, now):
        """Whoever is judged: a bearer (RFC 6750), or whose token a client brings."""
        scheme, _, credentials = call.fields.get(b"authorization", b"").decode().partition(" ")
        if scheme == "Bearer":
            claims = self._in_force(credentials, now)
            if claims is None:
                raise Refused(400, "invalid_grant", "Invalid bearer token")
            return claims
        client = self._client(call, 401, "unauthorized_client")
        if "subject_token" not in call.form:
            return {"sub": client}
        claims = self._in_force(call.form["subject_token"][0], now)
        if claims is None:
            raise Refused(400, "unauthorized_client", "Invalid identity")
        return claims

    def _pushed(self, call):
        if "claim_token" not in call.form:
            return {}
        if call.form.get("claim_token_format") != ["urn:ietf:params:oauth:token-type:jwt"]:
            raise Refused(400, "unauthorized_client", "Invalid signature")
        claims = json.loads(from_base64url(call.form["claim_token"][0]))
        texts = [text for values in claims.values() for text in (values if isinstance(values, list) else [None])]
        if not all(isinstance(text, str) for text in texts):
            raise Refused(500, "server_error")
        return claims

    def _permission(self, text, form):
        """Resource and scopes; none: any."""
        resource, _, scopes = text.partition("#")
        if resource and form.get("permission_resource_format") == ["uri"]:
            matching = [name for uri, name in self.uris.items() if resource.startswith(uri.removesuffix("*"))]
            if not matching:
                raise Refused(400, "invalid_resource", f"Resource with uri [{resource}] does not exist.")
            resource = matching[0]
        if resource and resource not in self.resources:
            raise Refused(400, "invalid_resource", f"Resource with id [{resource}] does not exist.")
        # What is behind a second mark is dropped.
        scopes = [scope for scope in scopes.partition("#")[0].split(",") if scope]
        if not set(scopes) <= set().union(*self.resources.values()):
            raise Refused(400, "invalid_scope", "One of the given scopes is invalid")
        return resource, scopes

    def _is_granted(self, resource, scopes):
        return any(resource in ("", name) and (not scopes or scope in scopes) for name, scope in self.grants)

    # UMA 2.0 Federated Authorization, 4

    def _ticket(self, call, now):
        self.asked.append("ticket")
        scheme, _, credentials = call.fields.get(b"authorization", b"").decode().partition(" ")
        claims = self._in_force(credentials, now) if scheme == "Bearer" else None
        if claims is None:
            raise Refused(403, "invalid_bearer_token")
        if claims["azp"] != CLIENT_ID:
            raise Refused(403, "invalid_clientId", "not registered as a resource server")
        wanted = json.loads(call.body)
        if not isinstance(wanted, list) or not wanted:
            raise Refused(400, "invalid_permission_request")
        for permission in wanted:
            if permission.get("resource_id") not in self.resources:
                raise Refused(400, "invalid_resource_id")
            if not set(permission.get("resource_scopes", [])) <= self.resources[permission["resource_id"]]:
                raise Refused(400, "invalid_scope")
        self._tickets += 1
        return _json(201, {"ticket": f"ticket-{self._tickets}"})

    # Who asks (RFC 6749, 2.3; OpenID Connect Core 1.0, 9)

    def _client(self, call, status, error):
        """The client's id. Basic, a secret in the form, or an assertion that comes for the first time."""
        form = call.form
        scheme, _, credentials = call.fields.get(b"authorization", b"").decode().partition(" ")
        if scheme == "Basic":
            try:
                pair = base64.b64decode(credentials, validate=True).decode().split(":")
            except (binascii.Error, UnicodeDecodeError):
                pair = []
            if [urllib.parse.unquote_plus(text) for text in pair] == [CLIENT_ID, SECRET]:
                return CLIENT_ID
        elif "client_assertion" in form:
            self._check_assertion(*form["client_assertion"], form.get("client_assertion_type"))
            return CLIENT_ID
        elif form.get("client_id") == [CLIENT_ID] and form.get("client_secret") == [SECRET]:
            return CLIENT_ID
        raise Refused(status, error, "Invalid client or Invalid client credentials")

    def _check_assertion(self, assertion, kind):
        if kind != ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]:
            raise Refused(400, "invalid_client", "Parameter client_assertion_type is missing")
        keys = {"HS256": OctKey.import_key(SECRET), KEY_ALGORITHM: KEYS[KEY_ALGORITHM]}
        for algorithm, key in keys.items():
            try:
                claims = jwt.decode(assertion, key, algorithms=[algorithm]).claims
                break
            except errors.JoseError:
                continue
        else:
            raise Refused(400, "invalid_client", "Signature on JWT token failed validation")
        if claims["iss"] != CLIENT_ID or claims["sub"] != CLIENT_ID or claims["aud"] != self.issuer.iss:
            raise Refused(400, "invalid_client", "Invalid token audience")
        if claims["jti"] in self._assertions:
            raise Refused(400, "invalid_client", "Token reuse detected")
        self._assertions.add(claims["jti"])


def unusable(issuer, call):
    """Answers to a POST by which nothing can be decided, whoever asks about whom."""
    foreign = issuer.forged()
    long = json.dumps({"active": True, "iss": issuer.iss, "padding": "x" * (64 << 10)})
    texts = ["true", "[]", "null", '"active"', "{}", '{"active": "true"}', '{"active": 1}', '{"active": null}', long]
    texts += ['{"result": "true"}', '{"result": false}', '{"ticket": 7}', '{"access_token": null}', "{" * 5000]
    answers = [Answer.of(200, text.encode()) for text in texts]
    # Signed by somebody else.
    answers.append(Answer([(b":status", b"200"), (b"content-type", call.fields[b"accept"])], foreign.encode()))
    errors_of_ours = [
        (401, "invalid_client"), (401, "unauthorized_client"), (400, "invalid_request"),
        (400, "unsupported_grant_type"), (403, "invalid_bearer_token"), (429, "slow_down"), (500, "server_error"),
        (503, "temporarily_unavailable"),
    ]  # fmt: skip
    return answers + [_json(status, {"error": error, "active": True}) for status, error in errors_of_ours]


def _json(status, members):
    return Answer.of(status, json.dumps(members).encode())
