"""Ports: chosen by environment variable, checked before something is started on them."""

import os
import random
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
    """A port that nobody listens on.

    Not one of those that the system hands out to outgoing connections (from 32768 on in Linux):
    until it is listened on, any of these could take it.
    """
    candidates = list(range(20000, 32000))
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue
    raise StackError("no port between 20000 and 32000 is free")


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
