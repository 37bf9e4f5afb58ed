"""An Envoy to be measured: envoy.yaml's, with one worker and nothing behind it."""

import json
import os
from pathlib import Path

from tests.stack import ports
from tests.stack.envoy import Envoy, http_filters, render

TICKS = os.sysconf("SC_CLK_TCK")


def answering(filter_config, port, name, **addresses):
    """It answers 200 to what the filter lets through; its admin interface has the next port."""
    config = render(
        addresses={
            "listener": (ports.HOST, ports.from_env("GATEWAY_PORT", port)),
            "admin": (ports.HOST, ports.from_env("ENVOY_ADMIN_PORT", port + 1)),
            **addresses,
        }
    )
    wasm = next(each for each in http_filters(config) if each["name"] == "jwt_keycloak")
    wasm["typed_config"]["config"]["configuration"] = {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": json.dumps(filter_config),
    }
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager["route_config"] = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]}
    return Envoy(config, name=name, concurrency=1, log_level="warning")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
