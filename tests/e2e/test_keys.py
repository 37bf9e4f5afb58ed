"""The life of keys: late, rotated, withdrawn, out of reach, and shared between the workers."""

import concurrent.futures
import secrets
import time

import pytest

from tests.e2e import client
from tests.e2e.stub_issuer import eventually

MANY = 16  # requests on a connection each: enough for every worker to have some


def each(gateway, configuration, token):
    """The statuses of many requests at once, over both workers."""
    path = f"/{configuration}/orders"
    with concurrent.futures.ThreadPoolExecutor(max_workers=MANY) as pool:
        return {answer.status for answer in pool.map(lambda _: gateway.get(path, token), range(MANY))}


def test_requests_wait_for_keys_that_come_late(gateway, upstream, stub, mint):
    issuer = stub["late"]
    issuer.hold_anew("discovery")
    token = mint(issuer="late")
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        waiting = pool.submit(each, gateway, "late", token)
        with pytest.raises(concurrent.futures.TimeoutError):
            waiting.result(timeout=0.5)
        assert upstream.requests("/late/orders") == 0
        issuer.answer(discovery="normal")
        assert waiting.result() == {200}


def test_without_keys_503_says_when_to_try_again_and_recovers(gateway, stub, mint):
    token = mint(issuer="recovering")
    answer = gateway.get("/recovering/orders", token)
    assert answer.status == 503
    assert int(answer.header("retry-after")) > 0
    assert answer.header("www-authenticate") is None
    stub["recovering"].answer(discovery="normal")
    eventually(lambda: gateway.get("/recovering/orders", token).status == 200)


def test_random_kids_cause_one_fetch(gateway, stub, mint):
    issuer = stub["random-kids"]
    assert each(gateway, "random-kids", mint(issuer="random-kids")) == {200}
    before = issuer.fetches("jwks"), issuer.fetches("discovery")
    for _ in range(4):
        assert each(gateway, "random-kids", mint(issuer="random-kids", kid=secrets.token_hex(8))) == {401}
    assert issuer.fetches("jwks") - before[0] <= 1
    assert issuer.fetches("discovery") - before[1] <= 1
    assert each(gateway, "random-kids", mint(issuer="random-kids")) == {200}


def test_bad_signatures_cause_one_fetch_and_evict_nothing(gateway, stub, mint):
    issuer = stub["bad-signatures"]
    assert each(gateway, "bad-signatures", mint(issuer="bad-signatures")) == {200}
    before = issuer.fetches("jwks")
    issuer.answer(jwks="fails")
    for _ in range(4):
        forged = mint(issuer="bad-signatures", key="stranger", kid="kid:rs256")
        assert each(gateway, "bad-signatures", forged) == {401}
    assert issuer.fetches("jwks") - before <= 1
    assert each(gateway, "bad-signatures", mint(issuer="bad-signatures")) == {200}


def test_a_rotated_key_is_fetched_by_the_first_token_that_names_it(gateway, stub, mint):
    issuer = stub["rotating"]
    old = mint(issuer="rotating")
    assert each(gateway, "rotating", old) == {200}
    time.sleep(1)  # the cooldown (iss_key_grace_period) after whatever fetch there was
    issuer.rotate("rs256")
    before = issuer.fetches("jwks")
    assert each(gateway, "rotating", mint(issuer="rotating")) == {200}
    assert issuer.fetches("jwks") - before == 1
    assert each(gateway, "rotating", old) == {200}


def test_a_key_replaced_under_the_same_name_is_fetched_by_its_first_signature(gateway, stub, mint):
    issuer = stub["rotating"]
    old = mint(issuer="rotating")
    assert each(gateway, "rotating", old) == {200}
    time.sleep(1)
    kid = issuer.key("rs256").kid
    issuer.rotate("rs256", withdraw=True).kid = kid
    assert each(gateway, "rotating", mint(issuer="rotating")) == {200}
    assert each(gateway, "rotating", old) == {401}


@pytest.mark.parametrize("kind", ["chunked", "trailers", "large"])
def test_a_body_waits_for_the_rotated_key_as_well(gateway, upstream, stub, mint, kind):
    issuer = stub["rotating"]
    assert each(gateway, "rotating", mint(issuer="rotating")) == {200}
    time.sleep(1)
    issuer.rotate("rs256")
    path = f"/rotating/{kind}"
    headers = [("authorization", f"Bearer {mint(issuer='rotating')}")]
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        with issuer.answering(jwks="held"):
            waiting = pool.submit(client.send, gateway.address, "POST", path, headers, client.BODIES[kind])
            issuer.wait_until_held("jwks")
            time.sleep(0.2)
            assert upstream.requests(path) == 0
        answer = waiting.result()
    assert answer.status == 200
    assert answer.json["body_sha256"] == client.BODIES[kind].sha256


def test_a_withdrawn_key_is_no_longer_accepted(gateway, stub, mint):
    issuer = stub["withdrawing"]
    withdrawn = mint(issuer="withdrawing", key="es256")
    assert each(gateway, "withdrawing", withdrawn) == {200}
    issuer.withdraw("es256")
    eventually(lambda: each(gateway, "withdrawing", withdrawn) == {401})
    assert each(gateway, "withdrawing", mint(issuer="withdrawing")) == {200}


BAD_ANSWERS = ["fails", "garbage", "cut", "oversized", "nested", "not_a_set", "held"]


@pytest.fixture(scope="module")
def outage(gateway, stub, mint):
    """An issuer for each bad answer; when this is ready, every worker has had one of each."""
    issuers = [stub[f"outage-{behaviour}"] for behaviour in BAD_ANSWERS]
    for issuer in issuers:
        eventually(lambda: each(gateway, "outage", mint(issuer=issuer.name)) == {200})
    before = [issuer.fetches("jwks") for issuer in issuers]
    for issuer, behaviour in zip(issuers, BAD_ANSWERS):
        issuer.answer(jwks=behaviour)
    for issuer, fetches in zip(issuers, before):
        issuer.wait_for_fetches("jwks", fetches + 4)


@pytest.mark.parametrize("behaviour", BAD_ANSWERS)
def test_good_keys_outlive_bad_answers(outage, gateway, mint, behaviour):
    assert each(gateway, "outage", mint(issuer=f"outage-{behaviour}")) == {200}


def test_stale_keys_have_a_limit(gateway, stub, mint):
    token = mint(issuer="forgetting")
    eventually(lambda: each(gateway, "forgetting", token) == {200})
    with stub["forgetting"].answering(jwks="fails"):
        eventually(lambda: each(gateway, "forgetting", token) == {503})
    eventually(lambda: each(gateway, "forgetting", token) == {200})


def test_keys_that_stand_in_the_configuration_are_not_fetched(gateway, stub, mint):
    for issuer, configuration, key in (
        ("inline", "inline-jwks", "fixed-rsa"),
        ("pem", "public-keys", "fixed-ec"),
        ("certificate", "certificates", "fixed-rsa"),
        ("secrets", "shared-secrets", "hs256"),
    ):
        assert each(gateway, configuration, mint(issuer=issuer, key=key)) == {200}
        # Neither a name that is not there nor a bad signature is a reason to look elsewhere.
        assert each(gateway, configuration, mint(issuer=issuer, key=key, kid="unknown")) <= {200, 401}
        forged = mint(issuer=issuer, key=key, tamper=[{"flip_signature_bit": 9}])
        assert each(gateway, configuration, forged) == {401}
        assert (stub[issuer].fetches("discovery"), stub[issuer].fetches("jwks")) == (0, 0)


def test_workers_share_what_one_of_them_fetched(gateway, stub, mint):
    issuer = stub["shared"]
    assert each(gateway, "shared", mint(issuer="shared")) == {200}
    assert (issuer.fetches("discovery"), issuer.fetches("jwks")) == (1, 1)
    time.sleep(1)
    issuer.rotate("rs256")
    assert each(gateway, "shared", mint(issuer="shared")) == {200}
    assert issuer.fetches("jwks") == 2
