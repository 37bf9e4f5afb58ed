"""What the hosts do with bodies: shown with a module that does as it is told, since the filter would not.

What is said of Envoy was seen on Envoy 1.40.0, by HTTP/1.1 and by HTTP/2.
"""

import pytest

from tests.host.puppet import puppet_at
from tests.host.worker import BAD_ARGUMENT, CONTINUE, NOT_FOUND, OK, PAUSE, Answer, Crash

FIELDS = [(b"x-checksum", b"12ab")]
HTTP = b"\2\0\0\0" + b"".join(size.to_bytes(4, "little") for size in (7, 3, 5, 1)) + b":method\0GET\0:path\0/\0"


@pytest.fixture
def puppets():
    """Makes them; nothing may trap but what is told to."""
    made = []

    def make(profile, **named):
        made.append(puppet_at(profile, **named))
        return made[-1]

    yield make
    for puppet in made:
        assert all("unreachable" in trap for trap in puppet.worker.traps), puppet.worker.traps


@pytest.fixture
def envoy(puppets):
    return lambda **named: puppets("envoy", **{"headers_stop_all": False, **named})


@pytest.fixture
def wasmx(puppets):
    return lambda **named: puppets("wasmx", **named)


def bodies(puppet):
    """The callbacks behind the head's."""
    return [callback for callback in puppet.callbacks if callback[0] != "headers"]


# Envoy


def test_envoy_says_in_the_headers_whether_there_is_a_body(envoy):
    puppet = envoy()
    assert puppet.send().is_settled
    puppet.send(body=b"order")
    puppet.send(has_body=True)
    assert [last for name, _, last in puppet.callbacks if name == "headers"] == [1, 0, 0]


def test_envoy_holds_a_body_for_as_long_as_the_filter_answers_pause(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE, "read", "set")
    request = puppet.send(has_body=True)
    for data, last, shown in ((b"ab", False, b"ab"), (b"c", False, b"abc"), (b"", True, b"abc")):
        if last:
            puppet.on("body", CONTINUE, "read", "set")
        assert request.upstream is None
        puppet.worker.body(request, data, last)
        assert puppet.result("read") == (OK, shown)
    assert bodies(puppet) == [("body", 2, 0), ("body", 3, 0), ("body", 3, 1)]
    assert request.times_up == 1 and request.is_settled
    assert bytes(request.body.up) == b"abc"
    assert request.value(b"x-set") == [b"x-set"]


def test_envoy_hands_over_no_more_than_is_asked_for_and_from_where(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE, "read")
    puppet.offset(3)
    puppet.send(body=b"abcdef")
    assert puppet.result("read") == (OK, b"def")


def test_envoy_lets_what_has_gone_up_be_read_no_more_and_changed_no_more(envoy):
    puppet = envoy()
    puppet.on("body", CONTINUE, "read", "pairs", "get", "set")
    request = puppet.send(has_body=True)
    assert request.upstream and not request.is_settled
    puppet.worker.body(request, b"ab", False)
    puppet.worker.body(request, b"cd", True)
    assert puppet.result("read") == (OK, b"cd")
    # Nothing is handed over, and yet it is Ok.
    assert puppet.result("pairs") == (OK, b"")
    assert puppet.result("get") == puppet.result("set") == (BAD_ARGUMENT, b"")
    assert bytes(request.body.up) == b"abcd" and request.is_settled


def test_envoy_lets_a_body_that_waits_be_read_in_another_callback(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE)
    puppet.on("tick", CONTINUE, "read", "set")
    request = puppet.send(has_body=True)
    puppet.tick_for(request)
    assert puppet.result("read") == (OK, b"")
    for data, last in ((b"ab", False), (b"cd", True)):
        puppet.worker.body(request, data, last)
    puppet.on("tick", CONTINUE, "read", "set", "continue")
    puppet.tick_for(request)
    assert puppet.result("read") == (OK, b"abcd")
    assert bytes(request.body.up) == b"abcd" and request.is_settled and request.times_up == 1
    assert request.value(b"x-set") == [b"x-set"]


