"""Installs and runs the real parts: Keycloak, Envoy and an upstream that shows what it received.

    python3 -m tests.stack.install      what is missing, into .tools/

    with Keycloak(realms=[...]) as keycloak, Upstream() as upstream, Envoy(config) as envoy:
        keycloak.token("demo", "orders-app", "orders-app-secret")
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"


class StackError(Exception):
    """Something outside this code is wrong; the message says what and what to do about it."""
