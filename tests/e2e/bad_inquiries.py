"""Configurations of introspection and authorization services that must be refused: part of bad_configurations."""

import json

from tests.e2e.placeholders import fixed

ISSUER = "https://sso.example.com/realms/shop"
OTHER = "https://sso.example.com/realms/other"
# In no message
SECRET = "client-secret-that-is-shown-to-nobody"
CLIENT = {"client_id": "gateway", "client_secret": SECRET}
SIGNING, ENCRYPTED = (json.loads(f'"{fixed("PRIVATE", f"signing-{name}")}"') for name in ("p256", "encrypted"))
SECRET_JWK = json.loads(fixed("PRIVATE_JWK", "signing-secret"))
TOKEN_ENDPOINT = f"{ISSUER}/protocol/openid-connect/token"


def good(**fields):
    """One issuer, its client and introspection; None takes a field out."""
    fields = {"allowed_iss": [ISSUER], "allowed_aud": ["gateway"], "client": CLIENT, "introspection": {}, **fields}
    return {name: value for name, value in fields.items() if value is not None}


def in_a_policy(**fields):
    return good(policies={"a": fields})


def in_an_issuer(introspection=None, **fields):
    """The same of an issuer of its own."""
    issuer = {"iss": ISSUER, "client": CLIENT, "introspection": introspection or {}, **fields}
    issuer = {name: value for name, value in issuer.items() if value is not None}
    return {"issuers": [issuer], "allowed_aud": ["gateway"]}


def client(**fields):
    given = {**CLIENT, **fields}
    return good(client={name: value for name, value in given.items() if value is not None})


def by_key(key, **fields):
    return client(client_secret=None, signing_key=key, **fields)


def introspection(**fields):
    return good(introspection=fields)


def authorization(**fields):
    """Permissions in place of introspection."""
    given = {"permissions": ["orders#read"], **fields}
    given = {name: value for name, value in given.items() if value is not None}
    return good(introspection=None, authorization=given)


def rpt(**fields):
    """By the token alone, so without a client."""
    return {name: value for name, value in authorization(decision="rpt", **fields).items() if name != "client"}


def without(name, configuration):
    return {field: value for field, value in configuration.items() if field != name}


def permission(text):
    return authorization(permissions=["orders", text])


def pushed(source):
    return authorization(claims={"x": source})


def at_stated_addresses(authorization=None, **fields):
    """An issuer that is not discovered."""
    return {
        "issuers": [{"iss": ISSUER, "jwks_uri": f"{ISSUER}/keys", "client": CLIENT, **fields}],
        "allowed_aud": ["gateway"],
        "authorization": {"permissions": ["orders"], **(authorization or {})},
    }


KEYLESS = {"iss": "opaque", "client": CLIENT, "introspection_endpoint": f"{ISSUER}/introspect"}


def keyless(**fields):
    """An issuer that has no keys."""
    return {"issuers": [{**KEYLESS, "introspection": {}, **fields}], "allowed_aud": ["gateway"]}


