"""The suite's own gateway: envoy/envoy.yaml, with the table's configurations beside its routes.

Each configuration becomes a filter instance that is switched off for all but its own route. They
share the `vm_id` and so a VM for each worker. The file's own filter and routes stay as they are.

A second listener has the table's routes without the file's hardening: what a client sends reaches
the filter as it was sent.
"""

import copy
import json

from tests.e2e import settings
from tests.e2e.configurations import configurations
from tests.stack import envoy, ports

FILTER = "jwt_keycloak"
FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig"
STRING = "type.googleapis.com/google.protobuf.StringValue"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
OFF = {"@type": FILTER_CONFIG, "disabled": True}
ON = {"@type": FILTER_CONFIG, "disabled": False, "config": {}}


def base():
    """envoy/envoy.yaml at this run's addresses."""
    local = "127.0.0.1"
    return envoy.render(
        addresses={
            "listener": (local, settings.ENVOY_PORT),
            "admin": (local, settings.ENVOY_ADMIN_PORT),
            "upstream": (local, settings.UPSTREAM_PORT),
            "keycloak": (local, settings.KEYCLOAK_PORT),
        }
    )


def with_table():
    """The same with the table's configurations, routes and clusters."""
    config = base()
    filters = envoy.http_filters(config)
    prototype = next(filter_ for filter_ in filters if filter_["name"] == FILTER)
    routes = []
    for name, given in configurations().items():
        filters.insert(0, _instance(prototype, name, given))
        # More specific paths come first.
        for path, policy in given["policies"].items():
            metadata = {"filter_metadata": {FILTER: {"policy": policy}}}
            routes.append({**_route(name, f"/{name}/{path}"), "metadata": metadata})
        routes.append(_route(name, f"/{name}/"))
    manager = envoy.connection_manager(config)
    virtual_host = manager["route_config"]["virtual_hosts"][0]
    virtual_host["routes"] = routes + virtual_host["routes"]
    # The tests read from the answer why Envoy gave it; users read it in the access log.
    virtual_host["response_headers_to_add"] = [
        {"header": {"key": "x-details", "value": "%RESPONSE_CODE_DETAILS%"}}
    ]
    # Without this Envoy drops the trailers of HTTP/1.1, and nothing shows how they are held.
    manager["http_protocol_options"] = {"enable_trailers": True}
    # And without this it answers an upgrade itself.
    manager["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    config["static_resources"]["listeners"].append(_raw(config))
    clusters = config["static_resources"]["clusters"]
    for cluster in clusters:
        if cluster["name"] == "upstream":
            cluster["typed_extension_protocol_options"] = {
                HTTP_OPTIONS: {
                    "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
                    "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
                }
            }
    # A callout's default target is its URL's authority, so the stub has two names.
    authority = settings.STUB_URL.partition("://")[2]
    clusters.extend(_cluster(name, settings.STUB_PORT) for name in ("stub", authority))
    return config


def with_configuration(configuration):
    """envoy/envoy.yaml with another configuration (a protobuf message as JSON) for its filter."""
    config = base()
    for filter_ in envoy.http_filters(config):
        if filter_["name"] == FILTER:
            filter_["typed_config"]["config"]["configuration"] = configuration
    return config


def text(config):
    """A filter's configuration as Envoy takes it: JSON in a protobuf message."""
    return {"@type": STRING, "value": json.dumps(config)}


def on_free_ports(config):
    """Beside the Envoy that the other tests use."""
    for holder in (config["admin"], config["static_resources"]["listeners"][0]):
        holder["address"]["socket_address"]["port_value"] = ports.free()
    return config


def _raw(config):
    """The listener again, without what makes paths and headers plain before the filter sees them."""
    raw = {"static_resources": {"listeners": copy.deepcopy(config["static_resources"]["listeners"])}}
    (listener,) = raw["static_resources"]["listeners"]
    listener["name"] = "raw"
    listener["address"]["socket_address"]["port_value"] = settings.ENVOY_RAW_PORT
    manager = envoy.connection_manager(raw)
    manager["stat_prefix"] = "raw"
    manager["normalize_path"] = False
    manager["merge_slashes"] = False
    manager["path_with_escaped_slashes_action"] = "KEEP_UNCHANGED"
    manager["common_http_protocol_options"]["headers_with_underscores_action"] = "ALLOW"
    manager["http_protocol_options"]["allow_custom_methods"] = True
    # Only what the table uses: two listeners fetch keys twice, and test_keys.py counts.
    used = {name for name, given in configurations().items() if given["cases"]}
    manager["http_filters"] = [
        filter_
        for filter_ in manager["http_filters"]
        if not filter_["name"].startswith(FILTER) or filter_["name"].partition(".")[2] in used
    ]
    virtual_host = manager["route_config"]["virtual_hosts"][0]
    virtual_host["routes"] = [route for route in virtual_host["routes"] if route["name"] in used]
    for route in virtual_host["routes"]:
        del route["typed_per_filter_config"][FILTER]
    return listener


def _instance(prototype, name, given):
    instance = copy.deepcopy(prototype)
    instance["name"] = f"{FILTER}.{name}"
    instance["disabled"] = True
    plugin = instance["typed_config"]["config"]
    plugin["name"] = instance["name"]
    plugin["configuration"] = text(given["config"])
    plugin.update(given["envoy"])
    return instance


def _route(name, prefix):
    return {
        "name": name,
        "match": {"prefix": prefix},
        "route": {"cluster": "upstream"},
        "typed_per_filter_config": {FILTER: OFF, f"{FILTER}.{name}": ON},
    }


def _cluster(name, port):
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }
