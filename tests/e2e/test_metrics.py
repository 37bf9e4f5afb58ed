"""What the filter counts, as Envoy's admin interface shows it with envoy.yaml's `stats_tags`."""

import collections
import re

import pytest

from tests.e2e import client, table
from tests.e2e.configurations import configurations
from tests.e2e.stub_issuer import eventually

REQUESTS = "jwt_keycloak_requests"
KEYS = "jwt_keycloak_keys"
FETCHES = "jwt_keycloak_key_fetches"
CALLOUTS = "jwt_keycloak_callout_milliseconds"
INTROSPECTIONS = "jwt_keycloak_introspections"
DECISIONS = "jwt_keycloak_decisions"
LABELS = {
    REQUESTS: {"issuer", "outcome", "reason"},
    KEYS: {"issuer", "outcome"},
    FETCHES: {"issuer", "outcome"},
    CALLOUTS: {"issuer"},
    INTROSPECTIONS: {"issuer", "outcome"},
    DECISIONS: {"issuer", "outcome"},
}
OUTCOMES = {
    REQUESTS: {"allowed", "anonymous", "public", "refused", "reported"},
    KEYS: {"hit", "miss"},
    FETCHES: {"success", "failure"},
    INTROSPECTIONS: {"active", "inactive", "failure", "cached"},
    DECISIONS: {"granted", "denied", "inactive", "failure", "cached"},
}
REASONS = {*table.reasons(), "none", "preflight", "internal_error"}
SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} (\S+)")
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def samples(envoy):
    """(name, labels) -> value, of all that /stats/prometheus has of the filter's."""
    read = collections.Counter()
    for line in envoy.admin("/stats/prometheus").splitlines():
        sample = SAMPLE.fullmatch(line)
        if sample and sample[1].startswith("jwt_keycloak_"):
            labels = dict(re.findall(r'([a-z_]+)="([^"]*)"', sample[2]))
            read[sample[1], tuple(sorted(labels.items()))] += float(sample[3])
    return read


def grown(before, after, name):
    """By how much the counters of this name have grown: labels' values -> number."""
    return {
        tuple(value for _, value in labels): after[family, labels] - before[family, labels]
        for family, labels in after
        if family == name and after[family, labels] != before[family, labels]
    }


# Path, token (None: none), and the labels issuer, outcome, reason; a reason None: any
REQUESTS_MADE = {
    "allowed": ("orders", {}, ("metrics_shop", "allowed", "none")),
    "no token": ("orders", None, ("none", "refused", "missing_token")),
    "garbage": ("orders", {"verbatim": "garbage"}, ("none", "refused", "malformed_token")),
    "an issuer that nobody knows": (
        "orders",
        {"claims": {"iss": "https://evil.example.com/realms/x_outcome_allowed_reason_none"}},
        ("none", "refused", "issuer_not_allowed"),
    ),
    "tampered": (
        "orders",
        {"tamper": [{"flip_signature_bit": 9}]},
        ("metrics_shop", "refused", "invalid_signature"),
    ),
    "expired": ("orders", {"claims": {"exp": 1}}, ("metrics_shop", "refused", "token_expired")),
    "a scope is missing": (
        "orders",
        {"claims": {"scope": "email"}},
        ("metrics_shop", "refused", "missing_scope"),
    ),
    "no keys": ("orders", {"issuer": "down"}, ("metrics_down", "refused", "keys_unavailable")),
    "public": ("public/orders", None, ("none", "public", "none")),
    "anonymous": ("anonymous/orders", None, ("none", "anonymous", None)),
    "reported": ("reported/orders", {"claims": {"exp": 1}}, ("metrics_shop", "reported", "token_expired")),
    "reported, and good": ("reported/orders", {}, ("metrics_shop", "allowed", "none")),
    "an issuer's name by default": (
        "orders",
        {"issuer": "metrics-default"},
        ("metrics_default", "allowed", "none"),
    ),
    "an issuer's name that another has": (
        "orders",
        {
            "issuer": "metrics-default",
            "claims": {"iss": "https://elsewhere.example.com/realms/Metrics.Default"},
        },
        ("metrics_default_2", "allowed", "none"),
    ),
}


def token(mint, recipe):
    return None if recipe is None else mint(**{"issuer": "metrics", **recipe})


@pytest.fixture(scope="module", autouse=True)
def keys_have_come(envoy, gateway, mint):
    for issuer in ("metrics", "metrics-default"):
        eventually(lambda: gateway.get("/metrics/orders", mint(issuer=issuer)).status == 200)


@pytest.mark.parametrize("name", REQUESTS_MADE)
def test_requests(envoy, gateway, mint, name):
    path, recipe, (issuer, outcome, reason) = REQUESTS_MADE[name]
    before = samples(envoy)
    for _ in range(3):
        gateway.get(f"/metrics/{path}", token(mint, recipe))
    requests = grown(before, samples(envoy), REQUESTS)
    if reason is None:
        assert sum(requests.values()) == 3
        assert {labels[:2] for labels in requests} == {(issuer, outcome)}
    else:
        assert requests == {(issuer, outcome, reason): 3}


def test_a_request_that_the_filter_does_not_see_is_not_counted(envoy, gateway):
    before = samples(envoy)
    assert client.send(gateway.address, "GET", "/public/hello").status == 200
    assert grown(before, samples(envoy), REQUESTS) == {}


