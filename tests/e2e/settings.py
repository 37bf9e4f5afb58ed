"""Where everything listens, from the environment; the defaults suit one machine.

`GATEWAY` names a gateway that somebody else has configured (see README.md), `GATEWAY_RAW` the same
gateway's door without hardening. It reaches the stub issuer at `STUB_URL`, the upstream at
`UPSTREAM_URL` and Keycloak at `KEYCLOAK_TARGET`. `TEST_HOST` runs the test host in place of Envoy.
"""

import os
import urllib.error
import urllib.request

from tests.stack.keycloak import PUBLIC_URL
from tests.stack.ports import from_env

GATEWAY = os.environ.get("GATEWAY", "").rstrip("/")
GATEWAY_RAW = os.environ.get("GATEWAY_RAW", "").rstrip("/")
TEST_HOST = os.environ.get("TEST_HOST", "")
assert TEST_HOST in ("", "envoy", "wasmx"), f"TEST_HOST={TEST_HOST} is neither envoy nor wasmx"
assert not (TEST_HOST and GATEWAY), "TEST_HOST runs a host of its own, GATEWAY names another"


def _kind_of(gateway):
    """What the gateway that is there says of itself."""
    try:
        with urllib.request.urlopen(gateway, timeout=5) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError:
        return "unknown"
    return "kong" if "kong" in f"{headers.get('server')} {headers.get('via')}".lower() else "unknown"


# Kong's WasmX can do less than Envoy, and the table says where that shows.
IS_KONG = TEST_HOST == "wasmx" or (os.environ.get("GATEWAY_KIND") or (GATEWAY and _kind_of(GATEWAY))) == "kong"
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
if GATEWAY or TEST_HOST == "wasmx":
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
