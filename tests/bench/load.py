"""The load generator (tests/bench/load/), as an object."""

import dataclasses
import os
import subprocess
from pathlib import Path

from tests.stack import ROOT, StackError

BINARY = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release" / "jwt-keycloak-load"


@dataclasses.dataclass
class Sent:
    seconds: float
    statuses: dict  # status -> count


@dataclasses.dataclass
class Paced:
    """Microseconds from when a request was to be sent to its answer."""

    p50: float
    p90: float
    p99: float
    most: float
    statuses: dict


class Load:
    """One process and its one thread. `core`: where it runs."""

    def __init__(self, core):
        self._child = subprocess.Popen(
            [BINARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.sched_setaffinity(self._child.pid, {core})
        self._loaded = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.stdin.close()
        self._child.wait(10)

    def send(self, port, tokens, start, count, connections=8):
        """Requests one after another on each connection, from token `start` of a file on."""
        told = self._tell("send", port, self._name(tokens), start, count, connections)
        return Sent(float(told[0]), statuses(told[1:]))

    def watch(self, port, tokens, start, count, connections=8):
        """The same, and it never sleeps. To wake it up is work that falls to whoever sends: to a gateway that
        is slower, and so lets it sleep, for each answer, and to a fast one hardly ever."""
        told = self._tell("watch", port, self._name(tokens), start, count, connections)
        return Sent(float(told[0]), statuses(told[1:]))

    def pace(self, port, tokens, start, count, rate, connections=64):
        """`rate` requests a second, whatever becomes of them."""
        told = self._tell("pace", port, self._name(tokens), start, count, connections, rate)
        return Paced(*(float(number) for number in told[:4]), statuses(told[4:]))

    def _name(self, path):
        if path not in self._loaded:
            self._tell("tokens", path.stem, path)
            self._loaded.add(path)
        return path.stem

    def _tell(self, *words):
        try:
            self._child.stdin.write(" ".join(map(str, words)) + "\n")
            self._child.stdin.flush()
            answer = self._child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise StackError(f"the load generator ended: {self._child.stderr.read().strip()}")
        return answer.split()[1:]


def statuses(words):
    return {int(status): int(count) for status, _, count in (word.partition(":") for word in words)}
