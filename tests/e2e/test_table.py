"""The table of cases (cases/*.yaml), one test each."""

import re
import urllib.parse
import uuid

import pytest

from tests.e2e import client, settings, table, tokens, upstream_jwt
from tests.e2e.configurations import configurations, policy_of
from tests.stack.gateway_jwt import folded

CASES = table.cases()
EXPECTED = "kong" if settings.IS_KONG else "expect"
CONFIGURATIONS = configurations()
# Who the caller is: the upstream trusts these, so they go up where a case says so, and only there.
IDENTITY = [
    "x-consumer-id", "x-consumer-username", "x-consumer-custom-id", "x-consumer-tags",
    "x-credential-identifier", "x-anonymous-consumer",
]  # fmt: skip
# What no request can bring about: the crates' own tests do.
NO_REQUEST_HAS = {"signing_failed", "too_many_waiting", "unannounced_body"}
UMA_CHALLENGE = re.compile(
    r'UMA realm="(?P<realm>[^"\\]*)", as_uri="(?P<as_uri>[^"\\]*)", ticket="(?P<ticket>[^"\\]*)"'
)
CHALLENGE = re.compile(r'Bearer ([a-z_]+="[^"\\]*"(?:, [a-z_]+="[^"\\]*")*)')


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case, gateway, upstream, stub):
    address = gateway.raw if case["gateway"] == "raw" else gateway.address
    if not address:
        pytest.skip("GATEWAY_RAW names no gateway without hardening")
    if case["gateway"] == "hardened" and not gateway.envoy:
        pytest.skip("this is about envoy.yaml's hardening")
    if case["gateway"] == "pieces" and settings.IS_KONG:
        pytest.skip("nginx waits for a body by itself")
    minted = {
        name: tokens.mint(stub, case[name])
        for name in ("token", "other_token")
        if case[name] is not None
    }
    # The same answer to a token that is known, however it came about.
    for is_first in (True, False):
        send_and_check(case, address, gateway.tells_reasons, upstream, stub, minted, is_first)


def send_and_check(case, address, tells_reasons, upstream, stub, minted, is_first):
    """As the case says; the second time with whatever is kept of the first."""
    method, path, headers = table.request_with(case, minted)
    body = client.BODIES[case["request"]["body"]]
    # It tells this request from all others at the upstream.
    tag = uuid.uuid4().hex
    before = asked(stub, minted)

    sent = [*headers, ("x-request-tag", tag)]
    response = client.send(address, method, f"/{case['configuration']}/{path}", sent, body)

    expected = case[EXPECTED]
    assert response.status in expected["status"], response
    if is_first:
        inquired(case, stub, minted, before)
    if "jwks" in expected:
        assert upstream.tagged(tag) == 0, "the gateway itself has the keys"
        signing = upstream_jwt.upstream_jwt(CONFIGURATIONS[case["configuration"]], path)
        upstream_jwt.check_published(response, signing, expected["jwks"], has_body=method != "HEAD")
        return
    if response.status == 200 and "grpc" not in expected:
        assert upstream.tagged(tag) == 1
        # Some answers have no body to look at: Envoy passes none on of an upgrade's.
        if method != "HEAD" and "upgrade" not in case["request"]["headers"]:
            passed_on(case, minted, response.json, body)
            replaced(case, stub, minted, response.json)
            signed(case, minted, response.json, address)
        return
    assert upstream.tagged(tag) == 0, "the request was refused and yet went up"
    refused(case, response, minted)
    ticketed(case, stub, response)
    if tells_reasons and "label" in expected:
        assert response.header("x-details") == f"jwt_keycloak{{{expected['label']}}}"


# What passes


