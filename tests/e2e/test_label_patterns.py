"""Kong makes labels of the metrics' names by the patterns in kong/jwt_keycloak.meta.json.

As Kong 3.9's Prometheus plugin does it: it looks for each pattern where the one before ended, takes
its second group for the label's value, and the first one for the end of the match. The name ends
where the first label begins.
"""

import json
import re

import pytest

from tests.stack import ROOT

META = json.loads((ROOT / "kong" / "jwt_keycloak.meta.json").read_text())
PATTERNS = META["metrics"]["label_patterns"]


def labelled(name):
    key = f"pw:jwt_keycloak:{name}"
    labels, position, end = {}, 0, len(key)
    for each in PATTERNS:
        if match := re.compile(each["pattern"]).search(key, position):
            position = match.end()
            end = min(end, position - len(match[1]))
            labels[each["label"]] = match[2]
    return key[:end].replace(":", "_"), labels


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
    assert labelled(name) == (f"pw_jwt_keycloak_{family}", labels)


def test_two_groups_each():
    assert [re.compile(each["pattern"]).groups for each in PATTERNS] == [2, 2, 2]
