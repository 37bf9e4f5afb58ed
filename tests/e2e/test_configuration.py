"""Envoy starts with every example of filter-config/ and refuses every bad configuration."""

import json
import os

import pytest

from tests.e2e import gateway as configured
from tests.e2e import bad_inquiries, leaks, settings
from tests.e2e.bad_configurations import BAD, GOOD, ISSUER, WARNED
from tests.e2e.configurations import examples
from tests.e2e.gateway import on_free_ports, text
from tests.e2e.stub_issuer import eventually
from tests.stack import StackError, ports
from tests.stack.envoy import Envoy

pytestmark = pytest.mark.skipif(
    bool(settings.GATEWAY), reason="GATEWAY names another gateway: this is about Envoy's start"
)

LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
EXAMPLES = examples()


class Candidates:
    """An Envoy that is offered one listener after another: quicker than a start for each."""

    def __init__(self, directory):
        self._file = directory / "listeners.json"
        self._port = ports.free()
        self._offers = 0
        config = on_free_ports(configured.base())
        config["node"] = {"id": "candidates", "cluster": "candidates"}
        config["dynamic_resources"] = {"lds_config": {"path_config_source": {"path": str(self._file)}}}
        self._write([])
        self.envoy = Envoy(config, name="e2e-candidates")

    def offer(self, configuration):
        """Whether Envoy takes a listener with this configuration, and what it logs about it."""
        (listener,) = configured.with_configuration(configuration)["static_resources"]["listeners"]
        self._offers += 1
        listener.update({"@type": LISTENER, "name": f"candidate-{self._offers}"})
        listener["address"]["socket_address"]["port_value"] = self._port
        before = self._counters()
        start = os.path.getsize(self.envoy.log)
        self._write([listener])
        eventually(lambda: self._counters() != before)
        taken = self._counters()[0] > before[0]
        with open(self.envoy.log, "rb") as log:
            log.seek(start)
            return taken, log.read().decode("utf-8", "replace")

    def _counters(self):
        prefix = "listener_manager.lds.update_"
        stats = self.envoy.admin(f"/stats?filter={prefix}")
        values = dict(line.split(": ") for line in stats.splitlines())
        return int(values[f"{prefix}success"]), int(values[f"{prefix}rejected"])

    def _write(self, listeners):
        # Envoy reads the file when another is moved to its place.
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({"version_info": str(self._offers), "resources": listeners}))
        draft.replace(self._file)


def names(log, path):
    """Whether the log tells a fault at this path or below it."""
    return any(f"{path}{after}" in log for after in (": ", ".", "["))


@pytest.fixture(scope="module")
def candidates(tmp_path_factory):
    candidates = Candidates(tmp_path_factory.mktemp("listeners"))
    with candidates.envoy:
        yield candidates


def test_there_are_examples():
    assert EXAMPLES, "filter-config/ holds no example"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_loads(candidates, example):
    taken, log = candidates.offer(text(json.loads(example.read_text())))
    assert taken, log


@pytest.mark.parametrize("name", BAD)
def test_bad_configuration_is_rejected(candidates, name):
    config, path = BAD[name]
    taken, log = candidates.offer(text(config))
    assert not taken
    assert names(log, path), log
    assert not leaks.found(log.splitlines(), leaks.of_keys())[0], "a private key is in the log"
    assert bad_inquiries.SECRET not in log


def test_all_faults_are_told_at_once(candidates):
    config = {
        **GOOD,
        "clock_skew": -1,
        "issuers": [{"iss": 7}],
        "policies": {"a": {"scope": "", "x": 1}},
    }
    taken, log = candidates.offer(text(config))
    assert not taken
    for path in ("$.clock_skew", "$.issuers[0].iss", "$.policies.a.scope", "$.policies.a.x"):
        assert names(log, path), log


@pytest.mark.parametrize("name", WARNED)
def test_a_warning_is_logged(candidates, name):
    config, word = WARNED[name]
    taken, log = candidates.offer(text(config))
    assert taken, log
    assert any("warning" in line and word in line for line in log.splitlines()), log


def test_a_missing_audience_is_a_warning(candidates):
    taken, log = candidates.offer(text({"allowed_iss": [ISSUER]}))
    assert taken
    assert "allowed_aud" in log and "warning" in log
    taken, log = candidates.offer(text(GOOD))
    assert taken
    assert "allowed_aud" not in log


@pytest.mark.parametrize(
    ("value", "good"),
    [(json.dumps(GOOD), True), ("{", False), ("", False), (json.dumps(GOOD) + "x", False)],
    ids=["JSON", "half of it", "nothing", "more than it"],
)
def test_the_configuration_is_a_text(candidates, value, good):
    taken, log = candidates.offer({"@type": configured.STRING, "value": value})
    assert taken == good, log


def test_the_configuration_may_be_a_struct(candidates):
    # Envoy 1.40 hands it over in protobuf's binary form.
    def struct(config):
        return {"@type": "type.googleapis.com/google.protobuf.Struct", "value": config}

    policies = {"a": {"scope": ["x"], "clock_skew": 2.5, "claims_to_verify": []}}
    taken, log = candidates.offer(struct({**GOOD, "policies": policies}))
    assert taken, log
    taken, log = candidates.offer(struct({**GOOD, "policies": {"a": {"scope": [7]}}}))
    assert not taken
    assert names(log, "$.policies.a.scope[0]"), log


def test_envoy_does_not_start_with_a_bad_configuration():
    bad = on_free_ports(configured.with_configuration(text({**GOOD, "clock_skew": -1})))
    with pytest.raises(StackError, match=r"\$\.clock_skew: "):
        Envoy(bad, name="e2e-refused").start()
