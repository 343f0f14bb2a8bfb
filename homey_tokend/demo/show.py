"""The demo itself: a pretend cloud whose tokens live 20 s, and the daemon against it."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from homey_tokend.build import Runtime
from homey_tokend.config import Config, DefaultPaths, parse
from homey_tokend.core.ports import Clock
from homey_tokend.core.secret import Secret
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.demo.narrator import EventPrinter
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.simulator import Settings, Simulator

#: How long does a token of the pretend Homey live?
TOKEN_LIFETIME_S = 20.0
#: When does the scripted outage begin, and how long is it? Inside a token's second half.
OUTAGE_AT_S, OUTAGE_S = 16.0, 9.0
_HOMEY, _VARIABLE = "home", "accesstoken"


async def run_demo(clock: Clock, say: Callable[[str], None], lasts_s: float | None = None) -> None:
    """Run the demo until Ctrl-C, or for ``lasts_s`` seconds.

    Everything lies in a folder of its own, which is removed at the end.
    """
    began = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="homey-demo-") as folder:
        async with Simulator(Settings(session_lifetime=TOKEN_LIFETIME_S)) as simulator:
            narrator = EventPrinter(
                say,
                lambda: clock.monotonic() - began,
                lambda: Secret(str(simulator.get_variable(_VARIABLE))).fingerprint(),
            )
            structlog.configure(processors=[narrator])
            told = simulator.description()
            config = _config(told, Path(folder))
            narrator.line("simulator", f"a pretend Athom cloud and one Homey: {told['api']}")
            narrator.line("demo", f"a token lives {TOKEN_LIFETIME_S:.0f} s here; Ctrl-C ends it")
            daemon = await run_in_thread(
                Daemon, config, Runtime(clock, environ={}, heard=narrator.heard)
            )
            await _play(daemon, _Script(simulator, narrator, config, clock), lasts_s)
            narrator.line("demo", "ended; nothing is left behind")


def _config(told: dict[str, Any], folder: Path) -> Config:
    """The configuration that a person would write for this simulator; JSON is YAML."""
    document = {
        "homeys": {
            _HOMEY: {
                "email": told["email"],
                "password": told["password"],
                "client_id": told["clientId"],
                "client_secret": told["clientSecret"],
                "redirect_url": told["redirectUri"],
                "cloudid": told["cloudid"],
                "sinks": [{"type": "logic_variable", "name": _VARIABLE}],
            }
        },
        "refresh": {"retry": {"first": "1s", "max": "3s"}, "verify_every": 0},
        "socket": {"path": str(folder / "demo.sock"), "mode": "0600"},
        "state": {"path": str(folder / "state.json")},
        "endpoints": {key: told[key] for key in ("accounts", "api", "homey")},
    }
    return parse(json.dumps(document).encode(), "demo", defaults=DefaultPaths(), environ={})


async def _play(daemon: Daemon, script: "_Script", lasts_s: float | None) -> None:
    install_signal_handlers(daemon)
    acts = asyncio.create_task(script.run(), name="script")
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(lasts_s):
                await daemon.run(script.started)
    finally:
        acts.cancel()
        await asyncio.gather(acts, return_exceptions=True)


class _Script:
    """What happens to the pretend cloud, and when."""

    def __init__(
        self, simulator: Simulator, narrator: EventPrinter, config: Config, clock: Clock
    ) -> None:
        self._simulator = simulator
        self._narrator = narrator
        self._clock = clock
        self._socket = config.socket.path

    def started(self, _fleet: Supervisor) -> None:
        """The socket answers."""
        narrator = self._narrator
        narrator.line("daemon", f"serves on {self._socket}")
        narrator.line("try it", f"curl --unix-socket {self._socket} http://localhost/token")
        narrator.line("or", f"homey-tokend token --socket {self._socket}")

    async def run(self) -> None:
        """The outage, and its end."""
        await self._clock.sleep(OUTAGE_AT_S)
        self._narrator.line("outage", f"the pretend cloud answers 503 for {OUTAGE_S:.0f} s")
        for step in ("login", "authorise", "token", "delegation"):
            self._simulator.add_fault(step=step, kind="status", status=503)
        await self._clock.sleep(OUTAGE_S)
        self._simulator.clear_faults()
        self._narrator.line("outage", "is over")