BAD = {
    # The gateway's client
    "client: a text": (good(client=SECRET), "$.client"),
    "client: a list": (good(client=[CLIENT]), "$.client"),
    "client: nothing in it": (good(client={}), "$.client"),
    "client: a field that nobody knows": (client(scope="openid"), "$.client.scope"),
    "client: no id": (client(client_id=None), "$.client.client_id"),
    "client: an empty id": (client(client_id=""), "$.client.client_id"),
    "client: a number for an id": (client(client_id=7), "$.client.client_id"),
    "client: a line feed in its id": (client(client_id="a\nb"), "$.client.client_id"),
    "client: no secret and no key": (client(client_secret=None), "$.client"),
    "client: an empty secret": (client(client_secret=""), "$.client.client_secret"),
    "client: a number for a secret": (client(client_secret=123456), "$.client.client_secret"),
    "client: a secret with a line feed": (client(client_secret=f"{SECRET}\n"), "$.client.client_secret"),
    "client: a key for a secret": (client(client_secret=SIGNING), "$.client.client_secret"),
    "client: a vault's reference": (client(client_secret="{vault://env/secret}"), "$.client.client_secret"),
    "client: a secret too short to sign": (
        client(client_secret="x" * 31, auth_method="client_secret_jwt"),
        "$.client.client_secret",
    ),
    "client: a secret and a key": (client(signing_key=SIGNING), "$.client.signing_key"),
    "client: an unknown method": (client(auth_method="tls_client_auth"), "$.client.auth_method"),
    "client: no method": (client(auth_method="none"), "$.client.auth_method"),
    "client: a key's method with a secret": (client(auth_method="private_key_jwt"), "$.client.auth_method"),
    "client: a secret's method with a key": (
        by_key(SIGNING, auth_method="client_secret_jwt"),
        "$.client.auth_method",
    ),
    "client: a file's path for a key": (by_key("/etc/ssl/gateway.pem"), "$.client.signing_key"),
    "client: a key that is encrypted": (by_key(ENCRYPTED), "$.client.signing_key"),
    "client: a secret for a key": (by_key({"secret": SECRET}), "$.client.signing_key"),
    "client: a secret's JWK for a key": (by_key({"jwk": SECRET_JWK}), "$.client.signing_key"),
    "client: another curve's algorithm": (by_key({"pem": SIGNING, "alg": "ES512"}), "$.client.signing_key"),
    "client: a key's field that nobody knows": (
        by_key({"pem": SIGNING, "use": "sig"}),
        "$.client.signing_key.use",
    ),
    "client: of several issuers": (good(allowed_iss=[ISSUER, OTHER]), "$.client"),
    "client: where each issuer has its own": (
        {**in_an_issuer(), "client": CLIENT},
        "$.client",
    ),
    "client: that nothing needs": (good(introspection=None), "$.client"),
    "client: an issuer's that nothing needs": (
        {"issuers": [{"iss": ISSUER, "client": CLIENT}], "allowed_aud": ["a"]},
        "$.issuers[0].client",
    ),
    "client: in a policy": (in_a_policy(client=CLIENT), "$.policies.a.client"),
    # Addresses
    **{
        f"{name}: {what}": (in_an_issuer(**{name: value}), f"$.issuers[0].{name}")
        for name in ("introspection_endpoint", "token_endpoint", "permission_endpoint")
        for what, value in {
            "a path": "/introspect",
            "another scheme": "ftp://sso.example.com/introspect",
            "user information": "https://a:b@sso.example.com/introspect",
            "a number": 7,
        }.items()
    },
    "introspection_endpoint: at the top": (
        good(introspection_endpoint=f"{ISSUER}/introspect"),
        "$.introspection_endpoint",
    ),
    "introspection_endpoint: nothing is asked there": (
        {"issuers": [{"iss": ISSUER, "introspection_endpoint": f"{ISSUER}/introspect"}], "allowed_aud": ["a"]},
        "$.issuers[0].introspection_endpoint",
    ),
    "token_endpoint: nothing is asked there": (
        in_an_issuer(token_endpoint=TOKEN_ENDPOINT),
        "$.issuers[0].token_endpoint",
    ),
    "permission_endpoint: nothing is asked there": (
        in_an_issuer(permission_endpoint=f"{ISSUER}/permission"),
        "$.issuers[0].permission_endpoint",
    ),
    # Introspection
    "introspection: true": (good(introspection=True), "$.introspection"),
    "introspection: a word": (good(introspection="always"), "$.introspection"),
    "introspection: a field that nobody knows": (
        introspection(token_type_hint="access_token"),
        "$.introspection.token_type_hint",
    ),
    "introspection.when: an unknown word": (introspection(when="never"), "$.introspection.when"),
    "introspection.when: a boolean": (introspection(when=True), "$.introspection.when"),
    "introspection.response: an unknown word": (introspection(response="xml"), "$.introspection.response"),
    "introspection.cache_seconds: negative": (introspection(cache_seconds=-1), "$.introspection.cache_seconds"),
    "introspection.cache_seconds: too long": (introspection(cache_seconds=3601), "$.introspection.cache_seconds"),
    "introspection.cache_seconds: a text": (introspection(cache_seconds="1m"), "$.introspection.cache_seconds"),
    "introspection.negative_cache_seconds: negative": (
        introspection(negative_cache_seconds=-1),
        "$.introspection.negative_cache_seconds",
    ),
    "introspection.negative_cache_seconds: too long": (
        introspection(negative_cache_seconds=301),
        "$.introspection.negative_cache_seconds",
    ),
    "introspection.if_unavailable: an unknown word": (
        introspection(if_unavailable="allow"),
        "$.introspection.if_unavailable",
    ),
    "introspection.if_unavailable: local, of what cannot be judged": (
        introspection(if_unavailable="local"),
        "$.introspection.if_unavailable",
    ),
    "introspection.opaque_tokens: a text": (introspection(opaque_tokens="no"), "$.introspection.opaque_tokens"),
    "introspection: in a rule": (
        good(rules=[{"path": "/a", "introspection": {}}]),
        "$.rules[0].introspection",
    ),
    "introspection: a fault in an issuer": (
        in_an_issuer(introspection={"when": "never"}),
        "$.issuers[0].introspection.when",
    ),
    "introspection: a fault in a policy": (
        in_a_policy(introspection={"response": 7}),
        "$.policies.a.introspection.response",
    ),
    "introspection: no client": (good(client=None), "$.introspection"),
    "introspection: an issuer without a client": (in_an_issuer(client=None), "$.issuers[0].introspection"),
    "introspection: an issuer that is not discovered": (
        in_an_issuer(jwks_uri=f"{ISSUER}/keys"),
        "$.issuers[0].introspection_endpoint",
    ),
    "introspection: no keys, and a policy without it": (
        {**keyless(), "policies": {"a": {"introspection": False}}},
        "$.issuers[0].introspection_endpoint",
    ),
    "introspection: no keys to judge by first": (
        keyless(introspection={"when": "after_local"}),
        "$.issuers[0].introspection.when",
    ),
    "introspection: no keys to verify the answer by": (
        keyless(introspection={"response": "signed"}),
        "$.issuers[0].introspection.response",
    ),
    "introspection: no keys to fall back on": (
        keyless(introspection={"when": "always", "if_unavailable": "local"}),
        "$.issuers[0].introspection.if_unavailable",
    ),
    "upstream_token: introspected, and nothing is": (
        good(client=None, introspection=None, upstream_token="introspected"),
        "$.upstream_token",
    ),
    "upstream_token: introspected, with an answer that has no token": (
        good(introspection={"response": "signed"}, upstream_token="introspected"),
        "$.upstream_token",
    ),
    # Authorization services
    "authorization: true": (good(authorization=True), "$.authorization"),
    "authorization: a permission": (good(authorization="orders#read"), "$.authorization"),
    "authorization: a field that nobody knows": (authorization(scopes=["read"]), "$.authorization.scopes"),
    "authorization: in an issuer": (in_an_issuer(authorization={}), "$.issuers[0].authorization"),
    "authorization: a fault in a policy": (
        in_a_policy(authorization={"permissions": ["#"]}),
        "$.policies.a.authorization.permissions[0]",
    ),
    "authorization: a fault in a rule": (
        good(rules=[{"path": "/a", "authorization": {"permissions": ["#"]}}]),
        "$.rules[0].authorization.permissions[0]",
    ),
    "authorization: where nobody has to come": (
        {**authorization(), "access": "public"},
        "$.authorization",
    ),
    "authorization: in a rule where nobody has to come": (
        good(rules=[{"path": "/a", "access": "public", "authorization": {"permissions": ["a"]}}]),
        "$.rules[0].access",
    ),
    "authorization.resource_server: empty": (authorization(resource_server=""), "$.authorization.resource_server"),
    "authorization.resource_server: nobody's": (
        without("client", authorization()),
        "$.authorization.resource_server",
    ),
    "authorization.permissions: none": (authorization(permissions=None), "$.authorization.permissions"),
    "authorization.permissions: an empty list": (authorization(permissions=[]), "$.authorization.permissions"),
    "authorization.permissions: a number": (authorization(permissions=7), "$.authorization.permissions"),
    **{
        f"authorization.permissions: {what}": (permission(text), "$.authorization.permissions[1]")
        for what, text in {
            "nothing": "",
            "neither resource nor scope": "#",
            "no scope": "orders#",
            "two scopes": "orders#read#write",
            "one scope or another": "orders#read,write",
            "a path in a name": "orders{path}",
            "a path for a scope": "orders#{path}",
            "a method for a resource": "{method}#read",
            "a method in a scope": "orders#orders:{method}",
            "a method in a scope of a path": "{path}#orders:{method}",
            "a path in a name, by its method": "orders{path}#{method}",
        }.items()
    },
    "authorization.permissions: one text that is none": (
        authorization(permissions="orders#"),
        "$.authorization.permissions",
    ),
    "authorization.method_scopes: nothing": (authorization(method_scopes={}), "$.authorization.method_scopes"),
    "authorization.method_scopes: a text": (authorization(method_scopes="read"), "$.authorization.method_scopes"),
    "authorization.method_scopes: a method in lower case": (
        authorization(method_scopes={"get": "read"}),
        "$.authorization.method_scopes.get",
    ),
    "authorization.method_scopes: HEAD, which is GET": (
        authorization(method_scopes={"GET": "read", "HEAD": "read"}),
        "$.authorization.method_scopes.HEAD",
    ),
    "authorization.method_scopes: two scopes": (
        authorization(method_scopes={"GET": "read,list"}),
        "$.authorization.method_scopes.GET",
    ),
    "authorization.method_scopes: a place": (
        authorization(method_scopes={"GET": "{method}"}),
        "$.authorization.method_scopes.GET",
    ),
    "authorization.method_scopes: a list": (
        authorization(method_scopes={"GET": ["read"]}),
        "$.authorization.method_scopes.GET",
    ),
    "authorization.decision: an unknown word": (authorization(decision="local"), "$.authorization.decision"),
    "authorization.decision: by the token, of a path": (
        rpt(permissions=["{path}#read"]),
        "$.authorization.decision",
    ),
    "authorization.decision: by the token, of a path alone": (
        rpt(permissions="{path}"),
        "$.authorization.decision",
    ),
    "authorization.decision: by the token, for anybody": (
        without("allowed_aud", rpt()),
        "$.authorization.decision",
    ),
    "authorization.decision: by a token that is not verified": (
        {**rpt(), "client": CLIENT, "introspection": {"when": "always"}},
        "$.authorization.decision",
    ),
    "authorization.claims: a list": (authorization(claims=["amount"]), "$.authorization.claims"),
    "authorization.claims: a text": (pushed("amount"), "$.authorization.claims.x"),
    "authorization.claims: from nowhere": (pushed({}), "$.authorization.claims.x"),
    "authorization.claims: from two places": (
        pushed({"header": "x-region", "query": "region"}),
        "$.authorization.claims.x",
    ),
    "authorization.claims: a pseudo-header": (pushed({"header": ":path"}), "$.authorization.claims.x.header"),
    "authorization.claims: a blank in a header's name": (
        pushed({"header": "x region"}),
        "$.authorization.claims.x.header",
    ),
    "authorization.claims: a header with credentials": (
        pushed({"header": "Authorization"}),
        "$.authorization.claims.x.header",
    ),
    "authorization.claims: cookies": (pushed({"header": "cookie"}), "$.authorization.claims.x.header"),
    "authorization.claims: a query": (pushed({"query": "?amount="}), "$.authorization.claims.x.query"),
    "authorization.claims: an encoded name": (pushed({"query": "a%20b"}), "$.authorization.claims.x.query"),
    "authorization.claims: a number": (pushed({"value": 7}), "$.authorization.claims.x.value"),
    "authorization.claims: an empty text": (pushed({"value": ""}), "$.authorization.claims.x.value"),
    "authorization.claims: an empty list": (pushed({"value": []}), "$.authorization.claims.x.value"),
    "authorization.claims: a number in a list": (
        pushed({"value": ["a", 7]}),
        "$.authorization.claims.x.value[1]",
    ),
    "authorization.claims: of something else": (pushed({"from": "host"}), "$.authorization.claims.x.from"),
    "authorization.claims: a field that nobody knows": (
        pushed({"from": "path", "default": "/"}),
        "$.authorization.claims.x.default",
    ),
    "authorization.claims: told to nobody": (
        rpt(claims={"x": {"from": "path"}}),
        "$.authorization.claims",
    ),
    "authorization.claims: where the token may decide": (
        authorization(decision="rpt_or_remote", claims={"x": {"from": "path"}}),
        "$.authorization.claims",
    ),
    "authorization.claims: beside tickets": (
        authorization(uma_challenge=True, claims={"x": {"from": "path"}}),
        "$.authorization.claims",
    ),
    "authorization.permissions: a place with another name": (
        authorization(permissions="{uri}#read"),
        "$.authorization.permissions",
    ),
    "upstream_token: introspected, and the answer is to be json": (
        good(upstream_token="introspected", introspection={"response": "json"}),
        "$.upstream_token",
    ),
    "authorization.claims: by no client": (
        without("client", authorization(resource_server="orders", claims={"x": {"from": "path"}})),
        "$.authorization.claims",
    ),
    "authorization.uma_challenge: a text": (authorization(uma_challenge="yes"), "$.authorization.uma_challenge"),
    "authorization.uma_challenge: of a scope alone": (
        authorization(permissions=["#read"], uma_challenge=True),
        "$.authorization.uma_challenge",
    ),
    "authorization.uma_challenge: of a path": (
        authorization(permissions=["{path}"], uma_challenge=True),
        "$.authorization.uma_challenge",
    ),
    "authorization.uma_challenge: by no client": (
        without("client", authorization(resource_server="orders", uma_challenge=True)),
        "$.authorization.uma_challenge",
    ),
    "authorization.uma_challenge: by another client": (
        authorization(resource_server="orders", uma_challenge=True),
        "$.authorization.resource_server",
    ),
    "authorization.uma_challenge: several issuers": (
        {
            **authorization(uma_challenge=True),
            "issuers": [{"iss": OTHER, "client": CLIENT}],
        },
        "$.authorization.uma_challenge",
    ),
    "authorization.cache_seconds: too long": (authorization(cache_seconds=3601), "$.authorization.cache_seconds"),
    "authorization.cache_seconds: negative": (authorization(cache_seconds=-1), "$.authorization.cache_seconds"),
    "authorization.cache_seconds: a text": (authorization(cache_seconds="30"), "$.authorization.cache_seconds"),
    "authorization.negative_cache_seconds: negative": (
        authorization(negative_cache_seconds=-1),
        "$.authorization.negative_cache_seconds",
    ),
    "authorization.negative_cache_seconds: too long": (
        authorization(negative_cache_seconds=301),
        "$.authorization.negative_cache_seconds",
    ),
    "authorization: an issuer that is not discovered": (
        at_stated_addresses(),
        "$.authorization.permissions",
    ),
    "authorization: an issuer whose tickets are nowhere": (
        at_stated_addresses({"uma_challenge": True}, token_endpoint=f"{ISSUER}/token"),
        "$.authorization.uma_challenge",
    ),
    # A token's own
    "require: a permission that is none": (
        {"allowed_iss": [ISSUER], "allowed_aud": ["a"], "require": {"permission": "orders#"}},
        "$.require.permission",
    ),
    "require: a permission by path": (
        {"allowed_iss": [ISSUER], "allowed_aud": ["a"], "require": {"permission": ["{path}"]}},
        "$.require.permission[0]",
    ),
    "require: no permission": (
        {"allowed_iss": [ISSUER], "allowed_aud": ["a"], "require": {"permission": []}},
        "$.require.permission",
    ),
    "require: a permission for anybody": (
        {"allowed_iss": [ISSUER], "require": {"permission": "orders"}},
        "$.allowed_aud",
    ),
    "require: a permission of a token that is not verified": (
        good(introspection={"when": "always"}, require={"permission": "orders"}),
        "$.introspection",
    ),
}

