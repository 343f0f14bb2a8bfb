"""The process protects its memory."""

import ctypes
import errno
import gc
import json
import resource
import subprocess
import sys
import weakref

import pytest
from structlog.testing import capture_logs

from homey_tokend.runtime import hardening

REPORT = """
import ctypes, json, resource, subprocess, time
from homey_tokend.runtime import hardening
hardening.harden()
begun = time.monotonic()
child = subprocess.run(["/bin/true"], close_fds=True)
print(json.dumps({
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "child": child.returncode,
    "quick": time.monotonic() - begun < 5,
}))
"""


@pytest.mark.slow
def test_no_core_and_no_debugger() -> None:
    """The process is not dumpable, writes no core, and can still run children."""
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", REPORT], capture_output=True, text=True, check=True
    )

    assert {"dumpable": 0, "core": [0, 0], "child": 0, "quick": True} == json.loads(done.stdout)


class Refusing:
    """A C library whose prctl(2) fails."""

    def __init__(self, *_: object, **__: object) -> None:
        ctypes.set_errno(errno.EINVAL)

    def prctl(self, *_: int) -> int:
        return -1


def test_a_failing_prctl_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """-1 from prctl(2) is a failure."""
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(ctypes, "CDLL", Refusing)
    with capture_logs() as lines:
        hardening.harden()

    assert [("process.not_hardened", "OSError")] == [
        (line["event"], line["reason"]) for line in lines
    ]


def test_a_failure_is_only_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """If hardening is not possible, the daemon still runs."""

    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "setrlimit", denied)
    with capture_logs() as lines:
        hardening.harden()

    assert [("process.not_hardened", "debug")] == [
        (line["event"], line["log_level"]) for line in lines
    ]


class Node:
    """Part of a cycle: freed by a collection only."""

    def __init__(self) -> None:
        self.itself = self


def test_the_garbage_of_the_start_is_freed_and_the_rest_exempt() -> None:
    """Later collections run, and do not look at what was made before."""
    gc.disable()
    kept, garbage = Node(), weakref.ref(Node())
    try:
        hardening.collect_garbage()

        assert (None, True) == (garbage(), gc.isenabled())
        assert not any(one is kept for one in gc.get_objects())
    finally:
        gc.unfreeze()
        gc.enable()
