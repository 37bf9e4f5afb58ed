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
