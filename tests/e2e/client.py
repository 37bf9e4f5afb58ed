"""A small HTTP/1.1 client that sends what a table says: duplicates, chunks and trailers as well.

`http.client` can neither send trailers nor read an answer that comes before the body is sent.
"""

import contextlib
import hashlib
import http.client
import json
import socket
import time
import urllib.parse

TIMEOUT = 30


class Body:
    """A request's body: octets, in chunks when `chunks` says how many, with trailers or not.

    `pause`: seconds between chunks, so that they arrive one by one. What does not `ends` says that
    more is to come, which never does.
    """

    def __init__(self, octets=b"", chunks=0, pause=0, trailers=None, ends=True):
        self.octets = octets
        self.chunks = chunks
        self.pause = pause
        self.trailers = trailers or {}
        self.ends = ends

    @property
    def sha256(self):
        return hashlib.sha256(self.octets).hexdigest()

    def headers(self):
        if not self.chunks:
            return [("content-length", str(len(self.octets) + (not self.ends)))]
        names = [("trailer", ", ".join(self.trailers))] if self.trailers else []
        return [("transfer-encoding", "chunked"), *names]

    def pieces(self):
        if not self.chunks:
            yield self.octets
            return
        size = max(1, len(self.octets) // self.chunks)
        for start in range(0, len(self.octets), size):
            chunk = self.octets[start : start + size]
            yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
            time.sleep(self.pause)
        if not self.ends:
            return
        trailers = "".join(f"{name}: {value}\r\n" for name, value in self.trailers.items())
        yield f"0\r\n{trailers}\r\n".encode()


# The kinds of body that the table and the tests of pauses know by name. The large ones are above
# the gateway's buffer for a connection (1 MiB on Envoy).
_LARGE = bytes(range(256)) * (12 << 10)  # 3 MiB
BODIES = {
    "none": None,
    "empty": Body(),
    "small": Body(b'{"order": 1}'),
    "chunked": Body(b"abcdefgh" * 512, chunks=8),
    "slow": Body(b"abcdefgh", chunks=4, pause=0.1),
    "trailers": Body(b"abcdefgh", chunks=2, trailers={"x-checksum": "12ab"}),
    "only trailers": Body(b"", chunks=1, trailers={"x-checksum": "12ab"}),
    "empty chunked": Body(chunks=1),
    "one octet": Body(b"{"),
    "one octet chunked": Body(b"{", chunks=1),
    "1 KiB": Body(bytes(range(256)) * 4),
    "1 KiB chunked": Body(bytes(range(256)) * 4, chunks=3),
    "1 KiB and one": Body(bytes(range(256)) * 4 + b"!"),
    "1 KiB and one chunked": Body(bytes(range(256)) * 4 + b"!", chunks=5),
    "64 KiB": Body(bytes(range(256)) * 256),
    "64 KiB chunked": Body(bytes(range(256)) * 256, chunks=16),
    "large": Body(_LARGE),
    "large chunked": Body(_LARGE, chunks=48),
    "unfinished": Body(b"abcd", ends=False),
    "unfinished chunked": Body(b"abcd", chunks=1, ends=False),
}
# What goes up with the others would not end, either.
WITH_AN_END = [name for name, body in BODIES.items() if body is None or body.ends]


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # pairs, names in lower case
        self.body = body

    def header(self, name):
        """The header's only value, or None; twice the same header is a fault of the answer."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} stands {len(values)} times in the answer"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r}"


class Connection:
    """One connection, kept alive from request to request and made again when it was closed."""

    def __init__(self, address):
        url = urllib.parse.urlsplit(address)
        self._host = url.netloc
        self._address = (url.hostname, url.port or 80)
        self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, method, path, headers=(), body=None):
        """One request and its answer. `headers` are pairs and go out as they are."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        lines += [f"{name}: {value}" for name, value in (body.headers() if body else [])]
        # Header values may be any octets; the tables write them as Latin-1.
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        # An answer may come, and the connection end, while the body is still being sent.
        with contextlib.suppress(ConnectionError):
            for piece in body.pieces() if body else ():
                self._socket.sendall(piece)
        answer = http.client.HTTPResponse(self._socket, method=method)
        answer.begin()
        response = Response(
            answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read()
        )
        if answer.will_close:
            self.close()
        return response


def send(address, method, path, headers=(), body=None):
    """One request on a connection of its own."""
    with Connection(address) as connection:
        return connection.send(method, path, headers, body)
