"""What the hosts do with callouts: shown with a module that does as it is told.

What is said of Envoy was seen on Envoy 1.40.0.
"""

import hashlib
import json

import pytest

from tests.host import callout, header_map
from tests.host.callout import Outcome
from tests.host.envoy import TIMED_OUT, UNREACHABLE
from tests.host.gateways import EnvoyGateway, WasmxGateway
from tests.host.puppet import path, puppet_at
from tests.host.worker import BAD_ARGUMENT, CONTINUE, FAILED, OK, PAUSE, Answer, Crash
from tests.stack import upstream

BODY = b"token=ey&x=%26"
ANSWER = Answer.of(200, b'{"active": true}')


def post(**more):
    fields = {":method": "POST", ":path": "/introspect", ":authority": "keycloak", "content-type": "text/plain", **more}
    return header_map.encode([(name.encode(), value.encode()) for name, value in fields.items()])


def asking(profile, *acts, body=BODY, fields=None, **named):
    """A puppet that asks in each request's head, and waits; it acts for the request when there is an answer."""
    puppet = puppet_at(profile, **named)
    puppet.tell(fields=fields or post(), body=body)
    puppet.enters(puppet.root)
    puppet.on("headers", PAUSE, *acts, "call")
    answers = puppet.answers = []
    deliver = puppet.worker._deliver

    def delivered(context, token, answer, named=None):
        answers.append((context, token))
        return deliver(context, token, answer, named)

    puppet.worker._deliver = delivered
    return puppet


def ask(puppet):
    request = puppet.send()
    puppet.acts_for(request.context)
    call = list(puppet.worker.calls.values())[-1]
    return request, call


# What goes out


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_a_body_goes_out_and_its_length_with_it(profile):
    _, call = ask(asking(profile))
    assert (call.method, call.path, call.body) == ("POST", "/introspect", BODY)
    assert call.form == {"token": ["ey"], "x": ["&"]}
    assert call.fields[b"content-length"] == b"14"
    assert call.fields[b"content-type"] == b"text/plain"


def test_envoy_writes_the_length_whatever_the_filter_says():
    _, call = ask(asking("envoy", fields=post(**{"content-length": "5"})))
    assert call.fields[b"content-length"] == b"14"


def test_without_a_body_wasmx_alone_writes_a_length():
    assert b"content-length" not in ask(asking("envoy", body=b""))[1].fields
    assert ask(asking("wasmx", body=b""))[1].fields[b"content-length"] == b"0"


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_no_filter_may_send_a_field_that_would_be_two(profile):
    with pytest.raises(AssertionError):
        ask(asking(profile, fields=post(authorization="Bearer a\r\nx: y")))


# Whose it is


@pytest.mark.parametrize("acts", [(), ("enter",), ("enter", "back")], ids=["as itself", "as the root", "and back"])
def test_to_envoy_every_callout_is_the_roots(acts):
    puppet = asking("envoy", *acts)
    request, call = ask(puppet)
    assert puppet.result("call")[0] == OK and request.status is None
    puppet.on("response", CONTINUE, "continue")
    puppet.worker.answer(call, ANSWER)
    assert puppet.answers == [(puppet.root, call.token)]
    assert request.status == 200


def test_as_the_root_a_request_does_not_see_itself():
    puppet = asking("envoy", "enter", "get", "back")
    puppet.tell(name=b":path")
    ask(puppet)
    assert puppet.result("enter")[0] == puppet.result("back")[0] == OK
    assert puppet.result("get")[0] == BAD_ARGUMENT
    # And is itself again.
    puppet.on("headers", PAUSE, "enter", "back", "answer")
    assert puppet.send().status == 403


def test_envoy_brings_an_answer_although_who_asked_has_gone():
    puppet = asking("envoy")
    gone, call = ask(puppet)
    stays = puppet.send()
    puppet.worker.leave(gone)
    assert call.token in puppet.worker.calls
    puppet.acts_for(stays.context)
    puppet.on("response", CONTINUE, "answer")
    puppet.worker.answer(call, ANSWER)
    assert puppet.answers == [(puppet.root, call.token)]
    assert stays.status == 403 and gone.status is None


def test_one_answer_may_decide_many_requests_on_envoy():
    puppet = asking("envoy")
    requests = [ask(puppet)[0] for _ in range(3)]
    first, *others = puppet.worker.calls.values()
    puppet.on("response", CONTINUE, "answer")
    for call, request in zip([first, *others], reversed(requests), strict=True):
        puppet.acts_for(request.context)
        puppet.worker.answer(call, ANSWER)
        assert request.status == 403


