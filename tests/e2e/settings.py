"""Where everything listens, from the environment; the defaults suit one machine.

`GATEWAY` names a gateway that somebody else has configured (see README.md), `GATEWAY_RAW` the same
gateway's door without hardening. It reaches the stub issuer at `STUB_URL`, the upstream at
`UPSTREAM_URL` and Keycloak at `KEYCLOAK_TARGET`.
"""

import os

from tests.stack.keycloak import PUBLIC_URL
from tests.stack.ports import from_env

GATEWAY = os.environ.get("GATEWAY", "").rstrip("/")
GATEWAY_RAW = os.environ.get("GATEWAY_RAW", "").rstrip("/")
BIND = os.environ.get("BIND", "127.0.0.1")

ENVOY_PORT = from_env("ENVOY_PORT", 19000)
ENVOY_ADMIN_PORT = from_env("ENVOY_ADMIN_PORT", 19001)
ENVOY_RAW_PORT = from_env("ENVOY_RAW_PORT", 19002)
STUB_PORT = from_env("STUB_PORT", 19010)
UPSTREAM_PORT = from_env("UPSTREAM_PORT", 19011)
KEYCLOAK_PORT = from_env("KEYCLOAK_PORT", 19080)
KEYCLOAK_MANAGEMENT_PORT = from_env("KEYCLOAK_MANAGEMENT_PORT", 19090)

STUB_URL = os.environ.get("STUB_URL", f"http://127.0.0.1:{STUB_PORT}").rstrip("/")
UPSTREAM_URL = os.environ.get("UPSTREAM_URL", f"http://127.0.0.1:{UPSTREAM_PORT}").rstrip("/")

# A callout's target is a cluster's name on Envoy and host:port elsewhere.
if GATEWAY:
    STUB_TARGET = os.environ.get("STUB_TARGET", STUB_URL.partition("://")[2])
    KEYCLOAK_TARGET = os.environ.get("KEYCLOAK_TARGET", f"127.0.0.1:{KEYCLOAK_PORT}")
else:
    STUB_TARGET, KEYCLOAK_TARGET = "stub", "keycloak"

PLACEHOLDERS = {
    "${STUB}": STUB_URL,
    "${STUB_TARGET}": STUB_TARGET,
    "${KEYCLOAK}": PUBLIC_URL,
    "${KEYCLOAK_TARGET}": KEYCLOAK_TARGET,
}
