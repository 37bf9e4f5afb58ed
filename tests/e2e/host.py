"""The test host (tests/host) with the table's configurations, in place of a gateway."""

import json
import urllib.parse

from tests.e2e import kong, settings
from tests.e2e.configurations import configurations
from tests.host.gateways import EnvoyGateway, WasmxGateway
from tests.host.server import Route, Server
from tests.stack.envoy import WASM


def server():
    """The one that TEST_HOST names, ready to be entered."""
    if settings.TEST_HOST == "envoy":
        gateway, routes = EnvoyGateway(WASM, _clusters()), _envoy_routes()
    else:
        gateway, routes = WasmxGateway(WASM), _kong_routes()
    return Server(gateway, list(routes), upstream=_address(settings.UPSTREAM_URL))


def _clusters():
    """As gateway.py has them. A callout's default target is its URL's authority."""
    stub = _address(settings.STUB_URL)
    authority = settings.STUB_URL.partition("://")[2]
    return {"stub": stub, authority: stub, "keycloak": ("127.0.0.1", settings.KEYCLOAK_PORT)}


def _envoy_routes():
    for name, given in configurations().items():
        stop_all = not given["envoy"].get("allow_on_headers_stop_iteration", False)
        for path, policy in {"": None, **given["policies"]}.items():
            yield _route(
                f"{name}/{path}",
                name,
                given["config"],
                policy=policy,
                headers_stop_all=stop_all,
                service_name="upstream",
                route_name=name,
            )


def _kong_routes():
    for route in kong.routes():
        (config,) = route.configs
        names = {"service_name": route.name, "route_name": route.name}
        yield _route(route.path_prefix.lstrip("/"), route.name, config, **names)


def _route(path, name, config, **settings_):
    return Route(f"/{path}".encode(), name, json.dumps(config).encode(), **settings_)


def _address(url):
    url = urllib.parse.urlsplit(url)
    return url.hostname, url.port or 80
