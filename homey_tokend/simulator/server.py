"""The simulator as an object: start it, inspect it, change its state, stop it."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from homey_tokend.simulator import fault_file, fault_responses
from homey_tokend.simulator.faults import REPLACING, ActiveFaults, Fault
from homey_tokend.simulator.homey_state import Json, SimulatedHomey
from homey_tokend.simulator.requests import ReceivedRequest, RequestContext, receive
from homey_tokend.simulator.responses import ErrorResponse
from homey_tokend.simulator.routes import ROUTES, Route
from homey_tokend.simulator.settings import Settings
from homey_tokend.simulator.state import CloudState

#: The most requests that are kept, so that a demo that runs for days does not grow without limit.
_MAX_REQUESTS = 10_000


class Simulator:
    """A simulated Athom cloud and simulated Homeys on one port.

    Args:
        settings: Identities, lifetimes, switches, scripted faults.
        host: Address to listen on.
        port: TCP port; 0 takes a free one.
        ssl_context: Serve https with it; None: plain http.
        now: The clock, seconds since the epoch. A test moves it to let tokens expire.
        sleep: How ``delay``, ``hang`` and ``drip`` wait.
        log: Receives the log fields of each answered request; it must not block.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        log: Callable[[Mapping[str, object]], None] = lambda _: None,
    ) -> None:
        self.settings = settings or Settings()
        self.state = CloudState(self.settings, now)
        #: The requests so far, the oldest first.
        self.requests: list[ReceivedRequest] = []
        self._host, self._port, self._ssl = host, port, ssl_context
        self._sleep, self._log = sleep, log
        self._faults = ActiveFaults(self.settings.faults)
        self._started_at = 0.0
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; after a stop, on the same port and with the same state.

        Raises:
            OSError: The address is not available.
        """
        app = web.Application(client_max_size=16 << 20)
        for route in ROUTES:
            slash = "" if route.path.endswith(".*}") else "{slash:/?}"
            app.router.add_route(route.method, route.path + slash, self._handler(route))
        app.on_response_prepare.append(self._set_date)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl)
        await site.start()
        scheme = "https" if self._ssl else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._port = self._runner.addresses[0][1]
        self.state.origin = f"{scheme}://{host}:{self._port}"
        self._started_at = self.state.now()
        self._stopping.clear()

    async def stop(self) -> None:
        """Stop listening, and end every request that waits."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # --- requests -----------------------------------------------------------------

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            received = await receive(request, route.step, self.state.now())
            self.requests.append(received)
            if len(self.requests) > _MAX_REQUESTS:
                del self.requests[: _MAX_REQUESTS // 10]
            context = RequestContext(request, received, self.state, self._pause)
            try:
                response = await self._respond(route, context)
                received.status = None if _is_aborted(request, response) else response.status
            except ConnectionError:
                # The client did not wait for the end of a long response, which is no error.
                return web.Response()
            finally:
                self._log(received.log_fields())
            return response

        return handler

    async def _respond(self, route: Route, context: RequestContext) -> web.StreamResponse:
        async def handle() -> web.Response:
            try:
                return await route.handler(context)
            except ErrorResponse as error:
                return error.response

        homey = (context.homey.cloudid, context.homey.number) if context.homey else ()
        elapsed = self.state.now() - self._started_at
        for fault in self._faults.apply(route.step, context.received.method, homey, elapsed):
            context.received.faults.append(fault.kind)
            if fault.kind in REPLACING:
                return await fault_responses.replace(fault, context, handle)
            await fault_responses.modify(fault, context)
        return await handle()

    async def _set_date(self, _: web.Request, response: web.StreamResponse) -> None:
        at = self.state.now() + self.settings.switches.clock_skew
        response.headers["Date"] = formatdate(at, usegmt=True)

    async def _pause(self, seconds: float | None) -> None:
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._stopping.wait())}
        if seconds is not None:
            waits.add(asyncio.ensure_future(self._sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    # --- what a test reads --------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Scheme, host and port; accounts and api are here, Homeys under ``/homey/``."""
        return self.state.origin

    @property
    def cloudids(self) -> list[str]:
        """The Homeys' cloudids, the first one first."""
        return list(self.state.homeys)

    def description(self) -> dict[str, Any]:
        """Return what a client needs to know, as ``simulate`` prints it."""
        description: dict[str, Any] = {
            "accounts": self.base_url,
            "api": self.base_url,
            "homey": self.state.homey_url("{cloudid}"),
            "email": self.settings.email,
            "password": self.state.password,
            "clientId": self.settings.client_id,
            "clientSecret": self.settings.client_secret,
            "redirectUri": self.settings.redirect_uri,
            "cloudid": self.cloudids[0],
            "homeys": [_description(homey) for homey in self.state.homeys.values()],
        }
        if self.settings.totp_secret:
            description["totpSecret"] = self.settings.totp_secret
        return description

    def steps(self) -> list[str]:
        """Return the names of all requests so far, in order."""
        return [received.step for received in self.requests]

    def seen(self, step: str) -> list[ReceivedRequest]:
        """Return the requests of one name, in order."""
        return [received for received in self.requests if received.step == step]

    def accepts(self, bearer: str, cloudid: str | None = None) -> bool:
        """Return whether a Homey (the first one) accepts a bearer now."""
        return self.state.live_session(self._homey(cloudid), bearer) is not None

    # --- what a test changes ------------------------------------------------------

    def add_fault(self, fault: Fault | None = None, /, **keys: Any) -> Fault:
        """Add a fault, or the keys of one in a fault file (``from_`` for ``from``).

        Raises:
            FaultsInvalid: The keys are invalid.
        """
        if fault is None:
            fault = fault_file.fault_from({key.rstrip("_"): keys[key] for key in keys})
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """End all faults, those of the settings included."""
        self._faults.clear()

    def revoke_sessions(self, cloudid: str | None = None) -> None:
        """End the sessions of one Homey, or of all."""
        self.state.end_sessions(cloudid)

    def revoke_access(self) -> None:
        """Revoke all access, refresh and user tokens."""
        self.state.end_access()

    def unplug(self, cloudid: str | None = None) -> None:
        """Make a Homey (the first one) unreachable; its sessions stay."""
        self._homey(cloudid).plugged = False

    def plug(self, cloudid: str | None = None) -> None:
        """Make a Homey (the first one) reachable again."""
        self._homey(cloudid).plugged = True

    def change_password(self, password: str) -> None:
        """Change the account's password; issued tokens stay valid."""
        self.state.password = password

    def add_variable(
        self, name: str, type_: str, value: object, cloudid: str | None = None
    ) -> Json:
        """Create a logic variable; names may repeat, as on a real Homey."""
        return dict(self._homey(cloudid).add_variable(self.state.random, name, type_, value))

    def set_variable(self, name_or_id: str, value: object, cloudid: str | None = None) -> None:
        """Set a logic variable, as a flow on the Homey would."""
        self._homey(cloudid).find_variable(name_or_id)["value"] = value

    def get_variable(self, name_or_id: str, cloudid: str | None = None) -> Any:
        """Return the value of a logic variable.

        Raises:
            KeyError: There is none of that id or name.
        """
        return self._homey(cloudid).find_variable(name_or_id)["value"]

    def delete_variable(self, name_or_id: str, cloudid: str | None = None) -> None:
        """Delete a logic variable."""
        homey = self._homey(cloudid)
        del homey.variables[homey.find_variable(name_or_id)["id"]]

    def _homey(self, cloudid: str | None) -> SimulatedHomey:
        return self.state.homeys[cloudid or self.cloudids[0]]


def _description(homey: SimulatedHomey) -> Json:
    variables = [
        {key: variable[key] for key in ("id", "name", "type")}
        for variable in homey.variables.values()
    ]
    return {"cloudid": homey.cloudid, "variables": variables}


def _is_aborted(request: web.Request, response: web.StreamResponse) -> bool:
    closed = request.transport is None or request.transport.is_closing()
    return closed and not response.prepared
