"""The table of cases: cases/*.yaml, read and completed (see README.md for the fields).

`python -m tests.e2e.table` prints it as JSON.
"""

import functools
import json
import pathlib
import re

import yaml

from tests.e2e import placeholders

HERE = pathlib.Path(__file__).parent
CASE = {
    "name", "configuration", "token", "other_token", "request", "gateway", "expect", "kong", "theirs",
}  # fmt: skip
REQUEST = {"method", "path", "headers", "body"}
EXPECT = {
    "status", "refused", "label", "error", "challenge", "scope", "realm", "silent", "upstream",
    "body", "grpc", "answer", "jwks", "calls", "decisions", "uma",
}  # fmt: skip
UPSTREAM = {"headers", "path", "jwt", "token"}
# What a decision that was asked for is compared by
DECISION = {"permission", "audience", "claims", "by_uri", "client"}
QUESTIONS = {"introspection", "decision"}
JWT = {"header", "claims", "claims_exactly"}
# The usual one; one without envoy.yaml's hardening; envoy.yaml's own hardening; one whose filter is
# shown a body in pieces, as they come
GATEWAYS = {None, "raw", "hardened", "pieces"}

# What stands for a token that is hidden: on Kong nothing can be removed.
HIDDEN = {"expect": None, "kong": "-"}

# What is too long to be read in a table.
SIZES = {"${2 kB}": "x" * 2048, "${16 kB}": "x" * 16384, "${deep}": "[" * 1000 + "]" * 1000}


@functools.cache
def reasons():
    """Every reason for a refusal and its answer."""
    return yaml.safe_load((HERE / "answers.yaml").read_text())


def cases():
    return [case for file in sorted((HERE / "cases").glob("*.yaml")) for case in _read(file)]


def _read(file):
    text = placeholders.filled(file.read_text())
    for placeholder, value in SIZES.items():
        text = text.replace(placeholder, value)
    table = yaml.safe_load(text)
    for case in table["cases"]:
        where = f"{file.name}: {case.get('name')}"
        _known(where, case, CASE)
        assert case.get("gateway") in GATEWAYS, where
        expected = _expected(where, case["expect"], HIDDEN["expect"])
        on_kong = _expected(where, case.get("kong", case["expect"]), HIDDEN["kong"])
        yield {
            "id": f"{file.stem}: {case['name']}",
            "configuration": case.get("configuration", table["configuration"]),
            "token": case.get("token", "good"),
            "other_token": case.get("other_token"),
            "request": _request(where, case.get("request", {})),
            "gateway": case.get("gateway"),
            "expect": expected,
            "kong": on_kong,
            # jwt-keycloak 1.8.1's status
            "theirs": case.get("theirs"),
        }


def _request(where, request):
    _known(where, request, REQUEST)
    request = {"method": "GET", "path": "orders", "body": "none", **request}
    headers = request.get("headers", {"authorization": "Bearer ${token}"})
    request["headers"] = {
        name: values if isinstance(values, list) else [values] for name, values in headers.items()
    }
    return request


def _expected(where, expect, hidden):
    """`pass`, a reason, or a mapping: in full."""
    if expect == "pass":
        expect = {"status": 200}
    elif isinstance(expect, str):
        expect = {"refused": expect}
    _known(where, expect, EXPECT)
    upstream = expect.get("upstream", {})
    _known(where, upstream, UPSTREAM)
    _known(where, upstream.get("jwt") or {}, JWT)
    if "headers" in upstream:
        headers = upstream["headers"]
        headers = {name: hidden if value == "${hidden}" else value for name, value in headers.items()}
        expect = {**expect, "upstream": {**upstream, "headers": headers}}
    if "jwks" in expect:
        expect = {"status": 200, **expect}
    if isinstance(calls := expect.get("calls", {}), int):
        expect = {**expect, "calls": {"introspection": calls}}
    else:
        _known(where, calls, QUESTIONS)
    for decision in expect.get("decisions", []):
        _known(where, decision, DECISION)
    if "refused" in expect:
        reason = expect["refused"]
        expect = {"label": reason, **reasons()[reason], **expect}
    if "uma" in expect:
        expect = {**expect, "status": 403 if expect["uma"] == "unreachable" else 401}
    if "grpc" in expect:
        expect = {**expect, "status": 200}
    if expect.get("body") == "none" and expect["challenge"] != "none":
        expect["challenge"] = "bare"
    statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
    return {**expect, "status": statuses}


def _known(where, given, known):
    unknown = set(given) - known
    assert not unknown, f"{where}: unknown {sorted(unknown)}"


def request_with(case, tokens):
    """The case's request with its tokens in place: method, path, header pairs."""
    request = case["request"]
    pairs = [
        (name, placed(value, tokens))
        for name, values in request["headers"].items()
        for value in values
    ]
    return request["method"], placed(request["path"], tokens), pairs


def placed(text, tokens):
    """`${token}`, `${other_token}`; `${token:percent}` has every character percent-encoded."""

    def token(match):
        text = tokens[match[1]]
        return "".join(f"%{ord(character):02X}" for character in text) if match[2] else text

    return re.sub(r"\$\{(token|other_token)(:percent)?\}", token, text)


if __name__ == "__main__":
    print(json.dumps(cases(), indent=2))
