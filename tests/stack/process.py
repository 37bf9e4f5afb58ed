"""Child processes that are waited for, explained when they fail, and gone when we are gone."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import time

from . import StackError

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def progress(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def _die_with_parent():
    # Even when we are killed so hard that no clean-up runs. Linux sends this when the *thread*
    # that started the child ends, so start children from the main thread.
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A server in a process group of its own, its output in a log file."""

    def __init__(self, name, command, log, env=None, cwd=None):
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent if _libc else None,
            )
        atexit.register(self.stop)

    @property
    def pid(self):
        return self._child.pid

    @property
    def running(self):
        return self._child.poll() is None

    def log_tail(self, lines=25):
        with open(self.log, "rb") as log:
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])

    def wait_until(self, ready, timeout):
        """Polls `ready()` until it is true; says so every five seconds, and why not when it gives up."""
        started = told = time.monotonic()
        while not ready():
            now = time.monotonic()
            if not self.running:
                code = self._child.returncode
                raise StackError(f"{self.name} ended with exit code {code}; its last words:\n{self.log_tail()}")
            if now - started > timeout:
                raise StackError(f"{self.name} is not ready after {timeout} s; its last words:\n{self.log_tail()}")
            if now - told >= 5:
                told = now
                progress(f"{self.name}: starting, {now - started:.0f} s")
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self):
        atexit.unregister(self.stop)
        for sign, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            if not self._signal(sign):
                break
            try:
                self._child.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        # The leader is gone; nothing of its group may stay behind.
        self._signal(signal.SIGKILL)

    def _signal(self, sign):
        try:
            os.killpg(self._child.pid, sign)
            return True
        except (ProcessLookupError, PermissionError):
            return False
