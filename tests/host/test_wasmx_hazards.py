"""What is known to open Kong's WasmX, one by one: the filter stays closed.

The numbers are those of README.md's list.
"""

import json

import pytest

from tests.host import kong_json
from tests.host.faults import NthFault
from tests.host.issuer import Issuer, bearer
from tests.host.scene import MODULE
from tests.host.vm import Trap, module
from tests.host.wasmx import CALLBACKS
from tests.host.worker import FAILED, HOST_CALLS, Answer

HIDE = {"upstream_token": "hide", "uri_param_names": []}
SPOOFED = "x-consumer-username"


def answers_that_bring_nothing():
    cut = Answer.of(200, b'{"issuer": "')
    cut.told_size = 500
    return {
        "failed": FAILED,
        "status 500": Answer.of(500, b"{}"),
        "redirect": Answer.of(302),
        "nothing": Answer.of(200),
        "garbage": Answer.of(200, b"<html>"),
        "not UTF-8": Answer.of(200, b'{"issuer": "\xff"}'),
        "cut, and told in full": cut,
        "cut before the fields": Answer([(b":dispatch_status", b"ok")]),
        "timed out behind the status line": Answer.of(200, b"{}", **{":dispatch_status": "timeout"}),
        "timed out, and looks whole": Answer.of(
            200,
            b'{"issuer": "http://keycloak:8080/realms/demo", "jwks_uri": "http://keycloak:8080/realms/demo/certs"}',
            **{":dispatch_status": "timeout"},
        ),
        "a status that is no number": Answer([(b":status", b"2oo")], b"{}"),
        "fields that are not UTF-8": Answer([(b":status", b"\xff"), (b"\xff", b"\xff")], b"{}"),
        "too large": Answer.of(200, b" " * (2 << 20)),
        "of another issuer": Answer.of(200, b'{"issuer": "http://other/", "jwks_uri": "http://other/"}'),
        "a port that traps": Answer.of(
            200, b'{"issuer": "http://keycloak:8080/realms/demo", "jwks_uri": "http://keycloak:99999/"}'
        ),
        "a name that traps": Answer.of(
            200, b'{"issuer": "http://keycloak:8080/realms/demo", "jwks_uri": "http://key,cloak/"}'
        ),
    }


# 1. A trap while an answer is delivered lets the request through.


@pytest.mark.parametrize("kind", ["token", "forged"])
def test_1_a_trap_at_any_host_call_of_an_answer_lets_nothing_up(kong, kind):
    trap = NthFault(Trap("told to"))
    admitted = False
    for after in range(200):
        scene = kong({"claims_to_headers": {"x-user": "sub"}}, fault=trap, may_trap=True)
        request = scene.send(getattr(scene.issuer, kind)())
        while scene.worker.calls and not scene.worker.traps:
            call = scene.calls()[0]
            trap.after = after if call.path.endswith("/certs") else None
            scene.worker.answer(call, scene.issuer.answer(call))
        trap.after = None
        if not scene.worker.traps:
            break
        if request.upstream is None:
            # Behind the last call that decides there is nothing left to go wrong.
            assert request.status == 500 and not admitted
        else:
            admitted = True
            assert kind == "token"
            assert request.value(b"x-user") == [b"5ae1"]
    assert after > 10, "no host call was reached"
    assert request.status == {"token": 200, "forged": 401}[kind], "without a trap"


# 2. After the last answer a request goes on by itself.


@pytest.mark.parametrize("answer", answers_that_bring_nothing().values(), ids=list(answers_that_bring_nothing()))
@pytest.mark.parametrize("document", ["openid-configuration", "certs"])
def test_2_no_answer_that_brings_nothing_lets_anything_up(kong, answer, document):
    scene = kong()
    requests = [scene.send(scene.issuer.token()), scene.send(scene.issuer.forged())]
    while scene.worker.calls:
        call = scene.calls()[0]
        scene.worker.answer(call, answer if call.path.endswith(document) else scene.issuer.answer(call))
    for request in requests:
        assert request.upstream is None
        # An issuer that cannot be reached is nobody's fault but its own.
        assert request.status == 503


def test_2_a_callout_that_cannot_be_sent_is_no_way_through(kong):
    scene = kong(fault=lambda name: 10 if name == "proxy_http_call" else None)
    assert scene.send(scene.issuer.token()).status == 503


