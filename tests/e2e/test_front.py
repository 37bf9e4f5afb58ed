"""One address for clients: Keycloak's public endpoints at the gateway, and nothing else of Keycloak."""

import base64
import hashlib
import html
import json
import re
import secrets
import urllib.parse

import pytest

from tests.e2e import client, settings
from tests.e2e.stub_issuer import eventually
from tests.e2e.tokens import MINTED
from tests.stack import ports
from tests.stack.envoy import Envoy, render
from tests.stack.keycloak import PUBLIC_URL
from tests.stack.upstream import Upstream

pytestmark = pytest.mark.skipif(
    bool(settings.GATEWAY), reason="GATEWAY names another gateway: this is about envoy/envoy.yaml"
)

REALMS = ["demo", "partner"]
DISCOVERY = "/.well-known/openid-configuration"
OPENID = "/realms/demo/protocol/openid-connect"

OPEN = [
    *(f"/realms/{realm}{DISCOVERY}" for realm in REALMS),
    *(
        f"/realms/{realm}/protocol/openid-connect/{endpoint}"
        for realm in REALMS
        for endpoint in [
            "auth",
            "certs",
            "logout",
            "logout/logout-confirm",
            "revoke",
            "token",
            "token/introspect",
            "userinfo",
            "login-status-iframe.html",
            "login-status-iframe.html/init",
            "3p-cookies/step1.html",
            "3p-cookies/step2.html",
        ]
    ),
    *(f"/realms/{realm}/login-actions/authenticate" for realm in REALMS),
    "/realms/demo/login-actions/required-action",
    "/resources/10sej/login/keycloak.v2/css/styles.css",
    "/resources/10sej/common/keycloak/vendor/patternfly-v5/assets/images/pfbg_768@2x.jpg",
]

# Other spellings of an open path, and the one that Keycloak gets to see.
CLEANED = {
    f"{OPENID}//certs": f"{OPENID}/certs",
    f"//realms/demo{DISCOVERY}/../../protocol/openid-connect/certs": f"{OPENID}/certs",
    "/realms/master/../demo/protocol/openid-connect/certs": f"{OPENID}/certs",
    "/realms/master/%2e%2E/demo/protocol/openid-connect/certs": f"{OPENID}/certs",
    "/realms/demo/./protocol/openid-connect/certs": f"{OPENID}/certs",
    "/public/../realms/demo/protocol/openid-connect/certs": f"{OPENID}/certs",
    f"http://keycloak:8080{OPENID}/certs": f"{OPENID}/certs",
}

