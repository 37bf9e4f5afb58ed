"""The files of kong/ that users copy, and what `make e2e-kong` starts. Nothing here runs Kong."""

import datetime
import json
import os
import re
import subprocess
import sys
import uuid

import pytest
import yaml
from cryptography import x509

from tests.e2e.kong import of_policy
from tests.e2e.test_files import demo_gateway
from tests.e2e.test_front import CLEANED, CLOSED, OPEN
from tests.e2e.test_kong_schema import faults
from tests.stack import ROOT, StackError, kong, ports

KONG_YML = ROOT / "kong" / "kong.yml"
AS_PLUGIN = ROOT / "kong" / "kong-as-plugin.yml"
MTLS = ROOT / "kong" / "upstream-mtls.yml"

# What of Kong's declarative format is used here: the fields of an entity, and their types.
CHAINS_AND_PLUGINS = {"filter_chains": list, "plugins": list}
# In a service these name entities of the file, by id.
TLS = {"client_certificate": str, "tls_verify": bool, "ca_certificates": list}
FIELDS = {
    "file": {
        "_format_version": str, "services": list, "routes": list, "plugins": list,
        "certificates": list, "ca_certificates": list,
    },
    "services": {"name": str, "url": str, "routes": list, **TLS, **CHAINS_AND_PLUGINS},
    "routes": {"name": str, "paths": list, "regex_priority": int, "strip_path": bool, **CHAINS_AND_PLUGINS},
    "filter_chains": {"name": str, "enabled": bool, "filters": list},
    "filters": {"name": str, "enabled": bool, "config": dict},
    "plugins": {"name": str, "enabled": bool, "config": dict},
    "certificates": {"id": str, "cert": str, "key": str},
    "ca_certificates": {"id": str, "cert": str},
}  # fmt: skip
PLUGINS = {
    "request-termination": {"status_code": int, "message": str},
    "pre-function": {"rewrite": list},
    "prometheus": {},
}


def check(entity, kind="file"):
    """Fails where Kong would refuse the file."""
    for field, value in entity.items():
        assert type(value) is FIELDS[kind][field], f"{kind}: {field}: {value}"
        if field in FIELDS and field not in TLS or kind == "file" and field == "ca_certificates":
            assert value, f"{kind}: no {field}"
            for part in value:
                check(part, field)
    if kind == "file":
        assert entity["_format_version"] == "3.0"
        for named in (list(entity["services"]), list(all_routes(entity))):
            names = [each["name"] for each in named]
            assert len(names) == len(set(names))
        ids = {kind: {each["id"] for each in entity.get(kind, [])} for kind in ("certificates", "ca_certificates")}
        for service in entity["services"]:
            assert service.get("client_certificate") in {None, *ids["certificates"]}
            assert set(service.get("ca_certificates", [])) <= ids["ca_certificates"]
    elif kind == "services":
        assert re.fullmatch(r"https?://[^/:]+(:\d+)?", entity["url"])
        assert entity["url"].startswith("https:") or not TLS.keys() & entity.keys()
    elif kind == "certificates":
        # References to vaults count here.
        assert uuid.UUID(entity["id"])
        assert all(re.fullmatch(r"\{vault://env/[a-z-]+\}", entity[field]) for field in ("cert", "key"))
    elif kind == "ca_certificates":
        assert uuid.UUID(entity["id"])
        (certificate,) = x509.load_pem_x509_certificates(entity["cert"].encode())
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert certificate.not_valid_after_utc > datetime.datetime.now(datetime.timezone.utc)
    elif kind == "routes":
        for path in entity["paths"]:
            assert path.startswith(("/", "~/")) and re.compile(path.removeprefix("~"))
    if "filter_chains" in entity:
        # Kong takes one.
        assert len(entity["filter_chains"]) == 1
    if kind == "filters" or kind == "plugins" and entity["name"] == "jwt_keycloak":
        assert entity["name"] == "jwt_keycloak"
        assert faults(entity["config"]) == []
    elif kind == "plugins":
        fields = PLUGINS[entity["name"]]
        for field, value in entity.get("config", {}).items():
            assert type(value) is fields[field], f"{entity['name']}: {field}: {value}"


def all_routes(config):
    yield from config.get("routes", [])
    for service in config["services"]:
        yield from service.get("routes", [])


def filters(entity):
    return [each["config"] for chain in entity.get("filter_chains", []) for each in chain["filters"]]


@pytest.fixture(scope="module")
def config():
    return yaml.safe_load(KONG_YML.read_text())


@pytest.mark.parametrize("path", [KONG_YML, AS_PLUGIN, MTLS], ids=lambda path: path.name)
def test_kong_would_take_the_file(path):
    check(yaml.safe_load(path.read_text()))


def test_mutual_tls_goes_both_ways():
    (service,) = yaml.safe_load(MTLS.read_text())["services"]
    assert service["client_certificate"] and service["tls_verify"] and service["ca_certificates"]
    # With preserve_host the upstream's certificate would have to have the name that a client sent.
    assert filters(service) and not any("preserve_host" in route for route in service["routes"])