def test_envoy_shows_what_comes_after_it_went_on_by_itself(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE)
    puppet.on("tick", CONTINUE, "continue")
    request = puppet.send(has_body=True)
    puppet.worker.body(request, b"ab", False)
    puppet.tick_for(request)
    assert request.upstream and bytes(request.body.up) == b"ab" and not request.is_settled
    puppet.on("body", CONTINUE, "read")
    puppet.worker.body(request, b"cd", False)
    assert puppet.result("read") == (OK, b"cd")
    puppet.worker.body(request, b"", True)
    assert bytes(request.body.up) == b"abcd" and request.is_settled


def test_envoy_answers_413_itself_above_its_limit(envoy):
    puppet = envoy(buffer_limit=4)
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE)
    request = puppet.send(has_body=True)
    puppet.worker.body(request, b"abcd", False)
    assert request.status is None
    puppet.worker.body(request, b"e", False)
    assert request.status == 413 and request.upstream is None
    puppet.worker.body(request, b"f", True)
    assert len(bodies(puppet)) == 1, "nobody is told"
    assert puppet.send(body=b"abcde").status == 413
    puppet.on("body", CONTINUE)
    assert puppet.send(body=b"abcde").status == 200


def test_envoys_body_with_trailers_ends_with_them(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE)
    puppet.on("trailers", PAUSE, "read")
    request = puppet.send(has_body=True)
    puppet.worker.body(request, b"ab", False)
    puppet.worker.trailers(request, FIELDS)
    assert bodies(puppet) == [("body", 2, 0), ("trailers", 1)]
    assert puppet.result("read") == (OK, b"ab")
    assert request.upstream is None
    puppet.on("tick", CONTINUE, "continue")
    puppet.tick_for(request)
    assert request.is_settled and bytes(request.body.up) == b"ab"
    puppet.on("trailers", CONTINUE)
    request = puppet.send(has_body=True)
    puppet.worker.trailers(request, FIELDS)
    assert request.status == 200 and request.is_settled


def test_envoy_shows_no_body_while_its_headers_stop_all(envoy):
    puppet = envoy(headers_stop_all=True, buffer_limit=1)
    puppet.on("headers", PAUSE)
    puppet.on("body", CONTINUE, "read")
    puppet.on("tick", CONTINUE, "continue")
    request = puppet.send(has_body=True)
    for data in (b"ab", b"cd"):
        puppet.worker.body(request, data, False)
    assert bodies(puppet) == [] and request.upstream is None
    puppet.tick_for(request)
    assert bodies(puppet) == [("body", 4, 0)], "all of it at once"
    puppet.worker.trailers(request, FIELDS)
    assert bodies(puppet)[1:] == [("trailers", 1)]
    assert bytes(request.body.up) == b"abcd" and request.is_settled


def test_envoy_shows_a_body_that_ended_while_its_headers_stopped_all(envoy):
    for end in (lambda request: puppet.worker.body(request), lambda request: puppet.worker.trailers(request, FIELDS)):
        puppet = envoy(headers_stop_all=True)
        puppet.on("headers", PAUSE)
        puppet.on("tick", CONTINUE, "continue")
        request = puppet.send(has_body=True)
        end(request)
        puppet.tick_for(request)
        assert len(bodies(puppet)) == 1 and request.is_settled


