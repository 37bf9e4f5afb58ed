"""A callout over the network, and how it ended. Its time-out is that of each step."""

import dataclasses
import http.client


@dataclasses.dataclass
class Outcome:
    """`ended`: ok; cut (in the body); closed (before the fields); timeout; failed (not sent).

    Without a status nothing came. `length` is what the answer said of its body.
    """

    ended: str
    status: int | None = None
    fields: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    length: int | None = None


def send(address, call):
    """Sends a Call to (host, port), and waits for what becomes of it."""
    outcome = Outcome("failed")
    if address is None:
        return outcome
    connection = http.client.HTTPConnection(*address, timeout=call.timeout / 1000)
    try:
        connection.connect()
        outcome.ended = "closed"
        _send(connection, call)
        answer = connection.getresponse()
        outcome.status = answer.status
        outcome.fields = [(name.lower().encode(), value.encode()) for name, value in answer.getheaders()]
        outcome.length = answer.length
        outcome.ended = "cut"
        outcome.body = answer.read()
        outcome.ended = "ok"
    except TimeoutError:
        outcome.ended = "timeout"
    except (OSError, http.client.HTTPException):
        pass  # as far as it went
    finally:
        connection.close()
    return outcome


def _send(connection, call):
    connection.putrequest(call.method, call.path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("host", call.fields.get(b":authority", b""))
    for name, value in call.fields.items():
        if not name.startswith(b":"):
            connection.putheader(name.decode(), value)
    connection.putheader("connection", "close")
    connection.endheaders(call.body or None)
