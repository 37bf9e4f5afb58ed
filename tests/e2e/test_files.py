"""The files that users copy: envoy/docker-compose.yaml parses, envoy/envoy.yaml's routes guard."""

import json
import shutil
import subprocess

import pytest
import yaml

from tests.e2e.tokens import MINTED
from tests.stack import ROOT
from tests.stack.envoy import http_filters, render
from tests.stack.keycloak import PUBLIC_URL

COMPOSE = ROOT / "envoy" / "docker-compose.yaml"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_compose_is_understood_by_docker():
    command = next(
        (
            command
            for command in (["docker-compose"], ["docker", "compose"])
            if shutil.which(command[0])
            and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0
        ),
        None,
    )
    if command is None:
        pytest.skip("neither docker-compose nor docker compose is installed")
    run = subprocess.run(
        [*command, "--file", str(COMPOSE), "config"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_compose_has_the_three_services(services):
    assert set(services) == {"gateway", "keycloak", "upstream"}
    for service in services.values():
        image, _, tag = service["image"].partition(":")
        assert image and tag not in ("", "latest")
        assert set(service.get("depends_on", [])) <= set(services)


def test_compose_mounts_files_that_exist(services):
    built = ROOT / "jwt_keycloak.wasm"
    for service in services.values():
        for mount in service.get("volumes", []):
            source, target, mode = mount.split(":")
            path = (COMPOSE.parent / source).resolve()
            assert path.is_file() or path == built, mount
            assert target.startswith("/") and mode == "ro", mount


def test_compose_and_envoy_agree(services):
    config = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
    for cluster in config["static_resources"]["clusters"]:
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        assert endpoint["address"]["socket_address"]["address"] in services
    listener = config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"]
    assert any(ports.endswith(f":{listener}") for ports in services["gateway"]["ports"])


def test_one_name_for_gateway_and_issuers(services):
    keycloak = services["keycloak"]
    assert keycloak["environment"]["KC_HOSTNAME"] == PUBLIC_URL
    assert all(ports.startswith("127.0.0.1:") for ports in keycloak["ports"])
    assert PUBLIC_URL.rpartition(":")[2] in [ports.split(":")[0] for ports in services["gateway"]["ports"]]
    for issuer in demo_gateway()["allowed_iss"]:
        assert issuer.startswith(f"{PUBLIC_URL}/realms/")


def demo_gateway():
    return json.loads((ROOT / "filter-config" / "demo-gateway.json").read_text())


def test_envoy_runs_the_example_of_the_demo():
    (filter_,) = (each for each in http_filters(render()) if each["name"] == "jwt_keycloak")
    value = filter_["typed_config"]["config"]["configuration"]["value"]
    assert (json.loads(value) if isinstance(value, str) else value) == demo_gateway()


# Route, client (None: without a token), scope, status
ROUTES = [
    ("/public/hello", None, None, 200),
    ("/orders/1", None, None, 401),
    ("/orders/1", "orders-app", "Function1/read", 200),
    ("/orders/1", "orders-app", None, 403),
    ("/orders/1", "billing-app", "Function1/read", 401),
    ("/reports/1", "orders-app", None, 200),
    ("/reports/1", "es256-app", None, 403),
    ("/admin/users", "orders-app", None, 403),
    ("/admin/users", "alice", None, 200),
    ("/partner/1", "partner-app", None, 200),
    ("/partner/1", "orders-app", None, 401),
    ("/orders/1", "partner-app", None, 401),
    ("/public/../orders/1", None, None, 401),
    ("/public%2F..%2Forders/1", None, None, 400),
    ("/anything/else", None, None, 401),
    ("/anything/else", "orders-app", None, 200),
]


@pytest.mark.parametrize(
    ("path", "client_id", "scope", "status"),
    ROUTES,
    ids=[f"{path} {client or 'nobody'} {scope or ''}".strip() for path, client, scope, _ in ROUTES],
)
def test_route_of_envoy_yaml(envoy, gateway, keycloak, path, client_id, scope, status):
    token = None
    if client_id == "alice":
        token = keycloak.user_tokens("demo", "orders-web", "alice", "alice-password")["access_token"]
    elif client_id:
        realm = "partner" if client_id == "partner-app" else "demo"
        token = keycloak.token(realm, client_id, f"{client_id}-secret", scope)
    if token:
        MINTED.append(token)
    assert gateway.get(path, token).status == status
