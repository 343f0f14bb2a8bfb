"""Build the components from a configuration: the only module that knows every concrete class."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from ssl import SSLContext
from typing import TypeVar

import structlog

from homey_tokend import __version__
from homey_tokend.athom.flow import OnResponse
from homey_tokend.athom.urls import is_simulated
from homey_tokend.config import (
    Config,
    ExecSinkConfig,
    FileSinkConfig,
    HomeyConfig,
    LogicVariableConfig,
)
from homey_tokend.config.diff import Differences
from homey_tokend.core.account import Digests
from homey_tokend.core.decision import BUDGET_SPAN_LEAST, RefreshSettings
from homey_tokend.core.events import Subscriber
from homey_tokend.core.ports import (
    BlobStore,
    CheckableSink,
    Clock,
    CredentialSource,
    Notifier,
    Scheduler,
    Sink,
    Transport,
)
from homey_tokend.core.secret import Credentials, Secret, SecretRef, SecretSource
from homey_tokend.credentials.digests import digests
from homey_tokend.credentials.reader import SecretReader
from homey_tokend.http.transport import HttpTransport
from homey_tokend.keeper.jobs import DEADLINE_S
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.report import Reporter
from homey_tokend.keeper.sign_in import HomeySettings, SignIn
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.sinks.exec import ExecSink
from homey_tokend.sinks.file import FileSink
from homey_tokend.sinks.logic_variable import LogicVariableSink
from homey_tokend.sinks.notifiers import ExecNotifier, StateVariableNotifier
from homey_tokend.storage.instance_lock import InstanceLock
from homey_tokend.storage.state_file import NoStateFile, StateFile
from homey_tokend.storage.store import WRITE_DEADLINE_S, StateStore

log = structlog.get_logger()
T = TypeVar("T")
SinkConfig = LogicVariableConfig | FileSinkConfig | ExecSinkConfig


@dataclass(frozen=True, slots=True)
class Runtime:
    """The daemon's surroundings, which tests and the demo replace.

    ``register_secret`` is called with each secret that becomes known, ``on_response`` with each
    response of Athom's hosts, ``subscribers`` with each event. The others replace what the
    configuration determines: HTTP, its TLS, the state file, the reader of credentials, sinks by
    their target, the slow digest of credentials, and the limits in seconds for a delivery and for
    a write of the state.
    """

    clock: Clock
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    register_secret: Callable[[Secret], None] = lambda _secret: None
    on_response: tuple[OnResponse, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()
    transport: Transport | None = None
    ssl_context: SSLContext | None = None
    blobs: BlobStore | None = None
    source: Callable[[HomeyConfig], CredentialSource] | None = None
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    digest: Callable[[Credentials, str, str], Digests] = digests
    deadline_s: float = DEADLINE_S
    write_deadline_s: float = WRITE_DEADLINE_S


class Components:
    """Everything below the server, ready to run."""

    def __init__(self, config: Config, runtime: Runtime) -> None:
        self.config = config
        #: The timeline that all instants of the daemon are on.
        self.clock = SteadyClock(runtime.clock)
        self._runtime = runtime
        self._reporter = Reporter(runtime.subscribers)
        #: What a reload has replaced; closed once no keeper uses it.
        self._replaced = AsyncExitStack()
        self._state_threads = WorkerPool()
        # Not the thread of the state: with many Homeys their digests, some 150 ms each, would
        # delay its writes so much that the disk would seem to hang.
        self._other_threads = WorkerPool(2)
        # Each file of a sink has one thread: a directory that hangs delays nothing else, and after
        # a reload the new sink writes only after a write of the old one that still hangs.
        self._file_threads: dict[Path, WorkerPool] = {}
        self._readers: dict[str, SecretReader] = {}
        self._http = self._new_transport()
        self.transport = runtime.transport or self._http
        blobs = runtime.blobs or self._blobs()
        self.store = StateStore(
            blobs,
            self.clock,
            salt=lambda: secrets.token_hex(16),
            register_secret=runtime.register_secret,
            write_deadline_s=runtime.write_deadline_s,
        )
        self.settings = {name: self._settings(homey) for name, homey in config.homeys.items()}
        self.sign_ins = {name: self._sign_in(homey) for name, homey in config.homeys.items()}

    async def close(self) -> None:
        """Close sockets and threads."""
        await self.close_replaced()
        await self._http.close()
        for threads in (self._state_threads, self._other_threads, *self._file_threads.values()):
            threads.close()
        for reader in self._readers.values():
            reader.close()

    def lock(self) -> InstanceLock | None:
        """Return the lock against a second daemon on the same state; None without a state file."""
        path = self.config.state.path
        return None if path is None else InstanceLock(path)

    async def supervisor(self, scheduler: Scheduler, alive: Callable[[], bool]) -> Supervisor:
        """Load the state, and return the supervisor of all keepers."""
        await self.store.load()
        keepers = {name: await self.keeper(name, scheduler) for name in self.config.homeys}
        return Supervisor(keepers, self.store, self.clock, alive)

    async def keeper(self, name: str, scheduler: Scheduler) -> Keeper:
        """Return a keeper for one Homey, with its stored state."""
        homey = self.config.homeys[name]
        if self.config.refresh.method != "refresh_token" and self.store.refresh_token(name):
            await self.store.keep_refresh_token(name, None)  # no longer used
        sinks = [self.sink(sink) for sink in homey.sinks if _takes_tokens(sink)]
        notifiers = [one for sink in homey.sinks for one in self._notifiers(sink)]
        by_target = {sink.target: sink for sink in sinks}
        return Keeper(
            settings=self.refresh_settings(name, by_target),
            sign_in=self.sign_ins[name],
            clock=self.clock,
            scheduler=scheduler,
            transport=self.transport,
            store=self.store,
            sinks=by_target,
            notifiers={one.target: one for one in notifiers},
            emit=self._reporter.emit,
            deadline_s=self._runtime.deadline_s,
        )

    def refresh_settings(self, name: str, sinks: Mapping[str, Sink]) -> RefreshSettings:
        """Return the settings of one Homey with these sinks, for policy."""
        checked = tuple(key for key, sink in sinks.items() if isinstance(sink, CheckableSink))
        reporting = tuple(key for key, sink in sinks.items() if sink.reports_expiry)
        return replace(
            self.settings[name], sinks=tuple(sinks), checked=checked, reporting=reporting
        )

    async def run_blocking(self, act: Callable[[], T]) -> T:
        """Run blocking work without delaying writes of the state."""
        return await self._other_threads.run(act)

    def sink(self, sink: SinkConfig) -> Sink:
        """Return the sink of a section of the configuration."""
        made: Sink
        match sink:
            case LogicVariableConfig():
                made = LogicVariableSink(
                    self.transport,
                    name=sink.name,
                    variable_id=sink.id,
                    create=sink.create,
                    expires=sink.expires_variable,
                )
            case FileSinkConfig():
                threads = self._file_threads.setdefault(sink.path, WorkerPool())
                made = FileSink(sink.path, sink.mode, sink.format, threads)
            case ExecSinkConfig():
                made = ExecSink(sink.command, sink.timeout, self._environ_without_secrets)
        return self._runtime.sinks.get(made.target, made)

    # --- a reload ---

    async def adopt(self, config: Config, differences: Differences) -> None:
        """Build what a new configuration requires; the caller then replaces the keepers."""
        self.config = config
        if differences.new_timeout and self._runtime.transport is None:
            # Keepers that have not been replaced yet still use the old one.
            self._replaced.push_async_callback(self._http.close)
            self.transport = self._http = await self._other_threads.run(self._new_transport)
        self.settings = {name: self._settings(homey) for name, homey in config.homeys.items()}
        for name in (*differences.added, *differences.changed):
            if name not in differences.sinks_only:
                self.sign_ins[name] = self._sign_in(config.homeys[name])
        for name in differences.removed:
            del self.sign_ins[name]
            self._replaced.callback(self._readers.pop(name).close)

    async def close_replaced(self) -> None:
        """Close what a reload has replaced, and the threads of files that no sink writes any more."""
        await self._replaced.aclose()
        written = {
            sink.path
            for homey in self.config.homeys.values()
            for sink in homey.sinks
            if isinstance(sink, FileSinkConfig)
        }
        for path in self._file_threads.keys() - written:
            self._file_threads.pop(path).close()

    # --- parts ---

    def _new_transport(self) -> HttpTransport:
        return HttpTransport(
            self.clock,
            timeout=self.config.refresh.timeout,
            environ=self._runtime.environ,
            user_agent=f"homey-tokend/{__version__}",
            ssl_context=self._runtime.ssl_context,
        )

    def _blobs(self) -> BlobStore:
        path = self.config.state.path
        return NoStateFile() if path is None else StateFile(path, self._state_threads)

    def _settings(self, homey: HomeyConfig) -> RefreshSettings:
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

    def _sign_in(self, homey: HomeyConfig) -> SignIn:
        runtime = self._runtime
        known = HomeySettings(
            name=homey.name,
            endpoints=self.config.endpoints,
            cloudid=homey.cloudid,
            url=homey.url,
            lifetime=self.config.refresh.lifetime,
            use_refresh_token=self.config.refresh.method == "refresh_token",
            watched=all(ref.source is not SecretSource.COMMAND for ref in _secrets_of(homey)),
        )
        return SignIn(
            known,
            runtime.source(homey) if runtime.source else self._reader(homey),
            clock=self.clock,
            transport=self.transport,
            store=self.store,
            digest=self._digest,
            register_secret=runtime.register_secret,
            on_response=runtime.on_response,
            emit=self._reporter.emit,
        )

    async def _digest(self, credentials: Credentials, accounts: str, salt: str) -> Digests:
        return await self._other_threads.run(self._runtime.digest, credentials, accounts, salt)

    def _reader(self, homey: HomeyConfig) -> SecretReader:
        if homey.name in self._readers:
            self._replaced.callback(self._readers[homey.name].close)
        reader = SecretReader(homey, self._runtime.environ, _warn)
        self._readers[homey.name] = reader
        return reader

    def _notifiers(self, sink: SinkConfig) -> Iterator[Notifier]:
        """Yield the notifier of a sink's section of the configuration, if it has one."""
        match sink:
            case LogicVariableConfig(state_variable=str(name)):
                yield StateVariableNotifier(self.transport, name=name, create=sink.create)
            case ExecSinkConfig(on=on) if set(on) - {"token"}:
                environ, events = self._environ_without_secrets, frozenset(on)
                yield ExecNotifier(sink.command, sink.timeout, environ, events)

    def _environ_without_secrets(self) -> dict[str, str]:
        """Return the environment without the variables that contain configured secrets."""
        secret = {
            ref.argument
            for homey in self.config.homeys.values()
            for ref in _secrets_of(homey)
            if ref.source is SecretSource.ENV
        }
        return {name: text for name, text in self._runtime.environ.items() if name not in secret}


def _secrets_of(homey: HomeyConfig) -> tuple[SecretRef, ...]:
    refs = (homey.email, homey.password, homey.client_id, homey.client_secret, homey.totp_secret)
    return tuple(ref for ref in refs if ref is not None)


def _takes_tokens(sink: SinkConfig) -> bool:
    return not isinstance(sink, ExecSinkConfig) or "token" in sink.on


def _warn(event: str, fields: Mapping[str, object]) -> None:
    log.warning(event, **fields)
