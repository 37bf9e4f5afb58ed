"""Envoys to be measured: made of envoy.yaml, with nothing behind them."""

import contextlib
import json
import os
import time

from tests.bench import WORK
from tests.stack import ports
from tests.stack.envoy import WASM, Envoy, connection_manager, http_filters, render

# Answers to the filter's verdict, and to nothing else.
ANSWER = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}


def answering(filter_config, port, name, **addresses):
    """It answers 200 to what the filter lets through; its admin interface has the next port."""
    config = render(
        addresses={
            "listener": (ports.HOST, ports.from_env("GATEWAY_PORT", port)),
            "admin": (ports.HOST, ports.from_env("ENVOY_ADMIN_PORT", port + 1)),
            **addresses,
        }
    )
    configure(http_filters(config)[0], filter_config)
    connection_manager(config)["route_config"] = routes(ANSWER)
    return Envoy(config, name=name, concurrency=1, log_level="warning")


def with_filters(filters, port, name, concurrency=1, keycloak=None, told=()):
    """The same with these filters before the router, and without an access log. For the host
    `check.example.com` the answer shows which headers, of `told`, would have gone up."""
    config = render(addresses={"listener": (ports.HOST, port), "admin": (ports.HOST, port + 1)})
    manager = connection_manager(config)
    manager["access_log"] = []
    manager["http_filters"] = [*filters, http_filters(config)[-1]]
    manager["route_config"] = routes(ANSWER)
    shown = [{"header": {"key": f"shown-{header}", "value": f"%REQ({header})%"}} for header in told]
    check = {"name": "check", "domains": ["check.example.com"], "routes": [ANSWER], "response_headers_to_add": shown}
    manager["route_config"]["virtual_hosts"].append(check)
    clusters = config["static_resources"]["clusters"]
    config["static_resources"]["clusters"] = [each for each in clusters if keycloak and each["name"] == "keycloak"]
    for cluster in config["static_resources"]["clusters"]:
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"].update(address=keycloak[0], port_value=keycloak[1])
    envoy = Envoy(config, name=name, concurrency=concurrency, log_level="warning")
    envoy.log = WORK / "logs" / f"{name}.log"
    return envoy


def wasm_filter(filter_config=None, module=WASM):
    """The filter as envoy.yaml has it; with another module, one that reads no configuration."""
    made = http_filters(render(wasm=module))[0]
    configure(made, filter_config or {})
    return made


def configure(wasm, filter_config):
    wasm["typed_config"]["config"]["configuration"] = {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": json.dumps(filter_config),
    }


def routes(answer):
    return {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]}


def cpu_seconds(pid):
    """CPU time of all threads of a process, those that have ended among them; in nanoseconds' steps."""
    # The clock of another process, as clock_getcpuclockid(3) makes its number on Linux.
    return time.clock_gettime(~pid << 3 | 2)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cores():
    """The core for gateways and the core for what loads them: the same if there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


@contextlib.contextmanager
def on_cores(*wanted):
    """What is started meanwhile stays on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