def test_2_an_answer_that_belongs_to_no_call_is_no_way_through(kong):
    scene = kong()
    waits = scene.send(scene.issuer.token())
    (call,) = scene.calls()
    scene.worker.answer_nobodys(waits, call.token + 1, Answer.of(200))
    assert waits.status is None, "its own answer is still to come"
    scene.answer_all()
    assert waits.status == 200


def test_2_the_answer_to_anothers_call_is_no_way_through(kong):
    scene = kong()
    first, second = scene.send(scene.issuer.token()), scene.send(scene.issuer.token())
    one, two = scene.calls()
    # As if the host had mixed them up.
    del scene.worker.calls[one.token]
    scene.worker.answer_nobodys(first, two.token, FAILED)
    assert first.upstream is None
    del scene.worker.calls[two.token]
    scene.worker.answer_nobodys(second, one.token, FAILED)
    assert second.upstream is None


# 3. A trap of any request lets others through that wait.


def test_3_a_trap_elsewhere_lets_no_waiting_request_up(kong):
    trap = NthFault(Trap("told to"))
    scene = kong(fault=trap, may_trap=True)
    waiting = [scene.send(scene.issuer.token()), scene.send(scene.issuer.forged())]
    trap.after = 3
    assert scene.send(scene.issuer.token()).status == 500
    assert [request.upstream for request in waiting] == [None, None]
    assert [request.status for request in waiting] == [500, 500]


# 4. Randomness can be predicted: test_upstream_jwt.py.


# 5. What is removed goes up, and of several fields one is replaced.


def test_5_a_field_that_only_the_gateway_may_set_is_refused(kong):
    scene = kong({"claims_to_headers": {"x-user": "sub"}}).warm()
    for name in (SPOOFED, "X-Consumer-ID", "x_consumer_id", "x-user", "X-USER"):
        for values in (["admin"], ["admin", "admin"], [""]):
            request = scene.send(scene.issuer.token(), [(name, value) for value in values])
            assert request.status == 400, name
            assert json.loads(request.response[2])["error"] == "invalid_request"


@pytest.mark.parametrize("settings", [{"access": "optional"}, {"report_only": True}, {"access": "public"}])
def test_5_nor_does_it_pass_where_no_token_is_needed(kong, settings):
    scene = kong(settings)
    assert scene.send(fields=[(SPOOFED, "admin")]).status == 400
    assert scene.send().status == 200


def test_5_a_hidden_token_is_overwritten(kong):
    scene = kong({**HIDE, "cookie_names": ["session"]}).warm()
    token = scene.issuer.token()
    request = scene.send(token)
    assert request.value(b"authorization") == [b"-"]
    request = scene.send(fields=[("cookie", f"session={token}")])
    assert request.value(b"cookie") == [b"-"]
    request = scene.send(fields=[("cookie", f"a=b; session={token}")])
    assert request.value(b"cookie") == [b"a=b"]


def test_5_a_token_that_stands_twice_cannot_be_hidden(kong):
    scene = kong({**HIDE, "header_names": [{"name": "x-token", "scheme": ""}]}).warm()
    token = scene.issuer.token()
    assert scene.send(fields=[("x-token", token)]).value(b"x-token") == [b"-"]
    assert scene.send(fields=[("x-token", token), ("X-Token", token)]).status == 400


def test_5_a_claim_that_is_empty_takes_nothing_away(kong):
    scene = kong({"claims_to_headers": {"x-name": "name"}}).warm()
    assert scene.send(scene.issuer.token(name="")).value(b"x-name") == []
    assert scene.send(scene.issuer.token(name="ada")).value(b"x-name") == [b"ada"]


def test_5_the_query_that_goes_up_is_not_promised_to_change(kong):
    scene = kong({"upstream_token": "hide"})
    assert scene.send(scene.issuer.token()).status == 500
    assert any("$.upstream_token" in text for _, text in scene.worker.log)


# 6. To go on after a dispatch ends the worker. (The host here ends, too: `Crash`.)
# 7. So do other calls: see wasmx.py for those that crash.


