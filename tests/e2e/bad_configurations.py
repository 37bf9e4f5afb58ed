"""Configurations that must be refused: a fault each, and the path that the log must name."""

import json

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


def x_user(claim):
    return good(claims_to_headers={"x-user": claim})


JWK = json.loads(fixed("JWK", "fixed-rsa"))
PEM, CERTIFICATE, PRIVATE = (
    json.loads(f'"{fixed(*form)}"')
    for form in (("PEM", "fixed-rsa"), ("CERTIFICATE", "rsa-valid"), ("PRIVATE", "rsa"))
)
WEAK = Key("weak", {"kty": "RSA", "bits": 1024})
SECRET = "x" * 64

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
    # Answers
    "error_detail: an unknown word": (good(error_detail="some"), "$.error_detail"),
    "report_only: a text": (good(report_only="yes"), "$.report_only"),
    "report_only_header: a blank in the name": (
        good(report_only=True, report_only_header="x y"),
        "$.report_only_header",
    ),
    "report_only_header: empty": (good(report_only=True, report_only_header=""), "$.report_only_header"),
}

# What is taken, and what the log says of it
WARNED = {
    "an algorithm that is ignored": (good(algorithm="RS256"), "algorithm"),
    "a CA that is ignored": (good(cafile="/etc/ssl/ca.pem"), "cafile"),
    "no check of OPTIONS": (good(run_on_preflight=False), "run_on_preflight"),
    "an anonymous consumer that nobody knows": (good(anonymous="visitor"), "anonymous"),
    "consumers asked for, and none listed": (good(consumer_match=True), "consumer"),
}


