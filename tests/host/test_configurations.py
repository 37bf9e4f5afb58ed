"""Every configuration of the end-to-end suite and of filter-config/, good or bad, on both hosts: what
Kong makes of its JSON means the same, and what is bad opens nothing."""

import json
import re

import pytest

from tests.e2e.bad_configurations import BAD
from tests.e2e.configurations import configurations, examples
from tests.host.issuer import START
from tests.host.scene import MODULE, PROFILES

GOOD = {
    **{name: given["config"] for name, given in configurations().items()},
    **{file.name: json.loads(file.read_text()) for file in examples()},
}


@pytest.fixture(scope="module")
def workers():
    """One of each host for all of them."""
    workers = {name: worker(MODULE, now=START) for name, worker in PROFILES.items()}
    workers["wasmx"].shm_kv = True
    yield workers
    for worker in workers.values():
        assert worker.traps == []


def configured(worker, config):
    """The root, and the paths of the faults that the log tells."""
    before = len(worker.log)
    root = worker.configure(config if isinstance(config, bytes) else json.dumps(config).encode())
    faults = [text for level, text in worker.log[before:] if level == "error"]
    found = (re.match(r"configuration: (\$.*?): found ", text) for text in faults)
    return root, [match[1] for match in found if match]


def refused_by_kong(config):
    """What Kong's host cannot do (README.md): policies, and a token hidden that the query may hold."""
    hides = config.get("upstream_token", "keep") != "keep"
    named = isinstance(config.get("callout_target"), str) and ":" not in config["callout_target"]
    return "policies" in config or (hides and config.get("uri_param_names") != []) or named


@pytest.mark.parametrize("name", GOOD)
def test_a_good_one_is_good_on_both(workers, name):
    config = GOOD[name]
    root, faults = configured(workers["envoy"], config)
    assert (root is not None, faults) == (True, [])
    root, faults = configured(workers["wasmx"], config)
    request = workers["wasmx"].request(root)
    if faults:
        assert refused_by_kong(config), faults
        assert set(faults) <= {"$.policies", "$.upstream_token"}
        assert request.status == 500
    else:
        assert request.status != 500
    assert not workers["wasmx"].filters_off


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_serves_nothing(workers, name):
    config, paths = BAD[name]
    root, faults = configured(workers["envoy"], config)
    assert root is None
    assert faults
    root, on_kong = configured(workers["wasmx"], config)
    assert set(faults) <= set(on_kong), "the same faults, and perhaps more"
    assert not workers["wasmx"].filters_off
    assert workers["wasmx"].request(root).status == 500
