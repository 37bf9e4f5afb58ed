"""A filter's life on both hosts: configured, ticking, many requests at once, configured anew; answers
that are late, come twice, or for a request that is gone."""

import json

import pytest

from tests.host.faults import failing
from tests.host.issuer import ALG, Issuer
from tests.host.wasmx import WasmxWorker
from tests.host.worker import CONTINUE, FAILED, PAUSE, Answer

ALL = 40


def configuration(issuer, **settings):
    return json.dumps({"allowed_iss": [issuer.iss], "allowed_alg": [ALG], **settings}).encode()


def test_keys_are_fetched_by_the_tick_before_anybody_asks(either):
    scene = either()
    assert scene.worker.tick_periods == {scene.root: 250}
    scene.warm()
    assert scene.send(scene.issuer.token()).status == 200
    assert scene.send(scene.issuer.token(exp=1)).status == 401
    assert scene.send().status == 401


def test_a_host_without_randomness_is_told_of(either):
    scene = either(fault=failing("random_get", 29))
    assert ("error", "the host has no randomness: HostError(29)") in scene.worker.log
    assert scene.warm().send(scene.issuer.token()).status == 200


def test_many_requests_wait_at_once_and_each_is_decided_once(either):
    scene = either()
    good = [scene.send(scene.issuer.token()) for _ in range(ALL)]
    forged = [scene.send(scene.issuer.forged()) for _ in range(ALL)]
    waiting = [request for request in good + forged if not request.is_over]
    assert waiting
    scene.answer_all()
    scene.pass_time(10_000)
    assert {request.status for request in good} <= {200, 503}
    assert {request.status for request in forged} <= {401, 503}
    assert not any(request.upstream for request in forged)
    assert all(request.is_over for request in waiting)


@pytest.mark.parametrize("kind", ["token", "forged"])
def test_a_body_that_comes_slowly_goes_up_as_it_came_or_not_at_all(either, kind):
    scene = either()
    request = scene.send(getattr(scene.issuer, kind)(), has_body=True)
    scene.worker.body(request, b"ab", False)
    scene.answer_all()
    scene.worker.body(request, b"cd", False)
    scene.worker.trailers(request, [(b"x-checksum", b"12ab")])
    assert request.is_settled
    assert request.status == {"token": 200, "forged": 401}[kind]
    assert request.body.up == (b"abcd" if kind == "token" else b"")


def test_a_host_that_cannot_wake_lets_few_wait(kong):
    scene = kong()
    requests = [scene.send(scene.issuer.token()) for _ in range(ALL)]
    assert len(scene.worker.calls) == 8
    assert sum(not request.is_over for request in requests) == 8
    assert all(request.status == 503 for request in requests if request.is_over)


def test_nobody_waits_for_longer_than_the_configuration_says(envoy):
    scene = envoy({"key_wait_timeout": 2})
    requests = [scene.send(scene.issuer.token()) for _ in range(ALL)]
    scene.pass_time(3000)
    assert {request.status for request in requests} == {503}


def test_a_request_that_goes_away_takes_nothing_along(either):
    scene = either()
    first, second = scene.send(scene.issuer.token()), scene.send(scene.issuer.token())
    own = scene.worker.pending(first.context)
    scene.worker.leave(first)
    for call in own:
        # Where the host brings it all the same
        if call.token in scene.worker.calls:
            scene.worker.answer(call, scene.issuer.answer(call))
    scene.pass_time(15_000)
    scene.answer_all()
    assert first.upstream is None
    assert second.is_over
    assert scene.send(scene.issuer.token()).status == 200


def test_an_answer_that_comes_twice_is_one(either):
    scene = either()
    request = scene.send(scene.issuer.forged())
    for _ in range(2):
        call = scene.calls()[0]
        answer = scene.issuer.answer(call)
        scene.worker.answer(call, answer)
        for again in (answer, FAILED):
            scene.worker.answer_nobodys(request, call.token, again)
    assert request.upstream is None
    assert request.status in (401, 503)


def test_an_answer_after_the_decision_changes_nothing(either):
    scene = either({"key_wait_timeout": 1})
    request = scene.send(scene.issuer.token())
    calls = scene.calls()
    scene.pass_time(2000)
    for call in calls:
        scene.worker.answer(call, scene.issuer.answer(call))
    scene.answer_all()
    scene.pass_time(2000)
    assert request.is_over