def test_6_and_7_no_call_ends_the_worker(kong):
    settings = {
        **HIDE,
        "cookie_names": ["session"],
        "claims_to_headers": {"x-user": "sub"},
        "claims_to_properties": {"user": "sub"},
        "consumer_match": True,
        "consumers": [{"username": "app"}],
        "rules": [{"path": "/*"}],
    }
    scene = kong(settings)
    waits = scene.send(scene.issuer.token(), path="/orders?x=1")
    scene.answer_all()
    assert waits.status == 200
    assert waits.properties["kong.ctx.shared.jwt_keycloak_user"] == b"5ae1"
    assert waits.value(SPOOFED.encode()) == [b"app"]
    # No cookie: there is none to remove.
    assert scene.send(scene.issuer.token()).status == 200


def test_7_a_second_configuration_asks_for_no_second_tick(kong):
    scene = kong()
    assert scene.worker.configure(json.dumps({"allowed_iss": [scene.issuer.iss]}).encode())
    scene.worker.configure_again(scene.root)
    scene.warm()
    assert scene.send(scene.issuer.token()).status == 200


# 8. An answer that was cut reads as 200: see answers_that_bring_nothing.
# 9. Shared names that have one checksum are one.


def test_9_issuers_whose_names_collide_do_not_share_keys(scenes):
    shared = {}
    named = {"shm_kv": True, "collide": True, "shared": shared}
    settings = {"shared_key_cache": True}
    one = scenes("wasmx", settings, issuer=Issuer("one"), **named).warm()
    two = scenes("wasmx", settings, issuer=Issuer("two"), **named).warm()
    for _ in range(3):
        for mine, other in ((one, two), (two, one)):
            mine.pass_time(1000)
            mine.answer_all()
            assert mine.send(mine.issuer.token()).status == 200
            # The other's key under this one's name
            request = mine.send(mine.issuer.token(key=other.issuer.keys[0]))
            mine.answer_all()
            assert request.status == 401


# 10. Shared data is not overwritten without its version.


def test_10_one_worker_fetches_for_all(scenes):
    shared = {}
    issuer = Issuer()
    workers = [
        scenes("wasmx", {"shared_key_cache": True}, issuer=issuer, shm_kv=True, shared=shared) for _ in range(3)
    ]
    fetches = 0
    for scene in workers:
        scene.pass_time(250)
        fetches += len(scene.calls())
        scene.answer_all()
    assert fetches == 1
    for scene in workers:
        scene.pass_time(250)
        assert scene.send(issuer.token()).status == 200


def test_10_shared_memory_that_is_not_there_is_not_touched(kong):
    scene = kong(shm_kv=False).warm()
    assert scene.send(scene.issuer.token()).status == 200


# 11. Of several fields of a name in an answer one may be lost.


def test_11_no_answer_has_a_field_twice(kong):
    scene = kong({"scope": ["missing"]}).warm()
    requests = [scene.send(), scene.send(scene.issuer.token()), scene.send(scene.issuer.forged())]
    scene.answer_all()
    assert [request.status for request in requests] == [401, 403, 401]
    for request in requests:
        names = [name.lower() for name, _ in request.response[1]]
        assert len(names) == len(set(names))


# 12. :authority is the gateway's own name, and :path is decoded.


def test_12_rules_see_the_path_as_it_was_sent(kong):
    scene = kong({"rules": [{"path": "/public/*", "access": "public"}], "rules_default": "deny"})
    assert scene.send(path="/public/x").status == 200
    assert scene.send(path="/public/x").upstream[0] == b"/public/x"
    assert scene.send(path="/public%2Fx").status == 400
    assert scene.send(path="/public/..%2fadmin").status == 400
    assert scene.send(path="/admin").status == 403


# 13. Fields above 96 are cut.


@pytest.mark.parametrize("count", [97, 98, 100, 101, 150, 1000])
def test_13_a_request_whose_fields_may_be_cut_is_refused(kong, count):
    scene = kong({"access": "public"}).warm()
    padding = [(f"x-{index}", "1") for index in range(count - 1)]
    assert scene.send(fields=[*padding, (SPOOFED, "admin")]).status == 431
    assert scene.send(fields=[*padding[:95], ("x-last", "1")]).status == 200


# 14. What is not UTF-8 is no reason to trap.


