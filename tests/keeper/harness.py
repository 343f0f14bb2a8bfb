"""A simulator and real keepers; a test moves the clock and runs the jobs."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from homey_tokend.athom.flow import OnResponse
from homey_tokend.build import Components, Runtime
from homey_tokend.config import Config, DefaultPaths, HomeyConfig, parse
from homey_tokend.core.account import Digests
from homey_tokend.core.ports import BlobStore, CredentialSource, Sink, Transport
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.credentials.digests import digests
from homey_tokend.credentials.reader import SecretReader
from homey_tokend.http.transport import HttpTransport
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.simulator import Settings, Simulator, Switches
from tests.support.clock import NOON, FakeClock
from tests.support.schedule import FakeSchedule

#: A digest takes 50 ms at its real cost; that cost is tested elsewhere.
CHEAP_SCRYPT = 2
_TLS = ssl.create_default_context()
TOTP_SECRET = "GEZDGNBVGY3TQOJQ"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

Json = dict[str, Any]


class Harness:
    """A simulator and a supervisor that keeps its tokens."""

    def __init__(self, folder: Path, simulator: Simulator, clock: FakeClock) -> None:
        self.folder = folder
        self.simulator = simulator
        self.clock = clock
        self.scheduler = FakeSchedule(clock)
        self.supervisor: Supervisor
        self.components: Components
        self.run: asyncio.Task[None] | None = None
        self.password = folder / "password"
        self.state = folder / "state.json"
        #: Used instead of the state file, and instead of file sinks by the name of the file.
        self.store: BlobStore | None = None
        self.sinks: dict[str, Sink] = {}
        #: Wraps the transport, and each reader of credentials.
        self.wrap_transport: Callable[[Transport], Transport] | None = None
        self.wrap_source: Callable[[CredentialSource], CredentialSource] | None = None
        #: Called once the components are built, before they are used.
        self.built: Callable[[], object] = lambda: None
        #: The deadline of a delivery.
        self.deadline_s = 120.0
        #: The deadline of a write of the state.
        self.write_deadline_s = 5.0
        self.digest: Callable[[Credentials, str, str], Digests] = partial(
            digests, cost=CHEAP_SCRYPT
        )
        self.environ: dict[str, str] = {}
        #: All secrets that were registered.
        self.hidden: list[Secret] = []
        self.heard: tuple[OnResponse, ...] = ()
        self._opened = AsyncExitStack()

    # --- the configuration ---

    def document(self, *sinks: Json, **refresh: object) -> Json:
        """Return the configuration, which a test may change before ``start``.

        Args:
            sinks: Of the first Homey.
            refresh: Keys of the section ``refresh``, instead of those that keep a test quick.
        """
        description = self.simulator.description()
        names = [f"home{number or ''}" for number in range(len(description["homeys"]))]
        shared = {
            "email": description["email"],
            "password": {"file": str(self.password)},
            "client_id": description["clientId"],
            "client_secret": description["clientSecret"],
            "redirect_url": description["redirectUri"],
        }
        document: Json = {
            "homeys": {
                name: {**shared, "cloudid": homey["cloudid"]}
                for name, homey in zip(names, description["homeys"], strict=True)
            },
            "refresh": {
                "jitter": 0,
                "verify_every": 0,
                "retry": {"first": "2s", "max": "5m"},
                **refresh,
            },
            "state": {"path": str(self.state)},
            "socket": {"path": str(self.folder / "s.sock")},
            "endpoints": {key: description[key] for key in ("accounts", "api", "homey")},
        }
        document["homeys"]["home"]["sinks"] = list(sinks)
        return document

    def build(self, document: Json | None = None) -> Components:
        """Build the components as the daemon does."""
        if not self.password.exists():
            self.set_password(self.simulator.description()["password"])
        config = self.config(document)
        runtime = Runtime(
            self.clock,
            environ=self.environ,
            register_secret=self.hidden.append,
            on_response=self.heard,
            transport=self._transport() if self.wrap_transport else None,
            ssl_context=_TLS,
            blobs=self.store,
            source=self._source if self.wrap_source else None,
            sinks={f"file:{self.folder / name}": sink for name, sink in self.sinks.items()},
            digest=self.digest,
            deadline_s=self.deadline_s,
            write_deadline_s=self.write_deadline_s,
        )
        return Components(config, runtime)

    def _transport(self) -> Transport:
        transport = HttpTransport(
            self.clock,
            timeout=timedelta(seconds=30),
            environ={},
            user_agent="homey-tokend/test",
            ssl_context=_TLS,
        )
        self._opened.push_async_callback(transport.close)
        assert self.wrap_transport is not None
        return self.wrap_transport(transport)

    def _source(self, homey: HomeyConfig) -> CredentialSource:
        reader = SecretReader(homey, self.environ, lambda *_: None)
        self._opened.callback(reader.close)
        assert self.wrap_source is not None
        return self.wrap_source(reader)

    def config(self, document: Json | None = None) -> Config:
        """Parse the configuration of a document."""
        text = yaml.safe_dump(document or self.document())
        return parse(text.encode(), "config.yaml", defaults=DefaultPaths(), environ=self.environ)

    def set_password(self, password: str) -> None:
        """Write the password file, as a person does."""
        self.password.write_text(password + "\n")
        self.password.chmod(0o600)

    # --- its life ---

    async def begin(self, document: Json | None = None) -> None:
        """Start keeping; return at once."""
        self.components = self.build(document)
        self.scheduler.clock = self.components.clock
        self.built()
        self.supervisor = await self.components.supervisor(self.scheduler, lambda: True)
        self.run = asyncio.create_task(self.supervisor.run())

    async def start(self, document: Json | None = None) -> None:
        """Start keeping, and wait until everything that is due has been tried."""
        await self.begin(document)
        await self.quiet()

    async def stop(self) -> None:
        """Stop keeping, as SIGTERM does."""
        if self.run is not None:
            self.run.cancel()
            await asyncio.gather(self.run, return_exceptions=True)
            await self.components.close()
            await self._opened.aclose()
            self.run = None

    async def restart(self, document: Json | None = None) -> None:
        """Stop, and start again with the stored state."""
        await self.stop()
        await self.start(document)

    # --- time ---

    async def until(self, true: Callable[[], object]) -> None:
        """Let real requests run until the condition holds."""
        async with asyncio.timeout(40):
            while not true():  # noqa: ASYNC110  what is waited for travels over sockets
                await asyncio.sleep(0.002)

    async def quiet(self) -> None:
        """Wait until nothing is running and every keeper waits for the scheduler."""
        await asyncio.sleep(0)
        await self.until(lambda: all(keeper.idle for keeper in self.keepers.values()))

    async def wait(self, span: timedelta) -> None:
        """Let time pass, and run every job in it."""
        steady = self.components.clock
        end = steady.now() + span
        while (at := self.scheduler.next()) is not None and at <= end:
            self.skip(at - steady.now())
            self.scheduler.run_due()
            await self.quiet()
        self.skip(end - steady.now())
        await self.quiet()

    async def until_renewal(self, name: str = "home") -> None:
        """Let time pass until the current token should be renewed, and that was tried."""
        renew_at = self.view(name).renew_at
        assert renew_at is not None
        await self.wait(renew_at - self.now)

    def skip(self, span: timedelta) -> None:
        """Let time pass without running jobs."""
        self.clock.move(max(0.0, span.total_seconds()))

    async def heartbeat(self) -> None:
        """Send a heartbeat, as the daemon does: overdue jobs run first."""
        self.scheduler.run_due()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self.supervisor.on_heartbeat()
        await self.quiet()

    # --- what is visible ---

    @property
    def keepers(self) -> dict[str, Keeper]:
        """Return the keepers by name."""
        return self.supervisor.keepers

    def view(self, name: str = "home") -> View:
        """Return the latest snapshot of a Homey."""
        return self.supervisor.view(name)

    def token(self, name: str = "home") -> Token:
        """Return the served token; there must be one."""
        token = self.view(name).token
        assert token is not None
        return token

    def last_error(self, name: str = "home") -> str:
        """Return kind and step of the last failure, "" without one."""
        last_error = self.view(name).last_error
        return f"{last_error.kind} {last_error.step}".strip() if last_error else ""

    def steps(self) -> list[str]:
        """Return the requests since the last call."""
        steps = self.simulator.steps()
        self.simulator.requests.clear()
        return steps

    def sign_ins(self) -> int:
        """Return how many passwords the cloud received since the last call of ``steps``."""
        return self.simulator.steps().count("login")

    @property
    def now(self) -> datetime:
        """Return the daemon's wall clock."""
        return self.clock.now()


@asynccontextmanager
async def running_home(
    folder: Path, switches: Switches | None = None, **settings: Any
) -> AsyncIterator[Harness]:
    """Run a harness with a new simulator, whose clock is independent of the daemon's."""
    # Debug mode stores a traceback for each callback, which takes half of the time of these tests.
    asyncio.get_running_loop().set_debug(False)
    clock = FakeClock(instant=True)
    began = clock.elapsed()

    def true_time() -> float:
        return NOON.timestamp() + clock.elapsed() - began

    simulator = Simulator(Settings(switches=switches or Switches(), **settings), now=true_time)
    async with simulator:
        harness = Harness(folder, simulator, clock)
        try:
            yield harness
        finally:
            await harness.stop()