def test_answers_for_contexts_that_never_were(either):
    scene = either()
    for context in (0, 4242, 0xFFFFFFFF):
        scene.worker._deliver(context, 1, Answer.of(200, b"{}"))
        scene.worker._enter(context, "proxy_on_tick", context)
        scene.worker._enter(context, "proxy_on_delete", context)
        # Elsewhere it is closed, or was admitted before a trap.
        more = CONTINUE if isinstance(scene.worker, WasmxWorker) else PAUSE
        assert scene.worker._enter(context, "proxy_on_request_body", context, 1, 1) == more
    assert scene.warm().send(scene.issuer.token()).status == 200


def test_a_request_under_no_configuration_is_refused(either):
    scene = either()
    request = scene.worker.request(4242, fields=[])
    assert request.status == 500


def test_a_new_configuration_beside_the_old_one(either):
    scene = either().warm()
    other = Issuer("other")
    root = scene.worker.configure(configuration(other))
    assert scene.send(scene.issuer.token()).status == 200
    assert scene.worker.request(root, fields=[("authorization", f"Bearer {scene.issuer.token()}")]).status == 401
    waits = scene.worker.request(root, fields=[("authorization", f"Bearer {other.token()}")])
    scene.worker.remove_root(scene.root)
    while scene.worker.calls:
        call = scene.calls()[0]
        scene.worker.answer(call, other.answer(call))
    assert waits.status == 200


def test_the_old_configuration_goes_while_requests_wait(either):
    scene = either()
    waits = [scene.send(scene.issuer.token()), scene.send(scene.issuer.forged())]
    scene.worker.configure(configuration(Issuer("other")))
    scene.worker.remove_root(scene.root)
    scene.answer_all()
    assert [request.status for request in waits] == [503, 503]


def test_the_same_configuration_once_more_refuses_who_waits(envoy):
    scene = envoy()
    waits = scene.send(scene.issuer.token())
    scene.worker.configure_again(scene.root)
    assert waits.status == 503
    assert scene.warm().send(scene.issuer.token()).status == 200


def test_a_configuration_that_ends_while_it_fetches_keeps_nobody_waiting(envoy):
    """What the workers share says that somebody is fetching, and nobody is any more."""
    scene = envoy()
    scene.pass_time(250)
    assert scene.calls(), "keys are on their way"
    scene.worker.calls.clear()
    scene.worker.remove_root(scene.root)
    scene.root = scene.worker.configure(configuration(scene.issuer))
    assert scene.warm().send(scene.issuer.token()).status == 200


def test_keys_rotate(either):
    scene = either().warm()
    old = scene.issuer.token()
    scene.issuer.rotate()
    scene.worker.now += 60_000
    request = scene.send(scene.issuer.token())
    scene.answer_all()
    assert request.status == 200
    assert scene.send(old).status == 200


def test_memory_does_not_grow_with_requests(either):
    scene = either().warm()
    token = scene.issuer.token()

    def some(count):
        for _ in range(count):
            scene.worker.leave(scene.send(token))
            scene.worker.leave(scene.send())

    some(100)
    before = scene.worker.vm.memory_bytes()
    some(300)
    assert scene.worker.vm.memory_bytes() == before


# Envoy


def test_envoy_does_not_serve_with_a_bad_configuration(envoy):
    scene = envoy()
    assert scene.worker.configure(b'{"allowed_iss": []}') is None
    assert scene.worker.configure(b"") is None


@pytest.mark.parametrize("kind", ["token", "forged"])
def test_a_body_lets_nothing_through_before_the_decision(envoy, kind):
    scene = envoy(headers_stop_all=False)
    request = scene.send(getattr(scene.issuer, kind)(), has_body=True)
    for data, last in ((b"ab", False), (b"cd", False), (b"", True)):
        scene.worker.body(request, data, last)
        assert request.upstream is None
    scene.answer_all()
    assert request.status == {"token": 200, "forged": 401}[kind]
    assert request.body.up == (b"abcd" if kind == "token" else b"")


def test_a_policy_that_does_not_exist_is_no_policy(envoy):
    scene = envoy({"policies": {"open": {"access": "public"}}})
    scene.worker.policies = {"/open": "open", "/other": "other"}
    assert scene.send(path="/open").status == 200
    assert scene.send(path="/other").status == 500
    assert scene.send(path="/").status == 401


@pytest.mark.parametrize("settings", [{"report_only": True}, {}])
def test_a_callout_that_is_refused_at_once_sends_nothing_up_twice(either, settings):
    """The head's own callback decides: there is nothing to be resumed."""
    scene = either(settings, fault=lambda name: 10 if name == "proxy_http_call" else None)
    request = scene.send(scene.issuer.token())
    assert request.status == (200 if settings else 503)
    assert request.times_up == (1 if settings else 0)