def test_keys_found_and_not_found(envoy, gateway, mint):
    good, unknown = mint(issuer="metrics"), mint(issuer="metrics", kid="unknown")
    before = samples(envoy)
    assert gateway.get("/metrics/orders", good).status == 200
    between = samples(envoy)
    assert grown(before, between, KEYS) == {("metrics_shop", "hit"): 1}
    assert gateway.get("/metrics/orders", unknown).status == 401
    # Once more, perhaps, when the fetch that it causes has brought nothing.
    assert set(grown(between, samples(envoy), KEYS)) == {("metrics_shop", "miss")}


def test_fetches(envoy, gateway, mint):
    def fetches(issuer, outcome):
        return samples(envoy)[FETCHES, (("issuer", issuer), ("outcome", outcome))]

    assert fetches("metrics_shop", "success") >= 1
    assert fetches("metrics_shop", "failure") == 0
    gateway.get("/metrics/orders", mint(issuer="down"))
    assert fetches("metrics_down", "failure") >= 1
    assert fetches("metrics_down", "success") == 0


ASKED = "metrics_asked"


@pytest.fixture
def asking(envoy, gateway):
    """Sends requests to one of Envoy's workers, and gives the counters that have grown."""

    def ask(*tokens):
        before = samples(envoy)
        with client.Connection(gateway.address) as connection:
            for token in tokens:
                connection.send("GET", "/metrics-asked/orders", [("authorization", f"Bearer {token}")])
        after = samples(envoy)
        return grown(before, after, INTROSPECTIONS), grown(before, after, DECISIONS)

    return ask


def test_introspections_and_decisions(asking, mint):
    token = mint(issuer="metrics-asked", opaque=True)
    assert asking(token) == ({(ASKED, "active"): 1}, {(ASKED, "granted"): 1})
    other = mint(issuer="metrics-asked", opaque=True)
    assert asking(other, other, other) == (
        {(ASKED, "active"): 1, (ASKED, "cached"): 2},
        {(ASKED, "granted"): 1, (ASKED, "cached"): 2},
    )
    inactive = mint(issuer="metrics-asked", opaque=True, introspection="inactive")
    assert asking(inactive, inactive) == ({(ASKED, "inactive"): 1, (ASKED, "cached"): 1}, {})


def test_introspections_and_decisions_that_fail(asking, stub, mint):
    with stub["metrics-asked"].answering(introspection="garbage"):
        assert asking(mint(issuer="metrics-asked", opaque=True)) == ({(ASKED, "failure"): 1}, {})
    with stub["metrics-asked"].answering(decision="garbage"):
        token = mint(issuer="metrics-asked", opaque=True)
        assert asking(token) == ({(ASKED, "active"): 1}, {(ASKED, "failure"): 1})


def test_how_long_callouts_take(envoy):
    # Envoy adds up histograms every five seconds.
    eventually(lambda: samples(envoy)[f"{CALLOUTS}_count", (("issuer", "metrics_shop"),)] >= 1)


# All tests before have left their counters, too


@pytest.mark.last
def test_labels(envoy):
    known = issuers()
    for name, pairs in samples(envoy):
        labels = dict(pairs)
        family = HISTOGRAM.sub("", name)
        assert family in LABELS, name
        assert set(labels) - {"le"} == LABELS[family], (name, labels)
        assert labels["issuer"] in known, labels
        assert labels.get("outcome") in OUTCOMES.get(family, {None}), labels
        assert labels.get("reason", "none") in REASONS, labels


@pytest.mark.last
def test_names(envoy):
    """Without `stats_tags`, too, a name is what the README says and nothing that a client sent."""
    issuer = "|".join(sorted(map(re.escape, issuers())))
    name = re.compile(
        rf"wasmcustom\.jwt_keycloak_(?:"
        rf"requests_issuer_(?:{issuer})_outcome_(?:{'|'.join(OUTCOMES[REQUESTS])})_reason_(?:{'|'.join(REASONS)})"
        rf"|keys_issuer_(?:{issuer})_outcome_(?:hit|miss)"
        rf"|key_fetches_issuer_(?:{issuer})_outcome_(?:success|failure)"
        rf"|introspections_issuer_(?:{issuer})_outcome_(?:{'|'.join(OUTCOMES[INTROSPECTIONS])})"
        rf"|decisions_issuer_(?:{issuer})_outcome_(?:{'|'.join(OUTCOMES[DECISIONS])})"
        rf"|callout_milliseconds_issuer_(?:{issuer}))"
    )
    names = [line.partition(":")[0] for line in envoy.admin("/stats?filter=^wasmcustom").splitlines() if line]
    assert names
    assert [each for each in names if not name.fullmatch(each)] == []


def issuers():
    """The labels that the suite's issuers may have: their names, or made of their addresses."""
    labels = {"none", "demo", "partner"}
    for given in configurations().values():
        config = given["config"]
        allowed = config.get("allowed_iss", [])
        for issuer in [*({"iss": iss} for iss in allowed), *config.get("issuers", [])]:
            last = [part for part in issuer["iss"].split("/") if part][-1]
            label = issuer.get("name", re.sub(r"[^a-z0-9]+", "_", last.lower()).strip("_") or "issuer")
            labels |= {label, f"{label}_2", f"{label}_3"}
    return labels
