"""A client's connection: requests come in, wait until the worker has decided, and go up or are
answered."""

import contextlib
import http.client
import select
import socket
import socketserver

from tests.host import message

TIMEOUT = 60  # of the upstream


class Down(Exception):
    """The worker has ended, and nothing is served any more."""


class Gone(Exception):
    """The client went away while its request waited."""


class Connection(socketserver.BaseRequestHandler):
    """`server.gateway` is the one that decides."""

    def handle(self):
        self.client = self.request
        self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.gateway = self.server.gateway
        reader = message.Reader(self.client)
        with contextlib.suppress(OSError, Gone, Down):
            try:
                while head := reader.head():
                    self.exchange(reader, head)
            except (message.Malformed, ValueError):
                self.client.sendall(message.answer(400, [(b"connection", b"close")], b"", False))

    def exchange(self, reader, head):
        body = reader.body(head)
        fields = self.gateway.taken(head.fields)
        own = self.gateway.own_answer(head.path, fields)
        if own:
            self.answer(head, own, [], b"")
        else:
            with self.gateway.holding(head.method, head.path, fields, body.is_expected) as held:
                self.wait(reader, held, body)
                if held.request.response:
                    self.answer(head, *held.request.response)
                else:
                    self.answer(head, *self.pass_on(head.method, held.request, body))
        # An answer may come before the body: what is left of it is no request.
        self.read_all(reader, body)

    def wait(self, reader, held, body):
        """Until all is decided; meanwhile more of its body may come, or its client go."""
        self.show(held, body)
        while not held.request.is_settled:
            ready, _, _ = select.select([self.client, held.told], [], [])
            if held.told in ready:
                # The worker's end is told, too.
                held.told.recv(64)
                self.gateway.must_be_up()
            elif not reader.receive():
                raise Gone
            elif not body.is_complete:
                body.take()
                self.show(held, body)

    def show(self, held, body):
        """What has come since goes to the worker."""
        data = body.news()
        if body.is_expected and (data or body.is_complete):
            self.gateway.more(held, data, body.is_complete, body.trailers)

    def read_all(self, reader, body):
        while not body.is_complete:
            if not reader.receive():
                raise Gone
            body.take()

    def pass_on(self, method, request, body):
        """The upstream's answer: status, fields, body."""
        path, fields = request.upstream
        octets = bytes(request.body.up)
        with socket.create_connection(self.gateway.upstream, TIMEOUT) as connection:
            connection.sendall(message.request(method, path, fields, body, octets))
            answer = http.client.HTTPResponse(connection, method=method.decode("latin-1"))
            answer.begin()
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
            return answer.status, fields, answer.read()

    def answer(self, head, status, fields, body):
        self.client.sendall(message.answer(status, fields, body, head.method == b"HEAD"))