# Never to Keycloak. 404 is the gateway's own; 401: a path of the API's, which the filter guards;
# 400: nothing that a gateway and what is behind it could read differently gets past it.
CLOSED = {
    # Past the filter, by way of a route without it
    "/public/..;/admin": 401,
    "/public/%2e%2e;/admin": 400,
    "/public/a/%2e%2e;x=1/%2e%2e;/admin": 400,
    "/public/;x/admin": 400,
    "/admin;x": 400,
    "/admin%3bx/users": 400,
    "/public/..%3B/admin": 400,
    # Administration
    "/admin": 401,
    "/admin/": 401,
    "/admin/master/console/": 401,
    "/admin/realms": 401,
    "/admin/realms/demo/users": 401,
    "/admin/serverinfo": 401,
    "/ADMIN/": 401,
    "/metrics": 401,
    "/health": 401,
    "/health/ready": 401,
    "/": 401,
    "/js/keycloak.js": 401,
    "/.well-known/oauth-authorization-server/realms/demo": 401,
    "/resources/10sej/admin/keycloak.v2/favicon.svg": 404,
    "/resources/10sej/account/keycloak.v3/favicon.svg": 404,
    "/resources/10sej/welcome/keycloak/css/welcome.css": 404,
    "/resources/master/admin/en": 404,
    "/resources/master/login/en": 404,
    # The realm master, and realms that are not this gateway's
    "/realms/master": 404,
    f"/realms/master{DISCOVERY}": 404,
    "/realms/master/protocol/openid-connect/auth": 404,
    "/realms/master/protocol/openid-connect/token": 404,
    "/realms/master/login-actions/authenticate": 404,
    f"/realms/other{DISCOVERY}": 404,
    f"/realms/demo2{DISCOVERY}": 404,
    f"/realms/my-demo{DISCOVERY}": 404,
    f"/realms/{DISCOVERY}": 404,
    # What else a realm has
    "/realms": 404,
    "/realms/": 404,
    "/realms/demo": 404,
    "/realms/demo/": 404,
    "/realms/demo/account": 404,
    "/realms/demo/account/": 404,
    "/realms/demo/authz": 404,
    "/realms/demo/authz/protection/permission": 404,
    "/realms/demo/broker/other/endpoint": 404,
    "/realms/demo/clients/account/redirect": 404,
    "/realms/demo/clients-managements/register-node": 404,
    "/realms/demo/clients-registrations/default": 404,
    "/realms/demo/clients-registrations/openid-connect": 404,
    "/realms/demo/device": 404,
    "/realms/demo/login-actions": 404,
    "/realms/demo/login-actions/": 404,
    "/realms/demo/login-actions/authenticate/more": 404,
    "/realms/demo/.well-known/uma2-configuration": 404,
    "/realms/demo/protocol/saml": 404,
    "/realms/demo/protocol/saml/descriptor": 404,
    OPENID: 404,
    f"{OPENID}/": 404,
    f"{OPENID}/auth/device": 404,
    f"{OPENID}/ext/ciba/auth": 404,
    f"{OPENID}/ext/par/request": 404,
    f"{OPENID}/logout/backchannel-logout": 404,
    f"{OPENID}/registrations": 404,
    f"{OPENID}/forgot-credentials": 404,
    # Almost an endpoint
    f"{OPENID}/token/": 404,
    f"{OPENID}/token/more": 404,
    f"{OPENID}/tokens": 404,
    f"{OPENID}/token;a=b": 400,
    f"{OPENID}/token%00": 400,
    f"{OPENID}/token%0A": 404,
    f"{OPENID}/token%20": 404,
    f"{OPENID}/token%3Fa=b": 404,
    f"{OPENID}/login-status-iframeXhtml": 404,
    f"{OPENID}/TOKEN": 404,
    "/realms/Demo/protocol/openid-connect/token": 404,
    "/realms/demo;a=b/protocol/openid-connect/token": 400,
    "/realms/demo%20/protocol/openid-connect/token": 404,
    f"/x{OPENID}/token": 401,
    "/Realms/demo/protocol/openid-connect/token": 401,
    "/REALMS/master/protocol/openid-connect/token": 401,
    "/realms;a=b/master/protocol/openid-connect/token": 400,
    f"/realms/master?{OPENID}/token": 404,
    f"/admin/?{OPENID}/token": 401,
    # From an open path to another
    f"/realms/demo/../master{DISCOVERY}": 404,
    f"/realms/demo/%2e%2e/master{DISCOVERY}": 404,
    f"/realms/demo/.%2E/master{DISCOVERY}": 404,
    f"/realms/demo/..;/master{DISCOVERY}": 404,
    f"/realms/demo/%252e%252e/master{DISCOVERY}": 404,
    f"/realms/demo/..%2fmaster{DISCOVERY}": 400,
    f"/realms/demo%2F..%2Fmaster{DISCOVERY}": 400,
    f"/realms/demo/..%5cmaster{DISCOVERY}": 400,
    f"/realms/demo/..\\master{DISCOVERY}": 404,
    f"/realms/demo/..%252fmaster{DISCOVERY}": 404,
    f"/realms/demo/%c0%ae%c0%ae/master{DISCOVERY}": 404,
    f"/realms//master{DISCOVERY}": 404,
    f"//realms/master{DISCOVERY}": 404,
    f"/./realms/master{DISCOVERY}": 404,
    f"{OPENID}/token/../../../../../admin": 401,
    f"{OPENID}/token/../../../../../admin/realms": 401,
    f"{OPENID}/token/../../../../master/protocol/openid-connect/token": 404,
    f"{OPENID}/token/..%2f..%2f..%2f..%2f..%2fadmin": 400,
    f"{OPENID}/token/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/admin/": 401,
    f"{OPENID}/token/..;/..;/..;/..;/..;/admin/": 401,
    f"{OPENID}/token/%2e%2e;/%2e%2e;/%2e%2e;/%2e%2e;/%2e%2e;/admin/": 400,
    "/realms/demo/login-actions/../../../admin/": 401,
    "/realms/demo/login-actions/..%2f..%2f..%2fadmin/": 400,
    "/realms/demo/login-actions/..": 404,
    "/resources/10sej/login/keycloak.v2/../../../../admin/": 401,
    "/resources/10sej/login/keycloak.v2/..%2f..%2f..%2f..%2fadmin/": 400,
    "/resources/10sej/login/keycloak.v2/..;/..;/..;/..;/admin/": 401,
    "/resources/10sej/login/keycloak.v2/%2e%2e;/%2e%2e;/%2e%2e;/%2e%2e;/admin/": 400,
    "/resources/10sej/login/../admin/keycloak.v2/favicon.svg": 404,
    "//admin": 401,
    "//admin/": 401,
    "///admin/realms": 401,
    "/./admin/": 401,
    "/public/../admin/": 401,
    "/public/../realms/master": 404,
    "/public%2f..%2fadmin/": 400,
    "http://keycloak:8080/admin/": 401,
    f"http://keycloak:8080/realms/master{DISCOVERY}": 404,
    f"{OPENID}/token#/../../../../../admin/": 400,
}


