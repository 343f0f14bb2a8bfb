"""The life of the daemon: lock, components, listeners, signals, and a stop within five seconds."""

import asyncio
import secrets
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from socket import socket
from typing import Any, TypeVar

import structlog

from homey_tokend import __version__
from homey_tokend.build import Components, Runtime
from homey_tokend.config import Config, LogConfig
from homey_tokend.core.status import Health
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.proxy.forwarder import Forwarder
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.reload import Reloader
from homey_tokend.runtime.scheduler import HEARTBEAT, JobScheduler
from homey_tokend.runtime.systemd_notify import SystemdNotifier
from homey_tokend.runtime.systemd_sockets import overridden_keys
from homey_tokend.runtime.terminal import terminal_is_closed
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.access import AccessControl, resolve_rules
from homey_tokend.server.app import Api
from homey_tokend.server.connections import connection_limit
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.listeners import Listeners
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.peers import Peer
from homey_tokend.server.unix_socket import raise_file_limit

log = structlog.get_logger()
T = TypeVar("T")
#: A wake-up that is later than this means that the scheduler hangs (watchdog, /healthz).
OVERDUE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Started:
    """The parts of a daemon whose listeners are open."""

    supervisor: Supervisor
    scheduler: JobScheduler
    reload: Reloader
    listeners: Listeners


