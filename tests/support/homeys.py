"""For tests of ``call``: the API proxy with a simulated Homey, in a thread with its own loop."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from homey_tokend.proxy.forwarder import Forwarder
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from homey_tokend.simulator import Settings, Simulator
from tests.support.api_proxy import LONG_TIMEOUTS, TLS
from tests.support.clock import FakeClock
from tests.support.provider import FakeProvider, token, view


class Home:
    """A simulated Homey behind the daemon's socket; ``forget`` makes its bearer invalid."""

    def __init__(self, settings: Settings) -> None:
        self.simulator = Simulator(settings)
        self.provider = FakeProvider()

    def sign_in(self) -> None:
        """Store a bearer that the Homey accepts."""
        (homey,) = self.simulator.state.homeys.values()
        bearer = self.simulator.state.open_session(homey).bearer
        held = replace(token(value=bearer), url=self.simulator.state.homey_url(homey.cloudid))
        self.provider.views["home"] = view("home", held)

    def id_of(self, name: str) -> str:
        """Return the id of a device or variable by its name."""
        (homey,) = self.simulator.state.homeys.values()
        things = {**homey.devices, **homey.variables, **homey.zones}
        return next(key for key, one in things.items() if one["name"] == name)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Return method and path of the requests to the Homey."""
        return [
            (one.method, one.path.partition("/api/manager")[2]) for one in self.simulator.requests
        ]


@contextlib.contextmanager
def running_home(path: Path, settings: Settings | None = None) -> Iterator[Home]:
    """Run a Homey that can be called over the socket at this path."""
    home, loop, started = Home(settings or Settings()), asyncio.new_event_loop(), threading.Event()
    upstream = Upstream({}, ssl_context=TLS)
    forward = Forwarder(home.provider, upstream, FakeClock(instant=True), LONG_TIMEOUTS)
    server = Server(Api(home.provider, version="1", proxy=forward.handle))

    async def begin() -> None:
        await home.simulator.start()
        home.sign_in()
        await server.start(SocketOptions(path))

    async def end() -> None:
        await server.stop()
        await upstream.close()
        await home.simulator.stop()

    def turn() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        started.set()
        loop.run_forever()
        loop.run_until_complete(end())
        loop.close()

    thread = threading.Thread(target=turn)
    thread.start()
    assert started.wait(40)
    try:
        yield home
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(40)
