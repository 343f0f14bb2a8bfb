"""The daemon, on a disk that hangs while the state is read: a thread waits for ever."""

import asyncio
import os
import sys
import threading
from dataclasses import replace

from homey_tokend.cli import bootstrap
from homey_tokend.cli.run import abandon_stuck_threads
from homey_tokend.config import load as load_config
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.state_file import NoStateFile


class HangingDisk(NoStateFile):
    """A ``ports.BlobStore`` that never answers."""

    async def load(self) -> bytes | None:
        sys.stderr.write("the disk hangs\n")
        await WorkerPool().run(threading.Event().wait)
        return None


def main() -> None:
    """Run as ``homey-tokend run --config FILE`` does."""
    config = load_config(sys.argv[-1], os.environ)
    with bootstrap.logging_session(config) as session:
        daemon = Daemon(config, replace(session.runtime, blobs=HangingDisk()))

        async def serve() -> None:
            install_signal_handlers(daemon)
            await daemon.run()

        asyncio.run(serve())
    abandon_stuck_threads()


if __name__ == "__main__":
    main()
