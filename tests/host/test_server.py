"""The hosts as HTTP gateways: bodies as they come, by a module that does as it is told."""

import socket
import threading
import time
import urllib.parse

import pytest

from tests.e2e import client
from tests.host import puppet as puppets
from tests.host.gateways import EnvoyGateway, WasmxGateway
from tests.host.puppet import UNTIL_END, Puppet
from tests.host.server import Route, Server
from tests.host.worker import CONTINUE, OK, PAUSE
from tests.stack import upstream as stack_upstream

ROUTE = {"service_name": "orders", "route_name": "orders-v1"}
HEAD = "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n"


@pytest.fixture(scope="module")
def upstream():
    server = stack_upstream.Server(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["envoy", "wasmx"])
def served(request, upstream):
    """A puppet and its gateway. On Envoy the headers do not stop all."""
    if request.param == "envoy":
        puppet = Puppet(EnvoyGateway(puppets.path(), {}))
    else:
        puppet = Puppet(WasmxGateway(puppets.path()))
    route = Route(b"/", "filter", b"{}", headers_stop_all=False, **ROUTE)
    with Server(puppet.worker, [route], upstream.server_address) as server:
        yield puppet, server
    assert server.faults() == []


def eventually(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def come_so_far(puppet):
    """Of the bodies of all requests there."""
    return [request.body.come for request in list(puppet.worker.requests.values())]


@pytest.mark.parametrize("answer", [UNTIL_END, CONTINUE], ids=["held to its end", "passes"])
@pytest.mark.parametrize("kind", client.WITH_AN_END)
def test_a_body_goes_up_as_it_came(served, upstream, kind, answer):
    puppet, server = served
    is_envoy = isinstance(puppet.worker, EnvoyGateway)
    body = client.BODIES[kind] or client.Body()
    if is_envoy and answer == UNTIL_END:
        puppet.on("headers", PAUSE if body.octets or body.chunks else CONTINUE)
    puppet.on("body", answer if is_envoy else CONTINUE, "read")
    response = client.send(server.address, "POST", "/", body=client.BODIES[kind])
    size = len(body.octets)
    if is_envoy and answer == UNTIL_END and size > 1 << 20:
        assert response.status == 413
        return
    assert response.status == 200
    assert response.json["body_length"] == size
    assert response.json["body_sha256"] == body.sha256
    if body.trailers:
        assert dict(response.json["trailers"]) == body.trailers
    assert (("trailers", 1) in puppet.callbacks) == (is_envoy and bool(body.trailers))
    sizes = [callback[1:] for callback in puppet.callbacks if callback[0] == "body"]
    if not is_envoy:
        assert sizes == ([(size, 1)] if size else [])
    elif answer == CONTINUE:
        assert sum(size for size, _ in sizes) == size
    elif size:
        assert max(size for size, _ in sizes) == size
        assert puppet.result("read") == (OK, body.octets)


def test_a_body_that_is_slow_comes_in_pieces(served):
    puppet, server = served
    with _connection(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n")
        for come in (b"ab", b"abcd"):
            connection.sendall(come[-2:])
            eventually(lambda come=come: come_so_far(puppet) == [come])
        connection.sendall(b"ef")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    sizes = [callback[1:] for callback in puppet.callbacks if callback[0] == "body"]
    assert sizes == ([(2, 0), (2, 0), (2, 0), (0, 1)] if isinstance(puppet.worker, EnvoyGateway) else [(6, 1)])


@pytest.mark.parametrize("sent", [b"", b"ab"], ids=["before its body", "in its body"])
def test_a_client_that_goes_away_is_forgotten(served, upstream, sent):
    puppet, server = served
    with _connection(server) as connection:
        path = f"/gone{len(sent)}"
        connection.sendall(HEAD.format(path=path).encode() + sent)
        eventually(lambda: come_so_far(puppet) == [sent])
    eventually(lambda: not puppet.worker.requests)
    assert path not in upstream.count()["paths"]


def test_a_route_has_names(served):
    puppet, server = served
    is_envoy = isinstance(puppet.worker, EnvoyGateway)
    names = {b"xds\0cluster_name": b"orders", b"xds\0route_name": b"orders-v1"}
    if not is_envoy:
        names = {b"kong\0service_name": b"orders", b"kong\0route_name": b"orders-v1"}
    puppet.on("headers", CONTINUE, "property")
    for path, name in names.items():
        puppet.tell(property=path)
        assert client.send(server.address, "GET", "/").status == 200
        assert puppet.result("property") == (OK, name)


def _connection(server):
    url = urllib.parse.urlsplit(server.address)
    connection = socket.create_connection((url.hostname, url.port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
