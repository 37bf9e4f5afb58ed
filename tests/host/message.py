"""HTTP/1.1 by hand: requests as their octets say, and what goes up as it has to.

Nothing is made plain: paths, methods, duplicates, octets that are no UTF-8, trailers.
"""

import dataclasses

# Of one connection, and not of the request that is passed on.
FRAMING = {
    b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
}  # fmt: skip


class Malformed(Exception):
    """What came is no HTTP/1.1."""


@dataclasses.dataclass
class Head:
    method: bytes
    path: bytes
    fields: list  # pairs, names as they came


class Reader:
    """What comes in on a socket, cut into requests."""

    def __init__(self, connection):
        self._connection = connection
        self._data = bytearray()

    def receive(self):
        """More octets, as soon as there are some; False at the end."""
        data = self._connection.recv(1 << 16)
        self._data += data
        return bool(data)

    def head(self):
        """The next request's, or None where no more come."""
        while (end := self._data.find(b"\r\n\r\n")) < 0:
            if not self.receive():
                return None
        line, *lines = bytes(self._data[:end]).split(b"\r\n")
        del self._data[: end + 4]
        words = line.split(b" ")
        if len(words) != 3:
            raise Malformed(line)
        return Head(words[0], words[1], [_field(line) for line in lines])

    def body(self, head):
        return Body(head.fields, self._data)


class Body:
    """A request's body: as much as has come."""

    def __init__(self, fields, data):
        named = {name.lower(): value for name, value in fields}
        self.is_chunked = named.get(b"transfer-encoding", b"").lower() == b"chunked"
        self.has_length = b"content-length" in named
        size = int(named.get(b"content-length", b"0"))
        # Of a chunked one nobody knows before it comes.
        self.is_expected = self.is_chunked or size > 0
        self.trailers = []
        self._news = bytearray()
        self._parts = self._chunks(data) if self.is_chunked else self._octets(data, size)
        self.take()

    def take(self):
        """What has been received since."""
        self.is_complete = next(self._parts, True) is True

    def news(self):
        """What has been taken since it was asked for the last time."""
        news, self._news = bytes(self._news), bytearray()
        return news

    # These pause wherever more must come first.

    def _octets(self, data, size):
        while size:
            part = bytes(data[:size])
            del data[: len(part)]
            self._news += part
            size -= len(part)
            if size:
                yield

    def _chunks(self, data):
        while size := int((yield from _line(data)).split(b";")[0], 16):
            yield from self._octets(data, size)
            yield from _line(data)
        while line := (yield from _line(data)):
            self.trailers.append(_field(line))


def _line(data):
    while (end := data.find(b"\r\n")) < 0:
        yield
    line = bytes(data[:end])
    del data[: end + 2]
    return line


def _field(line):
    name, colon, value = line.partition(b":")
    if not colon:
        raise Malformed(line)
    return name, value.strip(b" \t")


def request(method, path, fields, body, octets):
    """A request's octets, with these fields and no others but those that frame it, and with a body of
    these octets that is framed as `body` was."""
    fields = [field for field in fields if field[0].lower() not in FRAMING]
    if body.is_chunked:
        fields.append((b"transfer-encoding", b"chunked"))
        chunk = b"%x\r\n%s\r\n" % (len(octets), octets) if octets else b""
        octets = chunk + b"0\r\n" + _lines(body.trailers) + b"\r\n"
    elif body.has_length:
        fields.append((b"content-length", b"%d" % len(octets)))
    fields.append((b"connection", b"close"))
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, path, _lines(fields), octets)


def answer(status, fields, body, is_head):
    fields = [field for field in fields if field[0].lower() not in FRAMING]
    fields.append((b"content-length", b"%d" % len(body)))
    return b"HTTP/1.1 %d -\r\n%s\r\n%s" % (status, _lines(fields), b"" if is_head else body)


def _lines(fields):
    return b"".join(b"%s: %s\r\n" % field for field in fields)