def test_kong_would_take_the_table():
    environment = {**os.environ, "GATEWAY": "http://127.0.0.1:19000"}
    command = [sys.executable, "-m", "tests.e2e.kong"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    table = json.loads(run.stdout)
    check(table)
    for service in table["services"]:
        for route in service["routes"]:
            assert len(filters(route)) == 1 and route["strip_path"] is False


def test_the_table_wants_to_know_the_gateway():
    environment = {name: value for name, value in os.environ.items() if name != "GATEWAY"}
    command = [sys.executable, "-m", "tests.e2e.kong"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and "GATEWAY is not set" in run.stderr


def test_no_route_cuts_its_path_off(config):
    assert all(route["strip_path"] is False for route in all_routes(config))


def test_what_has_no_service_is_answered_by_a_plugin(config):
    for route in config["routes"]:
        assert [plugin["name"] for plugin in route["plugins"]] == ["request-termination"]


def test_the_same_is_asked_as_in_envoy(config):
    demo = {**demo_gateway(), "callout_target": kong.NAMES["keycloak"]}
    (upstream,) = (service for service in config["services"] if service["name"] == "upstream")
    assert filters(upstream) == [{field: value for field, value in demo.items() if field != "policies"}]
    routes = {route["name"]: filters(route) for route in upstream["routes"]}
    assert routes.pop("everything-else") == []
    # The service's chain has signed already.
    unsigned = {field: value for field, value in demo.items() if field != "upstream_jwt"}
    assert routes == {policy: [of_policy(unsigned, policy)] for policy in demo["policies"]}


def test_only_what_is_public_has_no_chain(config):
    without = [service["name"] for service in config["services"] if not filters(service)]
    assert without == ["upstream-public", "keycloak"]


# Where a request goes, as Kong's router finds it.


def normalized(target):
    path = re.sub(r"^http://[^/]*", "", target).partition("?")[0]
    reserved = "!*'();:@&=+$,/?%#[]"

    def decoded(match):
        character = chr(int(match[1], 16))
        return match[0].upper() if character in reserved else character

    path = re.sub("%([0-9A-Fa-f]{2})", decoded, path)
    *before, last = path.split("/")[1:]
    segments = []
    for segment in before + ([last, ""] if last in (".", "..") else [last]):
        if segment == "..":
            segments = segments[:-1]
        elif segment != ".":
            segments.append(segment)
    return re.sub("/+", "/", "/" + "/".join(segments))


def routed(config, target):
    """The service and the route; None and a route that answers by itself."""
    path = normalized(target)
    found = []
    for service in [{"name": None, "routes": config["routes"]}, *config["services"]]:
        for route in service["routes"]:
            for expression in route["paths"]:
                is_regex = expression.startswith("~")
                # In Rust, whose expressions these are, $ does not fit before a line feed.
                pattern = "^" + expression[1:].replace("$", r"\Z")
                if re.search(pattern, path) if is_regex else path.startswith(expression):
                    order = (is_regex, route.get("regex_priority", 0) if is_regex else len(expression))
                    found.append((order, service["name"], route["name"]))
    found.sort(reverse=True)
    assert len(found) == 1 or found[0][0] > found[1][0], f"{target}: two routes of the same rank: {found}"
    return found[0][1:]


@pytest.mark.parametrize("path", OPEN)
def test_keycloaks_endpoints_are_open(config, path):
    assert normalized(f"{path}?a=1%2F..&b=%2e%2e/") == path
    assert routed(config, f"{path}?a=1%2F..&b=%2e%2e/")[0] == "keycloak"


@pytest.mark.parametrize("path", CLEANED)
def test_keycloak_gets_the_path_that_was_looked_at(config, path):
    assert normalized(path) == CLEANED[path]
    assert routed(config, path)[0] == "keycloak"


@pytest.mark.parametrize("path", CLOSED)
def test_the_rest_of_keycloak_is_closed(config, path):
    service, route = routed(config, path)
    # To the API, where the filter asks for a token; or answered by Kong, with 404 or 400.
    assert service == "upstream" or route in ("keycloak-closed", "ambiguous")


@pytest.mark.parametrize(
    ("path", "service", "route"),
    [
        ("/public", "upstream-public", "public"),
        ("/public/hello", "upstream-public", "public"),
        ("/publications", "upstream", "everything-else"),
        ("/public/../orders/1", "upstream", "orders"),
        ("/public/%2e%2e/orders/1", "upstream", "orders"),
        ("/public%2F..%2Forders/1", None, "ambiguous"),
        ("/public%2f..%2forders/1", None, "ambiguous"),
        ("/public/..%5Corders", None, "ambiguous"),
        ("/public/a%0A/..%2Forders", None, "ambiguous"),
        ("/public/..;/orders", None, "ambiguous"),
        ("/admin;x", None, "ambiguous"),
        ("/admin%3Bx/users", None, "ambiguous"),
        ("/public/..%3b/admin", None, "ambiguous"),
        ("/public/%2e%2e;/orders", None, "ambiguous"),
        ("/orders", "upstream", "orders"),
        ("/orders/1?a=b", "upstream", "orders"),
        ("/orders-archive", "upstream", "everything-else"),
        ("/admin/users", "upstream", "admin"),
        ("/reports/1", "upstream", "reports"),
        ("/partner/1", "upstream", "partner"),
        ("/anything/else", "upstream", "everything-else"),
        ("/realms/master", None, "keycloak-closed"),
        ("/resources", None, "keycloak-closed"),
    ],
)
def test_route_of_kong_yml(config, path, service, route):
    assert routed(config, path) == (service, route)


# What make demo-kong and make e2e-kong start


def test_the_demo_changes_nothing_but_addresses(config):
    rendered = kong.render({"upstream": ("127.0.0.1", 1), "keycloak": ("127.0.0.1", 2)})
    text = json.dumps(rendered)
    assert "upstream:8081" not in text and "keycloak:8080" not in text
    assert text.replace("127.0.0.1:1", "upstream:8081").replace("127.0.0.1:2", "keycloak:8080") == json.dumps(config)
    check(rendered)


def test_the_container_has_the_files_and_settings_of_docker_compose():
    gateway = yaml.safe_load(kong.COMPOSE.read_text())["services"]["gateway"]
    started = kong.Kong({}, port=19000, status_port=19001, name="e2e-kong")
    command = started.command()
    assert command[:3] == ["docker", "run", "--rm"] and command[-1] == gateway["image"]
    options = list(zip(command, command[1:], strict=False))
    environment = dict(value.split("=", 1) for option, value in options if option == "--env")
    assert environment["KONG_PROXY_LISTEN"] == "127.0.0.1:19000"
    assert environment["KONG_STATUS_LISTEN"] == "127.0.0.1:19001"
    assert environment["KONG_ADMIN_LISTEN"] == "off"
    assert gateway["environment"].keys() <= environment.keys()
    mounts = dict(value.removesuffix(":ro").split(":") for option, value in options if option == "--volume")
    assert all(value.endswith(":ro") for option, value in options if option == "--volume")
    filters = environment["KONG_WASM_FILTERS_PATH"]
    assert mounts == {
        str(started.config_file): environment["KONG_DECLARATIVE_CONFIG"],
        str(ROOT / "jwt_keycloak.wasm"): f"{filters}/jwt_keycloak.wasm",
        str(ROOT / "kong" / "jwt_keycloak.meta.json"): f"{filters}/jwt_keycloak.meta.json",
    }


class Docker:
    """Stands in for the program docker: notes what it is asked for, and does as the script says."""

    def __init__(self, directory, monkeypatch):
        self._program = directory / "docker"
        self._calls = directory / "calls"
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        monkeypatch.delenv("CI", raising=False)
        (directory / "jwt_keycloak.wasm").touch()
        monkeypatch.setattr(kong, "WASM", directory / "jwt_keycloak.wasm")

    def does(self, script):
        note = f"import json, sys\nprint(json.dumps(sys.argv[1:]), file=open({str(self._calls)!r}, 'a'))\n"
        self._program.write_text(f"#!{sys.executable}\n{note}{script}")
        self._program.chmod(0o755)

    def calls(self):
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def docker(tmp_path, monkeypatch):
    return Docker(tmp_path, monkeypatch)


# A Kong that is ready at once, until it is ended.
READY = """
import http.server

class Status(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/status/ready" else 404)
        self.end_headers()

if sys.argv[1] == "run":
    (listen,) = (value for value in sys.argv if value.startswith("KONG_STATUS_LISTEN="))
    host, port = listen.partition("=")[2].split(":")
    http.server.HTTPServer((host, int(port)), Status).serve_forever()
"""


def test_kong_is_waited_for_and_stopped_whatever_happens(docker):
    docker.does(READY)
    started = kong.Kong({"_format_version": "3.0"}, port=ports.free(), name="e2e-kong-stand-in")
    with pytest.raises(ZeroDivisionError), started:
        assert json.loads(started.config_file.read_text()) == started.config
        assert started._ready()
        raise ZeroDivisionError
    assert not started._ready()
    assert [call[0] for call in docker.calls()] == ["info", "run", "rm"]
    assert docker.calls()[1] == started.command()[1:]
    assert docker.calls()[2] == ["rm", "--force", started.container]


def test_a_kong_that_does_not_start_says_why(docker):
    docker.does("if sys.argv[1] == 'run': sys.exit('no such filter')")
    with pytest.raises(StackError, match="no such filter"):
        kong.Kong({}, port=ports.free(), name="e2e-kong-stand-in").start()
    assert docker.calls()[-1][0] == "rm"


def test_a_machine_without_docker_is_told_so(docker):
    docker.does("sys.exit(1)")
    with pytest.raises(StackError, match="docker info fails"):
        kong.Kong({}, port=ports.free()).start()


def test_a_missing_module_is_told(docker):
    docker.does("")
    kong.WASM.unlink()
    with pytest.raises(StackError, match="run make build first"):
        kong.Kong({}, port=ports.free()).start()


def test_make_tells_it_before_anything_is_built(docker):
    docker.does("sys.exit(1)")
    preflight = ["sh", "tests/stack/preflight.sh", "docker"]
    run = subprocess.run(preflight, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Docker, running, for this user (docker info)" in run.stderr
