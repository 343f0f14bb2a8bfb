"""Real keepers over a simulator, with a clock and a schedule that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from homey_tokend.assembly import Parts, World
from homey_tokend.config import Defaults, parse
from homey_tokend.fleet import Fleet
from homey_tokend.keeper import Keeper
from homey_tokend.model import Token, View
from homey_tokend.simulator import Settings, Simulator, Switches
from tests.fakes.clock import FakeClock
from tests.fakes.schedule import FakeSchedule

TOTP_SECRET = "GEZDGNBVGY3TQOJQ"


class Household:
    """A simulator and a fleet that keeps its tokens."""

    def __init__(self, folder: Path, simulator: Simulator, clock: FakeClock) -> None:
        self.folder = folder
        self.simulator = simulator
        self.clock = clock
        self.schedule = FakeSchedule(clock)
        self.fleet: Fleet
        self.parts: Parts
        self._run: asyncio.Task[None] | None = None
        self.password = folder / "password"
        self.state = folder / "state.json"

    def document(self) -> dict[str, Any]:
        """The configuration as a test may change it before ``start``."""
        told = self.simulator.description()
        names = [f"home{number or ''}" for number in range(len(told["homeys"]))]
        shared = {
            "email": told["email"],
            "password": {"file": str(self.password)},
            "client_id": told["clientId"],
            "client_secret": told["clientSecret"],
            "redirect_url": told["redirectUri"],
        }
        return {
            "homeys": {
                name: {**shared, "cloudid": homey["cloudid"]}
                for name, homey in zip(names, told["homeys"], strict=True)
            },
            "refresh": {"jitter": 0, "retry": {"first": "2s", "max": "5m"}},
            "state": {"path": str(self.state)},
            "socket": {"path": str(self.folder / "s.sock")},
            "endpoints": {key: told[key] for key in ("accounts", "api", "homey")},
        }

    async def start(self, document: dict[str, Any] | None = None) -> None:
        """Start keeping, and wait until everything that is due has been tried."""
        told = self.simulator.description()
        if not self.password.exists():
            self.password.write_text(told["password"] + "\n")
            self.password.chmod(0o600)
        text = yaml.safe_dump(document or self.document())
        config = parse(text.encode(), "config.yaml", defaults=Defaults(), environ={})
        self.parts = Parts(config, World(self.clock, environ={}))
        self.fleet = await self.parts.fleet(self.schedule, lambda: True)
        self._run = asyncio.create_task(self.fleet.run())
        await self.quiet()

    async def stop(self) -> None:
        if self._run is not None:
            self._run.cancel()
            await asyncio.gather(self._run, return_exceptions=True)
            await self.parts.close()
            self._run = None

    async def until(self, true: Callable[[], object]) -> None:
        """Let real requests travel until something has come true."""
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110  what comes true is told by no event
                await asyncio.sleep(0.002)

    async def quiet(self) -> None:
        """Until nothing is under way and every keeper waits for the schedule."""
        await asyncio.sleep(0)
        await self.until(
            lambda: all(
                keeper.settled.is_set() and not keeper._wake.is_set()
                for keeper in self.keepers.values()
            )
        )

    async def wait(self, span: timedelta) -> None:
        """Let time pass, keeping every appointment in it."""
        end = self.clock.now() + span
        while (at := self.schedule.next()) is not None and at <= end:
            self.clock._move(max(0.0, (at - self.clock.now()).total_seconds()))
            self.schedule.ring_due()
            await self.quiet()
        self.clock._move(max(0.0, (end - self.clock.now()).total_seconds()))
        await self.quiet()

    @property
    def keepers(self) -> dict[str, Keeper]:
        return self.fleet._keepers

    def view(self, name: str = "home") -> View:
        return self.fleet.view(name)

    def token(self, name: str = "home") -> Token:
        token = self.view(name).token
        assert token is not None
        return token

    def sign_ins(self) -> int:
        """How many passwords the cloud has seen."""
        return self.simulator.steps().count("login")

    @property
    def now(self) -> datetime:
        return self.clock.now()


Begin = Callable[..., "asyncio.Future[Household]"]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A function that makes a household: settings and switches of the simulator as keywords."""
    async with AsyncExitStack() as stack:

        async def make(switches: Switches | None = None, **settings: Any) -> Household:
            clock = FakeClock(instant=True)
            simulator = Simulator(
                Settings(switches=switches or Switches(), **settings),
                now=lambda: clock.now().timestamp(),
            )
            await stack.enter_async_context(simulator)
            household = Household(tmp_path, simulator, clock)
            stack.push_async_callback(household.stop)
            return household

        yield make


@pytest.fixture
async def household(begin: Callable[..., Any]) -> Household:
    """One Homey, nothing started yet."""
    made: Household = await begin()
    return made