def test_14_octets_that_are_not_utf_8_pass_as_they_are(kong):
    scene = kong({"claims_to_headers": {"x-user": "sub"}}).warm()
    fields = [(b"x-octets", b"\xff\xfe\x00"), (b"x-\xff", b"1"), (b"cookie", b"\xff=\xff")]
    request = scene.send(scene.issuer.token(), fields, path=b"/\xff?\xff=\xff", method="GET\xff")
    assert request.status == 200
    assert request.value(b"x-octets") == [b"\xff\xfe\x00"]
    assert scene.send(fields=[("authorization", b"Bearer \xff.\xff.\xff")]).status == 400


# The guard: nginx's $upstream_scheme.


def test_guard_is_closed_while_a_request_waits_and_opened_as_it_was(kong):
    for scheme in (b"http", b"https"):
        scene = kong(variables={"upstream_scheme": scheme})
        request = scene.send(scene.issuer.token())
        assert request.variables["upstream_scheme"] == b"denied"
        scene.answer_all()
        assert request.status == 200
        assert request.variables["upstream_scheme"] == scheme


def test_guard_stays_closed_for_what_is_refused(kong):
    scene = kong()
    request = scene.send(scene.issuer.forged())
    scene.answer_all()
    assert request.status == 401
    assert request.variables["upstream_scheme"] == b"denied"


def test_guard_where_it_cannot_be_closed_nobody_waits(kong):
    """Another nginx than Kong's."""
    scene = kong(variables={})
    assert scene.send(scene.issuer.token()).status == 503
    assert scene.worker.calls == {}
    # The ticks fetch all the same.
    scene.pass_time(5000)
    scene.answer_all()
    assert scene.send(scene.issuer.token()).status == 200


def test_guard_that_cannot_be_opened_refuses(kong):
    closing = iter([None])
    scene = kong(fault=lambda name: next(closing, 10) if name == "proxy_set_property" else None)
    request = scene.send(scene.issuer.token())
    scene.answer_all()
    assert request.status == 500
    assert request.upstream is None


# A configuration that is refused switches all filters off.


def test_a_bad_configuration_is_taken_and_answers_every_request_with_500(kong):
    for settings in ({"allowed_iss": []}, {"unknown": 1}, {"policies": {"a": {}}}, {"callout_target": "http://kc"}):
        scene = kong(settings)
        assert not scene.worker.filters_off
        for request in (scene.send(), scene.send(scene.issuer.token())):
            assert request.status == 500
        faults = [text for level, text in scene.worker.log if level == "error" and "$" in text]
        assert faults


@pytest.mark.parametrize("text", [b"", b"null", b'"a string"', b"[]", b"{", b"\xff", b"\0", b"[" * 10_000])
def test_a_configuration_that_is_none_is_taken_too(kong, text):
    scene = kong()
    root = scene.worker.configure(text)
    assert not scene.worker.filters_off
    assert scene.worker.request(root, fields=bearer(scene.issuer.token())).status == 500
    assert scene.send(scene.issuer.token()).status is None, "the others go on"


def test_a_host_that_fails_while_it_hands_the_configuration_over_opens_nothing(kong):
    for name in HOST_CALLS:
        scene = kong(fault=lambda called, failing=name: 2 if called == failing else None)
        assert not scene.worker.filters_off, name
        request = scene.send()
        assert request.upstream is None, name


# Kong's own JSON.


def test_what_kong_makes_of_json_means_the_same():
    text = b'{"b": [], "a": {"c": [], "d": 3.0}, "e": "a/b", "f": null, "g": [[], "\xc3\xa9"], "h": 12345678901234567}'
    rewritten = kong_json.rewritten(text)
    assert b"[]" not in rewritten
    assert b'"a\\/b"' in rewritten
    assert b'"d":3}' in rewritten or b'"d":3,' in rewritten
    assert b"1.234567890123457e+16" in rewritten
    assert kong_json.rewritten(b'"a string"') == b'"a string"'


def test_empty_lists_stay_lists(kong):
    scene = kong({"uri_param_names": [], "cookie_names": [], "clock_skew": 3.0}).warm()
    assert scene.send(scene.issuer.token()).status == 200
    assert scene.send(path=f"/?jwt={scene.issuer.token()}").status == 401


# The module itself.


def test_every_callback_that_the_worker_would_miss_is_exported():
    exports = {export.name for export in module(MODULE).exports}
    assert set(CALLBACKS) <= exports


