"""The table's configurations for Kong: a route each, and one for each policy that a route names.

`GATEWAY=http://127.0.0.1:19000 python -m tests.e2e.kong` prints them as a declarative configuration
for a Kong at that address; with --run it starts one in a container and runs the suite against it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import urllib.parse
from typing import NamedTuple

from tests.e2e import settings
from tests.e2e.bad_configurations import BAD
from tests.e2e.configurations import configurations, laid_over
from tests.stack import ROOT, StackError
from tests.stack.kong import Kong

FILTER = "jwt_keycloak"
# What an issuer may have, too, and a policy's comes before an issuer's.
OF_A_TOKEN = {
    "allowed_aud", "allowed_alg", "allowed_typ", "clock_skew", "scope_claim", "realm_roles_claim",
    "client_roles_claim", "client_id_claim", "groups_claim", "token_scope_wildcards",
}  # fmt: skip
# Laid over what is below it field by field: the top's, and an issuer's that has it, too.
FIELD_BY_FIELD = {"introspection", "authorization"}
OF_WHO_ASKS = {"client", "introspection_endpoint", "token_endpoint", "permission_endpoint"}
# Kong's schema lets it through and the filter refuses it: every request is answered with 500, as in
# Envoy where a route names a policy that is not there. (Kong itself refuses `policies`.)
MISCONFIGURED, _ = BAD["consumers: the same username twice"]


class Route(NamedTuple):
    name: str
    path_prefix: str
    configs: list


def routes():
    """Each route with its filters' configurations; more specific paths come first."""
    if not settings.GATEWAY and settings.TEST_HOST != "wasmx":
        raise StackError("GATEWAY is not set: without it callout targets are names of Envoy's clusters")
    for name, given in configurations().items():
        for path, policy in given["policies"].items():
            config = of_policy(given["config"], policy)
            yield Route(f"{name}.{path.strip('/')}", f"/{name}/{path}", [config])
        yield Route(name, f"/{name}/", [base(given["config"])])


def base(config):
    """What holds where no policy is named."""
    return without_idle({field: value for field, value in config.items() if field != "policies"})


def without_idle(config):
    """Who asks and where, if only policies ask that are not here: the filter calls it a fault."""
    stated = [config, *(config.get("issuers") or []), *(config.get("rules") or [])]
    asks = any(each.get(field, False) not in (None, False) for field in FIELD_BY_FIELD for each in stated)
    if asks:
        return config
    config = {field: value for field, value in config.items() if field not in OF_WHO_ASKS}
    if "issuers" in config:
        config["issuers"] = [
            {field: value for field, value in issuer.items() if field not in OF_WHO_ASKS}
            for issuer in config["issuers"]
        ]
    return config


def of_policy(config, name):
    """A configuration that is as this policy of another one, for a host without policies."""
    policies = config.get("policies") or {}
    if name not in policies:
        return MISCONFIGURED
    stated = {field: value for field, value in policies[name].items() if value is not None}
    merged = {**config, **stated}
    del merged["policies"]
    if "upstream_jwt" in stated:
        merged["upstream_jwt"] = laid_over(config.get("upstream_jwt"), stated["upstream_jwt"])
    for field in FIELD_BY_FIELD & stated.keys():
        merged[field] = over(config.get(field), stated[field])
    issuers = [
        {
            **{field: value for field, value in issuer.items() if field not in OF_A_TOKEN & stated.keys()},
            **{
                field: over(issuer[field], stated[field])
                for field in FIELD_BY_FIELD & stated.keys() & issuer.keys()
            },
        }
        for issuer in config.get("issuers") or []
    ]
    if "allowed_iss" in stated:
        # Some of those that the top knows, wherever it names them.
        accepted = as_list(stated["allowed_iss"])
        merged["allowed_iss"] = [iss for iss in as_list(config.get("allowed_iss")) if iss in accepted]
        issuers = [issuer for issuer in issuers if issuer["iss"] in accepted]
    if not merged.get("allowed_iss") and issuers and all("introspection" in issuer for issuer in issuers):
        # Each states its own.
        merged.pop("introspection", None)
    if merged.get("access") in ("public", "deny") and "rules" not in merged:
        # At the top it would be a fault: there is no token that could be permitted anything.
        merged.pop("authorization", None)
    merged = without_idle({**merged, "issuers": issuers})
    # Empty, these mean something else than not there.
    return {
        field: value
        for field, value in merged.items()
        if value or field not in ("allowed_iss", "issuers", "upstream_jwt")
    }


def over(base, stated):
    """A policy's fields over those below it; false is none."""
    return {**(base or {}), **stated} if isinstance(stated, dict) else stated


def as_list(value):
    return [value] if isinstance(value, str) else list(value or [])


def declarative():
    """Kong's configuration: a service and a route for each, guarded by a chain on the route."""
    return {"_format_version": "3.0", "services": [service(route) for route in routes()]}


def service(route):
    filters = [{"name": FILTER, "config": config} for config in route.configs]
    made = {
        "name": route.name,
        "paths": [route.path_prefix],
        "strip_path": False,
        "filter_chains": [{"filters": filters}],
    }
    return {"name": route.name, "url": settings.UPSTREAM_URL, "routes": [made]}


def run(pytest_args):
    # However it is ended, Kong is stopped.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    port = urllib.parse.urlsplit(settings.GATEWAY).port
    with Kong(declarative(), port, name="e2e-kong"):
        tests = [sys.executable, "-m", "pytest", "tests/e2e", *pytest_args]
        return subprocess.run(tests, cwd=ROOT, env=dict(os.environ), check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", nargs=argparse.REMAINDER, metavar="PYTEST_ARG", help="run the suite on it")
    arguments = parser.parse_args()
    try:
        if arguments.run is None:
            print(json.dumps(declarative(), indent=2))
        else:
            sys.exit(run(arguments.run))
    except StackError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; Kong has been stopped")


if __name__ == "__main__":
    main()
