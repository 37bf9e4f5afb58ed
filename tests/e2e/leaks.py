"""What may be in no log: parts of tokens, of the gateway's JWTs, of private keys and of clients' secrets,
found in any text."""

import base64
import json
import re
import urllib.parse

from tests.e2e import client_authentication, stub_endpoints, tokens, upstream_jwt
from tests.e2e.placeholders import client_secrets
from tests.e2e.signing import FIXED
from tests.stack.gateway_jwt import PRIVATE

ENCODINGS = (base64.b64encode, base64.urlsafe_b64encode)
WINDOW = 16  # characters of base64: what is shorter says nothing


def of_tokens():
    """What is secret of all that were sent and signed: headers are not, a kid may be logged."""
    jwts = [*tokens.MINTED, *upstream_jwt.SEEN, *client_authentication.SEEN]
    whole = [*tokens.OPAQUE, *stub_endpoints.HANDED_OUT]
    return "\n".join([*(part for token in jwts for part in token.split(".")[1:]), *whole])


def of_clients():
    """Their secrets, as they stand in configurations and as they are sent."""
    texts = []
    for name, secret in client_secrets().items():
        pair = f"{urllib.parse.quote_plus(name)}:{urllib.parse.quote_plus(secret)}".encode()
        texts += [secret, *(encode(octets).decode() for encode in ENCODINGS for octets in (pair, secret.encode()))]
    return "\n".join(texts)


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