class Daemon:
    """Run until stopped.

    Build it before the event loop runs.

    Args:
        config: The configuration.
        runtime: The daemon's surroundings.
        load: Reads the configuration again, for ``reload``.
        set_log: Called with the section ``log`` of a new configuration.
        prepared: Listening sockets from systemd; if empty, the daemon creates its own.
    """

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        *,
        load: Callable[[], Config] | None = None,
        set_log: Callable[[LogConfig], None] = lambda _log: None,
        prepared: Sequence[socket] = (),
    ) -> None:
        self.config = config
        self._access = AccessControl()
        self._monitoring = Monitoring(EventBuffer(secrets.token_hex(4)), access=self._access)
        events, metrics = self._monitoring.events, self._monitoring.metrics
        self._runtime = replace(
            runtime,
            subscribers=(*runtime.subscribers, events.publish, metrics.on_event),
            on_response=(*runtime.on_response, metrics.on_response),
        )
        self._load = load or (lambda: config)
        self._set_log = set_log
        self._prepared = prepared
        self._components = Components(config, self._runtime)
        self._upstream = Upstream(runtime.environ)
        self._notifier = SystemdNotifier(runtime.environ)
        self._period = self._notifier.interval(HEARTBEAT)
        self._stop = asyncio.Event()
        self._reload_wanted = asyncio.Event()

    def reload(self) -> None:
        """Request a reload of the configuration."""
        self._reload_wanted.set()

    def stop(self) -> None:
        """Request a clean stop; a second call has no effect."""
        self._stop.set()

    async def run(self, started: Callable[[Supervisor], None] = lambda _supervisor: None) -> None:
        """Run until ``stop``.

        Args:
            started: Called once the socket answers.

        Raises:
            AlreadyRunning: Another daemon holds the lock or the socket.
            CannotServe, StateUnusable: The socket or the lock cannot be created.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._components.close)
            running = await self._until_stopped(self._begin(stack))
            if running is not None:
                log.info("daemon.started", version=__version__, socket=self._socket_paths())
                self._notifier.ready()
                started(running.supervisor)
                await self._until_stopped(self._work(running))
            self._notifier.stopping()
            log.info("daemon.stopping")
        log.info("daemon.stopped")

    async def _begin(self, stack: AsyncExitStack) -> _Started:
        """Start everything up to the open listeners, and add the clean-up to the stack."""
        config = self.config
        lock = self._components.lock()
        if lock is not None:
            await run_in_thread(lock.acquire)
            stack.callback(lock.release)
        scheduler = JobScheduler(
            self._runtime.clock,
            steady=self._components.clock,
            heartbeat=self._period,
        )
        scheduler.start()
        stack.push_async_callback(scheduler.stop)
        supervisor = await self._components.supervisor(
            scheduler, lambda: scheduler.overdue() <= OVERDUE
        )
        stack.push_async_callback(self._upstream.close)
        listeners = await self._listeners(supervisor)
        stack.push_async_callback(listeners.close)
        await listeners.open(config.socket, config.http, self._prepared)
        return _Started(
            supervisor,
            scheduler,
            Reloader(self._components, supervisor, scheduler, self._load),
            listeners,
        )

    async def _until_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of the work, or None as soon as a stop is requested."""
        task = asyncio.create_task(work, name="work")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for each in (task, stop):
                each.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    async def _listeners(self, supervisor: Supervisor) -> Listeners:
        """Return the listeners, which serve the API."""
        await self._admit(self.config)
        monitoring, clock = self._monitoring, self._runtime.clock
        monitoring.connections.limit = connection_limit(raise_file_limit())
        forwarder = Forwarder(supervisor, self._upstream, clock, may_see_token=self._may_see_token)
        api = Api(
            supervisor,
            version=__version__,
            proxy=monitoring.count_calls(forwarder.handle, clock),
            monitoring=monitoring,
        )
        return Listeners(api)

    def _may_see_token(self, peer: Peer | None, homey: str) -> bool:
        """Return whether a caller may see a token that a variable of a Homey may contain."""
        # Not self.config: during a reload, new sinks are written before that is replaced.
        may_read = peer is not None and self._access.may_read(peer)
        return may_read or not self._components.config.has_token_in_variable(homey)

    async def _admit(self, config: Config) -> None:
        """Resolve the users and groups of the configuration again, and take its host names."""
        self._access.rules = await run_in_thread(resolve_rules, config.socket)
        listen = config.http.listen
        names = config.http.hosts if listen is None else (*config.http.hosts, listen[0])
        self._monitoring.hosts.replace_names(names)

    async def _work(self, running: _Started) -> None:
        """Run keepers, heartbeat and reloads; a bug in one of them ends the daemon."""
        supervisor = running.supervisor
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reloads(running.reload, running.listeners), name="reloads")
            group.create_task(supervisor.run(), name="supervisor")
            group.create_task(self._heartbeats(running), name="heartbeats")
            group.create_task(self._check_socket(running.listeners), name="socket")
            group.create_task(self._first_status(supervisor), name="first status")
            group.create_task(self._monitoring.load(), name="metrics")

    async def _reloads(self, reload: Reloader, listeners: Listeners) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            self._notifier.reloading()
            old, new = self.config, await reload.run()
            if new is not None:
                self.config = new
                await self._admit(new)
                if new.log != old.log:
                    self._set_log(new.log)
                await listeners.change_socket(new.socket)
                await listeners.change_http(new.http)
            self._notifier.ready()

    async def _heartbeats(self, running: _Started) -> None:
        while True:
            await running.scheduler.heartbeat()
            await running.supervisor.on_heartbeat()
            if running.supervisor.alive():
                self._notifier.alive()
            problem = [running.listeners.problem] if running.listeners.problem else []
            self._notifier.status("; ".join([*problem, status_line(running.supervisor)]))

    async def _check_socket(self, listeners: Listeners) -> None:
        # Not with the heartbeats: a directory that hangs must not stop those.
        while True:
            await self._components.clock.sleep(self._period.total_seconds())
            await listeners.check()

    async def _first_status(self, supervisor: Supervisor) -> None:
        await supervisor.settled()
        self._notifier.status(status_line(supervisor))

    def _socket_paths(self) -> str:
        """Return the paths of the sockets; log how those from systemd differ from the configuration."""
        for key, in_force in overridden_keys(self.config.socket, self._prepared):
            log.warning("socket.overridden", key=key, in_force=in_force)
        held = [str(sock.getsockname()) for sock in self._prepared]
        return ", ".join(held) or str(self.config.socket.path)


def status_line(supervisor: Supervisor) -> str:
    """Return one line about all Homeys, for ``systemctl status``."""
    words = []
    for name in supervisor.names():
        view = supervisor.view(name)
        until = f" until {view.token.expires_at:%Y-%m-%d %H:%M:%SZ}" if view.token else ""
        wrong = "" if view.health is Health.OK else f" ({view.health})"
        words.append(f"{name}: {'token held' if view.token else 'no token'}{until}{wrong}")
    return "; ".join(words)


def install_signal_handlers(daemon: Daemon) -> None:
    """Handle signals: SIGTERM and SIGINT stop cleanly, a second one at once; SIGHUP reloads.

    If SIGHUP comes because the terminal was closed, it stops the daemon, too.
    """
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        log.info("signal.received", signal=number.name)
        daemon.stop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    def hung_up() -> None:
        if terminal_is_closed():
            stop(signal.SIGHUP)
        else:
            daemon.reload()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop, each)
    loop.add_signal_handler(signal.SIGHUP, hung_up)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked at the start
