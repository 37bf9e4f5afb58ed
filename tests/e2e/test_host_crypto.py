"""Envoy's own check of RS* signatures and the filter's say the same: of all of Wycheproof, and of
signatures that were tampered with. The filter asks Envoy first, and itself where Envoy does not say."""

import os
import random
import subprocess

import pytest

from tests.e2e import settings
from tests.e2e.host_crypto import verifying
from tests.host.foreign import NO, OK, YES
from tests.stack import ROOT

# `SEED=… make e2e` is the same noise again.
SEED = os.environ.get("SEED") or str(random.randrange(1 << 32))
EXAMPLE = ["cargo", "run", "--quiet", "--locked", "-p", "jwt-keycloak-tests", "--example", "signatures", "--", SEED]

pytestmark = pytest.mark.skipif(bool(settings.GATEWAY or settings.TEST_HOST), reason="about Envoy itself")


@pytest.fixture(scope="module")
def signatures():
    """Name, what the filter says, and the message for Envoy."""
    command = ["sh", "src/filter/build.sh", *EXAMPLE]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [(name, said, bytes.fromhex(message)) for name, said, message in (line.split("\t") for line in lines)]


def test_envoy_and_the_filter_say_the_same(signatures):
    with verifying() as verify:
        answers = verify([message for _, _, message in signatures])
    said = {"good": (OK, YES), "bad": (OK, NO)}
    differ = [(name, ours, answer) for (name, ours, _), answer in zip(signatures, answers) if answer != said[ours]]
    assert not differ, f"SEED={SEED}: {len(differ)}, such as {differ[:5]}"
    # None were forgotten: Wycheproof has 3106 by these hash functions, and every bit was flipped.
    names = [name for name, _, _ in signatures]
    assert sum(": " not in name for name in names) == 3106
    assert sum(": bit " in name for name in names) >= 6 * 2048 + 3072 + 4096
    assert sum(ours == "good" for _, ours, _ in signatures) >= 89
