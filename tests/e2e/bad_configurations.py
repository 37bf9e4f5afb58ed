"""Configurations that must be refused: a fault each, and the path that the log must name."""

import json

from tests.e2e import bad_inquiries
from tests.e2e.placeholders import fixed
from tests.e2e.signing import Key

ISSUER = "https://sso.example.com/realms/shop"
GOOD = {"allowed_iss": [ISSUER], "allowed_aud": ["orders"]}


def good(**fields):
    return {**GOOD, **fields}


def in_a_policy(**fields):
    return good(policies={"a": fields})


def in_an_issuer(**fields):
    return {"issuers": [{"iss": ISSUER, **fields}], "allowed_aud": ["orders"]}


def key_set(*keys):
    return in_an_issuer(jwks={"keys": list(keys)})


def public_key(key):
    return in_an_issuer(public_keys=[key])


def secret(text, algorithm="HS256", **fields):
    return in_an_issuer(allowed_alg=[algorithm], hmac_secrets=[{"secret": text, **fields}])


def requiring(expression):
    return good(require=expression)


def rules(*given, **fields):
    return good(rules=list(given), **fields)


def signing(**fields):
    """`upstream_jwt`, good but for these fields; None takes one out."""
    fields = {"issuer": "https://gateway.example.com", "keys": [SIGNING], "jwks_path": "/jwks", **fields}
    return good(upstream_jwt={field: value for field, value in fields.items() if value is not None})


def signing_with(key, **fields):
    return signing(keys=[key], **fields)


def upstream_claim(claim, name="x"):
    return signing(claims={name: claim})


def x_user(claim):
    return good(claims_to_headers={"x-user": claim})


JWK = json.loads(fixed("JWK", "fixed-rsa"))
PEM, CERTIFICATE, PRIVATE = (
    json.loads(f'"{fixed(*form)}"')
    for form in (("PEM", "fixed-rsa"), ("CERTIFICATE", "rsa-valid"), ("PRIVATE", "rsa"))
)
WEAK = Key("weak", {"kty": "RSA", "bits": 1024})
SECRET = "x" * 64
# What a gateway signs with, and what it cannot
SIGNING, SIGNING_RSA, ENCRYPTED, SECP256K1, ED448, WEAK_SIGNING = (
    json.loads(f'"{fixed("PRIVATE", f"signing-{name}")}"')
    for name in ("p256", "rsa", "encrypted", "secp256k1", "ed448", "weak")
)
SIGNING_CERTIFICATE = json.loads(f'"{fixed("CERTIFICATE", "signing-p256")}"')
SIGNING_JWK, RSA_JWK, ED25519_JWK, SECRET_JWK = (
    json.loads(fixed("PRIVATE_JWK", f"signing-{name}")) for name in ("p256", "rsa", "ed25519", "secret")
)
PUBLIC_JWK = {name: value for name, value in SIGNING_JWK.items() if name != "d"}
A_KEY = "$.upstream_jwt.keys[0]"

