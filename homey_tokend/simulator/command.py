"""The command ``homey-tokend simulate``: the simulator, alone."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import Sequence
from typing import Any

from homey_tokend.simulator.arguments import Arguments, read
from homey_tokend.simulator.faultsfile import FaultsInvalid
from homey_tokend.simulator.loglines import LogLines
from homey_tokend.simulator.server import Simulator

#: Of sysexits.h, as the whole program uses them.
USAGE, UNAVAILABLE, CONFIG = 64, 69, 78


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT.

    Args:
        argv: Arguments behind the command's name.

    Returns:
        0 after a signal; 64 wrong usage; 69 the address cannot be had; 78 the
        faults file or the certificate cannot be used.
    """
    try:
        arguments = read(argv)
        lines = LogLines(arguments.log)
    except FaultsInvalid as trouble:
        return _fail(CONFIG, *trouble.complaints)
    except OSError as trouble:
        return _fail(CONFIG, _plain(trouble))
    except SystemExit as leaving:
        return USAGE if leaving.code else 0
    with lines:
        try:
            asyncio.run(_serve(arguments, lines))
        except OSError as trouble:
            where = f"{arguments.host}:{arguments.port}"
            return _fail(UNAVAILABLE, f"cannot listen on {where}: {_reason(trouble)}")
    return 0


async def _serve(arguments: Arguments, lines: LogLines) -> None:
    simulator = Simulator(
        arguments.settings,
        host=arguments.host,
        port=arguments.port,
        ssl_context=arguments.ssl_context,
        log=lambda facts: lines.put("request.answered", facts),
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, ended.set)
    async with simulator:
        _print(simulator.description())
        lines.put("simulator.started", {"url": simulator.base_url})
        await ended.wait()
    lines.put("simulator.stopped", {})


def _print(description: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(description) + "\n")
    sys.stdout.flush()


def _plain(trouble: OSError) -> str:
    """Which file, and what is the matter; OpenSSL does not say which of its two."""
    if isinstance(trouble, ssl.SSLError):
        return "--tls-cert: holds no certificate with its key, in PEM; see --tls-key"
    return f"{trouble.filename or '--tls-cert or --tls-key'}: {_reason(trouble)}"


def _reason(trouble: OSError) -> str:
    """The system's own words; asyncio's hold them behind its own, a name's look-up has none."""
    known = trouble.errno is not None and trouble.errno > 0
    return (os.strerror(trouble.errno or 0) if known else str(trouble.strerror)).lower()


def _fail(status: int, *complaints: str) -> int:
    for complaint in complaints:
        sys.stderr.write(f"{complaint}\n")
    return status
