"""Nothing of a token is in the gateway's log, which the filter fills at the level `trace`."""

import re

import pytest

from tests.e2e import tokens
from tests.e2e.signing import from_base64url

WINDOW = 16  # characters of base64url: what is shorter says nothing
PERSONAL = re.compile(rb'"(?:jti|sub)":"([^"]{16,})"')


@pytest.mark.last
def test_no_token_is_in_the_log(envoy):
    assert tokens.MINTED, "this test comes last, when tokens have been sent"
    # Headers are not secret: a kid may be logged, and is part of them.
    secret = "\n".join(part for token in tokens.MINTED for part in token.split(".")[1:])
    found = set()
    seen = set()
    with open(envoy.log, encoding="utf-8", errors="replace") as log:
        for line in log:
            if "/wasm_vm.cc:" in line:
                continue  # Envoy's trace of calls, most of the log: their names and numbers
            for run in re.findall(r"[A-Za-z0-9_-]{%d,}" % WINDOW, line):
                if run in seen:
                    continue
                seen.add(run)
                # Any leak of twice the window holds one of these.
                windows = (run[at : at + WINDOW] for at in range(0, len(run) - WINDOW + 1, WINDOW))
                found.update(window for window in windows if window in secret)
    assert not found
    assert not (seen & _personal()), "claims that name a token or its subject are in the log"


def _personal():
    values = set()
    for token in tokens.MINTED:
        parts = token.split(".")
        try:
            payload = from_base64url(parts[1])
        except (IndexError, ValueError):
            continue  # a token that was broken on purpose
        for value in PERSONAL.findall(payload):
            # As the log's words are cut: a jti has a prefix and a colon.
            values.add(value.decode("utf-8", "replace").rpartition(":")[2])
    return values