BAD = {
    "nothing": ({}, "$.allowed_iss"),
    "no issuer": (good(allowed_iss=[]), "$.allowed_iss"),
    "a field that nobody knows": (good(alowed_alg=["RS256"]), "$.alowed_alg"),
    "a text for a list": (good(allowed_iss=7), "$.allowed_iss"),
    "a number in a list": (good(scope=["a", 7]), "$.scope[1]"),
    "no algorithm": (good(allowed_alg=["none"]), "$.allowed_alg[0]"),
    "a shared secret's algorithm": (good(allowed_alg=["RS256", "HS256"]), "$.allowed_alg"),
    "an ID token's type": (good(allowed_typ=["Bearer", "ID"]), "$.allowed_typ[1]"),
    "a text for a number": (good(clock_skew="30"), "$.clock_skew"),
    "a negative time": (good(clock_skew=-1), "$.clock_skew"),
    "a grace period too long": (good(iss_key_grace_period=61), "$.iss_key_grace_period"),
    "a claim that cannot be verified": (good(claims_to_verify=["iss"]), "$.claims_to_verify[0]"),
    "a longest validity without exp": (
        good(claims_to_verify=[], maximum_expiration=300),
        "$.maximum_expiration",
    ),
    "a scope with a blank": (good(scope=["a b"]), "$.scope[0]"),
    "a client role without a role": (good(client_roles=["app"]), "$.client_roles[0]"),
    "two ways to the keys": (
        {"issuers": [{"iss": ISSUER, "jwks_uri": f"{ISSUER}/a", "well_known_uri": f"{ISSUER}/b"}]},
        "$.issuers[0]",
    ),
    "an issuer without a name": ({"issuers": [{"jwks_uri": f"{ISSUER}/a"}]}, "$.issuers[0]"),
    "keys from no URL": ({"issuers": [{"iss": ISSUER, "jwks_uri": "keys"}]}, "$.issuers[0].jwks_uri"),
    "a policy with an issuer of its own": (
        in_a_policy(allowed_iss=["https://other"]),
        "$.policies.a.allowed_iss",
    ),
    "key fetching in a policy": (
        in_a_policy(jwks_refresh_interval=60),
        "$.policies.a.jwks_refresh_interval",
    ),
    # Whose tokens
    "blocked issuers: a number": (good(blocked_iss=7), "$.blocked_iss"),
    "blocked issuers: a number in the list": (good(blocked_iss=[ISSUER, 7]), "$.blocked_iss[1]"),
    "blocked issuers: in a policy": (in_a_policy(blocked_iss=[ISSUER]), "$.policies.a.blocked_iss"),
    "blocked issuers: in an issuer": (in_an_issuer(blocked_iss=[ISSUER]), "$.issuers[0].blocked_iss"),
    "algorithm: a number": (good(algorithm=256), "$.algorithm"),
    "algorithm: in a policy": (in_a_policy(algorithm="RS256"), "$.policies.a.algorithm"),
    "cafile: a list": (good(cafile=["/etc/ssl/ca.pem"]), "$.cafile"),
    # Consumers
    "consumers: a text": (good(consumers="app"), "$.consumers"),
    "consumers: texts": (good(consumers=["app"]), "$.consumers[0]"),
    "consumers: one without a name": (good(consumers=[{"tags": ["a"]}]), "$.consumers[0]"),
    "consumers: a number": (good(consumers=[{"username": 7}]), "$.consumers[0].username"),
    "consumers: a tag that is a number": (
        good(consumers=[{"id": "a", "tags": ["a", 7]}]),
        "$.consumers[0].tags[1]",
    ),
    "consumers: a field that nobody knows": (
        good(consumers=[{"id": "a", "groups": []}]),
        "$.consumers[0].groups",
    ),
    "consumers: the same id twice": (good(consumers=[{"id": "a"}, {"id": "a"}]), "$.consumers[1]"),
    "consumers: the same username twice": (
        good(consumers=[{"id": "a", "username": "x"}, {"id": "b", "username": "x"}]),
        "$.consumers[1]",
    ),
    "consumers: the same custom_id twice": (
        good(consumers=[{"custom_id": "a"}, {"custom_id": "a"}]),
        "$.consumers[1]",
    ),
    "consumers: in a policy": (in_a_policy(consumers=[]), "$.policies.a.consumers"),
    # Issuers
    "issuer's name: in upper case": (in_an_issuer(name="Shop"), "$.issuers[0].name"),
    "issuer's name: empty": (in_an_issuer(name=""), "$.issuers[0].name"),
    "issuer's name: at the top": (good(name="shop"), "$.name"),
    "key set: a number": (in_an_issuer(jwks=7), "$.issuers[0].jwks"),
    "key set: without keys": (in_an_issuer(jwks={"key": []}), "$.issuers[0].jwks"),
    "key set: no JSON": (in_an_issuer(jwks="{"), "$.issuers[0].jwks"),
    "key set: JSON that is none": (in_an_issuer(jwks="[]"), "$.issuers[0].jwks"),
    "key set: a shared secret": (
        key_set({"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"}),
        "$.issuers[0].jwks",
    ),
    "key set: a key for encryption": (key_set(JWK, {**JWK, "use": "enc"}), "$.issuers[0].jwks"),
    "key set: a weak key": (key_set(JWK, WEAK.jwk()), "$.issuers[0].jwks"),
    "key set: a key of an unknown kind": (key_set({"kty": "PQC"}), "$.issuers[0].jwks"),
    "key set: at the top": (good(jwks={"keys": [JWK]}), "$.jwks"),
    "public keys: a number": (public_key(7), "$.issuers[0].public_keys[0]"),
    "public keys: no PEM": (public_key("MIIB"), "$.issuers[0].public_keys[0]"),
    "public keys: cut off": (in_an_issuer(public_keys=[PEM, PEM[:200]]), "$.issuers[0].public_keys[1]"),
    "public keys: a private key": (public_key(PRIVATE), "$.issuers[0].public_keys[0]"),
    "public keys: a weak key": (public_key(WEAK.public().decode()), "$.issuers[0].public_keys[0]"),
    "public keys: a certificate cut off": (
        in_an_issuer(public_keys=[CERTIFICATE.replace("MII", "MIH")]),
        "$.issuers[0].public_keys[0]",
    ),
    "public keys: no key": (public_key({"kid": "a"}), "$.issuers[0].public_keys[0]"),
    "public keys: a field that nobody knows": (
        public_key({"pem": PEM, "use": "sig"}),
        "$.issuers[0].public_keys[0].use",
    ),
    "public keys: another kind's algorithm": (
        public_key({"pem": PEM, "alg": "ES256"}),
        "$.issuers[0].public_keys[0]",
    ),
    "public keys: a secret's algorithm": (
        public_key({"pem": PEM, "alg": "HS256"}),
        "$.issuers[0].public_keys[0]",
    ),
    "public keys: in a policy": (in_a_policy(public_keys=[PEM]), "$.policies.a.public_keys"),
    "secrets: a text": (
        in_an_issuer(allowed_alg=["HS256"], hmac_secrets=[SECRET]),
        "$.issuers[0].hmac_secrets[0]",
    ),
    "secrets: no secret": (
        in_an_issuer(allowed_alg=["HS256"], hmac_secrets=[{"kid": "a"}]),
        "$.issuers[0].hmac_secrets[0]",
    ),
    "secrets: too short for any": (secret("x" * 31), "$.issuers[0].hmac_secrets[0]"),
    "secrets: too short for HS384": (secret("x" * 47, "HS384", alg="HS384"), "$.issuers[0].hmac_secrets[0]"),
    "secrets: too short for HS512": (secret("x" * 63, "HS512", alg="HS512"), "$.issuers[0].hmac_secrets[0]"),
    "secrets: too short when decoded": (
        secret("eHh4" * 10, encoding="base64"),
        "$.issuers[0].hmac_secrets[0]",
    ),
    "secrets: no base64": (secret("-_" * 32, encoding="base64"), "$.issuers[0].hmac_secrets[0]"),
    "secrets: no base64url": (secret("+/" * 32, encoding="base64url"), "$.issuers[0].hmac_secrets[0]"),
    "secrets: an unknown encoding": (secret(SECRET, encoding="hex"), "$.issuers[0].hmac_secrets[0].encoding"),
    "secrets: another kind's algorithm": (secret(SECRET, alg="RS256"), "$.issuers[0].hmac_secrets[0].alg"),
    "secrets: algorithms that have none": (in_an_issuer(hmac_secrets=[{"secret": SECRET}]), "$.issuers[0]"),
    "secrets: an algorithm without one": (in_an_issuer(allowed_alg=["HS256"]), "$.issuers[0]"),
    "secrets: a policy's algorithm without one": (
        in_a_policy(allowed_alg=["HS256"]),
        "$.policies.a.allowed_alg",
    ),
    "secrets: at the top": (good(hmac_secrets=[{"secret": SECRET}]), "$.hmac_secrets"),
    "issuer's requirements: a number": (in_an_issuer(scope=7), "$.issuers[0].scope"),
    "issuer's requirements: a client role without a role": (
        in_an_issuer(client_roles=["app"]),
        "$.issuers[0].client_roles[0]",
    ),
    "issuer's requirements: no expression": (in_an_issuer(require="admin"), "$.issuers[0].require"),
    "a policy's field in an issuer": (in_an_issuer(access="public"), "$.issuers[0].access"),
    # Where claims are
    **{
        f"{field}: {name}": ({**GOOD, field: value}, f"$.{field}")
        for field in ("scope_claim", "realm_roles_claim", "client_id_claim", "groups_claim", "consumer_match_claim")
        for name, value in {"a number": 7, "empty": "", "a step without a name": "a..b", "no names": []}.items()
    },
    "client_roles_claim: no client": (
        good(client_roles_claim="resource_access.roles"),
        "$.client_roles_claim",
    ),
    "client_roles_claim: a client in a name": (
        good(client_roles_claim="access.of-{client}"),
        "$.client_roles_claim",
    ),
    "client_roles_claim: a number in the list": (
        good(client_roles_claim=["{client}", 7]),
        "$.client_roles_claim[1]",
    ),
    "scope_claim: in an issuer": (in_an_issuer(scope_claim=7), "$.issuers[0].scope_claim"),
    "token_scope_wildcards: a text": (good(token_scope_wildcards="yes"), "$.token_scope_wildcards"),
    # Where tokens are
    "headers: no name": (good(header_names=[{"scheme": "JWT"}]), "$.header_names[0]"),
    "headers: a blank in the name": (
        good(header_names=["authorization", {"name": "x token"}]),
        "$.header_names[1].name",
    ),
    "headers: a blank in the scheme": (
        good(header_names=[{"name": "x", "scheme": "a b"}]),
        "$.header_names[0].scheme",
    ),
    "headers: a field that nobody knows": (
        good(header_names=[{"name": "x", "prefix": "JWT"}]),
        "$.header_names[0].prefix",
    ),
    "parameters: a number": (good(uri_param_names=7), "$.uri_param_names"),
    "parameters: a number in the list": (good(uri_param_names=["jwt", 7]), "$.uri_param_names[1]"),
    "cookies: a number in the list": (good(cookie_names=["jwt", 7]), "$.cookie_names[1]"),
    "cookies: no name": (good(cookie_names=["a=b"]), "$.cookie_names[0]"),
    "upstream_token: an unknown word": (good(upstream_token="drop"), "$.upstream_token"),
    "upstream_token: no text": (good(upstream_token={"replace": 7}), "$.upstream_token.replace"),
    "upstream_token: a line feed": (good(upstream_token={"replace": "a\nb: c"}), "$.upstream_token.replace"),
    "upstream_token: nothing": (good(upstream_token={}), "$.upstream_token"),
    "upstream_token: a field that nobody knows": (
        good(upstream_token={"replace": "a", "header": "b"}),
        "$.upstream_token.header",
    ),
    # Who may come
    "access: an unknown word": (good(access="allow"), "$.access"),
    "access: a boolean": (good(access=False), "$.access"),
    "anonymous: a boolean": (good(anonymous=True), "$.anonymous"),
    "run_on_preflight: a text": (good(run_on_preflight="false"), "$.run_on_preflight"),
    "bypass_cors_preflight: a number": (good(bypass_cors_preflight=1), "$.bypass_cors_preflight"),
    # Expressions
    "require: a text": (requiring("admin"), "$.require"),
    "require: a list": (requiring([{"scope": "a"}]), "$.require"),
    "require: a field that nobody knows": (requiring({"scopes": ["a"]}), "$.require.scopes"),
    "require: any of nothing": (requiring({"any": []}), "$.require.any"),
    "require: all of nothing": (requiring({"all": []}), "$.require.all"),
    "require: any of no list": (requiring({"any": {"scope": "a"}}), "$.require.any"),
    "require: a text in any": (requiring({"any": [{"scope": "a"}, "b"]}), "$.require.any[1]"),
    "require: not a list": (requiring({"not": [{"scope": "a"}]}), "$.require.not"),
    "require: a fault deep inside": (
        requiring({"all": [{"not": {"any": [{"role": 7}]}}]}),
        "$.require.all[0].not.any[0].role",
    ),
    "require: a number for a scope": (requiring({"scope": 7}), "$.require.scope"),
    "require: a blank in a scope": (requiring({"scope": ["a", "b c"]}), "$.require.scope[1]"),
    "require: every scope": (requiring({"scope": "*"}), "$.require.scope"),
    "require: a star in a scope": (requiring({"scope": ["a/*/b"]}), "$.require.scope"),
    "require: a scope's beginning": (requiring({"scope": ["Function*"]}), "$.require.scope"),
    "require: two stars": (requiring({"scope": ["a/**"]}), "$.require.scope"),
    "require: every group": (requiring({"group": "*"}), "$.require.group"),
    "require: a group's beginning": (requiring({"group": ["/sales*"]}), "$.require.group"),
    "require: a client role without a role": (requiring({"client_role": "app"}), "$.require.client_role"),
    "require: a claim and nothing of it": (requiring({"claim": "a"}), "$.require"),
    "require: nothing's value": (requiring({"equals": 1}), "$.require"),
    "require: an object for a value": (requiring({"claim": "a", "equals": {}}), "$.require.equals"),
    "require: a list for a value": (requiring({"claim": "a", "equals": ["b"]}), "$.require.equals"),
    "require: one of nothing": (requiring({"claim": "a", "one_of": []}), "$.require.one_of"),
    "require: one of an object": (requiring({"claim": "a", "one_of": ["b", {}]}), "$.require.one_of[1]"),
    "require: a number for a prefix": (requiring({"claim": "a", "prefix": 7}), "$.require.prefix"),
    "require: not present": (requiring({"claim": "a", "present": False}), "$.require.present"),
    "require: no path": (requiring({"claim": "a..b", "present": True}), "$.require.claim"),
    "require: in a policy": (in_a_policy(require={"any": []}), "$.policies.a.require.any"),
    "scope: every one": (good(scope=["a", "*"]), "$.scope[1]"),
    "scope: a star inside": (good(scope=["a*b"]), "$.scope[0]"),
    # Rules
    "rules: a text": (good(rules="/orders"), "$.rules"),
    "rules: texts": (good(rules=["/orders"]), "$.rules[0]"),
    "rules: no path": (rules({"methods": ["GET"]}), "$.rules[0]"),
    "rules: no path in the list": (rules({"path": []}), "$.rules[0].path"),
    "rules: a path without a slash": (rules({"path": "/a"}, {"path": "orders"}), "$.rules[1].path"),
    "rules: a star in the middle": (rules({"path": "/a/*/b"}), "$.rules[0].path"),
    "rules: a star in a name": (rules({"path": "/a*"}), "$.rules[0].path"),
    "rules: a path that no request has": (rules({"path": "/a/../b"}), "$.rules[0].path"),
    "rules: two slashes": (rules({"path": "/a//b"}), "$.rules[0].path"),
    "rules: a query": (rules({"path": "/a?b=c"}), "$.rules[0].path"),
    "rules: half a template": (rules({"path": "/a/{id"}), "$.rules[0].path"),
    "rules: a template in a name": (rules({"path": "/a/x-{id}"}), "$.rules[0].path"),
    "rules: a method in lower case": (
        rules({"path": "/a", "methods": ["GET", "post"]}),
        "$.rules[0].methods[1]",
    ),
    "rules: no method": (rules({"path": "/a", "methods": []}), "$.rules[0].methods"),
    "rules: an unknown access": (rules({"path": "/a", "access": "allow"}), "$.rules[0].access"),
    "rules: a number for a role": (rules({"path": "/a", "realm_roles": [7]}), "$.rules[0].realm_roles[0]"),
    "rules: an empty any": (rules({"path": "/a", "require": {"any": []}}), "$.rules[0].require.any"),
    "rules: a field that nobody knows": (
        rules({"path": "/a", "allowed_aud": ["x"]}),
        "$.rules[0].allowed_aud",
    ),
    "rules: in an issuer": (in_an_issuer(rules=[{"path": "/a"}]), "$.issuers[0].rules"),
    "rules_default: an unknown word": (rules({"path": "/a"}, rules_default="allow"), "$.rules_default"),
    "rules_default: without rules": (good(rules_default="deny"), "$.rules_default"),
    # The caller
    "consumer_match: a text": (good(consumer_match="true"), "$.consumer_match"),
    "consumer_match_claim_custom_id: a text": (
        good(consumer_match_claim_custom_id="true"),
        "$.consumer_match_claim_custom_id",
    ),
    "consumer_match_ignore_not_found: a number": (
        good(consumer_match_ignore_not_found=1),
        "$.consumer_match_ignore_not_found",
    ),
    "consumer_from_token: a text": (good(consumer_from_token="azp"), "$.consumer_from_token"),
    "keep_consumer_headers: a text": (good(keep_consumer_headers="yes"), "$.keep_consumer_headers"),
    "keep_consumer_headers: and a consumer": (
        good(keep_consumer_headers=True, consumer_match=True, consumers=[{"id": "a"}]),
        "$.keep_consumer_headers",
    ),
    "keep_consumer_headers: and a consumer by the token": (
        good(keep_consumer_headers=True, consumer_from_token=True),
        "$.keep_consumer_headers",
    ),
    "keep_consumer_headers: and an anonymous one": (
        good(keep_consumer_headers=True, anonymous="a"),
        "$.keep_consumer_headers",
    ),
    "keep_consumer_headers: against the top, in a policy": (
        good(consumer_from_token=True, policies={"a": {"keep_consumer_headers": True}}),
        "$.policies.a.keep_consumer_headers",
    ),
    "claims_to_headers: a list": (good(claims_to_headers=["sub"]), "$.claims_to_headers"),
    "claims_to_headers: a blank in a name": (
        good(claims_to_headers={"x user": "sub"}),
        "$.claims_to_headers",
    ),
    "claims_to_headers: a pseudo-header": (good(claims_to_headers={":path": "sub"}), "$.claims_to_headers"),
    "claims_to_headers: a number": (x_user(7), "$.claims_to_headers.x-user"),
    "claims_to_headers: no path": (x_user("a..b"), "$.claims_to_headers.x-user"),
    "claims_to_headers: no claim": (x_user({"format": "text"}), "$.claims_to_headers.x-user"),
    "claims_to_headers: an unknown format": (
        x_user({"claim": "sub", "format": "xml"}),
        "$.claims_to_headers.x-user.format",
    ),
    "claims_to_headers: a separator that is a number": (
        x_user({"claim": "sub", "separator": 7}),
        "$.claims_to_headers.x-user.separator",
    ),
    "claims_to_headers: a separator that is a line feed": (
        x_user({"claim": "sub", "separator": "\n"}),
        "$.claims_to_headers.x-user.separator",
    ),
    "claims_to_headers: base64 a text": (
        x_user({"claim": "sub", "base64": "yes"}),
        "$.claims_to_headers.x-user.base64",
    ),
    "claims_to_headers: a field that nobody knows": (
        x_user({"claim": "sub", "default": "a"}),
        "$.claims_to_headers.x-user.default",
    ),
    "claims_to_properties: a name in upper case": (
        good(claims_to_properties={"User": "sub"}),
        "$.claims_to_properties",
    ),
    "claims_to_properties: a name with a hyphen": (
        good(claims_to_properties={"x-user": "sub"}),
        "$.claims_to_properties",
    ),
    "claims_to_properties: an unknown format": (
        good(claims_to_properties={"user": {"claim": "sub", "format": "xml"}}),
        "$.claims_to_properties.user.format",
    ),
    # What the gateway signs
    "upstream_jwt: a text": (good(upstream_jwt="JWT"), "$.upstream_jwt"),
    "upstream_jwt: true": (good(upstream_jwt=True), "$.upstream_jwt"),
    "upstream_jwt: a field that nobody knows": (signing(algorithm="RS256"), "$.upstream_jwt.algorithm"),
    "upstream_jwt: in an issuer": (
        in_an_issuer(upstream_jwt={"issuer": "a", "keys": [SIGNING]}),
        "$.issuers[0].upstream_jwt",
    ),
    "upstream_jwt: in a rule": (
        rules({"path": "/a", "upstream_jwt": {"issuer": "a", "keys": [SIGNING]}}),
        "$.rules[0].upstream_jwt",
    ),
    "upstream_jwt: no issuer": (signing(issuer=None), "$.upstream_jwt"),
    "upstream_jwt: an empty issuer": (signing(issuer=""), "$.upstream_jwt.issuer"),
    "upstream_jwt: an issuer that is a number": (signing(issuer=7), "$.upstream_jwt.issuer"),
    "upstream_jwt: no key": (signing(keys=None), "$.upstream_jwt"),
    "upstream_jwt: no key in the list": (signing(keys=[]), "$.upstream_jwt.keys"),
    "upstream_jwt: a number for a key": (signing_with(7), A_KEY),
    "upstream_jwt: a key of nothing": (signing_with({"kid": "a"}), A_KEY),
    "upstream_jwt: a key of two kinds": (signing_with({"pem": SIGNING, "secret": SECRET}), A_KEY),
    "upstream_jwt: a key with a field that nobody knows": (
        signing_with({"pem": SIGNING, "use": "sig"}),
        f"{A_KEY}.use",
    ),
    "upstream_jwt: a JWK with a field that nobody knows beside it": (
        signing_with({"jwk": SIGNING_JWK, "use": "sig"}),
        f"{A_KEY}.use",
    ),
    "upstream_jwt: a secret with a field that nobody knows": (
        signing_with({"secret": SECRET, "use": "sig"}, jwks_path=None),
        f"{A_KEY}.use",
    ),
    "upstream_jwt: a fault in the second key": (signing(keys=[SIGNING, SIGNING[:100]]), "$.upstream_jwt.keys[1]"),
    "upstream_jwt: two keys of one name": (
        signing(keys=[{"pem": SIGNING, "kid": "a"}, {"pem": SIGNING_RSA, "kid": "a"}]),
        "$.upstream_jwt.keys[1]",
    ),
    "upstream_jwt: a kid that is a number": (signing_with({"pem": SIGNING, "kid": 7}), f"{A_KEY}.kid"),
    "upstream_token: replaced where the gateway's JWT goes": (
        {**signing(header="Authorization"), "upstream_token": {"replace": "Basic x"}},
        "$.upstream_token",
    ),
    "upstream_jwt: a key as a kid": (signing_with({"pem": SIGNING, "kid": SIGNING}), f"{A_KEY}.kid"),
    "upstream_jwt: an empty kid": (signing_with({"pem": SIGNING, "kid": ""}), f"{A_KEY}.kid"),
    # Keys
    "signing key: no PEM": (signing_with("MIGHAgEAMBMG"), A_KEY),
    "signing key: a file's path": (signing_with("/etc/kong/private.pem"), A_KEY),
    "signing key: cut off": (signing_with(SIGNING[:120]), A_KEY),
    "signing key: its middle is missing": (signing_with(SIGNING.replace(SIGNING[60:80], "")), A_KEY),
    "signing key: a public key": (signing_with(PEM), A_KEY),
    "signing key: a certificate": (signing_with(SIGNING_CERTIFICATE), A_KEY),
    "signing key: encrypted": (signing_with(ENCRYPTED), A_KEY),
    "signing key: weak": (signing_with(WEAK_SIGNING), A_KEY),
    "signing key: a curve that JWTs do not have": (signing_with(SECP256K1), A_KEY),
    "signing key: Ed448": (signing_with(ED448), A_KEY),
    "signing key: another kind's algorithm": (signing_with({"pem": SIGNING, "alg": "RS256"}), A_KEY),
    "signing key: another curve's algorithm": (signing_with({"pem": SIGNING, "alg": "ES384"}), A_KEY),
    "signing key: a secret's algorithm": (signing_with({"pem": SIGNING_RSA, "alg": "HS256"}), A_KEY),
    "signing key: no algorithm": (signing_with({"pem": SIGNING_RSA, "alg": "none"}), f"{A_KEY}.alg"),
    "signing key: another key's certificate": (
        signing_with({"pem": SIGNING_RSA, "certificate": SIGNING_CERTIFICATE}),
        A_KEY,
    ),
    "signing key: another RSA key's certificate": (
        signing_with({"pem": SIGNING_RSA, "certificate": CERTIFICATE}),
        A_KEY,
    ),
    "signing key: a certificate that is none": (signing_with({"pem": SIGNING, "certificate": "MIIB"}), A_KEY),
    "signing key: a certificate that is a number": (
        signing_with({"pem": SIGNING, "certificate": 7}),
        f"{A_KEY}.certificate",
    ),
    "signing JWK: a number": (signing_with({"jwk": 7}), A_KEY),
    "signing JWK: no JSON": (signing_with({"jwk": "{"}), A_KEY),
    "signing JWK: public": (signing_with({"jwk": PUBLIC_JWK}), A_KEY),
    "signing JWK: a key set": (signing_with({"jwk": {"keys": [SIGNING_JWK]}}), A_KEY),
    "signing JWK: of an unknown kind": (signing_with({"jwk": {**SIGNING_JWK, "kty": "PQC"}}), A_KEY),
    "signing JWK: an unknown curve": (signing_with({"jwk": {**SIGNING_JWK, "crv": "secp256k1"}}), A_KEY),
    "signing JWK: halves that do not fit": (signing_with({"jwk": {**SIGNING_JWK, "d": ED25519_JWK["d"]}}), A_KEY),
    "signing JWK: no private half": (signing_with({"jwk": {**ED25519_JWK, "d": None}}), A_KEY),
    "signing JWK: RSA without its primes": (
        signing_with({"jwk": {name: value for name, value in RSA_JWK.items() if name not in ("p", "q")}}),
        A_KEY,
    ),
    "signing JWK: for encryption": (signing_with({"jwk": {**SIGNING_JWK, "use": "enc"}}), A_KEY),
    "signing JWK: another kind's algorithm": (signing_with({"jwk": SIGNING_JWK, "alg": "EdDSA"}), A_KEY),
    "signing secret: too short": (signing_with({"secret": "x" * 31}, jwks_path=None), A_KEY),
    "signing secret: too short for HS512": (signing_with({"secret": "x" * 63, "alg": "HS512"}, jwks_path=None), A_KEY),
    "signing secret: no base64": (signing_with({"secret": "-_" * 32, "encoding": "base64"}, jwks_path=None), A_KEY),
    "signing secret: an unknown encoding": (
        signing_with({"secret": SECRET, "encoding": "hex"}, jwks_path=None),
        f"{A_KEY}.encoding",
    ),
    "signing secret: a key's algorithm": (
        signing_with({"secret": SECRET, "alg": "ES256"}, jwks_path=None),
        f"{A_KEY}.alg",
    ),
    "signing secret: with a certificate": (
        signing_with({"secret": SECRET, "certificate": SIGNING_CERTIFICATE}, jwks_path=None),
        f"{A_KEY}.certificate",
    ),
    # upstream-jwt's names
    "private_key_location: a file's path": (
        signing(keys=None, private_key_location="/etc/kong/private.pem"),
        "$.upstream_jwt.private_key_location",
    ),
    "private_key_location: a file's URL": (
        signing(keys=None, private_key_location="file:///etc/kong/private.pem"),
        "$.upstream_jwt.private_key_location",
    ),
    "private_key_location: a public key": (
        signing(keys=None, private_key_location=PEM),
        "$.upstream_jwt.private_key_location",
    ),
    "private_key_location: beside keys": (
        signing(private_key_location=SIGNING),
        "$.upstream_jwt.private_key_location",
    ),
    "public_key_location: beside keys": (
        signing(public_key_location=SIGNING_CERTIFICATE),
        "$.upstream_jwt.public_key_location",
    ),
    "public_key_location: a file's path": (
        signing(keys=None, private_key_location=SIGNING, public_key_location="/etc/kong/cert.der"),
        "$.upstream_jwt.public_key_location",
    ),
    "public_key_location: another key's": (
        signing(keys=None, private_key_location=SIGNING, public_key_location=CERTIFICATE),
        "$.upstream_jwt.public_key_location",
    ),
    "key_id: beside keys": (signing(key_id="a"), "$.upstream_jwt.key_id"),
    # The header
    "upstream_jwt.header: empty": (signing(header=""), "$.upstream_jwt.header"),
    "upstream_jwt.header: a blank": (signing(header="X JWT"), "$.upstream_jwt.header"),
    "upstream_jwt.header: a pseudo-header": (signing(header=":path"), "$.upstream_jwt.header"),
    "upstream_jwt.header: a line feed": (signing(header="JWT\nx"), "$.upstream_jwt.header"),
    **{
        f"upstream_jwt.header: the message's own, {name}": (signing(header=name), "$.upstream_jwt.header")
        for name in ("Host", "content-length", "Transfer-Encoding", "connection", "content-type", "cookie")
    },
    "upstream_jwt.include_bearer: a text": (signing(include_bearer="yes"), "$.upstream_jwt.include_bearer"),
    "upstream_jwt.include_credential_type: a number": (
        signing(include_credential_type=1),
        "$.upstream_jwt.include_credential_type",
    ),
    # What it says
    "upstream_jwt.exp: none at all": (signing(exp=0), "$.upstream_jwt.exp"),
    "upstream_jwt.exp: negative": (signing(exp=-60), "$.upstream_jwt.exp"),
    "upstream_jwt.exp: more than a day": (signing(exp=86401), "$.upstream_jwt.exp"),
    "upstream_jwt.exp: a text": (signing(exp="60"), "$.upstream_jwt.exp"),
    "upstream_jwt.aud: a number": (signing(aud=7), "$.upstream_jwt.aud"),
    "upstream_jwt.aud: from nowhere": (signing(aud={"from": "host"}), "$.upstream_jwt.aud.from"),
    "upstream_jwt.aud: a field that nobody knows": (
        signing(aud={"from": "route", "default": "a"}),
        "$.upstream_jwt.aud.default",
    ),
    "upstream_jwt.aud: a number in the list": (signing(aud=["a", 7]), "$.upstream_jwt.aud[1]"),
    "upstream_jwt.aud: an empty list": (signing(aud=[]), "$.upstream_jwt.aud"),
    "upstream_jwt.iat: a text": (signing(iat="yes"), "$.upstream_jwt.iat"),
    "upstream_jwt.jti: a number": (signing(jti=1), "$.upstream_jwt.jti"),
    "upstream_jwt.x5c: a text": (signing(x5c="yes"), "$.upstream_jwt.x5c"),
    "upstream_jwt.x5c_encoding: an unknown word": (signing(x5c_encoding="hex"), "$.upstream_jwt.x5c_encoding"),
    "upstream_jwt.body_hash: an unknown word": (signing(body_hash="sha512"), "$.upstream_jwt.body_hash"),
    "upstream_jwt.query_hash: a text": (signing(query_hash="hex"), "$.upstream_jwt.query_hash"),
    "upstream_jwt.max_body_size: negative": (signing(max_body_size=-1), "$.upstream_jwt.max_body_size"),
    "upstream_jwt.max_body_size: a text": (signing(max_body_size="1m"), "$.upstream_jwt.max_body_size"),
    "upstream_jwt.body_timeout: none at all": (signing(body_timeout=0), "$.upstream_jwt.body_timeout"),
    "upstream_jwt.reuse: a number": (signing(reuse=30), "$.upstream_jwt.reuse"),
    "upstream_jwt.claims: a list": (signing(claims=["sub"]), "$.upstream_jwt.claims"),
    **{
        f"upstream_jwt.claims: the gateway's own, {name}": (
            upstream_claim({"value": "a"}, name),
            f"$.upstream_jwt.claims.{name}",
        )
        for name in ("iss", "aud", "exp", "nbf", "iat", "jti", "anonymous")
    },
    "upstream_jwt.claims: the gateway's own, left out": (
        upstream_claim(False, "exp"),
        "$.upstream_jwt.claims.exp",
    ),
    "upstream_jwt.claims: a number": (upstream_claim(7), "$.upstream_jwt.claims.x"),
    "upstream_jwt.claims: true": (upstream_claim(True), "$.upstream_jwt.claims.x"),
    "upstream_jwt.claims: no path": (upstream_claim("a..b"), "$.upstream_jwt.claims.x"),
    "upstream_jwt.claims: an empty path": (upstream_claim([]), "$.upstream_jwt.claims.x"),
    "upstream_jwt.claims: no path in an object": (upstream_claim({"claim": "a..b"}), "$.upstream_jwt.claims.x.claim"),
    "upstream_jwt.claims: only a number": (
        upstream_claim({"claim": "roles", "only": 7}),
        "$.upstream_jwt.claims.x.only",
    ),
    "upstream_jwt.claims: only what has a star inside": (
        upstream_claim({"claim": "roles", "only": ["a*b"]}),
        "$.upstream_jwt.claims.x.only",
    ),
    "upstream_jwt.claims: from nowhere": (upstream_claim({"from": "cookie"}), "$.upstream_jwt.claims.x.from"),
    "upstream_jwt.claims: from a number": (upstream_claim({"from": 7}), "$.upstream_jwt.claims.x.from"),
    "upstream_jwt.claims: from nowhere, deep inside": (
        upstream_claim({"a": {"b": {"from": "body"}}}),
        "$.upstream_jwt.claims.x.a.b.from",
    ),
    "upstream_jwt.claims: a number, deep inside": (upstream_claim({"a": {"b": 7}}), "$.upstream_jwt.claims.x.a.b"),
    "upstream_jwt.claims: a source and more": (
        upstream_claim({"from": "method", "default": "GET"}),
        "$.upstream_jwt.claims.x.default",
    ),
    "upstream_jwt.claims: a claim and more": (
        upstream_claim({"claim": "sub", "default": "a"}),
        "$.upstream_jwt.claims.x.default",
    ),
    "upstream_jwt.claims: a value and more": (
        upstream_claim({"value": 1, "only": [1]}),
        "$.upstream_jwt.claims.x.only",
    ),
    # What is published
    "upstream_jwt.jwks_path: no slash": (signing(jwks_path="jwks"), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_path: a URL": (signing(jwks_path="https://gateway/jwks"), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_path: a query": (signing(jwks_path="/jwks?a=b"), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_path: a number": (signing(jwks_path=7), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_path: a secret alone": (signing_with({"secret": SECRET}), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_path: a secret's JWK alone": (signing_with({"jwk": SECRET_JWK}), "$.upstream_jwt.jwks_path"),
    "upstream_jwt.jwks_max_age: negative": (signing(jwks_max_age=-1), "$.upstream_jwt.jwks_max_age"),
    "upstream_jwt.jwks_max_age: a text": (signing(jwks_max_age="5m"), "$.upstream_jwt.jwks_max_age"),
    # In policies
    "upstream_jwt: nothing to lay it over": (
        in_a_policy(upstream_jwt={"aud": "orders"}),
        "$.policies.a.upstream_jwt",
    ),
    "upstream_jwt: a fault in a policy": (
        {**signing(), "policies": {"a": {"upstream_jwt": {"exp": 0}}}},
        "$.policies.a.upstream_jwt.exp",
    ),
    "upstream_jwt: a key's fault in a policy": (
        {**signing(), "policies": {"a": {"upstream_jwt": {"keys": [PEM]}}}},
        "$.policies.a.upstream_jwt.keys[0]",
    ),
    "upstream_jwt: a field that nobody knows, in a policy": (
        {**signing(), "policies": {"a": {"upstream_jwt": {"lifetime": 60}}}},
        "$.policies.a.upstream_jwt.lifetime",
    ),
    # Answers
    "error_detail: an unknown word": (good(error_detail="some"), "$.error_detail"),
    "report_only: a text": (good(report_only="yes"), "$.report_only"),
    "report_only_header: a blank in the name": (
        good(report_only=True, report_only_header="x y"),
        "$.report_only_header",
    ),
    "report_only_header: empty": (good(report_only=True, report_only_header=""), "$.report_only_header"),
}

BAD.update(bad_inquiries.BAD)

# What is taken, and what the log says of it
WARNED = {
    "an algorithm that is ignored": (good(algorithm="RS256"), "algorithm"),
    "a CA that is ignored": (good(cafile="/etc/ssl/ca.pem"), "cafile"),
    "no check of OPTIONS": (good(run_on_preflight=False), "run_on_preflight"),
    "an anonymous consumer that nobody knows": (good(anonymous="visitor"), "anonymous"),
    "consumers asked for, and none listed": (good(consumer_match=True), "consumer"),
    "a JWT without iat, which has one all the same": (signing(iat=False), "iat"),
    **bad_inquiries.WARNED,
}


