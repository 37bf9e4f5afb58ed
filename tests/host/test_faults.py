"""Host calls that fail, one at a time and many at once."""

import pytest

from tests.host.faults import NthFault
from tests.host.walk import walk
from tests.host.worker import INTERNAL_FAILURE, NOT_FOUND

# Of `make test`; a longer one: python -m tests.host.walk
STEPS = 8_000

SETTINGS = {
    "claims_to_headers": {"x-user": "sub"},
    "claims_to_properties": {"user": "sub"},
    "scope": ["email"],
    "log_decisions": "all",
}


@pytest.mark.parametrize("status", [NOT_FOUND, INTERNAL_FAILURE, 0x7FFFFFFF])
@pytest.mark.parametrize("kind", ["token", "forged"])
@pytest.mark.parametrize("is_warm", [True, False], ids=["keys are there", "keys are fetched"])
def test_one_host_call_that_fails_neither_opens_nor_hangs(either, status, kind, is_warm):
    met = set()
    for nth in range(500):
        fault = NthFault(status)
        scene = either(SETTINGS, fault=fault)
        if is_warm:
            scene.warm()
        token = getattr(scene.issuer, kind)()
        fault.after = nth
        request = scene.send(token, body=b"order")
        scene.answer_all()
        scene.pass_time(6000)
        scene.answer_all()
        assert request.is_settled, f"it hangs: {fault.name} failed"
        if request.upstream is not None:
            assert kind == "token", fault.name
            assert request.value(b"x-user") == [b"5ae1"], fault.name
        if fault.after is not None:
            break
        met.add(fault.name)
    assert request.status == {"token": 200, "forged": 401}[kind], "where nothing fails"
    assert {"proxy_get_header_map_pairs", "proxy_get_current_time_nanoseconds", "proxy_log"} <= met


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_walk_finds_no_trap_no_opening_and_nobody_left(profile, seed):
    assert walk(profile, seed, STEPS) is None


GARBAGE = [b"", b"\0", b"\xff" * 4, b"\xff" * 200, b"\1\0\0\0" + b"\xff\xff\xff\x7f" * 2, b"{}", b"[" * 300, b"\1\0\0\0" * 50]


@pytest.mark.parametrize("garbage", GARBAGE, ids=[repr(data[:8]) for data in GARBAGE])
@pytest.mark.parametrize("from_start", [True, False], ids=["always", "from the first request on"])
def test_a_host_that_gives_garbage_opens_nothing(either, garbage, from_start):
    """For everything that it hands over: fields, properties, shared data, answers, configurations."""
    scene = either(SETTINGS) if not from_start else either(SETTINGS, garbage=garbage)
    if scene.root is None:
        return  # Envoy does not serve with such a configuration
    scene.worker.garbage = garbage
    requests = [scene.send(scene.issuer.token(), body=b"order"), scene.send()]
    scene.answer_all()
    if scene.worker.tick_periods:
        scene.pass_time(6000)
    assert [request.upstream for request in requests] == [None, None]
