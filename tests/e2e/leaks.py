"""What may be in no log: parts of tokens, of the gateway's JWTs and of private keys, found in any text."""

import json
import re

from tests.e2e import tokens, upstream_jwt
from tests.e2e.signing import FIXED
from tests.stack.gateway_jwt import PRIVATE

WINDOW = 16  # characters of base64: what is shorter says nothing


def of_tokens():
    """What is secret of all that were sent and signed: headers are not, a kid may be logged."""
    return "\n".join(part for token in [*tokens.MINTED, *upstream_jwt.SEEN] for part in token.split(".")[1:])


def of_keys():
    """The private keys that stand in configurations, as they stand there."""
    texts = []
    for file in FIXED.glob("test-only-signing-*"):
        if file.name.endswith(".jwk.json"):
            texts += [value for name, value in json.loads(file.read_text()).items() if name in PRIVATE]
        elif not file.name.endswith(".crt.pem"):
            texts.append("".join(line for line in file.read_text().splitlines() if not line.startswith("-----")))
    assert len(texts) > 10
    return "\n".join(texts)


def found(lines, secret):
    """The parts of `secret` that these lines hold, and every word that is long enough to be one."""
    seen, parts = set(), set()
    for line in lines:
        for run in re.findall(r"[A-Za-z0-9_-]{%d,}" % WINDOW, line):
            if run in seen:
                continue
            seen.add(run)
            # Any leak of twice the window holds one of these.
            windows = (run[at : at + WINDOW] for at in range(0, len(run) - WINDOW + 1, WINDOW))
            parts.update(window for window in windows if window in secret)
    return parts, seen
