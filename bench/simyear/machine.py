"""The machine that the daemon's heart runs on: its disk, its process, its clock."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from bench.simyear.cloud import ACCOUNTS, API, CLOUDID, HUB, LIFE, Cloud
from bench.simyear.loop import JumpingLoop, YearClock, YearSchedule
from homey_tokend.accounts import Accounts
from homey_tokend.digests import Digests
from homey_tokend.errors import StateUnusable
from homey_tokend.fleet import Fleet
from homey_tokend.keeper import Hands, Keeper
from homey_tokend.ledger import Ledger
from homey_tokend.model import Credentials, Endpoints, Secret
from homey_tokend.policy import Plan
from homey_tokend.refresher import Homey, Refresher, Tools
from homey_tokend.sinks.logic_variable import LogicVariableSink

NAME = "home"
ENDPOINTS = Endpoints(f"https://{ACCOUNTS}", f"https://{API}", f"https://{HUB}")


class Disk:
    """``ports.Store``: whole or not at all, slow, full at times, and dead after a kill."""

    def __init__(self, chance: Random) -> None:
        self.blob: bytes | None = None
        self.full = False
        self.unsaved = False
        self._chance = chance

    async def load(self) -> bytes | None:
        return self.blob

    async def set_aside(self) -> str:
        self.blob = None
        return "aside"


class _Mount:
    """The disk as one process sees it: nothing it writes after its death arrives."""

    def __init__(self, disk: Disk, chance: Random) -> None:
        self._disk = disk
        self._chance = chance
        self.dead = False

    async def load(self) -> bytes | None:
        return self._disk.blob

    async def save(self, blob: bytes) -> None:
        await asyncio.sleep(self._chance.uniform(0.001, 0.05))
        if self.dead:
            return
        if self._disk.full:
            self._disk.unsaved = True
            raise StateUnusable("the disk is full")
        self._disk.blob = blob
        self._disk.unsaved = False
        await asyncio.sleep(self._chance.uniform(0.001, 0.05))

    async def set_aside(self) -> str:
        return await self._disk.set_aside()


class Machine:
    """Starts and kills the process; keeps the password file."""

    def __init__(self, loop: JumpingLoop, cloud: Cloud, clock: YearClock, chance: Random) -> None:
        self.cloud = cloud
        self.clock = clock
        self.schedule = YearSchedule(loop, clock)
        self.disk = Disk(chance)
        self.password = cloud.password
        cloud.forgotten = lambda: self.disk.unsaved
        self.fleet: Fleet | None = None
        self.keeper: Keeper | None = None
        self.bugs: list[str] = []
        self._chance = chance
        self._mount: _Mount | None = None
        self._run: asyncio.Task[None] | None = None

    async def read(self) -> Credentials:
        """``ports.CredentialSource``."""
        return Credentials(
            email=Secret("a@b"),
            password=Secret(self.password),
            client_id="id",
            client_secret=Secret("client-secret"),
            redirect_url="http://localhost",
            cloudid=CLOUDID,
        )

    async def start(self) -> None:
        mount = self._mount = _Mount(self.disk, self._chance)
        ledger = Ledger(mount, salt=lambda: "salt")
        await ledger.load(self.clock.now())
        accounts = Accounts(ledger)
        tools = Tools(self.clock, self.cloud, accounts, ledger, _digest, lambda _secret: None)
        refresher = Refresher(Homey(NAME, ENDPOINTS, CLOUDID, None, LIFE), self, tools)
        sink = LogicVariableSink(self.cloud, name="accesstoken", variable_id=None, create=True)
        hands = Hands(self.clock, self.schedule, self.cloud, accounts, ledger, {sink.target: sink})
        plan = Plan(
            verify_every=timedelta(hours=1), sinks=(sink.target,), checked=(sink.target,)
        )
        self.keeper = Keeper(NAME, url=ENDPOINTS.homey, plan=plan, refresher=refresher, hands=hands)
        self.fleet = Fleet({NAME: self.keeper}, accounts, self.clock, lambda: True)
        self._run = asyncio.create_task(self.fleet.run())
        self._run.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.bugs.append(repr(task.exception()))

    async def kill(self) -> None:
        """SIGKILL: from this instant nothing reaches the disk."""
        if self._run is None or self._mount is None:
            return
        self._mount.dead = True
        self._run.cancel()
        await asyncio.gather(self._run, return_exceptions=True)
        self._run = self._mount = self.fleet = self.keeper = None

    async def beat(self) -> None:
        """A heartbeat; between two of them nothing would come of it, so most are left out."""
        if self.fleet is not None:
            self.schedule.beat()
            await self.fleet.beat()

    @property
    def running(self) -> bool:
        return self._run is not None

    def suspend(self, by: timedelta) -> None:
        self.clock.suspended += by.total_seconds()

    def set_clock(self, error: timedelta) -> None:
        self.clock.error = error

    def served(self) -> str | None:
        """What a reader of the socket would get at this instant."""
        if self.keeper is None:
            return None
        token = self.keeper.view.token
        now: datetime = self.clock.now()
        return token.value.reveal() if token is not None and token.valid(now) else None


async def _digest(_digests: Callable[..., Digests], who: Credentials, *rest: object) -> Digests:
    """A cheap stand-in for scrypt, which would take most of the year's seconds."""
    values = who.password.reveal() + repr(rest)
    return Digests("account", *(hashlib.md5(f"{n}{values}".encode()).hexdigest() for n in (1, 2)))
