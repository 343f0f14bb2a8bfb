"""The machine that runs a keeper: its disk, its process and its clock."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import structlog

from bench.simyear.cloud import Cloud
from bench.simyear.loop import JumpingLoop, YearClock, YearSchedule
from bench.simyear.values import (
    ACCOUNTS,
    API,
    CERTIFICATE_TOLERANCE,
    CLOUDID,
    HUB,
    LIFE,
    TOTP_SECRET,
)
from homey_tokend.core.account import Digests
from homey_tokend.core.decision import RefreshSettings
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.report import Reporter
from homey_tokend.keeper.sign_in import HomeySettings, SignIn
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.sinks.logic_variable import LogicVariableSink
from homey_tokend.storage.reserve import StateInReserve
from homey_tokend.storage.store import StateStore

log = structlog.get_logger()
NAME = "home"
VERIFY = timedelta(hours=1)
ENDPOINTS = Endpoints(f"https://{ACCOUNTS}", f"https://{API}", f"https://{HUB}")


class Disk:
    """The content of the disk, and whether it is full: then only the reserve takes the state."""

    def __init__(self, random: Random) -> None:
        self.blob: bytes | None = None
        self.full = False
        self._random = random

    async def load(self) -> bytes | None:
        return self.blob

    async def set_aside(self) -> str:
        self.blob = None
        return "aside"


class _Mount:
    """``ports.BlobStore``, the disk as one process sees it: after its kill nothing is written."""

    def __init__(self, disk: Disk, random: Random, on_save: Callable[[bytes], None]) -> None:
        self._disk = disk
        self._random = random
        self._on_save = on_save
        self._asked = self._written = 0
        self.dead = False

    async def load(self) -> bytes | None:
        return self._disk.blob

    async def save(self, blob: bytes) -> None:
        self._asked += 1
        number = self._asked
        late = self._random.random() < 0.5  # written, and the call returns only later
        if not late:
            await asyncio.sleep(self._random.uniform(0.001, 0.5))
        if self.dead or number < self._written:  # a newer one is there already
            return
        self._on_save(blob)
        self._disk.blob, self._written = blob, number
        if self._disk.full:
            raise StateInReserve("the disk is full")
        if late:
            await asyncio.sleep(self._random.uniform(0.001, 0.5))

    async def set_aside(self) -> str:
        return await self._disk.set_aside()


class Machine:
    """Start and kill the process; has the password file."""

    def __init__(self, loop: JumpingLoop, cloud: Cloud, clock: YearClock, random: Random) -> None:
        self.cloud = cloud
        self.clock = clock
        self.schedule = YearSchedule(loop, clock)
        self.disk = Disk(random)
        self.password = cloud.password
        #: Since when it has been started, awake and with its current password.
        self.unchanged_since = self.started = clock.truth()
        self.kills: list[datetime] = []
        #: When it was last resumed.
        self.resumed_at = clock.truth()
        #: When the clock was last set, and whether this process began with a wrong one.
        self.clock_set_at = clock.truth()
        self.started_with_wrong_clock = False
        #: Called before anything happens to the machine, so that the time before it is observed; and
        #: after the clock was set, and after each heartbeat.
        self.before_change: Callable[[], None] = lambda: None
        #: Called with each state before it is on the disk.
        self.on_save: Callable[[bytes], None] = lambda _blob: None
        cloud.excused = self.excused
        cloud.clock_set_since = lambda since: self.clock_set_at >= since
        cloud.local_now = self.now
        self.loop = loop
        self.supervisor: Supervisor | None = None
        self.keeper: Keeper | None = None
        self.bugs: list[str] = []
        self._random = random
        self._mount: _Mount | None = None
        self._run: asyncio.Task[None] | None = None
        self._stopping = False

    async def read(self) -> Credentials:
        """``ports.CredentialSource``."""
        return Credentials(
            email=Secret("a@b"),
            password=Secret(self.password),
            client_id="id",
            client_secret=Secret("client-secret"),
            redirect_url="http://localhost",
            cloudid=CLOUDID,
            totp_secret=TOTP_SECRET,
        )

    async def start(self) -> None:
        if self.running or self._stopping:
            return  # the lock prevents a second one
        log.info("process.started")
        mount = self._mount = _Mount(self.disk, self._random, self.on_save)
        clock = self.schedule.steady = SteadyClock(self.clock)
        store = StateStore(mount, clock, salt=lambda: "salt")
        await store.load()
        sign_in = SignIn(
            HomeySettings(NAME, ENDPOINTS, CLOUDID, None, LIFE),
            self,
            clock=clock,
            transport=self.cloud,
            store=store,
            digest=_digest,
            register_secret=lambda _secret: None,
            emit=Reporter().emit,
        )
        sink = LogicVariableSink(self.cloud, name="accesstoken", variable_id=None, create=True)
        settings = RefreshSettings(
            verify_every=VERIFY,
            retry_most=timedelta(hours=1),
            sinks=(sink.target,),
            checked=(sink.target,),
            one_time=True,
        )
        self.keeper = Keeper(
            settings=settings,
            sign_in=sign_in,
            clock=clock,
            scheduler=self.schedule,
            transport=self.cloud,
            store=store,
            sinks={sink.target: sink},
            emit=Reporter().emit,
        )
        self.supervisor = Supervisor({NAME: self.keeper}, store, clock, lambda: True)
        self.unchanged_since = self.started = self.clock.truth()
        self.started_with_wrong_clock = self.clock.error != timedelta(0)
        self._run = asyncio.create_task(self.supervisor.run())
        self._run.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.bugs.append(repr(task.exception()))

    async def kill(self) -> None:
        """Kill the process as SIGKILL does: from this instant nothing reaches the disk."""
        run = self._run
        if run is None or self._mount is None:
            return
        log.info("process.killed")
        self.before_change()
        self.kills.append(self.clock.truth())
        self._mount.dead = True
        self._run = self._mount = self.supervisor = self.keeper = None
        self._stopping = True
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        self._stopping = False

    async def heartbeat(self) -> None:
        """Run one heartbeat; those that would change nothing are left out."""
        if self.supervisor is not None:
            self.schedule.heartbeat()
            await self.supervisor.on_heartbeat()
            self.before_change()

    @property
    def running(self) -> bool:
        return self._run is not None

    def now(self) -> datetime:
        """Return the time as the current process has it; it may not have noticed that the clock was set."""
        return self.schedule.steady.now()

    def excused(self, since: datetime) -> bool:
        """Return whether a process has ended or the clock was set since this instant."""
        return self.clock_set_at >= since or any(at >= since for at in self.kills[-1:])

    @property
    def certificates_valid(self) -> bool:
        """Return whether the clock is right enough for certificates to be valid."""
        return abs(self.clock.error) <= CERTIFICATE_TOLERANCE

    def correct_password(self, password: str = "") -> None:
        """Write a password to the file as a person does; by default the right one."""
        log.info("password.written", right=not password)
        self.before_change()
        self.password = password or self.cloud.password
        self.unchanged_since = self.clock.truth()

    def suspend(self, by: timedelta) -> None:
        log.info("machine.suspended", by=f"{by}")
        self.before_change()
        self.clock.suspended += by.total_seconds()
        self.unchanged_since = self.resumed_at = self.clock.truth()

    def set_clock(self, error: timedelta) -> None:
        log.info("clock.set", error=f"{error}")
        self.before_change()
        if not self.certificates_valid:
            self.unchanged_since = self.clock.truth()
        self.clock.error, self.clock_set_at = error, self.clock.truth()
        self.before_change()

    def served(self) -> str | None:
        """Return the token that a reader of the socket would get at this instant."""
        if self.keeper is None or self.supervisor is None:
            return None
        token, now = self.supervisor.view(NAME).token, self.supervisor.now()
        return token.value.reveal() if token is not None and token.valid(now) else None


async def _digest(who: Credentials, *rest: object) -> Digests:
    """Return cheap digests: scrypt would take most of the year's processor time."""
    values = who.password.reveal() + repr(rest)
    return Digests("account", *(hashlib.md5(f"{n}{values}".encode()).hexdigest() for n in (1, 2)))
