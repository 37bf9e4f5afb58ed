"""Envoy's own filters, as somebody would configure them who has not this filter."""

import json

from tests.bench import tokens

JWT_AUTHN = "envoy.filters.http.jwt_authn"
TYPE = "type.googleapis.com/envoy.extensions.filters.http"
# More than any run has, and longer than the longest: the cache is given what it wants.
CACHE = {"jwt_cache_size": 200_000, "jwt_max_token_size": 16_384}


def jwt_authn(cache=False, told=False):
    """It verifies tokens as the filter does, with the same keys in its configuration. `told`: three
    claims go up as headers, and all of them to the filters that follow."""
    provider = {
        "issuer": tokens.ISSUER,
        "audiences": [tokens.AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(tokens.jwks())},
        # It would remove the token otherwise; the filter leaves it, too.
        "forward": True,
    }
    if cache:
        provider["jwt_cache_config"] = CACHE
    if told:
        provider["claim_to_headers"] = [
            {"header_name": name, "claim_name": claim} for name, claim in tokens.TOLD.items()
        ]
        provider["payload_in_metadata"] = "payload"
        # The scope becomes a list, in which rbac can find one word.
        provider["normalize_payload_in_metadata"] = {"space_delimited_claims": ["scope"]}
    return {
        "name": JWT_AUTHN,
        "typed_config": {
            "@type": f"{TYPE}.jwt_authn.v3.JwtAuthentication",
            "providers": {"keycloak": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "keycloak"}}],
        },
    }


def rbac():
    """It asks for a scope, a realm role and a client role, of what jwt_authn verified."""
    wanted = [
        (["scope"], tokens.SCOPE),
        (["realm_access", "roles"], tokens.REALM_ROLE),
        (["resource_access", tokens.AUDIENCE, "roles"], tokens.CLIENT_ROLE),
    ]
    principals = [{"sourced_metadata": {"metadata_matcher": listed(path, value)}} for path, value in wanted]
    policy = {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": principals}}]}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": f"{TYPE}.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"orders": policy}},
        },
    }


def listed(path, value):
    return {
        "filter": JWT_AUTHN,
        "path": [{"key": key} for key in ("payload", *path)],
        "value": {"list_match": {"one_of": {"string_match": {"exact": value}}}},
    }