class Stage:
    """envoy/envoy.yaml with a stand-in for Keycloak, which shows what it received."""

    def __init__(self, envoy, keycloak):
        self.url = envoy.url
        self._keycloak = keycloak
        # The filter asks for these by itself.
        self._own = [f"/realms/{realm}{DISCOVERY}" for realm in REALMS]
        eventually(lambda: all(keycloak.count(path) for path in self._own))
        self.logged_at_start = envoy.access_log()

    def get(self, path, headers=()):
        return client.send(self.url, "GET", path, headers)

    def received(self):
        """How many requests Keycloak has had from clients (in discovery they cannot be told)."""
        return self._keycloak.count() - sum(self._keycloak.count(path) for path in self._own)


@pytest.fixture(scope="module")
def stage(upstream):
    local = ports.HOST
    with Upstream() as keycloak:
        config = render(
            addresses={
                "listener": (local, ports.free()),
                "admin": (local, ports.free()),
                "upstream": (local, settings.UPSTREAM_PORT),
                "keycloak": keycloak.address,
            }
        )
        with Envoy(config, name="e2e-front") as envoy:
            yield Stage(envoy, keycloak)


def test_filter_asks_keycloak_and_not_the_gateway(stage):
    # That both documents were asked for is the stage's condition; the issuers are named after the
    # gateway, yet nobody called it.
    assert stage.logged_at_start == []


@pytest.mark.parametrize("path", OPEN)
def test_open(stage, path):
    answer = stage.get(f"{path}?a=1%2F..&b=%2e%2e/", [("cookie", "a=b"), ("authorization", "Basic YTpi")])
    assert answer.status == 200
    assert answer.json["path"] == f"{path}?a=1%2F..&b=%2e%2e/"
    received = dict(answer.json["headers"])
    assert received["cookie"] == "a=b"
    assert received["authorization"] == "Basic YTpi"


@pytest.mark.parametrize("path", CLEANED)
def test_open_under_another_spelling(stage, path):
    answer = stage.get(path)
    assert answer.status == 200
    assert answer.json["path"] == CLEANED[path]


@pytest.mark.parametrize("path", CLOSED)
def test_closed(stage, path):
    before = stage.received()
    answer = stage.get(path)
    assert answer.status == CLOSED[path]
    assert stage.received() == before


