"""A daemon that kills itself at one point of its life, named by DIE_AT.

"disk:N": at the N-th point that ``write_atomic`` reports (five for each write of the
state). "answered:STEP": when the response to this step has been read, before it is
used. "sent:STEP": before the request is sent.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from itertools import count

from homey_tokend.build import Runtime
from homey_tokend.cli import bootstrap
from homey_tokend.config import Config
from homey_tokend.config import load as load_config
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import Transport
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.http.transport import HttpTransport
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.state_file import StateFile

KIND, _, POINT = os.environ.pop("DIE_AT").partition(":")
_numbers = count(1)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(_point: str) -> None:
    if KIND == "disk" and next(_numbers) == int(POINT):
        _die()


class MortalTransport:
    """``ports.Transport`` that kills the process before a request or after its response."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        if (KIND, POINT) == ("sent", request.step):
            _die()
        response = await self._transport.send(request)
        if (KIND, POINT) == ("answered", request.step):
            _die()
        return response


async def _serve(config: Config, runtime: Runtime) -> None:
    path = config.state.path
    assert path is not None
    worker = WorkerPool()
    transport = HttpTransport(
        runtime.clock, timeout=config.refresh.timeout, environ={}, user_agent="homey-tokend/test"
    )
    blobs = StateFile(path, worker, at=_at)
    daemon = Daemon(config, replace(runtime, transport=MortalTransport(transport), blobs=blobs))
    install_signal_handlers(daemon)
    try:
        await daemon.run()
    finally:
        await transport.close()
        worker.close()


def main() -> None:
    """Run as ``homey-tokend run --config FILE`` does."""
    config = load_config(sys.argv[-1], os.environ)
    with bootstrap.logging_session(config) as session:
        asyncio.run(_serve(session.config, session.runtime))


if __name__ == "__main__":
    main()
