"""Builds the parts from a configuration: the only file that knows every concrete class."""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import structlog

from homey_tokend import __version__
from homey_tokend.athom.urls import HomeyTarget, fallback_url, is_simulated
from homey_tokend.config import (
    Config,
    ExecSinkConfig,
    FileSinkConfig,
    HomeyConfig,
    LogicVariableConfig,
)
from homey_tokend.config.diff import Differences
from homey_tokend.core import events as happenings
from homey_tokend.core.decision import BUDGET_SPAN_LEAST, RefreshSettings
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import (
    BlobStore,
    CheckableSink,
    Clock,
    Notifier,
    Scheduler,
    Sink,
    Transport,
)
from homey_tokend.core.secret import Secret, SecretRef, SecretSource
from homey_tokend.credentials.reader import SecretReader
from homey_tokend.http.transport import HttpTransport
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.keeper.dependencies import Dependencies
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.sign_in import HomeySettings, Refresher, SignInDependencies
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.sinks.exec import ExecSink
from homey_tokend.sinks.file import FileSink
from homey_tokend.sinks.logic_variable import LogicVariableSink
from homey_tokend.sinks.notifiers import ExecNotifier, StateVariableNotifier
from homey_tokend.storage.state_file import InstanceLock, NoStateFile, StateFile
from homey_tokend.storage.store import StateStore

log = structlog.get_logger()
T = TypeVar("T")


