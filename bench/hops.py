"""The functions and modules that one refresh passes through, from wake-up to the token served.

python -m bench.hops [--list]

A daemon without sinks renews its token against a simulated cloud in another process, and a reader
that has been connected to the socket all the time then requests it. `sys.setprofile` records every call between two functions of the
package. A *hop* is a call from one module into a function of another that itself calls a third: a
function that returns directly (a value, a clock, a check) is not a hop.
Each pair of functions counts once; a coroutine or generator counts when it begins, not when it is
resumed; a call by the event loop or a thread is a hop from there.
The modules are those that hops lead into. ``--list`` prints the hops in order.

Before the redesign of the layout there were 78 hops through 38 modules.
"""

import argparse
import contextlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from collections import defaultdict
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import Any

from bench.common import Figure, report
from bench.processes import daemon, folder, homey, simulator, until

PACKAGE = "homey_tokend"
HOPS, MODULES = 45, 22
#: The file that the daemon writes its calls to; its name is handed over in the environment.
CALLS = "BENCH_CALLS"
#: A token is renewed at about half of this: some seconds in which nothing else happens.
LIFE_S = 8.0
#: Seconds in which everything that follows a refresh has ended.
REST_S = 0.7
_RESUMABLE = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator

#: A module and a function of it.
Function = tuple[str, str]
Call = tuple[Function, Function]


class Recorder:
    """Record the calls between functions of the package, between two signals."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._calls: list[Call] = []
        self._begun: set[FrameType] = set()
        self._signals = 0

    def start(self) -> None:
        signal.signal(signal.SIGUSR1, self._on_signal)
        threading.setprofile(self._record)
        sys.setprofile(self._record)

    def _record(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not _ours(frame) or frame in self._begun:
            return
        if frame.f_code.co_flags & _RESUMABLE:
            self._begun.add(frame)
        self._calls.append((_caller(frame), _function(frame)))

    def _on_signal(self, *_: object) -> None:
        """Drop the calls before the first signal; write the others and exit at the second."""
        self._signals += 1
        if self._signals == 1:
            self._calls.clear()
            return
        self._path.write_text(json.dumps(self._calls), encoding="utf-8")
        os._exit(0)


def _ours(frame: FrameType) -> bool:
    # Generated methods of a dataclass have no file, and call nothing.
    name = frame.f_globals.get("__name__", "")
    return name.startswith(f"{PACKAGE}.") and not frame.f_code.co_filename.startswith("<")


def _caller(frame: FrameType) -> Function:
    """Return the nearest calling function of ours; none if the event loop is nearer."""
    below = frame.f_back
    while below is not None and not _ours(below):
        if below.f_code.co_filename.endswith("asyncio/events.py"):
            return "", "event loop"
        below = below.f_back
    return _function(below) if below is not None else ("", "thread")


def _function(frame: FrameType) -> Function:
    return frame.f_globals["__name__"], getattr(frame.f_code, "co_qualname", frame.f_code.co_name)


def find_hops(calls: list[Call]) -> list[Call]:
    """Return the hops among these calls, each once and in order."""
    called = defaultdict(set)
    for caller, callee in calls:
        called[caller].add(callee)

    def continues(function: Function) -> bool:
        """Return whether a function calls another module, itself or through its own module."""
        waiting, seen = [function], {function}
        while waiting:
            for callee in called[waiting.pop()] - seen:
                if callee[0] != function[0]:
                    return True
                seen.add(callee)
                waiting.append(callee)
        return False

    crossing = [call for call in dict.fromkeys(calls) if call[0][0] != call[1][0]]
    return [call for call in crossing if continues(call[1])]


def record_calls() -> list[Call]:
    """Return the calls of one refresh and one reader after it."""
    with folder() as place, simulator("--session-lifetime", str(LIFE_S)) as description:
        os.environ[CALLS] = str(place / "calls.json")
        state, calls = place / "state.json", place / "calls.json"
        program = (sys.executable, "-m", "bench.hops", "--daemon")
        # Without log lines, whose calls are not part of the path.
        with daemon(
            description,
            place,
            program=program,
            homeys={"home": homey(description)},
            log={"level": "error"},
        ) as (process, path):
            until(lambda: _generation(state) >= 1, "a first token")
            with contextlib.closing(_connect(path)) as reader:
                _read_token(reader)
                time.sleep(REST_S)
                process.send_signal(signal.SIGUSR1)
                until(lambda: _generation(state) >= 2, "its renewal")
                time.sleep(REST_S)
                _read_token(reader)
                time.sleep(REST_S)
                process.send_signal(signal.SIGUSR1)
                process.wait(30)
        found = json.loads(calls.read_text(encoding="utf-8"))
        return [(tuple(caller), tuple(callee)) for caller, callee in found]


def _connect(path: Path) -> HTTPConnection:
    connection = HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    return connection


def _read_token(reader: HTTPConnection) -> None:
    reader.request("GET", "/token")
    response = reader.getresponse()
    if response.status != 200 or not response.read():
        sys.exit(f"/token: {response.status}")


def _generation(state: Path) -> int:
    """Return the token's number on the disk: a request to the daemon would be recorded."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        document: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
        return int(document["homeys"]["home"]["generation"])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the hops in order")
    args = parser.parse_args()
    hops = find_hops(record_calls())
    if args.list:
        for caller, callee in hops:
            print(f"{':'.join(caller)} -> {':'.join(callee)}")
    modules = {module for _, (module, _) in hops}
    return report([Figure("hops", len(hops), HOPS), Figure("modules", len(modules), MODULES)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--daemon"]:
        del sys.argv[1]
        Recorder(Path(os.environ[CALLS])).start()
        runpy.run_module(PACKAGE, run_name="__main__")
    sys.exit(main())
