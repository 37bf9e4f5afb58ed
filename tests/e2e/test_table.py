"""The table of cases (cases/*.yaml), one test each."""

import re
import uuid

import pytest

from tests.e2e import client, table, tokens
from tests.e2e.configurations import configurations

CASES = table.cases()
CONFIGURATIONS = configurations()
CHALLENGE = re.compile(r'Bearer ([a-z_]+="[^"\\]*"(?:, [a-z_]+="[^"\\]*")*)')


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case, gateway, upstream, stub):
    minted = {
        name: tokens.mint(stub, case[name])
        for name in ("token", "other_token")
        if case[name] is not None
    }
    method, path, headers = table.request_with(case, minted)
    path, question, query = f"/{case['configuration']}/{path}".partition("?")
    # The last part tells this request from all others at the upstream.
    path = f"{path}/{uuid.uuid4().hex}{question}{query}"
    body = client.BODIES[case["request"]["body"]]

    response = client.send(gateway.address, method, path, headers, body)

    expected = case["expect"]
    assert response.status in expected["status"], response
    if response.status == 200:
        passed_on(expected, minted, response.json, method, path, body)
    else:
        refused(case, response, minted.values())
        assert upstream.requests(path) == 0, "the request was refused and yet went up"
        if gateway.envoy and "label" in expected:
            assert response.header("x-details") == f"jwt_keycloak{{{expected['label']}}}"


def passed_on(expected, minted, received, method, path, body):
    """The upstream answers with what it received: that must be what the client sent."""
    assert received["method"] == method
    assert received["path"] == path
    assert received["body_length"] == len(body.octets if body else b"")
    if body:
        assert received["body_sha256"] == body.sha256
        if body.trailers:
            assert dict(received["trailers"]) == body.trailers
    for name, values in expected.get("upstream", {}).get("headers", {}).items():
        values = values if isinstance(values, list) else [values]
        values = [table.placed(value, minted) for value in values]
        assert [value for key, value in received["headers"] if key == name] == values, name


def refused(case, response, minted):
    """Headers and body agree with answers.yaml, and nothing of the token is repeated."""
    expected = case["expect"]
    assert response.header("cache-control") == "no-store"
    if case["request"]["method"] != "HEAD":
        assert response.header("content-type") == "application/json"
        assert set(response.json) == {"error", "error_description"}
        if "error" in expected:
            assert response.json["error"] == expected["error"]
        assert response.json["error_description"]
    challenged(case, response)
    if expected.get("status") == [503]:
        assert int(response.header("retry-after")) > 0
    shown = response.body.decode() + str(response.headers)
    for token in minted:
        assert not any(part in shown for part in token.split(".") if len(part) > 8)
    if "silent" in expected:
        assert expected["silent"] not in shown


def challenged(case, response):
    """WWW-Authenticate (RFC 6750, 3; RFC 9110, 11.6.1)."""
    expected = case["expect"]
    header = response.header("www-authenticate")
    if expected.get("challenge") == "none":
        assert header is None
        return
    match = CHALLENGE.fullmatch(header or "")
    assert match, header
    parameters = dict(re.findall(r'([a-z_]+)="([^"]*)"', match[1]))
    assert parameters.pop("realm") == expected.get("realm", "keycloak")
    if expected.get("challenge") == "bare":
        assert parameters == {}
        return
    assert parameters.pop("error_description") == response.json["error_description"]
    assert parameters.pop("error") == response.json["error"]
    scopes = CONFIGURATIONS[case["configuration"]]["config"].get("scope", [])
    wanted = expected.get("scope", " ".join(scopes)) if response.status == 403 else None
    assert parameters == ({"scope": wanted} if wanted else {})


# The table itself


def test_every_reason_has_a_case():
    cases = {case["expect"].get("label") for case in CASES}
    assert set(table.reasons()) <= cases


def test_every_configuration_has_a_case():
    used = {case["configuration"] for case in CASES}
    assert used == {name for name, given in CONFIGURATIONS.items() if given["cases"]}


def test_case_names_are_unique():
    names = [case["id"] for case in CASES]
    assert len(names) == len(set(names))
