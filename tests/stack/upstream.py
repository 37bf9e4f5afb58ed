"""An upstream that answers every request with JSON of what it received.

    python upstream.py --port 8081      alone: standard library only, one file

With a verifier (gateway_jwt.py, beside this file, which needs joserfc) it also says what the JWT that
the gateway signed is worth:

    python upstream.py --jwks http://localhost:8000/.well-known/gateway-jwks.json --jwt-issuer ISS

`GET /__count` tells how many other requests have come, so that a test can tell that none did: in
all, by path, and by the header `x-request-tag`.
HTTP is read by hand: what reaches the upstream is shown as it came, in its order, with every
duplicate, and without http.server's limit of 100 headers.
"""

import argparse
import collections
import hashlib
import json
import socketserver
import threading

MAX_LINE = 1 << 20


class Handler(socketserver.StreamRequestHandler):
    """One connection; several requests, one after another."""

    disable_nagle_algorithm = True
    timeout = 300

    def handle(self):
        try:
            while self.one_request():
                pass
        except (BadRequest, ValueError) as error:
            self.answer(400, {"error": str(error)}, close=True)
        except OSError:
            pass  # the client went away

    def one_request(self):
        line = self.rfile.readline(MAX_LINE)
        if not line.strip():
            return bool(line)
        try:
            method, path, version = line.decode("latin-1").split()
        except ValueError:
            raise BadRequest("not an HTTP/1.1 request line") from None
        headers = self.read_headers()
        if dict(headers).get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length, digest, trailers = self.read_body(headers)

        close = version == "HTTP/1.0" or "close" in dict(headers).get("connection", "").lower()
        if path.split("?")[0] == "/__count":
            self.answer(200, self.server.count(), close)
        else:
            self.server.record(path.split("?")[0], dict(headers).get("x-request-tag"))
            received = {
                "method": method,
                "path": path,
                "headers": headers,
                "body_length": length,
                "body_sha256": digest,
            }
            if trailers is not None:
                received["trailers"] = trailers
            if self.server.verifier:
                received["gateway_jwt"] = self.server.verifier.shown(headers, digest, path)
            self.answer(200, received, close, head=method == "HEAD")
        return not close

    def read_headers(self):
        """Pairs of lower-case name and value; values are bytes in Latin-1, so nothing is lost."""
        headers = []
        while True:
            line = self.rfile.readline(MAX_LINE)
            if not line.endswith(b"\n"):
                raise BadRequest("the headers were cut off")
            line = line.rstrip(b"\r\n").decode("latin-1")
            if not line:
                return headers
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("a header without a colon")
            headers.append((name.lower(), value.strip(" \t")))

    def read_body(self, headers):
        """Its length, its SHA-256 and, if it was chunked, its trailers."""
        digest = hashlib.sha256()
        fields = dict(headers)
        if fields.get("transfer-encoding", "").lower() == "chunked":
            length = 0
            while True:
                size = int(self.rfile.readline(MAX_LINE).split(b";")[0], 16)
                if size == 0:
                    return length, digest.hexdigest(), self.read_headers()
                self.read_exactly(size, digest)
                self.rfile.readline(MAX_LINE)
                length += size
        length = int(fields.get("content-length", "0"))
        self.read_exactly(length, digest)
        return length, digest.hexdigest(), None

    def read_exactly(self, size, digest):
        while size > 0:
            block = self.rfile.read(min(size, 1 << 16))
            if not block:
                raise BadRequest("the body was cut off")
            digest.update(block)
            size -= len(block)

    def answer(self, status, body, close, head=False):
        data = json.dumps(body).encode() + b"\n"
        reason = {200: "OK", 400: "Bad Request"}[status]
        lines = [f"HTTP/1.1 {status} {reason}", "content-type: application/json", f"content-length: {len(data)}"]
        if close:
            lines.append("connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + (b"" if head else data))


class BadRequest(Exception):
    pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, verifier=None):
        super().__init__(address, Handler)
        self.verifier = verifier
        self._lock = threading.Lock()
        self._paths = collections.Counter()
        self._tags = collections.Counter()

    def record(self, path, tag=None):
        with self._lock:
            self._paths[path] += 1
            if tag:
                self._tags[tag] += 1

    def count(self):
        with self._lock:
            return {
                "requests": sum(self._paths.values()),
                "paths": dict(self._paths),
                "tags": dict(self._tags),
            }


class Upstream:
    """The same, in a thread of this process. `verifier`: a gateway_jwt.Verifier."""

    def __init__(self, port=0, verifier=None):
        # Loopback only: it shows whatever it is sent, tokens included.
        self._server = Server(("127.0.0.1", port), verifier)
        self.address = self._server.server_address
        self.port = self.address[1]

    def count(self, path=None):
        """Requests so far, all or for one path (without its query)."""
        counts = self._server.count()
        return counts["requests"] if path is None else counts["paths"].get(path, 0)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def verifier_by(arguments):
    """The one that the arguments describe, or none."""
    if not arguments.jwks:
        return None
    if __package__:
        from . import gateway_jwt
    else:
        import gateway_jwt
    return gateway_jwt.Verifier(
        gateway_jwt.PublishedKeys(arguments.jwks),
        arguments.jwt_issuer,
        arguments.jwt_audience,
        arguments.jwt_header,
        arguments.jwt_bearer,
    )


def main():
    parser = argparse.ArgumentParser(description="Answers every request with JSON of what it received.")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine only; 0.0.0.0 in a container")
    parser.add_argument("--jwks", metavar="URL", help="where the gateway publishes its keys: verifies its JWTs")
    parser.add_argument("--jwt-header", metavar="NAME", default="JWT", help="the header that has the JWT")
    parser.add_argument("--jwt-bearer", action="store_true", help="the header says Bearer before it")
    parser.add_argument("--jwt-issuer", metavar="ISS", help="its iss; needed with --jwks")
    parser.add_argument("--jwt-audience", metavar="AUD", help="one of its aud; default: it is not looked at")
    arguments = parser.parse_args()
    if arguments.jwks and not arguments.jwt_issuer:
        parser.error("--jwks needs --jwt-issuer")
    with Server((arguments.host, arguments.port), verifier_by(arguments)) as server:
        print(f"upstream: listening on {arguments.host}:{arguments.port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
