"""Envoy chooses the route again when the filter changes a request's headers: a known limit.

README.md says so ("Limits"), and that no route may be chosen by a header that the filter sets or
removes, unless its policy is the same. Should Envoy behave otherwise one day, this tells.
"""

import pytest

from tests.e2e import client, settings
from tests.e2e import gateway as configured
from tests.e2e.placeholders import key_set
from tests.e2e.stub_issuer import eventually
from tests.stack.envoy import Envoy, connection_manager

pytestmark = pytest.mark.skipif(bool(settings.GATEWAY), reason="this is about Envoy's routes")

SPOOFED = ("x-consumer-username", "vip")


def route(name, policy, match):
    return {
        "name": name,
        "match": match,
        "route": {"cluster": "upstream"},
        "metadata": {"filter_metadata": {configured.FILTER: {"policy": policy}}},
    }


@pytest.fixture(scope="module")
def envoy(upstream, stub):
    configuration = {
        "issuers": [{"iss": stub["pem"].iss, "jwks": key_set("fixed-rsa")}],
        "policies": {"weak": {}, "strict": {"scope": ["nobody-has-it"]}},
    }
    config = configured.on_free_ports(configured.with_configuration(configured.text(configuration)))
    header = {"name": SPOOFED[0], "string_match": {"exact": SPOOFED[1]}}
    connection_manager(config)["route_config"]["virtual_hosts"][0]["routes"] = [
        route("by header", "weak", {"prefix": "/orders", "headers": [header]}),
        route("by path", "strict", {"prefix": "/orders"}),
    ]
    with Envoy(config, name="e2e-routes") as envoy:
        yield envoy


def get(envoy, mint, path, *headers):
    token = mint(issuer="pem", key="fixed-rsa")
    return client.send(envoy.url, "GET", path, [("authorization", f"Bearer {token}"), *headers]).status


def test_the_policy_is_that_of_the_first_route_and_the_request_takes_the_second(envoy, mint):
    assert get(envoy, mint, "/orders") == 403
    before = len(envoy.access_log())
    assert get(envoy, mint, "/orders", SPOOFED) == 200
    eventually(lambda: len(envoy.access_log()) > before)
    assert envoy.access_log()[-1]["route"] == "by path"
