"""The files that users copy: both docker-compose.yaml parse, envoy/envoy.yaml's routes guard."""

import json
import shutil
import subprocess

import pytest
import yaml

from tests.e2e.tokens import MINTED
from tests.stack import ROOT
from tests.stack.envoy import http_filters, render
from tests.stack.keycloak import PUBLIC_URL

COMPOSE = {name: ROOT / name / "docker-compose.yaml" for name in ("envoy", "kong")}


@pytest.fixture(scope="module", params=COMPOSE)
def compose(request):
    return COMPOSE[request.param]


@pytest.fixture(scope="module")
def services(compose):
    return yaml.safe_load(compose.read_text())["services"]


def test_compose_is_understood_by_docker(compose):
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
        [*command, "--file", str(compose), "config"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_compose_has_the_three_services(services):
    assert set(services) == {"gateway", "keycloak", "upstream"}
    for service in services.values():
        image, _, tag = service["image"].partition(":")
        assert image and tag not in ("", "latest")
        assert set(service.get("depends_on", [])) <= set(services)


def test_compose_mounts_files_that_exist(compose, services):
    built = ROOT / "jwt_keycloak.wasm"
    for service in services.values():
        for mount in service.get("volumes", []):
            source, target, mode = mount.split(":")
            path = (compose.parent / source).resolve()
            assert path.is_file() or path == built, mount
            assert target.startswith("/") and mode == "ro", mount


def test_compose_and_envoy_agree():
    services = yaml.safe_load(COMPOSE["envoy"].read_text())["services"]
    config = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
    for cluster in config["static_resources"]["clusters"]:
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        assert endpoint["address"]["socket_address"]["address"] in services
    listener = config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"]
    assert any(ports.endswith(f":{listener}") for ports in services["gateway"]["ports"])


def test_compose_and_kong_agree():
    services = yaml.safe_load(COMPOSE["kong"].read_text())["services"]
    for service in yaml.safe_load((ROOT / "kong" / "kong.yml").read_text())["services"]:
        assert service["url"].removeprefix("http://").partition(":")[0] in services
    environment = services["gateway"]["environment"]
    listener = environment["KONG_PROXY_LISTEN"].rpartition(":")[2]
    assert any(ports.endswith(f":{listener}") for ports in services["gateway"]["ports"])
    targets = [mount.split(":")[1] for mount in services["gateway"]["volumes"]]
    filters = [target for target in targets if target.startswith(environment["KONG_WASM_FILTERS_PATH"])]
    assert [target.rpartition("/")[2] for target in filters] == ["jwt_keycloak.wasm", "jwt_keycloak.meta.json"]
    assert environment["KONG_DECLARATIVE_CONFIG"] in targets
    # What YAML takes for a boolean Docker does not pass on as it was meant.
    assert all(isinstance(value, str) for value in environment.values())


def test_both_demos_run_the_same_keycloak():
    envoy, kong = (yaml.safe_load(path.read_text())["services"] for path in COMPOSE.values())
    assert kong["keycloak"] == envoy["keycloak"] and kong["upstream"] == envoy["upstream"]


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
    ("/.well-known/gateway-jwks.json", None, None, 200),
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