@pytest.mark.parametrize("leaves", [False, True], ids=["it waits", "it has gone"])
def test_envoy_takes_another_callout_in_an_answers_callback(leaves):
    puppet = asking("envoy")
    request, call = ask(puppet)
    if leaves:
        puppet.worker.leave(request)
    puppet.on("response", CONTINUE, "call")
    puppet.worker.answer(call, ANSWER)
    (second,) = puppet.worker.calls.values()
    assert puppet.result("call")[0] == OK and second.token != call.token
    puppet.on("response", CONTINUE, "continue")
    puppet.worker.answer(second, ANSWER)
    assert request.status == (None if leaves else 200)


def test_a_request_that_has_just_gone_can_be_entered_and_must_not_be_answered_on_envoy():
    puppet = asking("envoy")
    request, call = ask(puppet)
    puppet.worker.leave(request)
    puppet.enters(request.context)
    puppet.on("response", CONTINUE, "enter", "answer")
    with pytest.raises(Crash):
        puppet.worker.answer(call, ANSWER)


def test_later_it_cannot_be_entered():
    puppet = asking("envoy")
    request, call = ask(puppet)
    puppet.worker.leave(request)
    puppet.worker.now += 1
    puppet.enters(request.context)
    puppet.on("response", CONTINUE, "enter", "answer")
    puppet.worker.answer(call, ANSWER)
    assert puppet.result("enter")[0] == BAD_ARGUMENT


@pytest.mark.parametrize("acts", [(), ("enter",)], ids=["as itself", "as the root"])
def test_to_wasmx_a_callout_is_the_requests_and_over_with_it(acts):
    puppet = asking("wasmx", *acts)
    request, call = ask(puppet)
    assert puppet.result("call")[0] == OK
    puppet.worker.answer(call, ANSWER)
    assert puppet.answers == [(request.context, call.token)]
    assert request.status == 200, "it goes on by itself"
    request, call = ask(puppet)
    puppet.worker.leave(request)
    assert not puppet.worker.calls


def test_a_request_waits_for_a_chain_of_callouts_on_wasmx():
    puppet = asking("wasmx")
    request, call = ask(puppet)
    puppet.on("response", CONTINUE, "call")
    puppet.worker.answer(call, ANSWER)
    assert request.status is None
    puppet.on("response", CONTINUE)
    (second,) = puppet.worker.calls.values()
    assert second.body == BODY
    puppet.worker.answer(second, ANSWER)
    assert request.status == 200


# What becomes of it


@pytest.mark.parametrize(
    "ended, status, on_envoy",
    [
        pytest.param("failed", None, UNREACHABLE, id="no connection"),
        pytest.param("closed", None, UNREACHABLE, id="closed before an answer"),
        pytest.param("timeout", None, TIMED_OUT, id="no answer in time"),
        pytest.param("cut", 200, FAILED, id="cut in the body"),
        pytest.param("timeout", 200, FAILED, id="stalled in the body"),
    ],
)
def test_what_envoy_says_where_nothing_came(ended, status, on_envoy):
    """A 503 or 504 of its own, which looks as if the issuer had sent it. WasmX tells, or brings no fields."""
    outcome = Outcome(ended, status, body=b'{"active": ', length=16)
    assert EnvoyGateway(path(), {}).answer_of(outcome) == on_envoy
    answer = WasmxGateway(path()).answer_of(outcome)
    assert (b":status", b"503") not in answer.fields and answer.fields[:1] != [(b":status", b"504")]
    if status:
        assert answer.told_size == 16


@pytest.mark.parametrize("profile", ["envoy", "wasmx"])
def test_a_post_over_the_network(profile):
    _, call = ask(asking(profile))
    with upstream.Upstream() as server:
        outcome = callout.send(server.address, call)
    assert (outcome.ended, outcome.status) == ("ok", 200)
    received = json.loads(outcome.body)
    assert (received["method"], received["path"]) == ("POST", "/introspect")
    assert received["body_sha256"] == hashlib.sha256(BODY).hexdigest()
    assert [value for name, value in received["headers"] if name == "content-length"] == ["14"]
    assert ["host", "keycloak"] in received["headers"]