def test_what_clients_say_about_themselves_is_not_passed_on(stage):
    claimed = [
        ("forwarded", "for=203.0.113.7;host=evil.example;proto=https"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "203.0.113.8, 203.0.113.9"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-ssl", "on"),
    ]
    received = stage.get(f"{OPENID}/certs", claimed).json["headers"]
    assert sorted(pair for pair in received if "forwarded" in pair[0]) == [
        ["x-forwarded-for", "127.0.0.1"],
        ["x-forwarded-proto", "http"],
    ]


# The real Keycloak, at the suite's gateway


class Browser:
    """Keeps cookies, and takes the public name for the gateway under test, wherever that listens."""

    def __init__(self, gateway):
        self._address = gateway.address
        self._cookies = {}

    def get(self, url):
        return self._send("GET", url)

    def post(self, url, form):
        return self._send("POST", url, form)

    def _send(self, method, url, form=None):
        url = urllib.parse.urljoin(PUBLIC_URL, url)
        assert url.startswith(f"{PUBLIC_URL}/"), "a link leads away from the gateway"
        headers = [("cookie", "; ".join(f"{name}={value}" for name, value in self._cookies.items()))]
        body = None
        if form is not None:
            headers.append(("content-type", "application/x-www-form-urlencoded"))
            headers.append(("origin", PUBLIC_URL))
            body = client.Body(urllib.parse.urlencode(form).encode())
        answer = client.send(self._address, method, url.removeprefix(PUBLIC_URL), headers, body)
        for name, value in answer.headers:
            if name == "set-cookie":
                cookie, _, value = value.partition(";")[0].partition("=")
                self._cookies[cookie] = value
        return answer


@pytest.fixture
def post(keycloak, gateway):
    """POST of a form to an OpenID Connect endpoint of the realm demo, at the gateway."""

    def post(endpoint, realm="demo", headers=(), **form):
        answer = client.send(
            gateway.address,
            "POST",
            f"/realms/{realm}/protocol/openid-connect/{endpoint}",
            [("content-type", "application/x-www-form-urlencoded"), *headers],
            client.Body(urllib.parse.urlencode(form).encode()),
        )
        if endpoint == "token" and answer.status == 200:
            MINTED.extend(value for name, value in answer.json.items() if name.endswith("_token"))
        return answer

    return post


def alice(post, scope="openid"):
    form = {"client_id": "orders-web", "username": "alice", "password": "alice-password"}
    answer = post("token", grant_type="password", scope=scope, **form)
    assert answer.status == 200
    return answer.json


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize("realm", REALMS)
def test_discovery_names_the_gateway(envoy, gateway, keycloak, realm):
    path = f"/realms/{realm}{DISCOVERY}"
    document = gateway.get(path).json
    assert document["issuer"] == f"{PUBLIC_URL}/realms/{realm}"
    endpoints = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) > 5
    assert all(endpoint.startswith(f"{PUBLIC_URL}/realms/{realm}/") for endpoint in endpoints)
    assert document == client.send(keycloak.url, "GET", path).json


def test_nobody_can_change_what_discovery_says(envoy, gateway, keycloak):
    path = f"/realms/demo{DISCOVERY}"
    evil = [
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-proto", "https"),
    ]
    assert client.send(gateway.address, "GET", path, evil).json == gateway.get(path).json
    absolute = client.send(gateway.address, "GET", f"http://evil.example{path}")
    assert absolute.json == gateway.get(path).json


@pytest.mark.parametrize("realm", REALMS)
def test_keys(envoy, gateway, keycloak, realm):
    keys = gateway.get(f"/realms/{realm}/protocol/openid-connect/certs").json["keys"]
    assert keys == keycloak.keys(realm)


def test_token_by_client_credentials(envoy, gateway, post):
    form = {"grant_type": "client_credentials", "client_id": "orders-app", "scope": "Function1/read"}
    answer = post("token", **form, client_secret="orders-app-secret")
    assert answer.status == 200
    assert gateway.get("/orders/1", answer.json["access_token"]).status == 200
    assert post("token", **form, client_secret="wrong").status == 401


def test_token_by_password(envoy, gateway, post):
    token = alice(post)["access_token"]
    assert gateway.get("/admin/users", token).status == 200


def test_admin_is_the_api_and_not_keycloak(envoy, gateway, post):
    token = alice(post)["access_token"]
    answer = gateway.get("/admin/realms/demo", token)
    assert answer.status == 200
    assert answer.json["path"] == "/admin/realms/demo"  # the upstream shows what it received


def test_keycloak_believes_the_gateway_and_no_client(envoy, post):
    form = {"grant_type": "client_credentials", "client_id": "partner-app"}
    claimed = [("x-forwarded-for", "10.1.2.3"), ("forwarded", "for=10.1.2.3")]
    answer = post("token", "partner", claimed, **form, client_secret="partner-app-secret")
    assert claims(answer.json["access_token"])["clientAddress"] == "127.0.0.1"


def test_introspection_and_revocation(envoy, post):
    token = alice(post)["access_token"]
    credentials = {"client_id": "orders-api", "client_secret": "orders-api-secret"}
    answer = post("token/introspect", token=token, **credentials)
    assert answer.status == 200
    assert answer.json["active"] is True
    assert answer.json["iss"] == f"{PUBLIC_URL}/realms/demo"
    assert post("token/introspect", token=token).status == 401
    assert post("revoke", token=token, client_id="orders-web").status == 200
    assert post("token/introspect", token=token, **credentials).json == {"active": False}


def test_userinfo(envoy, gateway, post):
    tokens = alice(post)
    answer = gateway.get(f"{OPENID}/userinfo", tokens["access_token"])
    assert answer.status == 200
    assert answer.json["sub"] == claims(tokens["id_token"])["sub"]
    assert gateway.get(f"{OPENID}/userinfo").status == 401


