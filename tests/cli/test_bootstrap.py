"""Start and end of the commands that run the daemon's code."""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

import pytest
import structlog

from homey_tokend.cli import bootstrap
from homey_tokend.config import LogConfig

CONFIG = """
homeys:
  home:
    email: you@example.com
    password: invented
    client_id: "1"
    client_secret: "2"
    cloudid: abc
"""
log = structlog.get_logger()


def test_the_last_lines_share_one_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stuck pipe and several reloads of the log, the process waits once at its end."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stalled:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writer, b"x" * 4096):
                pass
        os.set_blocking(writer, True)
        monkeypatch.setattr(sys, "stderr", stalled)
        with bootstrap.session(argparse.Namespace(config=str(file))) as started:
            for _ in range(4):
                log.error("said")
                started.set_log(LogConfig(format="json"))
            log.error("said")
            began = time.monotonic()
        took = time.monotonic() - began
        os.set_blocking(reader, False)
        os.read(reader, 1024 * 1024)
    os.close(reader)

    assert took < 7
