"""The simulator as an object: start it, look at it, change its world, stop it."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from homey_tokend.simulator import faultsfile
from homey_tokend.simulator.faults import Fault, FaultBook
from homey_tokend.simulator.household import Homey, Json
from homey_tokend.simulator.journal import Entry
from homey_tokend.simulator.routes import ROUTES
from homey_tokend.simulator.service import Log, Service
from homey_tokend.simulator.settings import Settings
from homey_tokend.simulator.world import World


class Simulator:
    """A pretend Athom cloud and pretend Homeys on one port.

    Args:
        settings: Identities, life spans, switches, scripted faults.
        host: Address to listen on.
        port: TCP port; 0 takes a free one.
        ssl_context: Serve https with it; None: plain http.
        now: The clock, seconds since the epoch. A test moves it to let things expire.
        sleep: How ``delay``, ``hang`` and ``drip`` wait.
        log: Is given one mapping per answered request; it must not block.
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
        log: Log | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.world = World(self.settings, now, sleep)
        #: Every request so far, the oldest first.
        self.journal: list[Entry] = []
        self._host, self._port, self._ssl = host, port, ssl_context
        self._book = FaultBook(self.settings.faults)
        self._service = Service(self.world, self._book, self.journal, log)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; after a stop on the same port again, with the world as it was.

        Raises:
            OSError: Where the address cannot be had.
        """
        app = web.Application(client_max_size=16 << 20)
        for route in ROUTES:
            slash = "" if route.path.endswith(".*}") else "{slash:/?}"
            app.router.add_route(route.method, route.path + slash, self._service.door(route))
        app.on_response_prepare.append(self._service.stamp)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl)
        await site.start()
        scheme = "https" if self._ssl else "http"
        named = f"[{self._host}]" if ":" in self._host else self._host
        self._port = self._runner.addresses[0][1]
        self.world.origin = f"{scheme}://{named}:{self._port}"
        self._service.begin()

    async def stop(self) -> None:
        """End what hangs, and listen no more."""
        self._service.end()
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

    # --- what it tells ----------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Scheme, host and port; accounts and api are here, Homeys under ``/homey/``."""
        return self.world.origin

    @property
    def cloudids(self) -> list[str]:
        """The Homeys' cloudids, the first one first."""
        return list(self.world.homeys)

    def description(self) -> dict[str, Any]:
        """Give what a client has to know: the line that ``simulate`` prints."""
        told: dict[str, Any] = {
            "accounts": self.base_url,
            "api": self.base_url,
            "homey": self.world.homey_url("{cloudid}"),
            "email": self.settings.email,
            "password": self.world.password,
            "clientId": self.settings.client_id,
            "clientSecret": self.settings.client_secret,
            "redirectUri": self.settings.redirect_uri,
            "cloudid": self.cloudids[0],
            "homeys": [_told(homey) for homey in self.world.homeys.values()],
        }
        secret = self.settings.totp_secret
        return told | ({"totpSecret": secret} if secret else {})

    def steps(self) -> list[str]:
        """Give the names of all requests so far, in order."""
        return [entry.step for entry in self.journal]

    def seen(self, step: str) -> list[Entry]:
        """Give the requests of one name, in order."""
        return [entry for entry in self.journal if entry.step == step]

    def accepts(self, bearer: str, cloudid: str | None = None) -> bool:
        """Tell whether a Homey (the first one) takes a bearer now."""
        return self.world.live_session(self._homey(cloudid), bearer) is not None

    # --- what tests change --------------------------------------------------------

    def add_fault(self, fault: Fault | None = None, /, **keys: Any) -> Fault:
        """Add a fault: a made one, or the keys of a faults file (``from_`` for ``from``).

        Raises:
            FaultsInvalid: Where a faults file with these keys would be refused.
        """
        if fault is None:
            fault = faultsfile.fault_of({key.rstrip("_"): keys[key] for key in keys})
        self._book.add(fault)
        return fault

    def clear_faults(self) -> None:
        """End all trouble, the file's too."""
        self._book.clear()

    def revoke_sessions(self, cloudid: str | None = None) -> None:
        """End the sessions of one Homey, or of all."""
        self.world.end_sessions(cloudid)

    def revoke_access(self) -> None:
        """End all access, refresh and user tokens."""
        self.world.end_access()

    def unplug(self, cloudid: str | None = None) -> None:
        """Make a Homey (the first one) unreachable; its sessions stay."""
        self._homey(cloudid).plugged = False

    def plug(self, cloudid: str | None = None) -> None:
        """Make a Homey (the first one) reachable again."""
        self._homey(cloudid).plugged = True

    def change_password(self, password: str) -> None:
        """Change the account's password; what was given out lives on."""
        self.world.password = password

    def add_variable(self, name: str, kind: str, value: object, cloudid: str | None = None) -> Json:
        """Create a logic variable; names may repeat, as on a real Homey."""
        return dict(self._homey(cloudid).add_variable(self.world.chance, name, kind, value))

    def set_variable(self, name_or_id: str, value: object, cloudid: str | None = None) -> None:
        """Set a logic variable, as a flow on the Homey would."""
        self._variable(name_or_id, cloudid)["value"] = value

    def get_variable(self, name_or_id: str, cloudid: str | None = None) -> Any:
        """Give the value of a logic variable.

        Raises:
            KeyError: Where there is none of that id or name.
        """
        return self._variable(name_or_id, cloudid)["value"]

    def delete_variable(self, name_or_id: str, cloudid: str | None = None) -> None:
        """Delete a logic variable."""
        variable = self._variable(name_or_id, cloudid)
        del self._homey(cloudid).variables[variable["id"]]

    def _homey(self, cloudid: str | None) -> Homey:
        return next(self.world.some_homeys(cloudid or self.cloudids[0]))

    def _variable(self, name_or_id: str, cloudid: str | None) -> Json:
        variable = self._homey(cloudid).find_variable(name_or_id)
        if variable is None:
            raise KeyError(name_or_id)
        return variable


def _told(homey: Homey) -> Json:
    variables = [
        {key: variable[key] for key in ("id", "name", "type")}
        for variable in homey.variables.values()
    ]
    return {"cloudid": homey.cloudid, "variables": variables}
