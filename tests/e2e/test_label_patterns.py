"""Kong makes labels of the metrics' names by kong/label_patterns.json.

As Kong 3.9's Prometheus plugin does it: each pattern has two groups; the first is taken out of the
name, the second is the label's value; the patterns stand in the order of the labels in the name.
"""

import json
import re

import pytest

from tests.stack import ROOT

PATTERNS = json.loads((ROOT / "kong" / "label_patterns.json").read_text())["label_patterns"]
PREFIX = "pw_jwt_keycloak_"


def labelled(name):
    labels = {}
    for each in PATTERNS:
        if match := re.search(each["pattern"], name):
            name = name.replace(match[1], "", 1)
            labels[each["label"]] = match[2]
    return name, labels


@pytest.mark.parametrize(
    ("name", "family", "labels"),
    [
        (
            "requests_issuer_demo_outcome_refused_reason_token_expired",
            "requests",
            {"issuer": "demo", "outcome": "refused", "reason": "token_expired"},
        ),
        (
            "requests_issuer_my_shop_2_outcome_allowed_reason_none",
            "requests",
            {"issuer": "my_shop_2", "outcome": "allowed", "reason": "none"},
        ),
        ("keys_issuer_demo_outcome_hit", "keys", {"issuer": "demo", "outcome": "hit"}),
        ("key_fetches_issuer_a_b_outcome_failure", "key_fetches", {"issuer": "a_b", "outcome": "failure"}),
        ("callout_milliseconds_issuer_demo_2", "callout_milliseconds", {"issuer": "demo_2"}),
    ],
)
def test_labels(name, family, labels):
    assert labelled(PREFIX + name) == (PREFIX + family, labels)


def test_two_groups_each():
    assert [re.compile(each["pattern"]).groups for each in PATTERNS] == [2, 2, 2]
