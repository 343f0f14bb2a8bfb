"""The surroundings of every test: no blocking call on the loop, a clean environment."""

import functools
import gc
import logging
import os
import signal
import traceback
from asyncio import constants
from collections.abc import Iterator
from unittest.mock import Mock

import aiohttp
import aioresponses.core
import pytest
import structlog
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

# aioresponses 0.7.9 does not pass the stream_writer that aiohttp 3.14 requires
# (pnuckowski/aioresponses issue 289). The stand-in is for a foreign class, not for ours.
aioresponses.core.ClientResponse = functools.partial(  # type: ignore[attr-defined, assignment]  # the shim
    aiohttp.ClientResponse, stream_writer=Mock(output_size=0)
)

# Begun in the background of a shell, the suite inherits an ignored SIGINT, and so would every
# process under test: Ctrl-C must mean what it means to a person.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# asyncio's debug mode keeps where each future, task and handle was made, with all frames up to
# pytest's: that took a third of the suite's time. The nearest three frames tell as much.
constants.DEBUG_STACK_DEPTH = 3  # type: ignore[misc]  # handles; it is no constant to asyncio
traceback.extract_stack.__defaults__ = (None, 3)  # futures and tasks, which ask for no limit


def _is_no_stopwatch(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Executing %s took")


# asyncio's debug mode reports every step over 0.1 s, but its clock also counts the time of other
# processes. Blockbuster finds what blocks the loop instead.
logging.getLogger("asyncio").addFilter(_is_no_stopwatch)

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_xdist_auto_num_workers() -> int:
    """Return two more than the cores for ``-n auto``: some of the suite's time is waiting."""
    return 2 + (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Hand tests out one by one, so that no worker is left with all the long ones."""
    if hasattr(config.option, "maxschedchunk"):
        config.option.maxschedchunk = config.option.maxschedchunk or 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long tests first: none is left for the end, when the other workers are idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Leave thousands of collected tests out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[BlockBuster]:
    with blockbuster_ctx("homey_tokend") as blockbuster:
        for name in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
            # Coverage's own lock, taken in whatever function a line is counted.
            blockbuster.functions[name].can_block_in("coverage/collector.py", {"lock_data"})
        yield blockbuster


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HOMEY_", "XDG_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in (
        "CREDENTIALS_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "LISTEN_FDS",
        "LISTEN_PID",
        "JOURNAL_STREAM",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _fresh_structlog() -> Iterator[None]:
    yield
    structlog.reset_defaults()
