"""The JSON Schema of filter-config/ takes what the filter takes and refuses what it refuses.

That it has the same names and defaults is checked by tests/core/schema.rs.
"""

import json

import jsonschema
import pytest

from tests.e2e import bad_inquiries
from tests.e2e.bad_configurations import BAD
from tests.e2e.configurations import configurations, examples
from tests.stack import ROOT

SCHEMA = json.loads((ROOT / "filter-config" / "jwt_keycloak.schema.json").read_text())
EXAMPLES = examples()
CONFIGURATIONS = configurations()
# Kong wants draft 4, editors read draft 7: it has to mean the same in both.
DRAFTS = {"draft 4": jsonschema.Draft4Validator, "draft 7": jsonschema.Draft7Validator}

# What a schema cannot say: that values in different places agree, and what is in a PEM text.
BEYOND_A_SCHEMA = {
    "a policy with an issuer of its own",
    "consumers: the same username twice",
    "keep_consumer_headers: against the top, in a policy",
    "public keys: a certificate cut off",
    "public keys: a weak key",
    "public keys: another kind's algorithm",
    "upstream_token: replaced where the gateway's JWT goes",
    "upstream_jwt: a fault in the second key",
    "upstream_jwt: two keys of one name",
    "upstream_jwt: nothing to lay it over",
    "signing key: cut off",
    "signing key: its middle is missing",
    "signing key: weak",
    "signing key: a curve that JWTs do not have",
    "signing key: Ed448",
    "signing key: another kind's algorithm",
    "signing key: another curve's algorithm",
    "signing key: another key's certificate",
    "signing key: another RSA key's certificate",
    "signing JWK: halves that do not fit",
    "signing JWK: another kind's algorithm",
    "public_key_location: another key's",
    "upstream_jwt.jwks_path: a secret's JWK alone",
    *bad_inquiries.BEYOND_A_SCHEMA,
}


@pytest.fixture(scope="module", params=DRAFTS)
def schema(request):
    draft = DRAFTS[request.param]
    draft.check_schema(SCHEMA)
    return draft(SCHEMA)


def faults(schema, configuration):
    return [f"{error.json_path}: {error.message[:200]}" for error in schema.iter_errors(configuration)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_good(schema, example):
    assert faults(schema, json.loads(example.read_text())) == []


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_of_the_table_is_good(schema, name):
    assert faults(schema, CONFIGURATIONS[name]["config"]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_bad(schema, name):
    configuration, _path = BAD[name]
    if name in BEYOND_A_SCHEMA:
        assert faults(schema, configuration) == [], "the schema can say it after all"
    else:
        assert faults(schema, configuration)
