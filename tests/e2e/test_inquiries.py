"""What issuers are asked over time and among many: what is kept, for how long, and what happens while an
issuer does not answer. Whatever one case alone can show is in the table (cases/introspection.yaml,
cases/authorization-services.yaml).

A gateway's workers keep what they know apart: what counts calls uses one connection, and so one worker.
"""

import concurrent.futures
import re
import socket
import time
import urllib.parse

import pytest

from tests.e2e import client, settings
from tests.e2e.configurations import configurations
from tests.e2e.stub_issuer import eventually

CONFIGURATIONS = configurations()
MANY = 16  # requests on a connection each: enough for every worker to have some
WORKERS = 2  # at most, of the gateways that the suite starts
SLACK = 2  # seconds that a request may take beyond what it has to wait for
# Where requests can be woken, one call is for all who ask the same.
CALLS_FOR_MANY = MANY if settings.IS_KONG else WORKERS


# Elsewhere a policy that a route names is a configuration of its own, which knows nothing of the others.
policies = pytest.mark.skipif(settings.IS_KONG, reason="a route names no policy on Kong")


class Worker:
    """Requests by one connection, to one configuration."""

    def __init__(self, gateway, configuration):
        self._configuration = configuration
        self._connection = client.Connection(gateway.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def get(self, token=None, path="orders", headers=()):
        credentials = [("authorization", f"Bearer {token}")] if token else []
        return self._connection.send("GET", f"/{self._configuration}/{path}", [*credentials, *headers])

    def status(self, token, path="orders"):
        return self.get(token, path).status


@pytest.fixture
def worker(request, gateway, upstream):
    """Of the configuration that the test is marked with."""
    configuration = request.node.get_closest_marker("configuration").args[0]
    with Worker(gateway, configuration) as worker:
        yield worker


def configured(name, member):
    return CONFIGURATIONS[name]["config"][member]


def seconds_until(condition):
    started = time.monotonic()
    eventually(condition)
    return time.monotonic() - started


# What is kept


@pytest.mark.configuration("inquiry")
@pytest.mark.parametrize(
    "recipe",
    [{"opaque": True}, {"lightweight": True}, {"key": "stranger", "introspection": "active"}],
    ids=["opaque", "lightweight", "a key that nobody here has"],
)
def test_an_answer_counts_for_a_while_and_no_longer(worker, stub, mint, recipe):
    issuer, token = stub["inquiry"], mint(issuer="inquiry", **recipe)
    kept = configured("inquiry", "introspection")["cache_seconds"]
    started = time.monotonic()
    assert [worker.status(token) for _ in range(5)] == [200] * 5
    # On a machine that is so slow this says nothing.
    assert issuer.asked("introspection", token) == 1 or time.monotonic() - started > kept
    issuer.revoke(token)
    assert seconds_until(lambda: worker.status(token) == 401) < kept + SLACK
    assert issuer.asked("introspection", token) >= 2


@pytest.mark.configuration("inquiry")
def test_nothing_is_kept_where_nothing_may_be(worker, stub, mint):
    issuer, token = stub["inquiry"], mint(issuer="inquiry", opaque=True)
    assert [worker.status(token, "each/orders") for _ in range(3)] == [200] * 3
    assert issuer.asked("introspection", token) == 3
    issuer.revoke(token)
    assert worker.status(token, "each/orders") == 401
    assert issuer.asked("introspection", token) == 4
    # The same where it is inactive: stated as 0, it is 0 for both.
    assert worker.status(token, "each/orders") == 401
    assert issuer.asked("introspection", token) == 5


def test_every_answer_is_asked_for_by_default_where_tokens_are_verified(gateway, upstream, stub, mint):
    issuer = stub["inquiry-local"]
    token = mint(issuer="inquiry-local")
    with Worker(gateway, "inquiry-local") as worker:
        eventually(lambda: worker.status(mint(issuer="inquiry-local")) == 200)
        assert [worker.status(token) for _ in range(3)] == [200] * 3
    assert issuer.asked("introspection", token) == 3


@pytest.mark.configuration("inquiry")
def test_nothing_counts_beyond_its_exp(worker, stub, mint):
    """Told in whole seconds, and kept for an hour otherwise."""
    issuer = stub["inquiry"]
    token = mint(issuer="inquiry", opaque=True, introspection={"exp": "now+3"})
    assert worker.status(token, "long/orders") == 200
    ended = seconds_until(lambda: worker.status(token, "long/orders") == 401)
    assert ended < 3 + SLACK
    assert issuer.asked("introspection", token) in (1, 2)


@pytest.mark.configuration("inquiry")
def test_bad_news_counts_for_a_while_as_well(worker, stub, mint):
    issuer = stub["inquiry"]
    token = mint(issuer="inquiry", opaque=True)
    known = issuer.endpoints.known.pop(token)
    started = time.monotonic()
    assert [worker.status(token) for _ in range(5)] == [401] * 5
    kept = configured("inquiry", "introspection")["negative_cache_seconds"]
    assert issuer.asked("introspection", token) == 1 or time.monotonic() - started > kept
    issuer.endpoints.known[token] = known
    assert seconds_until(lambda: worker.status(token) == 200) < kept + SLACK


@pytest.mark.configuration("inquiry")
def test_tokens_are_not_taken_for_each_other(worker, stub, mint):
    """Whatever they have in common: one that begins or ends as another does is another."""
    good = mint(issuer="inquiry", opaque=True)
    assert worker.status(good) == 200
    assert worker.status(good) == 200
    assert [worker.status(other) for other in (good[:-1], good[1:], good + "A", good.swapcase())] == [401] * 4
    assert worker.status(good) == 200


@policies
@pytest.mark.configuration("inquiry")
def test_a_policy_has_its_own_patience(worker, stub, mint):
    """What was learnt for an hour elsewhere does not count where nothing may be kept."""
    issuer, token = stub["inquiry"], mint(issuer="inquiry", opaque=True)
    assert worker.status(token, "long/orders") == 200
    issuer.revoke(token)
    assert worker.status(token, "each/orders") == 401
    assert worker.status(token, "long/orders") == 401, "it is known to be inactive by now"


@policies
@pytest.mark.configuration("inquiry-session")
def test_whose_session_has_ended_is_asked_about_again(worker, stub, mint):
    """What one request learns of a token that was good counts for all others of its session."""
    issuer = stub["inquiry-session"]
    first, second = (mint(issuer="inquiry-session", claims={"sid": "session-a"}) for _ in range(2))
    other = mint(issuer="inquiry-session", claims={"sid": "session-b"})
    for token in (first, second, other):
        assert [worker.status(token) for _ in range(2)] == [200, 200]
        assert issuer.asked("introspection", token) == 1
    for token in (first, second):
        issuer.revoke(token)
    # Kept for an hour, and nobody has asked since.
    assert worker.status(first) == 200
    assert worker.status(second, "each/orders") == 401
    assert worker.status(second) == 401
    assert worker.status(first) == 401
    assert worker.status(other) == 200
    assert issuer.asked("introspection", other) == 1


@pytest.mark.configuration("inquiry-session")
def test_nobody_ends_a_session_by_its_name(worker, stub, mint):
    """Whoever makes tokens up can name any session."""
    issuer = stub["inquiry-session"]
    good = mint(issuer="inquiry-session", claims={"sid": "session-c"})
    assert [worker.status(good) for _ in range(2)] == [200, 200]
    for recipe in ({"key": "stranger"}, {"introspection": "inactive"}, {"tamper": [{"flip_signature_bit": 9}]}):
        assert worker.status(mint(issuer="inquiry-session", claims={"sid": "session-c"}, **recipe)) == 401
    assert worker.status(good) == 200
    assert issuer.asked("introspection", good) == 1


@pytest.mark.configuration("inquiry-assertions")
def test_every_assertion_is_new(worker, stub, mint):
    """An issuer takes each once (RFC 7523, 3): also where a call is tried again."""
    issuer = stub["inquiry-once"]
    before = list(issuer.endpoints.complaints)
    assert [worker.status(mint(issuer="inquiry-once")) for _ in range(8)] == [200] * 8
    with issuer.answering(introspection=["fails", "normal"]):
        assert worker.status(mint(issuer="inquiry-once")) == 200
    assert issuer.endpoints.complaints == before


# Many at once


def waiting_for(issuer, gateway, path, tokens):
    """The answers to requests of which all wait; released by whoever has the generator."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(tokens)) as pool:
        issuer.answer(introspection="held")
        try:
            running = [pool.submit(gateway.get, path, token) for token in tokens]
            issuer.wait_until_held("introspection")
            yield running
        finally:
            issuer.answer(introspection="normal")


def test_many_who_ask_the_same_cause_one_call(gateway, upstream, stub, mint):
    issuer, token = stub["inquiry"], mint(issuer="inquiry", opaque=True)
    for running in waiting_for(issuer, gateway, "/inquiry/long/orders", [token] * MANY):
        # There is nothing to wait for: that nothing happens takes a moment to see.
        time.sleep(0.7)
        assert not any(each.done() for each in running)
        assert issuer.fetches("introspection") >= 1
    assert {each.result().status for each in running} == {200}
    assert 1 <= issuer.asked("introspection", token) <= CALLS_FOR_MANY


def test_each_is_told_of_its_own_token(gateway, upstream, stub, mint):
    issuer = stub["inquiry"]
    tokens = [
        mint(issuer="inquiry", opaque=True, introspection="inactive" if at % 2 else "active") for at in range(MANY)
    ]
    for running in waiting_for(issuer, gateway, "/inquiry/each/orders", tokens):
        eventually(lambda: sum(issuer.asked("introspection", token) for token in tokens) == MANY)
    assert [each.result().status for each in running] == [200, 401] * (MANY // 2)


def test_a_client_that_hangs_up_takes_nothing_along(gateway, upstream, stub, mint):
    """Not even where its request was the one that caused the call."""
    issuer, token = stub["inquiry"], mint(issuer="inquiry", opaque=True)
    url = urllib.parse.urlsplit(gateway.address)
    path = "/inquiry/long/hung-up"
    request = f"GET {path} HTTP/1.1\r\nhost: {url.netloc}\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    issuer.answer(introspection="held")
    try:
        with concurrent.futures.ThreadPoolExecutor(max_workers=MANY) as pool:
            gone = [socket.create_connection((url.hostname, url.port)) for _ in range(MANY // 2)]
            for connection in gone:
                connection.sendall(request)
            issuer.wait_until_held("introspection")
            running = [pool.submit(gateway.get, "/inquiry/long/orders", token) for _ in range(MANY // 2)]
            time.sleep(0.3)
            for connection in gone:
                connection.close()
            time.sleep(0.3)
            assert not any(each.done() for each in running)
            issuer.answer(introspection="normal")
            assert {each.result().status for each in running} == {200}
    finally:
        issuer.answer(introspection="normal")
    assert upstream.requests(path) == 0
    # And the gateway goes on.
    assert gateway.get("/inquiry/long/orders", token).status == 200


def test_all_clients_hang_up(gateway, upstream, stub, mint):
    issuer, token = stub["inquiry"], mint(issuer="inquiry", opaque=True)
    url = urllib.parse.urlsplit(gateway.address)
    path = "/inquiry/each/all-hung-up"
    with issuer.answering(introspection="held"):
        gone = socket.create_connection((url.hostname, url.port))
        gone.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        issuer.wait_until_held("introspection")
        gone.close()
        time.sleep(0.3)
    assert gateway.get("/inquiry/each/orders", token).status == 200
    assert upstream.requests(path) == 0


def test_an_answer_that_is_late_holds_nobody_else(gateway, upstream, stub, mint):
    late = mint(issuer="inquiry", opaque=True)
    for running in waiting_for(stub["inquiry"], gateway, "/inquiry/each/orders", [late]):
        assert gateway.get("/inquiry/orders", mint(issuer="inquiry")).status == 200
        assert gateway.get("/introspection/orders", mint(issuer="asked", opaque=True)).status == 200
        assert gateway.get("/inquiry/orders").status == 401
        assert not running[0].done()
    assert running[0].result().status == 200


@pytest.mark.parametrize("kind", ["chunked", "trailers", "large", "none"])
def test_nothing_goes_up_before_the_answer(gateway, upstream, stub, mint, kind):
    issuer = stub["inquiry"]
    said = {"good": "active", "bad": "inactive"}
    bodies = {name: mint(issuer="inquiry", opaque=True, introspection=each) for name, each in said.items()}
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        with issuer.answering(introspection="held"):
            running = {
                name: pool.submit(
                    client.send, gateway.address, "POST", f"/inquiry/each/{kind}/{name}",
                    [("authorization", f"Bearer {token}")], client.BODIES[kind],
                )
                for name, token in bodies.items()
            }  # fmt: skip
            eventually(lambda: all(issuer.asked("introspection", token) for token in bodies.values()))
            time.sleep(0.3)
            assert [upstream.requests(f"/inquiry/each/{kind}/{name}") for name in bodies] == [0, 0]
        answers = {name: each.result() for name, each in running.items()}
    assert (answers["good"].status, answers["bad"].status) == (200, 401)
    if client.BODIES[kind]:
        assert answers["good"].json["body_sha256"] == client.BODIES[kind].sha256
    assert upstream.requests(f"/inquiry/each/{kind}/bad") == 0


# While an issuer does not answer

FAULTS = ["fails", "unavailable", "too_many", "unauthorized", "redirects", "garbage", "not_a_set", "empty", "partial",
          "cut", "oversized", "too_large", "nested", "held"]  # fmt: skip


@pytest.mark.configuration("inquiry-fault")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_does_not_last(worker, stub, mint, fault):
    issuer = stub["inquiry-fault"]
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)
    with issuer.answering(introspection=fault):
        answer = worker.get(mint(issuer="inquiry-fault"))
    assert answer.status == 503
    assert int(answer.header("retry-after")) > 0
    assert answer.header("www-authenticate") is None
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)


@pytest.mark.configuration("inquiry-fault")
@pytest.mark.parametrize("fault", ["fails", "unavailable", "too_many"])
def test_a_call_that_failed_is_tried_once_more(worker, stub, mint, fault):
    issuer, token = stub["inquiry-fault"], mint(issuer="inquiry-fault")
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)
    with issuer.answering(introspection=[fault, "normal"]):
        assert worker.status(token) == 200
    assert issuer.asked("introspection", token) == 2
    token = mint(issuer="inquiry-fault")
    with issuer.answering(introspection=[fault, fault, "normal"]):
        assert worker.status(token) == 503
    assert issuer.asked("introspection", token) == 2
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)


@pytest.mark.configuration("inquiry-fault")
@pytest.mark.parametrize("fault", ["unauthorized", "garbage", "empty", "too_large"])
def test_an_answer_that_is_none_is_not_asked_for_again(worker, stub, mint, fault):
    issuer, token = stub["inquiry-fault"], mint(issuer="inquiry-fault")
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)
    with issuer.answering(introspection=[fault, "normal"]):
        assert worker.status(token) == 503
    assert issuer.asked("introspection", token) == 1
    eventually(lambda: worker.status(mint(issuer="inquiry-fault")) == 200)


@pytest.mark.configuration("inquiry-breaker")
def test_an_issuer_that_is_down_is_left_alone(worker, stub, mint):
    issuer = stub["inquiry-breaker"]
    eventually(lambda: worker.status(mint(issuer="inquiry-breaker")) == 200)
    with issuer.answering(introspection="fails"):
        started, before = time.monotonic(), issuer.fetches("introspection")
        for _ in range(40):
            answer = worker.get(mint(issuer="inquiry-breaker"))
            assert answer.status == 503
            assert int(answer.header("retry-after")) > 0
        asked, seconds = issuer.fetches("introspection") - before, time.monotonic() - started
        # Three in a row, each tried twice at most; then one try a second, less and less often.
        assert asked <= 6 + 2 * (1 + seconds), f"{asked} calls in {seconds:.1f} s"
        # Others are asked all the same.
        assert worker.status(mint(issuer="inquiry-slow")) == 200
    eventually(lambda: worker.status(mint(issuer="inquiry-breaker")) == 200)
    # And then as before: nothing of it is left.
    tokens = [mint(issuer="inquiry-breaker") for _ in range(5)]
    assert [worker.status(token) for token in tokens] == [200] * 5


@pytest.mark.configuration("inquiry-breaker")
def test_an_issuer_that_is_silent_is_left_alone(worker, stub, mint):
    """Nobody waits for the time-out once it is known."""
    issuer = stub["inquiry-breaker"]
    eventually(lambda: worker.status(mint(issuer="inquiry-breaker")) == 200)
    with issuer.answering(introspection="held"):

        def answered_at_once():
            started = time.monotonic()
            assert worker.status(mint(issuer="inquiry-breaker")) == 503
            return time.monotonic() - started < configured("inquiry-breaker", "callout_timeout") / 2

        eventually(answered_at_once)
    eventually(lambda: worker.status(mint(issuer="inquiry-breaker")) == 200)


@pytest.mark.configuration("inquiry-local")
def test_what_can_be_verified_here_counts_meanwhile(worker, stub, mint):
    issuer = stub["inquiry-local"]
    good, revoked = mint(issuer="inquiry-local"), mint(issuer="inquiry-local")
    forged = mint(issuer="inquiry-local", tamper=[{"flip_signature_bit": 9}], introspection="active")
    issuer.revoke(revoked)
    eventually(lambda: worker.status(good) == 200)
    assert worker.status(revoked) == 401
    with issuer.answering(introspection="fails"):
        assert worker.status(good) == 200
        assert worker.status(forged) in (401, 503)
        assert worker.status(mint(issuer="inquiry-local", claims={"exp": 1})) == 401
        assert worker.status(mint(issuer="inquiry-local", opaque=True)) == 503
    eventually(lambda: worker.status(forged) == 200)  # as its issuer says
    assert worker.status(revoked) == 401


def test_every_worker_can_ask_where_keys_are_out_of_reach(gateway, upstream, stub, mint):
    """The discovery document says where, and nothing is wrong with it."""
    tokens = [mint(issuer="asked-without-keys", opaque=True) for _ in range(MANY)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=MANY) as pool:
        answers = pool.map(lambda token: gateway.get("/introspection-without-keys/orders", token), tokens)
        assert {answer.status for answer in answers} == {200}


def test_nobody_becomes_anonymous_meanwhile(gateway, upstream, stub, mint):
    with stub["inquiry"].answering(introspection="fails"):
        assert gateway.get("/inquiry/anonymous/orders", mint(issuer="inquiry", opaque=True)).status == 503
        assert gateway.get("/inquiry/anonymous/orders").status == 200
    eventually(lambda: gateway.get("/inquiry/anonymous/orders", mint(issuer="inquiry", opaque=True)).status == 200)


# Decisions


@pytest.mark.configuration("inquiry-decisions")
def test_a_permission_counts_for_a_while_and_no_longer(worker, stub, mint):
    issuer, token = stub["inquiry-decisions"], mint(issuer="inquiry-decisions")
    kept = configured("inquiry-decisions", "authorization")["cache_seconds"]
    started = time.monotonic()
    assert [worker.status(token) for _ in range(5)] == [200] * 5
    assert issuer.asked("decision", token) == 1 or time.monotonic() - started > kept
    issuer.revoke(token)
    assert seconds_until(lambda: worker.status(token) == 401) < kept + SLACK


@pytest.mark.configuration("inquiry-decisions")
def test_a_denial_counts_for_a_while_and_no_longer(worker, stub, mint):
    issuer = stub["inquiry-decisions"]
    bob = mint(issuer="inquiry-decisions", claims={"preferred_username": "bob"})
    assert [worker.status(bob, "write/orders") for _ in range(3)] == [403] * 3
    assert issuer.asked("decision", bob) == 1


@pytest.mark.configuration("inquiry-decisions")
def test_a_permission_is_one_tokens_and_one_permissions(worker, stub, mint):
    issuer = stub["inquiry-decisions"]
    alice, bob = (mint(issuer="inquiry-decisions", claims={"preferred_username": name}) for name in ("alice", "bob"))
    assert [worker.status(alice, "write/orders") for _ in range(2)] == [200, 200]
    assert worker.status(bob, "write/orders") == 403
    assert worker.status(bob) == 200
    assert worker.status(alice, "write/orders") == 200
    assert (issuer.asked("decision", alice), issuer.asked("decision", bob)) == (1, 2)


@pytest.mark.configuration("inquiry-decisions")
def test_a_permission_is_for_what_was_pushed(worker, stub, mint):
    issuer, token = stub["inquiry-decisions"], mint(issuer="inquiry-decisions")
    assert worker.status(token, "claims/orders?amount=42") == 200
    assert worker.status(token, "claims/orders?amount=420") == 403
    assert worker.status(token, "claims/orders") == 403
    assert worker.status(token, "claims/orders?amount=42") == 200
    assert issuer.asked("decision", token) == 3


@pytest.mark.configuration("inquiry-decisions")
def test_every_decision_is_asked_for_where_nothing_may_be_kept(worker, stub, mint):
    issuer, token = stub["inquiry-decisions"], mint(issuer="inquiry-decisions")
    assert [worker.status(token, "each/orders") for _ in range(3)] == [200] * 3
    assert issuer.asked("decision", token) == 3


def test_many_who_ask_for_one_decision(gateway, upstream, stub, mint):
    issuer, token = stub["inquiry-decisions"], mint(issuer="inquiry-decisions")
    with concurrent.futures.ThreadPoolExecutor(max_workers=MANY) as pool:
        with issuer.answering(decision="held"):
            running = [pool.submit(gateway.get, "/inquiry-decisions/orders", token) for _ in range(MANY)]
            issuer.wait_until_held("decision")
            time.sleep(0.7)
            assert not any(each.done() for each in running)
        assert {each.result().status for each in running} == {200}
    assert 1 <= issuer.asked("decision", token) <= CALLS_FOR_MANY


@pytest.mark.configuration("inquiry-decisions")
def test_a_decision_that_cannot_be_had_is_told_and_does_not_last(worker, stub, mint):
    issuer = stub["inquiry-decisions"]
    with issuer.answering(decision="fails"):
        answer = worker.get(mint(issuer="inquiry-decisions"))
        assert answer.status == 503
        assert int(answer.header("retry-after")) > 0
    eventually(lambda: worker.status(mint(issuer="inquiry-decisions")) == 200)


# Tickets


def ticket_of(answer):
    assert answer.status == 401, answer
    return re.search(r'ticket="([^"]+)"', answer.header("www-authenticate"))[1]


@pytest.mark.configuration("inquiry-tickets")
def test_every_ticket_is_new_and_one_token_gets_many(worker, stub, mint):
    issuer = stub["inquiry-tickets"]
    before = issuer.fetches("pat")
    tickets = [ticket_of(worker.get()) for _ in range(5)]
    assert len(set(tickets)) == 5
    assert all(issuer.endpoints.ticket(ticket) == [("orders", ["write"])] for ticket in tickets)
    assert issuer.fetches("pat") - before <= 1


@pytest.mark.configuration("inquiry-tickets")
def test_a_protection_token_that_is_refused_is_replaced(worker, stub, mint):
    issuer = stub["inquiry-tickets"]
    ticket_of(worker.get())
    before = issuer.fetches("pat")
    issuer.endpoints.forget_pats()
    assert issuer.endpoints.ticket(ticket_of(worker.get()))
    assert issuer.fetches("pat") - before == 1


def test_a_protection_token_that_is_short_lived(gateway, upstream, stub):
    """It is good for the request that it was fetched for, at least (RFC 6749, 5.1: expires_in may be absent)."""
    with Worker(gateway, "inquiry-tickets-short") as worker:
        for _ in range(2):
            assert stub["inquiry-tickets-short"].endpoints.ticket(ticket_of(worker.get()))


# At the end


@pytest.mark.last
def test_no_question_was_malformed(gateway, stub):
    """Nor came with a proof that its issuer does not take, but where it has another secret."""
    expected = {"asked-wrong-secret", "permits-wrong-secret"}
    faults = {issuer.base_url: issuer.endpoints.complaints for issuer in stub if issuer.endpoints.complaints}
    assert {url: said for url, said in faults.items() if url.rpartition("/")[2] not in expected} == {}
