"""The machine that the daemon's heart runs on: its disk, its process, its clock."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from bench.simyear.cloud import ACCOUNTS, API, CLOUDID, HUB, LIFE, Cloud
from bench.simyear.loop import JumpingLoop, YearClock, YearSchedule
from homey_tokend.accounts import Accounts
from homey_tokend.clock import SteadyClock
from homey_tokend.decisions import Plan
from homey_tokend.digests import Digests
from homey_tokend.errors import StateUnusable
from homey_tokend.fleet import Fleet
from homey_tokend.hands import Hands
from homey_tokend.keeper import Keeper
from homey_tokend.ledger import Ledger
from homey_tokend.model import Credentials, Endpoints, Secret
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
        late = self._chance.random() < 0.5  # it is on the disk, and nobody was told so
        if not late:
            await asyncio.sleep(self._chance.uniform(0.001, 0.5))
        if self.dead:
            return
        if self._disk.full:
            self._disk.unsaved = True
            raise StateUnusable("the disk is full")
        self._disk.blob = blob
        self._disk.unsaved = False
        if late:
            await asyncio.sleep(self._chance.uniform(0.001, 0.5))

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
        #: Since when it has been as it is: started, awake, with the password it has.
        self.since = self.started = clock.truth()
        self.kills: list[datetime] = []
        #: Called before anything befalls the machine, so that what was before can be judged.
        self.before: Callable[[], None] = lambda: None
        cloud.forgiven = self.forgiven
        self.fleet: Fleet | None = None
        self.keeper: Keeper | None = None
        self.bugs: list[str] = []
        self._chance = chance
        self._mount: _Mount | None = None
        self._forgot: set[str] = set()
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
        clock = SteadyClock.over(self.clock)
        await ledger.load(clock.now())
        accounts = Accounts(ledger)
        tools = Tools(clock, self.cloud, accounts, ledger, _digest, lambda _secret: None)
        refresher = Refresher(Homey(NAME, ENDPOINTS, CLOUDID, None, LIFE), self, tools)
        sink = LogicVariableSink(self.cloud, name="accesstoken", variable_id=None, create=True)
        hands = Hands(clock, self.schedule, self.cloud, accounts, ledger, {sink.target: sink})
        plan = Plan(
            verify_every=timedelta(hours=1),
            retry_most=timedelta(hours=1),
            sinks=(sink.target,),
            checked=(sink.target,),
        )
        self.keeper = Keeper(NAME, url=ENDPOINTS.homey, plan=plan, refresher=refresher, hands=hands)
        self.fleet = Fleet({NAME: self.keeper}, accounts, clock, lambda: True)
        self.since = self.started = self.clock.truth()
        self._run = asyncio.create_task(self.fleet.run())
        self._run.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.bugs.append(repr(task.exception()))

    async def kill(self) -> None:
        """SIGKILL: from this instant nothing reaches the disk."""
        if self._run is None or self._mount is None:
            return
        self.before()
        self.kills.append(self.clock.truth())
        if self.disk.unsaved:
            self._forgot = {"token", "variable"}
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

    def forgiven(self, what: str) -> bool:
        """Whether this may go back once: a killed process cannot know what no disk has got."""
        forgiven = what in self._forgot
        self._forgot.discard(what)
        return forgiven

    def correct_password(self) -> None:
        self.before()
        self.password = self.cloud.password
        self.since = self.clock.truth()

    def suspend(self, by: timedelta) -> None:
        self.before()
        self.clock.suspended += by.total_seconds()
        self.since = self.clock.truth()

    def set_clock(self, error: timedelta) -> None:
        self.before()
        self.clock.error = error

    def served(self) -> str | None:
        """What a reader of the socket would get at this instant."""
        if self.keeper is None or self.fleet is None:
            return None
        token, now = self.keeper.view.token, self.fleet.now()
        return token.value.reveal() if token is not None and token.valid(now) else None


async def _digest(_digests: Callable[..., Digests], who: Credentials, *rest: object) -> Digests:
    """A cheap stand-in for scrypt, which would take most of the year's seconds."""
    values = who.password.reveal() + repr(rest)
    return Digests("account", *(hashlib.md5(f"{n}{values}".encode()).hexdigest() for n in (1, 2)))