def passed_on(case, minted, received, body):
    """The upstream answers with what it received: what the client sent, or what the case says."""
    method, path, _ = table.request_with(case, minted)
    expected = case[EXPECTED].get("upstream", {})
    assert received["method"] == method
    assert received["path"] == f"/{case['configuration']}/{expected.get('path', path)}"
    given = CONFIGURATIONS[case["configuration"]]
    stated = {**given["config"], **policy_of(given, path)}
    # One that its issuer has no other JWT for goes up itself.
    if stated.get("upstream_token", "keep") != "keep" and expected.get("token") != "own":
        assert not repeated(minted, str(received)), "the token is hidden and yet went up"
    assert received["body_length"] == len(body.octets if body else b"")
    if body:
        assert received["body_sha256"] == body.sha256
        if body.trailers:
            assert dict(received["trailers"]) == body.trailers
    for name, wanted in {**dict.fromkeys(IDENTITY), **expected.get("headers", {})}.items():
        values = [] if wanted is None else wanted if isinstance(wanted, list) else [wanted]
        values = [table.placed(value, minted) for value in values]
        assert [value for key, value in received["headers"] if folded(key) == folded(name)] == values, name


def replaced(case, stub, minted, received):
    """`upstream_token: introspected`: what goes up in the token's place, in one header and nowhere else."""
    wanted = case[EXPECTED].get("upstream", {}).get("token")
    if wanted is None:
        return
    goes_up = {"own": [minted["token"]], "introspected": stub.issued(minted["token"])[-1:]}[wanted]
    assert [value for name, value in received["headers"] if name == "authorization"] == [f"Bearer {goes_up[0]}"]
    assert str(received).count(goes_up[0]) == 1


def signed(case, minted, received, address):
    """By the gateway, where its configuration has `upstream_jwt`, whether the case speaks of it or not."""
    name, path = case["configuration"], case["request"]["path"]
    signing = upstream_jwt.upstream_jwt(CONFIGURATIONS[name], path)
    expected = case[EXPECTED].get("upstream", {})
    wanted = expected.get("jwt", {})
    if wanted is None:
        upstream_jwt.none_went_up(CONFIGURATIONS[name]["config"].get("upstream_jwt"), received)
    elif signing or "jwt" in expected:
        sent = upstream_jwt.Sent(address, name, CONFIGURATIONS[name], path, received, minted.get("token"))
        upstream_jwt.check(sent, wanted)


# What issuers are asked


ACCEPT = {"json": "application/json", "jwt": "application/jwt", "signed": "application/token-introspection+jwt"}


def asked(stub, minted):
    """How often all issuers together were asked about these tokens, so far."""
    return {what: sum(stub.asked(what, token) for token in minted.values()) for what in table.QUESTIONS}


def inquired(case, stub, minted, before):
    """As often as the case says, and in the words that it says."""
    expected = case[EXPECTED]
    after = asked(stub, minted)
    for what, wanted in expected.get("calls", {}).items():
        wanted = wanted if isinstance(wanted, list) else [wanted]
        assert after[what] - before[what] in wanted, f"calls: {what}"
    if "decisions" in expected:
        questions = [each for token in minted.values() for each in stub.questions("decision", token)]
        assert len(questions) == len(expected["decisions"]), questions
        for question, wanted in zip(questions, expected["decisions"], strict=True):
            permission = ",".join(question.fields["permission"])
            fields = {**question.fields, "client": question.client, "permission": permission}
            assert {name: fields.get(name) for name in wanted} == wanted
    configured = CONFIGURATIONS[case["configuration"]]
    for token in minted.values():
        for question in stub.questions("introspection", token):
            assert question.accept == ACCEPT[response_kind(configured, case["request"]["path"])]


def response_kind(configured, path):
    """What kind of answer a configuration asks for."""
    policy = {**configured["config"], **policy_of(configured, path)}
    if policy.get("upstream_token") == "introspected":
        return "jwt"
    stated = {**(configured["config"].get("introspection") or {}), **(policy.get("introspection") or {})}
    return stated.get("response", "json")


# What does not


