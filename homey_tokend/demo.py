"""The demo: a simulated cloud whose tokens live for 20 s, and a daemon that uses it."""

import asyncio
import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from logging import CRITICAL
from pathlib import Path
from typing import Any

import structlog

from homey_tokend.build import Runtime
from homey_tokend.config import Config, DefaultPaths, parse
from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    RefreshFailed,
    TokenDelivered,
    TokenRenewed,
)
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import Clock
from homey_tokend.core.secret import Secret
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.simulator import Settings, Simulator

#: How long a token of the simulated Homey lives.
TOKEN_LIFETIME_S = 20.0
#: Start and length of the scripted outage, in the second half of a token's life.
OUTAGE_AT_S, OUTAGE_S = 16.0, 9.0
_HOMEY, _VARIABLE = "home", "accesstoken"


class EventPrinter:
    """Print responses and events, each line with the seconds since the start.

    Args:
        print_line: Prints one line.
        seconds: Returns the seconds since the start.
        read_variable: Returns the value of the simulator's variable.
    """

    def __init__(
        self,
        print_line: Callable[[str], None],
        seconds: Callable[[], float],
        read_variable: Callable[[], str],
    ) -> None:
        self._print = print_line
        self._seconds = seconds
        self._read_variable = read_variable

    def line(self, name: str, text: str) -> None:
        """Print one line."""
        self._print(f"{self._seconds():6.1f} s  {name:<10} {text}")

    def on_response(self, request: Request, response: Response) -> None:
        """Print one step of the sign-in, with its duration."""
        took = (response.received_at - response.sent_at).total_seconds() * 1000
        self.line("step", f"{request.step:<12} {response.status}  {took:4.0f} ms")

    def on_event(self, event: Event) -> None:
        """Print an event, if it matters for the demo."""
        match event:
            case TokenRenewed():
                verified = "verified" if event.verified else "not verified yet"
                name = f"no. {event.generation}: {event.fingerprint}"
                until = f"valid until {event.expires_at:%H:%M:%S} UTC"
                self.line("token", f"{name}, {until}, {verified}")
            case TokenDelivered():
                found = Secret(self._read_variable()).fingerprint()
                self.line("variable", f"{event.sink} written; read back: {found}")
            case RefreshFailed():
                text = event.message
                if event.outage_at is not None:
                    text += f"; the old token is served until {event.outage_at:%H:%M:%S} UTC"
                if event.next_try is not None:
                    text += f"; next try {event.next_try:%H:%M:%S} UTC"
                self.line("error", text)
            case DeliveryFailed():
                self.line("error", f"{event.sink}: {event.message}")
            case _:
                pass


async def run_demo(
    clock: Clock, print_line: Callable[[str], None], duration_s: float | None = None
) -> None:
    """Run the demo until Ctrl-C, or for ``duration_s`` seconds, in a temporary directory."""
    started = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="homey-demo-") as folder:
        async with Simulator(Settings(session_lifetime=TOKEN_LIFETIME_S)) as simulator:
            printer = EventPrinter(
                print_line,
                lambda: clock.monotonic() - started,
                lambda: str(simulator.get_variable(_VARIABLE)),
            )
            # The printer replaces the log.
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
            description = simulator.description()
            config = _config(description, Path(folder))
            printer.line("simulator", f"a simulated cloud and one Homey: {description['api']}")
            printer.line("demo", f"a token lives {TOKEN_LIFETIME_S:.0f} s here; Ctrl-C ends it")
            runtime = Runtime(
                clock,
                environ={},
                on_response=(printer.on_response,),
                subscribers=(printer.on_event,),
            )
            daemon = await run_in_thread(Daemon, config, runtime)
            install_signal_handlers(daemon)
            outage = asyncio.create_task(_outage(simulator, printer, clock), name="outage")
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(duration_s):
                        await daemon.run(lambda _: _print_commands(printer, config.socket.path))
            finally:
                outage.cancel()
                await asyncio.gather(outage, return_exceptions=True)
            printer.line("demo", "ended; nothing is left behind")


def _config(description: Mapping[str, Any], folder: Path) -> Config:
    """Return the configuration for the simulator; it is parsed as JSON, which is YAML."""
    document = {
        "homeys": {
            _HOMEY: {
                "email": description["email"],
                "password": description["password"],
                "client_id": description["clientId"],
                "client_secret": description["clientSecret"],
                "redirect_url": description["redirectUri"],
                "cloudid": description["cloudid"],
                "sinks": [{"type": "logic_variable", "name": _VARIABLE}],
            }
        },
        "refresh": {"retry": {"first": "1s", "max": "3s"}, "verify_every": 0},
        "socket": {"path": str(folder / "demo.sock"), "mode": "0600"},
        "state": {"path": str(folder / "state.json")},
        "endpoints": {key: description[key] for key in ("accounts", "api", "homey")},
    }
    return parse(json.dumps(document).encode(), "demo", defaults=DefaultPaths(), environ={})


def _print_commands(printer: EventPrinter, socket: Path) -> None:
    printer.line("daemon", f"serves on {socket}")
    printer.line("try it", f"curl --unix-socket {socket} http://localhost/token")
    printer.line("or", f"homey-tokend token --socket {socket}")


async def _outage(simulator: Simulator, printer: EventPrinter, clock: Clock) -> None:
    await clock.sleep(OUTAGE_AT_S)
    printer.line("outage", f"the simulated cloud answers 503 for {OUTAGE_S:.0f} s")
    for step in ("login", "authorise", "token", "delegation"):
        simulator.add_fault(step=step, kind="status", status=503)
    await clock.sleep(OUTAGE_S)
    simulator.clear_faults()
    printer.line("outage", "is over")
