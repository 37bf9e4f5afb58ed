"""`claims_to_properties`: what other parts of Envoy may know of a verified token.

On Envoy a property is filter state. Whatever a wasm filter sets has a key that begins with `wasm.`.
"""

import pytest

from tests.e2e import client, settings
from tests.e2e import gateway as configured
from tests.e2e.placeholders import key_set
from tests.e2e.stub_issuer import eventually
from tests.stack.envoy import Envoy, connection_manager

pytestmark = pytest.mark.skipif(bool(settings.GATEWAY), reason="this is about Envoy's filter state")

KEY = "wasm.jwt_keycloak.{}"
CLAIMS = {
    "client": "azp",
    "roles": "realm_access.roles",
    "verified": "email_verified",
    "groups": {"claim": "groups", "separator": "|"},
    "groups_json": {"claim": "groups", "format": "json"},
    "tenant": ["https://x.example/tenant", "id.of"],
}
RBAC = {
    "name": "envoy.filters.http.rbac",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {
            "action": "ALLOW",
            "policies": {
                "orders-app-alone": {
                    "permissions": [{"any": True}],
                    "principals": [
                        {
                            "filter_state": {
                                "key": KEY.format("client"),
                                "string_match": {"exact": "orders-app"},
                            }
                        }
                    ],
                }
            },
        },
    },
}


class Properties:
    """An Envoy whose access log and rbac filter know the properties."""

    def __init__(self, envoy, mint):
        self._envoy = envoy
        self._mint = mint

    def get(self, path, **claims):
        """The answer's status and the access log's line of a GET by a token with these claims."""
        return self.send(path, self._mint(issuer="pem", key="fixed-rsa", claims=claims))

    def send(self, path, token=None):
        headers = [("authorization", f"Bearer {token}")] if token else []
        before = len(self._envoy.access_log())
        answer = client.send(self._envoy.url, "GET", path, headers)
        eventually(lambda: len(self._envoy.access_log()) > before)
        return answer.status, self._envoy.access_log()[-1]


@pytest.fixture(scope="module")
def properties(upstream, stub, mint):
    config = configured.on_free_ports(
        configured.with_configuration(
            configured.text(
                {
                    "issuers": [{"iss": stub["pem"].iss, "jwks": key_set("fixed-rsa")}],
                    "claims_to_properties": CLAIMS,
                    "policies": {
                        "orders": {"access": "optional"},
                        "admin": {"claims_to_properties": {"client": "sub"}},
                    },
                }
            )
        )
    )
    manager = connection_manager(config)
    log = manager["access_log"][0]["typed_config"]["log_format"]["json_format"]
    log.update({name: f"%FILTER_STATE({KEY.format(name)}:PLAIN)%" for name in CLAIMS})
    at = next(i for i, each in enumerate(manager["http_filters"]) if each["name"] == configured.FILTER)
    manager["http_filters"].insert(at + 1, RBAC)
    with Envoy(config, name="e2e-properties") as envoy:
        yield Properties(envoy, mint)


def test_in_the_access_log(properties):
    status, logged = properties.get(
        "/anything",
        azp="orders-app",
        groups=["/staff", "/sa|les", "/it"],
        **{"https://x.example/tenant": {"id.of": "shop"}},
    )
    assert status == 200
    assert {name: logged[name] for name in CLAIMS} == {
        "client": "orders-app",
        "roles": "reader,offline_access",
        "verified": "false",
        "groups": "/staff|/it",
        "groups_json": '["/staff","/sa|les","/it"]',
        "tenant": "shop",
    }


def test_for_rbac(properties):
    assert properties.get("/anything", azp="orders-app")[0] == 200
    status, logged = properties.get("/anything", azp="other-app")
    assert (status, logged["client"]) == (403, "other-app")
    assert logged["reason"].startswith("rbac_")


def test_a_claim_that_is_missing_is_no_property(properties):
    status, logged = properties.get("/anything", azp=None)
    assert (status, logged["client"], logged["tenant"]) == (403, None, None)
    assert logged["reason"].startswith("rbac_")


def test_control_characters_are_no_property(properties):
    status, logged = properties.get("/anything", azp="orders-app\nforged")
    assert (status, logged["client"]) == (403, None)


def test_a_refused_token_tells_nothing(properties, mint):
    for recipe in ({"claims": {"azp": "orders-app", "exp": 1}}, {"tamper": [{"claims": {"azp": "orders-app"}}]}):
        status, logged = properties.send("/anything", mint(issuer="pem", key="fixed-rsa", **recipe))
        assert status == 401
        assert [logged[name] for name in CLAIMS] == [None] * len(CLAIMS)


def test_no_token_tells_nothing(properties):
    status, logged = properties.send("/orders/1")  # optional: the filter lets it pass, rbac does not
    assert status == 403
    assert logged["reason"].startswith("rbac_")
    assert [logged[name] for name in CLAIMS] == [None] * len(CLAIMS)


def test_a_policy_has_its_own(properties):
    status, logged = properties.get("/admin/users", azp="other-app", sub="orders-app")
    assert (status, logged["client"], logged["roles"]) == (200, "orders-app", None)
