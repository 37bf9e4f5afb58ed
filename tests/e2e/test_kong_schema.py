"""kong/jwt_keycloak.meta.json: Kong takes what the filter takes there, and refuses the rest.

Kong's validator cannot tell an empty list from an empty object; so does the one here.
"""

import json
import os
import re
import subprocess
import sys

import jsonschema
import pytest

from kong import meta
from tests.e2e.bad_configurations import BAD, GOOD, ISSUER, good, in_an_issuer
from tests.e2e.configurations import examples
from tests.e2e.kong import MISCONFIGURED, base, of_policy
from tests.e2e.test_schema import BEYOND_A_SCHEMA
from tests.stack import ROOT

META = json.loads(meta.META.read_text())
SCHEMA = META["config_schema"]

TYPES = (
    jsonschema.Draft4Validator.TYPE_CHECKER
    .redefine("array", lambda _, value: isinstance(value, list) or value == {})
    .redefine("object", lambda _, value: isinstance(value, dict) or value == [])
)  # fmt: skip
Kongs = jsonschema.validators.extend(jsonschema.Draft4Validator, type_checker=TYPES)

HOLDS_SECRETS = re.compile(r"\.(client|jwks|public_keys|hmac_secrets|upstream_token|upstream_jwt)\b")
EXAMPLES = [path for path in examples() if "policies" not in json.loads(path.read_text())]

TARGETS = [
    "kc", "kc.example.com", "my_kc:1", "kc.example.com:8080", "10.0.0.1:65535", "[::1]", "[2001:db8::1]:443",
    "unix:/run/kc.sock",
]  # fmt: skip
# Each of these would be a trap.
NO_TARGETS = [
    "", ":80", "kc:", "kc:0", "kc:65536", "kc:99999", "kc:+80", "kc:80:80", "kc/path", "kc:80/path", "http://kc",
    "https://kc:443", "k c", "kc\n", "kc:80\n", "outbound|80||kc", "[::1", "[kc]:80", "[::1]80", "::1", "unix:",
    "unix:run", "unix:80", "unix:/run/k c", 8080, ["kc"],
]  # fmt: skip


def faults(configuration):
    return [f"{error.json_path}: {error.message[:200]}" for error in Kongs(SCHEMA).iter_errors(configuration)]


