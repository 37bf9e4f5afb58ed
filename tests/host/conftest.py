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


@pytest.fixture
def kong(scenes):
    return lambda settings=None, **named: scenes("wasmx", settings, **named)


@pytest.fixture
def envoy(scenes):
    return lambda settings=None, **named: scenes("envoy", settings, **named)


@pytest.fixture(params=list(PROFILES))
def either(request, scenes):
    """The same on both hosts."""
    return lambda settings=None, **named: scenes(request.param, settings, **named)