def test_logout_by_a_client(envoy, post):
    refresh = {"refresh_token": alice(post)["refresh_token"], "client_id": "orders-web"}
    assert post("logout", **refresh).status == 204
    assert post("token", grant_type="refresh_token", **refresh).status == 400


CALLBACK = f"{PUBLIC_URL}/public/callback"


class Login:
    """An authorization code flow with PKCE, as orders-web begins it."""

    def __init__(self, **parameters):
        self.verifier = secrets.token_urlsafe(48)
        self.state = secrets.token_urlsafe(8)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest())
        query = {
            "client_id": "orders-web",
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": CALLBACK,
            "state": self.state,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **parameters,
        }
        self.url = f"{OPENID}/auth?{urllib.parse.urlencode(query)}"

    def result(self, answer):
        """What the redirect back to the client brings."""
        assert answer.status == 302, answer
        location, _, query = answer.header("location").partition("?")
        assert location == CALLBACK
        result = dict(urllib.parse.parse_qsl(query))
        assert result["state"] == self.state
        assert result["iss"] == f"{PUBLIC_URL}/realms/demo"
        return result


def form_of(page):
    """Where the page's only form goes, and the hidden fields that it brings along."""
    text = page.body.decode()
    (action,) = re.findall(r'<form [^>]*?action="([^"]+)"', text)
    hidden = re.findall(r'<input type="hidden" [^>]*?name="([^"]+)"(?: value="([^"]*)")?', text)
    return html.unescape(action), dict(hidden)


def log_in(browser, login):
    action, fields = form_of(browser.get(login.url))
    answer = browser.post(action, {**fields, "username": "alice", "password": "alice-password"})
    return login.result(answer)["code"]


def test_login_with_a_browser(envoy, gateway, keycloak, post):
    browser, login = Browser(gateway), Login()
    action, fields = form_of(browser.get(login.url))
    # A wrong password brings the form again.
    again = browser.post(action, {**fields, "username": "alice", "password": "wrong"})
    assert again.status == 200
    action, fields = form_of(again)
    answer = browser.post(action, {**fields, "username": "alice", "password": "alice-password"})
    code = {"code": login.result(answer)["code"], "redirect_uri": CALLBACK, "client_id": "orders-web"}
    tokens = post("token", grant_type="authorization_code", code_verifier=login.verifier, **code)
    assert tokens.status == 200
    assert claims(tokens.json["id_token"])["iss"] == f"{PUBLIC_URL}/realms/demo"
    assert gateway.get("/admin/users", tokens.json["access_token"]).status == 200


def test_code_is_worth_nothing_without_its_verifier(envoy, gateway, keycloak, post):
    login = Login()
    code = {"code": log_in(Browser(gateway), login), "redirect_uri": CALLBACK, "client_id": "orders-web"}
    assert post("token", grant_type="authorization_code", **code).status == 400


def test_session_of_a_browser_lasts_until_logout(envoy, gateway, keycloak):
    browser = Browser(gateway)
    log_in(browser, Login())
    silent = Login(prompt="none")
    assert "code" in silent.result(browser.get(silent.url))
    action, fields = form_of(browser.get(f"{OPENID}/logout"))
    assert browser.post(action, {**fields, "confirmLogout": "Logout"}).status == 200
    silent = Login(prompt="none")
    assert silent.result(browser.get(silent.url))["error"] == "login_required"


def test_everything_that_the_login_page_loads(envoy, gateway, keycloak):
    browser = Browser(gateway)
    page = browser.get(Login().url)
    links = set(re.findall(r'"(/\w[^"\s]+)"', page.body.decode()))
    resources = {link for link in links if link.startswith("/resources/")}
    assert resources and all(link.startswith(("/resources/", "/realms/demo/")) for link in links)
    for link in sorted(resources):
        answer = browser.get(link)
        assert answer.status == 200, link
        if link.endswith(".css"):
            # Fonts and images, relative to the style sheet
            for inner in re.findall(r"url\(['\"]?(\.[^'\"?#)]+)", answer.body.decode()):
                path = urllib.parse.urljoin(link, inner)
                assert browser.get(path).status == 200, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("login-status-iframe.html", 200),
        (f"login-status-iframe.html/init?client_id=orders-web&origin={PUBLIC_URL}", 204),
        ("3p-cookies/step1.html", 200),
        ("3p-cookies/step2.html", 200),
    ],
)
def test_what_keycloak_js_loads(envoy, gateway, keycloak, path, status):
    assert gateway.get(f"{OPENID}/{path}").status == status
