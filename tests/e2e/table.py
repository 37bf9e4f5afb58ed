"""The table of cases: cases/*.yaml, read and completed (see README.md for the fields).

`python -m tests.e2e.table` prints it as JSON.
"""

import json
import pathlib
import re

import yaml

from tests.e2e import settings

HERE = pathlib.Path(__file__).parent
CASE = {"name", "configuration", "token", "other_token", "request", "expect", "theirs"}
REQUEST = {"method", "path", "headers", "body"}
EXPECT = {"status", "refused", "label", "error", "challenge", "scope", "realm", "silent", "upstream"}

# What is too long to be read in a table.
SIZES = {"${2 kB}": "x" * 2048, "${16 kB}": "x" * 16384, "${deep}": "[" * 1000 + "]" * 1000}


def reasons():
    """Every reason for a refusal and its answer."""
    return yaml.safe_load((HERE / "answers.yaml").read_text())


def cases():
    return [case for file in sorted((HERE / "cases").glob("*.yaml")) for case in _read(file)]


def _read(file):
    text = settings.filled(file.read_text())
    for placeholder, value in SIZES.items():
        text = text.replace(placeholder, value)
    table = yaml.safe_load(text)
    for case in table["cases"]:
        where = f"{file.name}: {case.get('name')}"
        _known(where, case, CASE)
        yield {
            "id": f"{file.stem}: {case['name']}",
            "configuration": case.get("configuration", table["configuration"]),
            "token": case.get("token", "good"),
            "other_token": case.get("other_token"),
            "request": _request(where, case.get("request", {})),
            "expect": _expected(where, case["expect"]),
            # jwt-keycloak 1.8.1's status, where ours differs on purpose
            "theirs": case.get("theirs"),
        }


def _request(where, request):
    _known(where, request, REQUEST)
    request = {"method": "GET", "path": "orders", "body": "none", **request}
    headers = request.setdefault("headers", {"authorization": "Bearer ${token}"})
    for name, values in headers.items():
        headers[name] = values if isinstance(values, list) else [values]
    return request


def _expected(where, expect):
    """`pass`, a reason, or a mapping: in full."""
    if expect == "pass":
        expect = {"status": 200}
    elif isinstance(expect, str):
        expect = {"refused": expect}
    _known(where, expect, EXPECT)
    if "refused" in expect:
        reason = expect.pop("refused")
        expect = {"label": reason, **reasons()[reason], **expect}
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
    return re.sub(r"\$\{(token|other_token)\}", lambda match: tokens[match[1]], text)


if __name__ == "__main__":
    print(json.dumps(cases(), indent=2))
