"""Start ``homey-tokend`` as a process without paying for its imports each time.

A process that has imported the package forks once for each start. The fork runs the program's own
``__main__`` with its arguments, environment, directory and streams; only the start of the interpreter
and the imports are left out. Tests of just these start it the usual way.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGE = "homey_tokend"
#: Of a message: arguments, environment and directory.
_MESSAGE_BYTES = 1 << 17


class Forked:
    """A started process: what tests use of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.returncode: int | None = None
        self.pid = int(self._line(None))

    def poll(self) -> int | None:
        """Return the exit status, a negative one for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes:
        if timeout is not None and not select.select([self._connection], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(PACKAGE, timeout)
        line = self._connection.recv(64)
        assert line, "the fork server has ended"
        return line


class ForkServer:
    """The process that forks; it is started when it is first needed, and ends with its owner."""

    def __init__(self) -> None:
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._beginning = threading.Lock()

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        streams: tuple[int, int, int],
        module: str = PACKAGE,
    ) -> Forked:
        """Run a module with these arguments.

        Args:
            words: The arguments.
            cwd: Its directory.
            env: Its whole environment.
            streams: Descriptors of its stdin, stdout and stderr.
            module: What is run as ``__main__``.
        """
        with self._beginning:
            requests = self._requests or self._begin()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            message = {"module": module, "words": words, "cwd": str(cwd), "env": dict(env)}
            socket.send_fds(requests, [json.dumps(message).encode()], [theirs.fileno(), *streams])
        return Forked(ours)

    def close(self) -> None:
        """End the server; what it started runs on."""
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait(30)

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=Path(__file__).parents[2],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._requests = ours
        return ours


def _serve(requests: socket.socket) -> str:
    """Fork for each request; return only in the child, with the module to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the waiting processes are not awaited
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, _MESSAGE_BYTES, 4)
        if not message:
            sys.exit(0)
        if os.fork() == 0:
            requests.close()
            _waited_for(socket.socket(fileno=descriptors[0]))
            return _become(json.loads(message), descriptors[1:])
        for each in descriptors:
            os.close(each)


def _waited_for(connection: socket.socket) -> None:
    """Fork again: the child returns, its parent reports its id and its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        connection.close()
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C is for the child
    with contextlib.suppress(OSError):
        connection.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(message: Mapping[str, Any], streams: Sequence[int]) -> str:
    """Apply a message's arguments, environment and streams; return the module to run."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(message["cwd"])
    os.environ.clear()
    os.environ.update(message["env"])
    sys.argv = [message["module"], *message["words"]]
    time.tzset()
    return str(message["module"])


def _import_all() -> None:
    package = importlib.import_module(PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _import_all()
    gc.freeze()
    runpy.run_module(_serve(socket.socket(fileno=int(sys.argv[1]))), run_name="__main__")
