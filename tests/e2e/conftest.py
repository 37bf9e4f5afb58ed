"""What the suite runs: stub issuer, upstream, Keycloak and, unless GATEWAY names one, Envoy or the
test host."""

import threading

import pytest

from tests.e2e import client, host, settings, table, tokens
from tests.e2e import gateway as configured
from tests.e2e.configurations import configurations
from tests.e2e.realm import Realm
from tests.e2e.stub_issuer import Stub, eventually
from tests.stack import StackError, ports
from tests.stack import upstream as stack_upstream
from tests.stack.envoy import Envoy
from tests.stack.keycloak import Keycloak


class Gateway:
    """The gateway under test, known by its address. `envoy` is None when it is not ours.

    `raw` is where it hands on requests as they come, if it has such a door. `tells_reasons`: its
    answers say in `x-details` why the filter gave them.
    """

    def __init__(self, address, raw, envoy=None, tells_reasons=False):
        self.address = address
        self.raw = raw
        self.envoy = envoy
        self.tells_reasons = tells_reasons

    def get(self, path, token=None):
        """GET with a bearer token or without credentials."""
        return self.send("GET", path, token)

    def send(self, method, path, token=None):
        headers = [("authorization", f"Bearer {token}")] if token is not None else []
        return client.send(self.address, method, path, headers)

    def check_refused(self, answer, reason):
        """Fails where this is not the answer that answers.yaml has for the reason."""
        expected = table.reasons()[reason]
        assert (answer.status, answer.json["error"]) == (expected["status"], expected["error"]), answer
        if self.tells_reasons:
            assert answer.header("x-details") == f"jwt_keycloak{{{reason}}}"


class Upstream:
    """Where the gateway sends what it lets through."""

    def __init__(self, server):
        self._server = server

    def requests(self, path):
        """How many requests for this path have come (the query does not count)."""
        return self._server.count()["paths"].get(path.partition("?")[0], 0)

    def tagged(self, tag):
        """How many requests have come with this tag, whatever their path."""
        return self._server.count()["tags"].get(tag, 0)


class KeycloakInBackground:
    """Keycloak takes half a minute to start: the tests that do not need it run meanwhile."""

    def __init__(self):
        self._keycloak = Keycloak(settings.KEYCLOAK_PORT, settings.KEYCLOAK_MANAGEMENT_PORT)
        self._error = None
        self._started = threading.Event()
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with self._keycloak:
                self._started.set()
                # The thread stays: Linux ends the child when the thread that started it ends.
                self._finished.wait()
        except Exception as error:  # told to the tests that need Keycloak
            self._error = error
            self._started.set()

    def wait(self):
        self._started.wait()
        if self._error:
            raise self._error
        return self._keycloak

    def stop(self):
        self._finished.set()
        self._thread.join()


def _needs_keycloak(item):
    return "keycloak" in item.fixturenames


def pytest_collection_modifyitems(items):
    # What needs Keycloak comes late, and the search of the log for tokens at the very end.
    items.sort(key=lambda item: (item.get_closest_marker("last") is not None, _needs_keycloak(item)))


def pytest_configure(config):
    config.addinivalue_line("markers", "last: runs after everything else")
    config.addinivalue_line("markers", "configuration(name): whose requests `worker` sends (test_inquiries.py)")


@pytest.fixture(scope="session", autouse=True)
def _keycloak_in_background(request):
    """Starts Keycloak first of all, if any test asks for it."""
    if not any(_needs_keycloak(item) for item in request.session.items):
        yield None
        return
    background = KeycloakInBackground()
    yield background
    background.stop()


@pytest.fixture(scope="session")
def keycloak(_keycloak_in_background, gateway):
    """Keycloak, when it is ready and the gateway has found it."""
    keycloak = _keycloak_in_background.wait()
    token = keycloak.token("demo", "orders-app", "orders-app-secret")
    partner = keycloak.token("partner", "partner-app", "partner-app-secret")
    # The gateway has been up for longer, and tries again less and less often.
    for configuration in (name for name in configurations() if name.startswith("keycloak")):
        eventually(lambda: gateway.get(f"/{configuration}/found", token).status != 503)
    eventually(lambda: gateway.get("/keycloak-two-realms/found", partner).status != 503)
    if gateway.envoy:  # envoy.yaml's own filter
        eventually(lambda: gateway.get("/found", token).status != 503)
        eventually(lambda: gateway.get("/found", partner).status != 503)
    return keycloak


@pytest.fixture(scope="session")
def realm(keycloak):
    return Realm(keycloak)


@pytest.fixture(scope="session")
def stub():
    stub = Stub(settings.BIND, settings.STUB_PORT, settings.STUB_URL).start()
    yield stub
    stub.stop()


@pytest.fixture(scope="session")
def upstream():
    try:
        server = stack_upstream.Server((settings.BIND, settings.UPSTREAM_PORT))
    except OSError as error:
        raise StackError(
            f"The upstream cannot listen on {settings.BIND}:{settings.UPSTREAM_PORT}: "
            f"{error.strerror}. Free the port or choose another with UPSTREAM_PORT."
        ) from None
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield Upstream(server)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def gateway(stub, upstream):
    if settings.GATEWAY:
        yield Gateway(settings.GATEWAY, settings.GATEWAY_RAW)
        return
    if settings.TEST_HOST:
        with host.server() as server:
            # It makes nothing plain.
            yield Gateway(server.address, server.address, tells_reasons=not settings.IS_KONG)
        assert server.faults() == []
        return
    envoy = Envoy(configured.with_table(), name="e2e")
    try:
        ports.require_free(settings.ENVOY_RAW_PORT, "the raw gateway", "ENVOY_RAW_PORT")
        envoy.start()
    except StackError as error:
        pytest.exit(f"There is no gateway to test. {error}", returncode=1)
    # Whatever the filter logs is searched for tokens in the end.
    envoy.admin("/logging?wasm=trace", "POST")
    yield Gateway(envoy.url, f"http://127.0.0.1:{settings.ENVOY_RAW_PORT}", envoy, tells_reasons=True)
    envoy.stop()


@pytest.fixture(scope="session")
def envoy(gateway):
    """For tests of Envoy itself."""
    if gateway.envoy is None:
        pytest.skip("GATEWAY names another gateway: this is about the suite's own Envoy")
    return gateway.envoy


@pytest.fixture(scope="session")
def mint(stub):
    """Makes a token by recipe (README.md, "Tokens")."""
    return lambda **recipe: tokens.mint(stub, recipe)
