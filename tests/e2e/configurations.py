"""The table's configurations, for the suite's own Envoy and for whoever configures another host.

`python -m tests.e2e.configurations` prints them as JSON, with this run's addresses filled in
(see settings.py for the environment variables).
"""

import argparse
import json
import pathlib

import yaml

from tests.e2e import placeholders, settings
from tests.stack import ROOT

FIELDS = {"config", "policies", "envoy", "cases"}
KEYS = {"keys", "private_key_location", "public_key_location", "key_id"}


def configurations():
    """name -> {"config": …, "policies": …, "envoy": …, "cases": …}"""
    text = (pathlib.Path(__file__).parent / "configurations.yaml").read_text()
    table = yaml.safe_load(placeholders.filled(text))
    for name, given in table.items():
        unknown = set(given) - FIELDS
        assert not unknown, f"configurations.yaml: {name}: unknown {sorted(unknown)}"
        given.setdefault("policies", {})
        given.setdefault("envoy", {})
        given.setdefault("cases", True)
    return table


def upstream_jwt(given, path):
    """What `upstream_jwt` is for a request of this path below /<name>/, or None."""
    return laid_over(given["config"].get("upstream_jwt"), policy_of(given, path).get("upstream_jwt"))


def policy_of(given, path):
    """What the policy of this path states; nothing where no policy is named."""
    policy = given["policies"].get(policy_path(given, path))
    return given["config"].get("policies", {}).get(policy, {})


def policy_path(given, path):
    """The path that names the policy of this one, or None. As gateways have it, the longest counts."""
    return max((prefix for prefix in given["policies"] if path.startswith(prefix)), key=len, default=None)


def laid_over(top, stated):
    """A policy's `upstream_jwt` over the top's, field by field; false is none. Keys are not mixed."""
    if not stated:
        return top if stated is None else None
    keys = KEYS if KEYS & stated.keys() else set()
    kept = {field: value for field, value in (top or {}).items() if field not in keys}
    return {**kept, **stated}


def examples():
    """The files of filter-config/ that are configurations."""
    files = (ROOT / "filter-config").glob("*.json")
    return sorted(path for path in files if not path.name.endswith(".schema.json"))


def as_json():
    return {
        "upstream": settings.UPSTREAM_URL,
        "configurations": [
            {"name": name, "path_prefix": f"/{name}/", **given}
            for name, given in configurations().items()
        ],
    }


def main():
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(json.dumps(as_json(), indent=2))


if __name__ == "__main__":
    main()