def as_kong_writes_it(value):
    """What the filter gets: an empty list is an empty object."""
    if isinstance(value, dict):
        return {name: as_kong_writes_it(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_kong_writes_it(item) for item in value] or {}
    return value


def subschemas(part):
    if isinstance(part, dict):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from subschemas(each)


@pytest.fixture(scope="module")
def table():
    """The table's configurations, as for a Kong, by route."""
    command = [sys.executable, "-m", "tests.e2e.kong"]
    environment = {**os.environ, "GATEWAY": "http://127.0.0.1:19000"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return {
        route["name"]: chain["filters"][0]["config"]
        for service in json.loads(run.stdout)["services"]
        for route in service["routes"]
        for chain in route["filter_chains"]
    }


def test_the_file_is_what_the_script_makes():
    assert meta.META.read_text() == meta.text(), "run make kong-meta"


def test_it_is_a_schema_of_draft_4():
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-04/schema#"


def test_kongs_validator_can_write_its_patterns_in_lua():
    # It puts a pattern of members between single quotes, and a text's pattern between [[ and ]].
    for part in subschemas(SCHEMA):
        assert not any("'" in pattern for pattern in part.get("patternProperties", {}))
        assert "]]" not in str(part.get("pattern", ""))


def test_nothing_in_it_names_a_policy():
    for part in subschemas(SCHEMA):
        assert "policies" not in part and "policy" not in part
        assert "policies" not in part.get("required", [])


def test_every_reference_leads_somewhere():
    for part in subschemas(SCHEMA):
        if reference := part.get("$ref"):
            found = SCHEMA
            for name in reference.removeprefix("#/").split("/"):
                found = found[name]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_good(example):
    configuration = json.loads(example.read_text())
    assert faults(configuration) == []
    assert faults(as_kong_writes_it(configuration)) == []


def test_most_examples_have_no_policies():
    assert len(EXAMPLES) > 20


def test_a_configuration_of_the_table_is_good(table):
    assert len(table) > 100
    for name, configuration in table.items():
        assert faults(configuration) == [], name
        assert faults(as_kong_writes_it(configuration)) == [], name


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_bad(name):
    configuration, path = BAD[name]
    if name in BEYOND_A_SCHEMA and "policies" not in configuration:
        assert faults(configuration) == [], "the schema can say it after all"
    elif not faults(configuration):
        assert HOLDS_SECRETS.search(path), "only the filter shall speak of what may be a secret"
    else:
        assert faults(as_kong_writes_it(configuration))


@pytest.mark.parametrize("name", BAD)
def test_what_kong_would_print_is_no_key(name):
    """A value that does not fit a pattern stands in Kong's message."""
    configuration, _path = BAD[name]
    for error in everything(Kongs(SCHEMA).iter_errors(configuration)):
        if error.validator == "pattern":
            path = error.json_path.replace(".upstream_jwt.claims.", ".claims.")
            assert not HOLDS_SECRETS.search(path), path


def everything(errors):
    """All errors, those of every branch too, as Kong reports them."""
    for error in errors:
        yield error
        yield from everything(error.context)


def test_there_are_no_policies():
    assert faults(GOOD) == []
    assert faults(good(policies={"a": {"scope": ["b"]}}))


@pytest.mark.parametrize("target", TARGETS)
def test_a_callout_target_is_an_address(target):
    assert faults(good(callout_target=target)) == []
    assert faults(in_an_issuer(callout_target=target)) == []


@pytest.mark.parametrize("target", NO_TARGETS, ids=repr)
def test_a_callout_target_is_nothing_else(target):
    assert faults(good(callout_target=target))
    assert faults(in_an_issuer(callout_target=target))


def test_a_header_named_with_a_quote_is_taken_all_the_same():
    assert faults(good(claims_to_headers={"x-'user'": "sub"})) == []


def test_the_policy_of_a_route_is_what_the_filter_makes_of_it():
    config = {
        "allowed_iss": ["https://a", "https://b"],
        "issuers": [{"iss": ISSUER, "clock_skew": 5, "scope": ["own"]}, {"iss": "https://c", "allowed_aud": "c"}],
        "allowed_aud": ["top"],
        "scope": ["top"],
        "realm": "top",
        "policies": {
            "inherits": {"realm": None},
            "states": {"clock_skew": 1, "scope": [], "allowed_iss": ["https://b", ISSUER]},
            "one": {"allowed_iss": "https://c"},
        },
    }
    top = base(config)
    assert "policies" not in top
    assert of_policy(config, "inherits") == top
    assert of_policy(config, "states") == {
        **top,
        "allowed_iss": ["https://b"],
        # The policy's clock_skew comes before the issuer's; requirements of both hold.
        "issuers": [{"iss": ISSUER, "scope": ["own"]}],
        "clock_skew": 1,
        "scope": [],
    }
    one = of_policy(config, "one")
    assert "allowed_iss" not in one and one["issuers"] == [{"iss": "https://c", "allowed_aud": "c"}]
    assert of_policy(config, "ghost") == MISCONFIGURED
    assert faults(MISCONFIGURED) == []


def test_routes_of_the_table(table):
    assert table["policies.read"]["scope"] == ["Function1/read"]
    assert table["policies.second"]["allowed_iss"][0].endswith("/iss/second")
    assert table["policies.ghost"] == table["no-policies.ghost"] == MISCONFIGURED
    # Not the names of Envoy's clusters.
    assert not {"stub", "keycloak"} & {config.get("callout_target") for config in table.values()}