def test_envoy_takes_a_call_to_go_on_within_a_body_callback_for_one(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", PAUSE)
    request = puppet.send(has_body=True)
    puppet.worker.body(request, b"ab", False)
    puppet.on("body", CONTINUE, "continue")
    puppet.worker.body(request, b"", True)
    assert request.times_up == 1 and request.is_settled
    assert bytes(request.body.up) == b"ab" and not request.body.is_lost


@pytest.mark.parametrize("answer", [CONTINUE, PAUSE])
def test_envoy_loses_a_body_that_comes_at_once_to_a_call_to_go_on(envoy, answer):
    """Its headers go up as if it had none: to be told by Continue alone."""
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", answer, "continue")
    assert puppet.send(body=b"order").body.is_lost


def test_a_module_that_has_gone_on_and_holds_the_rest_is_seen(envoy):
    puppet = envoy()
    puppet.on("body", PAUSE)
    request = puppet.send(body=b"order")
    assert request.is_over and not request.is_settled


def test_envoy_answers_what_is_not_settled_after_a_trap(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", CONTINUE, "trap")
    waits, trapped = puppet.send(has_body=True), puppet.send(body=b"order")
    assert waits.status == trapped.status == 503
    assert waits.upstream is trapped.upstream is None


def test_envoy_sends_nothing_up_of_what_is_answered_in_a_body(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    puppet.on("body", CONTINUE, "answer")
    request = puppet.send(has_body=True)
    puppet.worker.body(request, b"ab", False)
    assert request.status == 403 and request.upstream is None and request.body.up == b""
    puppet.worker.body(request, b"cd", True)
    assert len(bodies(puppet)) == 1


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_nothing_comes_behind_the_end(puppets, profile):
    puppet = puppets(profile)
    request = puppet.send(body=b"order")
    for more in (lambda: puppet.worker.body(request, b"x"), lambda: puppet.worker.trailers(request, FIELDS)):
        more()
        assert bodies(puppet) == [("body", 5, 1)] and request.body.come == request.body.up == b"order"
    assert request.times_up == 1


def test_envoy_forgets_the_body_of_one_that_has_gone(envoy):
    puppet = envoy()
    puppet.on("headers", PAUSE)
    request = puppet.send(has_body=True)
    puppet.worker.leave(request)
    puppet.worker.body(request, b"ab")
    assert bodies(puppet) == [] and request.upstream is None


# WasmX


def test_wasmx_never_says_in_the_headers_that_there_is_no_body(wasmx):
    puppet = wasmx()
    puppet.send()
    puppet.send(body=b"order")
    assert [last for name, _, last in puppet.callbacks if name == "headers"] == [0, 0]


def test_wasmx_tells_once_of_all_of_a_body_when_the_headers_may_pass(wasmx):
    puppet = wasmx()
    puppet.on("headers", CONTINUE, "read")
    puppet.on("body", CONTINUE, "read", "set")
    request = puppet.send(has_body=True)
    assert puppet.result("read") == (NOT_FOUND, b""), "it is not there yet"
    puppet.worker.body(request, b"ab", False)
    assert bodies(puppet) == [] and request.upstream is None
    puppet.worker.body(request, b"cd", True)
    assert bodies(puppet) == [("body", 4, 1)]
    assert puppet.result("read") == (OK, b"abcd")
    # What is set there still goes up.
    assert request.value(b"x-set") == [b"x-set"] and request.times_up == 1
    assert bytes(request.body.up) == b"abcd"


def test_wasmx_tells_nothing_of_a_body_that_is_empty(wasmx):
    puppet = wasmx()
    request = puppet.send(has_body=True)
    puppet.worker.body(request)
    assert bodies(puppet) == [] and request.status == 200


def test_wasmx_tells_of_a_body_after_the_last_answer(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("headers", PAUSE, "call")
    request = puppet.send(body=b"order")
    assert bodies(puppet) == []
    (call,) = puppet.worker.calls.values()
    puppet.worker.answer(call, Answer.of(200))
    assert bodies(puppet) == [("body", 5, 1)] and request.status == 200


def test_wasmx_tells_of_a_body_above_its_buffer_and_shows_nothing_of_it(wasmx):
    puppet = wasmx(client_body_buffer_size=4)
    puppet.on("body", CONTINUE, "read")
    puppet.send(body=b"abcd")
    assert puppet.result("read") == (OK, b"abcd")
    puppet.send(body=b"abcde")
    assert bodies(puppet) == [("body", 4, 1), ("body", 5, 1)]
    assert puppet.result("read") == (NOT_FOUND, b"")


def test_wasmx_ignores_the_offset(wasmx):
    puppet = wasmx()
    puppet.offset(3)
    puppet.on("body", CONTINUE, "read")
    puppet.send(body=b"abcdef")
    assert puppet.result("read") == (OK, b"abcdef")


def test_wasmx_shows_a_body_in_no_other_callback(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("headers", PAUSE, "call")
    puppet.on("response", CONTINUE, "read")
    puppet.send(body=b"order")
    (call,) = puppet.worker.calls.values()
    puppet.worker.answer(call, Answer.of(200))
    assert "can only get request body" in puppet.worker.traps.pop()


def test_wasmx_tells_each_filter_of_the_chain_once(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("body", PAUSE, "call")
    request = puppet.send(body=b"order", then=[puppet.worker.configure(b"{}")])
    for count in (1, 2):
        assert len(bodies(puppet)) == count and request.status is None
        (call,) = puppet.worker.calls.values()
        assert call.context == request.contexts[count - 1][0]
        puppet.worker.answer(call, Answer.of(200))
    assert len(bodies(puppet)) == 2 and request.status == 200


def test_wasmx_takes_an_answer_to_a_body(wasmx):
    puppet = wasmx()
    puppet.on("body", PAUSE, "answer")
    request = puppet.send(body=b"order", then=[puppet.worker.configure(b"{}")])
    assert request.status == 403 and request.upstream is None
    assert len(bodies(puppet)) == 1, "the filter behind it is not told"


def test_wasmx_leaves_hanging_what_pauses_for_nothing(wasmx):
    puppet = wasmx()
    puppet.on("body", PAUSE)
    assert puppet.send(body=b"order").status is None
    puppet.on("headers", PAUSE)
    assert puppet.send().status is None


def test_wasmx_ends_the_worker_that_goes_on_after_a_dispatch(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("body", CONTINUE, "call")
    with pytest.raises(Crash):
        puppet.send(body=b"order")


@pytest.mark.parametrize("scheme, status", [(b"http", 200), (b"denied", 500)])
def test_wasmx_sends_up_what_traps_in_a_body_where_its_way_is_open(wasmx, scheme, status):
    puppet = wasmx(variables={"upstream_scheme": scheme})
    reading = puppet.send(has_body=True)
    puppet.on("body", PAUSE, "trap")
    assert puppet.send(body=b"order").status == status
    assert reading.status == status, "and others that wait"


def test_wasmx_sends_up_what_has_answered_and_then_traps(wasmx):
    puppet = wasmx()
    puppet.on("body", PAUSE, "answer", "trap")
    request = puppet.send(body=b"order")
    assert request.times_up == 1 and request.response is None


def test_wasmx_shows_no_body_before_all_filters_let_the_headers_pass(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("headers", PAUSE, "call")
    request = puppet.send(body=b"order", then=[puppet.worker.configure(b"{}")])
    puppet.on("headers", CONTINUE, "read")
    (call,) = puppet.worker.calls.values()
    puppet.worker.answer(call, Answer.of(200))
    assert puppet.result("read") == (NOT_FOUND, b"") and request.status == 200


def test_wasmx_forgets_the_body_and_the_calls_of_one_that_has_gone(wasmx):
    puppet = wasmx()
    puppet.tell(fields=HTTP)
    puppet.on("body", PAUSE, "call")
    request = puppet.send(body=b"order", then=[puppet.worker.configure(b"{}")])
    slow = puppet.send(has_body=True)
    for one in (request, slow):
        puppet.worker.leave(one)
    puppet.worker.body(slow, b"ab")
    assert puppet.worker.calls == {} and len(bodies(puppet)) == 1
