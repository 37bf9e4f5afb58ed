"""Makes jwt_keycloak.meta.json, which Kong reads beside jwt_keycloak.wasm: `make kong-meta`.

With it Kong takes the filter's configuration as an object and checks it, and turns the names of its
metrics into labels. It comes from filter-config/jwt_keycloak.schema.json; what differs on Kong is here.
"""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "filter-config" / "jwt_keycloak.schema.json"
META = HERE / "jwt_keycloak.meta.json"

# WasmX sends callouts to an address in the network; anything else would be a trap there.
PORT = "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
CALLOUT_TARGET = {
    "description": "Whom the gateway calls to fetch keys and to ask about tokens: host, host:port, [IPv6 address]:port "
    "or unix:/path. Without it: host and port of the address that is fetched.",
    "type": ["string", "null"],
    "pattern": rf"^(unix:/[!-~]+|([-A-Za-z0-9._]+|\[[0-9A-Fa-f:.]+\])(:{PORT})?)$",
    "not": {"pattern": r"^unix:[^/]|\s"},
}

# Where a key or a secret stands, or may stand by mistake. Kong's validator writes a value that does not
# fit a pattern into its message, which stands in the log and in the answer of POST /config; the filter
# finds the same faults and shows nothing.
HOLD_SECRETS = [
    "client", "hmacSecret", "longSecret", "jwkSet", "jwk", "publicKey", "pem",
    "upstreamJwt", "signingKey", "privatePem", "privateJwk", "base64url", "certificate",
]  # fmt: skip

# What becomes a label. Kong looks for each where the one before ended, so they stand in the order of
# the labels in a name. The first group is taken for the end of the match: nothing after it may be
# consumed. The second group is the label's value.
LABEL_PATTERNS = [
    {"label": "issuer", "pattern": "(_issuer_([a-z0-9_]+?))(?=_outcome_|$)"},
    {"label": "outcome", "pattern": "(_outcome_([a-z]+))"},
    {"label": "reason", "pattern": "(_reason_([a-z_]+))"},
]


def meta():
    schema = for_kong(json.loads(SCHEMA.read_text(encoding="utf-8")))
    del schema["definitions"]["policy"]
    schema["properties"]["callout_target"] = CALLOUT_TARGET
    for name in HOLD_SECRETS:
        schema["definitions"][name] = without_patterns(schema["definitions"][name])
    for name in ("upstream_token", "upstream_jwt"):
        schema["properties"][name] = without_patterns(schema["properties"][name])
    issuer = schema["definitions"]["issuer"]["properties"]
    for name in ("jwks", "public_keys", "hmac_secrets"):
        issuer[name] = without_patterns(issuer[name])
    return {"config_schema": schema, "metrics": {"label_patterns": LABEL_PATTERNS}}


def for_kong(part):
    """A part of the schema without policies, for a route of Kong's cannot name one.

    Kong's validator writes a pattern that names members into a Lua text between single quotes.
    """
    if isinstance(part, list):
        return [for_kong(each) for each in part if not is_about_policies(each)]
    if not isinstance(part, dict):
        return part
    made = {name: for_kong(value) for name, value in part.items() if name != "policies"}
    if "patternProperties" in made:
        patterns = made["patternProperties"].items()
        made["patternProperties"] = {pattern.replace("'", r"\x27"): value for pattern, value in patterns}
    return made


def without_patterns(part):
    """A part of the schema that no value is compared with by a pattern."""
    if isinstance(part, list):
        return [each for each in map(without_patterns, part) if each]
    if not isinstance(part, dict):
        return part
    made = {name: without_patterns(value) for name, value in part.items() if name != "pattern"}
    # What is left of a negated pattern would refuse everything.
    return {name: value for name, value in made.items() if value not in ({}, []) or name == "properties"}


def is_about_policies(part):
    return isinstance(part, dict) and part.get("required") == ["policies"]


def text():
    return json.dumps(meta(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    META.write_text(text(), encoding="utf-8")
    print(META.relative_to(HERE.parent))
