"""Ports: chosen by environment variable, checked before something is started on them."""

import os
import socket

from . import StackError

HOST = "127.0.0.1"


def from_env(variable, default):
    """The port that the environment variable names, or the default."""
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise StackError(f"{variable}={text} is not a port")
    return int(text)


def free():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def require_free(port, what, variable=None):
    """Fails with a clear message when the port is taken, which is better than a log full of traces."""
    with socket.socket() as probe:
        # As servers do it: a connection that is closing down (TIME_WAIT) is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            remedy = f"stop what listens there, or set {variable} to another port" if variable else "stop what listens there"
            raise StackError(f"port {port}, wanted by {what}, cannot be used ({error.strerror}): {remedy}") from None
