"""`scene` makes gateways and looks at them in the end: nothing may have trapped."""

import pytest

from tests.host.scene import PROFILES, Scene


@pytest.fixture
def scenes():
    """Makes scenes, of any profile; `may_trap` for those whose host is told to trap."""
    made = []

    def make(profile, settings=None, may_trap=False, **named):
        scene = Scene(profile, settings, **named)
        made.append((scene, may_trap))
        return scene

    yield make
    for scene, may_trap in made:
        assert may_trap or scene.worker.traps == []
        for request in scene.requests:
            assert request.times_up == (request.upstream is not None), "it went up more than once"
            assert not request.body.is_lost, "it went up without its body"


@pytest.fixture(params=[False, True], ids=["answers name the request", "answers name the root"])
def kong(request, scenes):
    return lambda settings=None, **named: scenes("wasmx", settings, names_root=request.param, **named)


@pytest.fixture
def envoy(scenes):
    return lambda settings=None, **named: scenes("envoy", settings, **named)


@pytest.fixture(params=list(PROFILES))
def either(request, scenes):
    """The same on both hosts."""
    return lambda settings=None, **named: scenes(request.param, settings, **named)
