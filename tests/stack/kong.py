"""A real Kong in a container, run with a declarative configuration and kong/docker-compose.yaml's settings.

It has the machine's own network, so that it reaches what listens on 127.0.0.1 there: Linux only.
Elsewhere Docker has a machine of its own; stub issuer, upstream and Keycloak would have to listen for
it (BIND=0.0.0.0), and Kong to call them at host.docker.internal.
"""

import json
import os
import shutil
import subprocess
import urllib.request

import yaml

from . import ROOT, TOOLS, StackError, ports
from .process import Process, progress

KONG_YML = ROOT / "kong" / "kong.yml"
COMPOSE = ROOT / "kong" / "docker-compose.yaml"
WASM = ROOT / "jwt_keycloak.wasm"
MOUNTED = "/opt/kong/kong.json"
# How kong.yml calls them, within docker-compose.yaml's network.
NAMES = {"upstream": "upstream:8081", "keycloak": "keycloak:8080"}


def render(addresses):
    """kong.yml with nothing replaced but addresses: (host, port) of `upstream` and `keycloak`."""
    text = KONG_YML.read_text(encoding="utf-8")
    for name, (host, port) in addresses.items():
        text = text.replace(NAMES[name], f"{host}:{port}")
    return yaml.safe_load(text)


class Kong:
    """Runs a configuration; its log is in `log`, which stays when it has stopped."""

    def __init__(self, config, port, status_port=None, name="kong"):
        self.config = config
        self.address = (ports.HOST, port)
        self.url = f"http://{ports.HOST}:{port}"
        self.status_port = status_port or ports.free()
        self.container = f"jwt-keycloak-{name}-{os.getpid()}"
        self.log = TOOLS / "logs" / f"{name}.log"
        self.config_file = ROOT / "target" / "kong" / f"{name}.json"
        self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def command(self):
        gateway = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["gateway"]
        environment = {
            **gateway["environment"],
            "KONG_DECLARATIVE_CONFIG": MOUNTED,
            "KONG_PROXY_LISTEN": "{}:{}".format(*self.address),
            "KONG_STATUS_LISTEN": f"{ports.HOST}:{self.status_port}",
            "KONG_ADMIN_LISTEN": "off",
            "KONG_LOG_LEVEL": "info",
        }
        command = ["docker", "run", "--rm", "--name", self.container, "--network", "host"]
        for name, value in environment.items():
            command += ["--env", f"{name}={value}"]
        for source, target in self.mounts(gateway).items():
            command += ["--volume", f"{source}:{target}:ro"]
        return [*command, gateway["image"]]

    def mounts(self, gateway):
        """The files of docker-compose.yaml, with this configuration in the place of kong.yml."""
        mounts = {}
        for mount in gateway["volumes"]:
            source, target, _mode = mount.split(":")
            mounts[(COMPOSE.parent / source).resolve()] = target
        del mounts[KONG_YML]
        return {**mounts, self.config_file: MOUNTED}

    def start(self, timeout=120):
        self.require_ready_to_start()
        for file, text in ((self.config_file, json.dumps(self.config, indent=1)), (self.log, "")):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self._process = Process("Kong", self.command(), log=self.log)
        try:
            seconds = self._process.wait_until(self._ready, timeout)
        except BaseException:
            self.stop()
            raise
        progress(f"Kong: ready after {seconds:.1f} s, gateway on port {self.address[1]}")
        return self

    def require_ready_to_start(self):
        """Fails when Docker, the module or a port is missing; Docker's own words are harder to read."""
        if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
            raise StackError("Kong runs in a container, and docker info fails: is Docker installed and running?")
        if not WASM.is_file():  # Docker would make a directory of this name
            raise StackError(f"{WASM} is missing; run make build first")
        ports.require_free(self.address[1], "the gateway", "GATEWAY_PORT")

    def stop(self):
        if self._process:
            self._process.stop()
            self._process = None
            # Whatever became of the client, the container may not stay.
            subprocess.run(["docker", "rm", "--force", self.container], capture_output=True)

    def _ready(self):
        try:
            url = f"http://{ports.HOST}:{self.status_port}/status/ready"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False