def test_metrics_with_long_names_are_left_out(kong):
    scene = kong({"issuers": [{"iss": "http://keycloak:8080/realms/long", "name": "x" * 300}]})
    assert scene.send(Issuer("long").token()).status is None


def test_a_refusal_that_the_host_does_not_take_is_sent_without_its_fields(either):
    scene = either()
    take = scene.worker._local_response
    scene.worker._local_response = lambda response, grpc: 2 if response[1] else take(response, grpc)
    assert scene.send().status == 401


def test_guard_is_closed_where_a_refusal_cannot_be_sent(kong):
    scene = kong(fault=lambda name: 10 if name == "proxy_send_local_response" else None)
    request = scene.send()
    assert request.upstream is None
    assert request.variables["upstream_scheme"] == b"denied"


# Several filters on one request: the service's chain and the route's.


def test_two_filters_let_through_what_both_admit(kong):
    scene = kong()
    other = scene.worker.configure(scene.worker.configurations[scene.root])
    good, forged = (scene.send(token, then=[other]) for token in (scene.issuer.token(), scene.issuer.forged()))
    assert len(good.contexts) == 1, "the second filter has not seen it yet"
    scene.answer_all()
    assert (good.status, forged.status) == (200, 401)
    assert len(good.contexts) == 2
    assert good.variables["upstream_scheme"] == b"http"


def test_a_filter_behind_one_that_has_refused_gives_no_second_answer(kong):
    """After a callout the host goes on to it, and a second answer would be a trap."""
    scene = kong()
    other = scene.worker.configure(scene.worker.configurations[scene.root])
    request = scene.send(scene.issuer.forged(), then=[other], body=b"order")
    scene.answer_all()
    assert len(request.contexts) == 2, "the host asks it"
    assert request.status == 401
    assert request.upstream is None
    # At once: nobody asks it.
    assert len(scene.send(then=[other]).contexts) == 1


def test_a_filter_that_is_refused_its_configuration_stays_silent_there_too(kong):
    scene = kong()
    bad = scene.worker.configure(b"{}")
    request = scene.send(scene.issuer.forged(), then=[bad])
    scene.answer_all()
    assert request.status == 401


# Roots and requests are numbered apart.


def test_a_request_with_a_roots_number_takes_no_root_along(kong):
    scene = kong()
    scene.worker.last_root = 20
    scene.root = scene.worker.configure(scene.worker.configurations[scene.root])
    for _ in range(40):
        scene.worker.leave(scene.send())
    scene.requests.clear()
    assert scene.worker.last_context > scene.root == 21
    assert scene.warm().send(scene.issuer.token()).status == 200


# After a trap another instance is there, which knows of nothing before.


def test_a_request_with_a_body_that_was_held_before_a_trap_ends(kong):
    trap = NthFault(Trap("told to"))
    scene = kong(fault=trap, may_trap=True)
    held = scene.send(scene.issuer.token(), body=b"order")
    held.paused = False  # not one of those that the trap lets go on at once
    trap.after = 3
    scene.send(scene.issuer.token())
    scene.answer_all()
    assert held.status == 500
    assert scene.warm().send(scene.issuer.token()).status == 200


# The status line has no room for a reason.


def test_the_reason_of_a_refusal_is_not_in_the_status_line(kong, envoy):
    assert kong().send().details == b""
    assert envoy().send().details == b"jwt_keycloak{missing_token}"


# A call has a time-out for each step, and none for the whole.


def test_a_call_without_end_keeps_no_other_from_new_keys(kong):
    scene = kong({"jwks_refresh_interval": 5}).warm()
    scene.issuer.rotate()
    scene.worker.now += 60_000
    trickles = scene.send(scene.issuer.token())
    (endless,) = scene.calls()
    scene.pass_time(20_000)
    while others := [call for call in scene.calls() if call.token != endless.token]:
        scene.worker.answer(others[0], scene.issuer.answer(others[0]))
    assert scene.send(scene.issuer.token()).status == 200
    assert trickles.status is None


def test_a_request_with_a_body_whose_configuration_is_gone_ends(kong):
    scene = kong()
    request = scene.send(scene.issuer.token(), body=b"order")
    scene.worker.remove_root(scene.root)
    scene.answer_all()
    assert request.status in (500, 503)