def refused(case, response, minted):
    expected = case[EXPECTED]
    if "grpc" in expected:
        answered_by_grpc(expected, response)
    elif expected.get("answer") != "any":
        answered(case, response)
    shown = response.body.decode() + str(response.headers)
    assert not repeated(minted, shown)
    if "silent" in expected:
        assert expected["silent"] not in shown


def repeated(minted, shown):
    """Parts of tokens that somebody can read there. Headers say nothing, and are as those of other JWTs."""
    parts = [part for token in minted.values() for part in (token.split(".")[1:] if "." in token else [token])]
    return [part for part in parts if len(part) > 8 and part in shown]


def answered(case, response):
    """Headers and body agree with answers.yaml."""
    expected = case[EXPECTED]
    assert response.header("cache-control") == "no-store"
    if expected.get("body") == "none":
        assert response.body.strip() == b""
    elif case["request"]["method"] != "HEAD":
        assert response.header("content-type") == "application/json"
        described = {"error_description"} if expected.get("body") != "code" else set()
        assert set(response.json) == {"error"} | described
        assert all(response.json.values())
        if "error" in expected:
            assert response.json["error"] == expected["error"]
    challenged(case, response)
    if expected["status"] == [503]:
        assert int(response.header("retry-after")) > 0


def challenged(case, response):
    """WWW-Authenticate (RFC 6750, 3; RFC 9110, 11.6.1)."""
    expected = case[EXPECTED]
    header = response.header("www-authenticate")
    if "uma" in expected:
        return  # ticketed() looks at it
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
    scope = parameters.pop("scope", None)
    if case["request"]["method"] != "HEAD":
        assert parameters == response.json
    if expected.get("scope") != "any":
        assert scope == (scopes_that_would_do(case) if response.status == 403 else None)


def ticketed(case, stub, response):
    """A permission ticket (UMA 2.0 Grant, 3.2.1), or the word that there is none (3.2.2)."""
    wanted = case[EXPECTED].get("uma")
    if wanted is None:
        return
    header = response.header("www-authenticate") or ""
    if wanted == "unreachable":
        assert response.header("warning") == '199 - "UMA Authorization Server Unreachable"'
        assert "UMA" not in header
        return
    match = UMA_CHALLENGE.fullmatch(header)
    assert match, header
    assert match["realm"] == case[EXPECTED].get("realm", "keycloak")
    permissions = stub.ticket(match["ticket"])
    assert permissions is not None, "nobody has given out this ticket"
    assert [f"{resource}#{','.join(scopes)}".rstrip("#") for resource, scopes in permissions] == wanted
    assert match["as_uri"] in [issuer.iss for issuer in stub if issuer.endpoints.ticket(match["ticket"])]


def scopes_that_would_do(case):
    expected = case[EXPECTED]
    if expected.get("body") == "code":
        return None
    configured = CONFIGURATIONS[case["configuration"]]["config"].get("scope", [])
    return expected.get("scope", " ".join(configured)) or None


def answered_by_grpc(expected, response):
    """A gRPC client reads the status from these headers, and nothing else."""
    assert response.header("content-type").startswith("application/grpc")
    assert response.header("grpc-status") == str(expected["grpc"])
    assert response.header("grpc-message") and "{" not in urllib.parse.unquote(response.header("grpc-message"))
    assert response.body.strip() == b""


# The table itself


def test_every_reason_has_a_case():
    told = set().union(*({case[host].get("label") for host in ("expect", "kong")} for case in CASES))
    assert set(table.reasons()) - told <= NO_REQUEST_HAS


def test_jwt_keycloaks_answers_are_told():
    for case in CASES:
        assert case["theirs"] or not case["id"].startswith("jwt-keycloak: "), case["id"]


def test_every_configuration_has_a_case():
    used = {case["configuration"] for case in CASES}
    assert used == {name for name, given in CONFIGURATIONS.items() if given["cases"]}


def test_case_names_are_unique():
    names = [case["id"] for case in CASES]
    assert len(names) == len(set(names))