# What is taken, and what the log says of it
WARNED = {
    "opaque tokens that several issuers are shown": (
        good(issuers=[{"iss": OTHER, "client": CLIENT}]),
        "opaque_tokens",
    ),
    "revoked tokens while the issuer does not answer": (
        good(introspection={"when": "always", "if_unavailable": "local"}),
        "if_unavailable",
    ),
    "scopes of methods that no permission has": (
        authorization(method_scopes={"GET": "read"}),
        "method_scopes",
    ),
}

# A schema cannot say that values in different places agree.
BEYOND_A_SCHEMA = {
    "client: another curve's algorithm",
    "client: of several issuers",
    "client: where each issuer has its own",
    "client: that nothing needs",
    "client: an issuer's that nothing needs",
    "introspection_endpoint: nothing is asked there",
    "token_endpoint: nothing is asked there",
    "permission_endpoint: nothing is asked there",
    "introspection.if_unavailable: local, of what cannot be judged",
    "authorization.claims: where the token may decide",
    "authorization.claims: beside tickets",
    "upstream_token: introspected, and the answer is to be json",
    "introspection: no client",
    "introspection: an issuer without a client",
    "introspection: an issuer that is not discovered",
    "introspection: no keys, and a policy without it",
    "introspection: no keys to judge by first",
    "introspection: no keys to verify the answer by",
    "introspection: no keys to fall back on",
    "upstream_token: introspected, and nothing is",
    "upstream_token: introspected, with an answer that has no token",
    "authorization: where nobody has to come",
    "authorization: in a rule where nobody has to come",
    "authorization.resource_server: nobody's",
    "authorization.permissions: none",
    "authorization.decision: by the token, for anybody",
    "authorization.decision: by a token that is not verified",
    "authorization.claims: by no client",
    "authorization.uma_challenge: of a scope alone",
    "authorization.uma_challenge: of a path",
    "authorization.uma_challenge: by no client",
    "authorization.uma_challenge: by another client",
    "authorization.uma_challenge: several issuers",
    "authorization: an issuer that is not discovered",
    "authorization: an issuer whose tickets are nowhere",
    "require: a permission for anybody",
    "require: a permission of a token that is not verified",
}