def ignore_response(_name: str, _request: Request, _response: Response) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is outside of the daemon, and what tests and the demo put in its place.

    ``transport`` is used instead of HTTP where it is given; ``hide`` is told of
    every secret that becomes known; ``heard`` of every answer; ``tell`` of what
    happens to a token.
    """

    clock: Clock
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    hide: Callable[[Secret], None] = lambda _secret: None
    heard: Callable[[str, Request, Response], None] = ignore_response
    tell: happenings.Emit = happenings.ignore_event
    transport: Transport | None = None


class Components:
    """Everything below the listeners, ready to run."""

    def __init__(self, config: Config, world: Runtime) -> None:
        self.config = config
        self._wall = world.clock.now
        # Made once: whatever is set from here on, the heartbeat is told of.
        self._steady = SteadyClock.over(world.clock)
        self._world = world = replace(world, clock=self._steady)
        self._state_threads = WorkerPool()
        # What takes long and writes no state: with many Homeys their digests, some 150 ms each,
        # would stand before it, and a disk that is well would be taken for one that hangs.
        self._other_threads = WorkerPool(2)
        # Each file that a sink writes has one thread: a folder that hangs holds up nothing else,
        # and after a reload the new sink's write waits for one of the old that still hangs.
        self._file_threads: dict[Path, WorkerPool] = {}
        self._readers: dict[str, SecretReader] = {}
        self._proofs: set[asyncio.Task[None]] = set()
        self._retired: list[HttpTransport] = []
        self._retired_readers: list[SecretReader] = []
        self._http = self._new_transport()
        self.transport = world.transport or self._http
        self.ledger = StateStore(self._store(), salt=lambda: secrets.token_hex(16), hide=world.hide)
        self.accounts = Accounts(self.ledger)
        self.plans = {name: self._plan(homey) for name, homey in config.homeys.items()}
        self.refreshers = {name: self._refresher(homey) for name, homey in config.homeys.items()}

    async def close(self) -> None:
        """Close what holds sockets and threads."""
        for proof in tuple(self._proofs):
            proof.cancel()
        await asyncio.gather(*self._proofs, return_exceptions=True)
        await self.retire()
        await self._http.close()
        for threads in (self._state_threads, self._other_threads, *self._file_threads.values()):
            threads.close()
        for reader in self._readers.values():
            reader.close()

    @property
    def clock(self) -> SteadyClock:
        """The clock that everything kept is measured with."""
        return self._steady

    def lock(self) -> InstanceLock | None:
        """The lock against a second daemon on the same state; None where none is kept."""
        path = self.config.state.path
        return None if path is None else InstanceLock(path.with_name(f"{path.name}.lock"))

    async def fleet(self, schedule: Scheduler, alive: Callable[[], bool]) -> Supervisor:
        """The keepers, over the state as it was kept."""
        await self.ledger.load(self._world.clock.now())
        keepers = {name: await self.keeper(name, schedule) for name in self.config.homeys}
        return Supervisor(keepers, self.accounts, self._world.clock, alive)

    def plan(self, name: str, sinks: Mapping[str, Sink]) -> RefreshSettings:
        """What the configuration says to policy about one Homey with these sinks."""
        checked = tuple(key for key, sink in sinks.items() if isinstance(sink, CheckableSink))
        return replace(self.plans[name], sinks=tuple(sinks), checked=checked)

    async def run_blocking(self, act: Callable[[], T]) -> T:
        """Run what blocks on a thread that no state write waits for."""
        return await self._other_threads.run(act)

    def site(self, homey: HomeyConfig, remembered: str | None = None) -> HomeyTarget:
        """Where a Homey is called."""
        return HomeyTarget(
            self.config.endpoints,
            homey.cloudid,
            homey.url,
            remembered,
            self.config.refresh.lifetime,
        )

    async def adopt(self, config: Config, differences: Differences) -> None:
        """Build what a new configuration needs; keepers are made anew one by one after it."""
        self.config = config
        if differences.new_timeout and self._world.transport is None:
            old, self._http = self._http, await self._other_threads.run(self._new_transport)
            self.transport = self._http
            # Keepers that are about to be replaced still speak over the old one.
            self._retired.append(old)
        self.plans = {name: self._plan(homey) for name, homey in config.homeys.items()}
        for name in (*differences.added, *differences.changed):
            if name not in differences.sinks_only:
                self.refreshers[name] = self._refresher(config.homeys[name])
        for name in differences.removed:
            del self.refreshers[name]
            self._retired_readers.append(self._readers.pop(name))

    async def retire(self) -> None:
        """Close what no keeper uses any more."""
        retired, self._retired = self._retired, []
        for transport in retired:
            await transport.close()
        while self._retired_readers:
            self._retired_readers.pop().close()
        written = {
            sink.path
            for homey in self.config.homeys.values()
            for sink in homey.sinks
            if isinstance(sink, FileSinkConfig)
        }
        for path in self._file_threads.keys() - written:
            self._file_threads.pop(path).close()

    def _new_transport(self) -> HttpTransport:
        return HttpTransport(
            self._world.clock,
            timeout=self.config.refresh.timeout,
            environ=self._world.environ,
            user_agent=f"homey-tokend/{__version__}",
        )

    async def keeper(self, name: str, schedule: Scheduler) -> Keeper:
        """A keeper for one Homey, over its state as it was kept."""
        homey = self.config.homeys[name]
        if self.config.refresh.method != "refresh_token" and self.ledger.refresh_token(name):
            await self.ledger.keep_refresh_token(name, None)  # it was another method's
        sinks = [self.sink(sink) for sink in homey.sinks if _takes_tokens(sink)]
        listeners = [one for sink in homey.sinks for one in self.listeners(sink)]
        for sink in sinks:
            if isinstance(sink, FileSink):
                # Aside: a folder on a dead mount must not keep the held token from being served.
                proof = asyncio.create_task(_prove(homey.name, sink), name=f"proof:{name}")
                self._proofs.add(proof)
                proof.add_done_callback(self._proofs.discard)
        hands = Dependencies(
            clock=self._world.clock,
            schedule=schedule,
            transport=self.transport,
            accounts=self.accounts,
            ledger=self.ledger,
            sinks={sink.target: sink for sink in sinks},
            listeners={one.target: one for one in listeners},
            tell=self._world.tell,
        )
        return Keeper(
            homey.name,
            url=fallback_url(self.site(homey)),
            plan=self.plan(name, hands.sinks),
            refresher=self.refreshers[homey.name],
            hands=hands,
        )

    def _store(self) -> BlobStore:
        path = self.config.state.path
        return NoStateFile() if path is None else StateFile(path, self._state_threads)

    def _plan(self, homey: HomeyConfig) -> RefreshSettings:
        refresh = self.config.refresh
        same = [other for other in self.config.homeys.values() if other.email == homey.email]
        return RefreshSettings(
            at=refresh.at,
            jitter=refresh.jitter,
            lifetime=refresh.lifetime,
            verify_every=refresh.verify_every,
            retry_first=refresh.retry.first,
            retry_most=refresh.retry.max,
            homeys=len(same),
            one_time=homey.totp_secret is not None,
            budget_span_least=(
                timedelta(0) if is_simulated(self.config.endpoints) else BUDGET_SPAN_LEAST
            ),
        )

    def _refresher(self, homey: HomeyConfig) -> Refresher:
        world, refresh = self._world, self.config.refresh
        tools = SignInDependencies(
            clock=world.clock,
            transport=self.transport,
            accounts=self.accounts,
            ledger=self.ledger,
            run_blocking=self._other_threads.run,
            hide=world.hide,
            heard=world.heard,
            tell=world.tell,
            wall=self._wall,
        )
        known = HomeySettings(
            name=homey.name,
            endpoints=self.config.endpoints,
            cloudid=homey.cloudid,
            url=homey.url,
            lifetime=refresh.lifetime,
            use_refresh_token=refresh.method == "refresh_token",
            watched=all(ref.source is not SecretSource.COMMAND for ref in _secrets_of(homey)),
        )
        source = SecretReader(homey, world.environ, _warn)
        if homey.name in self._readers:
            self._retired_readers.append(self._readers[homey.name])
        self._readers[homey.name] = source
        return Refresher(known, source, tools)

    def sink(self, sink: LogicVariableConfig | FileSinkConfig | ExecSinkConfig) -> Sink:
        """The sink that a section of the configuration describes."""
        match sink:
            case LogicVariableConfig():
                return LogicVariableSink(
                    self.transport,
                    name=sink.name,
                    variable_id=sink.id,
                    create=sink.create,
                    expires=sink.expires_variable,
                )
            case FileSinkConfig():
                if sink.path not in self._file_threads:
                    self._file_threads[sink.path] = WorkerPool()
                threads = self._file_threads[sink.path]
                return FileSink(sink.path, sink.mode, sink.format, threads)
            case ExecSinkConfig():
                return ExecSink(sink.command, sink.timeout, self._harmless_environ)

    def listeners(
        self, sink: LogicVariableConfig | FileSinkConfig | ExecSinkConfig
    ) -> Iterator[Notifier]:
        """Who is told of trouble, as a section of the configuration describes it."""
        match sink:
            case LogicVariableConfig(state_variable=str(name)):
                yield StateVariableNotifier(self.transport, name=name, create=sink.create)
            case ExecSinkConfig(on=on) if set(on) - {"token"}:
                environ, events = self._harmless_environ, frozenset(on)
                yield ExecNotifier(sink.command, sink.timeout, environ, events)

    def _harmless_environ(self) -> dict[str, str]:
        """The environment without the variables that hold configured secrets."""
        secret = {
            ref.argument
            for homey in self.config.homeys.values()
            for ref in _secrets_of(homey)
            if ref.source is SecretSource.ENV
        }
        return {name: text for name, text in self._world.environ.items() if name not in secret}


def _secrets_of(homey: HomeyConfig) -> tuple[SecretRef, ...]:
    refs = (homey.email, homey.password, homey.client_id, homey.client_secret, homey.totp_secret)
    return tuple(ref for ref in refs if ref is not None)


def _takes_tokens(sink: LogicVariableConfig | FileSinkConfig | ExecSinkConfig) -> bool:
    return not isinstance(sink, ExecSinkConfig) or "token" in sink.on


def _warn(event: str, fields: Mapping[str, object]) -> None:
    log.warning(event, **fields)


async def _prove(homey: str, sink: FileSink) -> None:
    """Say at the start, not at the first renewal, that a file cannot be written."""
    try:
        await sink.prove()
    except TokendError as error:
        log.error(
            "sink.unusable",
            homey=homey,
            sink=sink.target,
            reason=error.message,
            remedy=error.remedy,
        )
