"""Callers who may not read the token do not get it from the variable that a sink writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homey_tokend.server.peers import Peer
from tests.support.api_proxy import LONG_TIMEOUTS, ProxySetup, running_proxy, with_length
from tests.support.provider import CANARY

VARIABLE = "/api/manager/logic/variable"
#: The variable as a Homey sends it.
HELD = with_length(b'{"id":"51d0","name":"accesstoken","value":"%b"}' % CANARY.encode())


def never(_peer: Peer | None, _homey: str) -> bool:
    return False


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    """Return a proxy for a caller who may not read the token, which a variable holds."""
    async with running_proxy(socket_path, LONG_TIMEOUTS, never) as made:
        made.hub.answers = [HELD]
        yield made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", VARIABLE),
        ("GET", f"{VARIABLE}/"),
        ("GET", f"{VARIABLE}?x=1"),
        ("HEAD", VARIABLE),
        ("OPTIONS", VARIABLE),
        ("GET", f"{VARIABLE}/51d0"),
        ("PUT", f"{VARIABLE}/51d0"),
        ("POST", VARIABLE),
        ("DELETE", f"{VARIABLE}/51d0"),
        ("GET", "/api/manager/LOGIC/Variable"),
        ("GET", "/api/manager/l%6Fgic/variable"),
        ("GET", "/api/manager/logic%2dx/variable"),
        ("GET", "/api/logic/variable"),
        ("GET", "/api/manager/logic/state"),
        ("GET", "/api/manager/logic/webhook/x"),
        # A tag of flows is a variable by another name; a log keeps its values.
        ("GET", "/api/manager/flowtoken/flowtoken"),
        ("GET", "/api/manager/flowtoken/flowtoken/51d0/value"),
        ("GET", "/api/manager/flowtoken/state"),
        ("GET", "/api/manager/insights/log"),
        ("GET", "/api/manager/insights/log/homey:manager:logic/51d0/entry"),
        # What runs a card, a flow, an app or a program of the caller's choice can read it.
        ("POST", "/api/manager/flow/flowcardaction/homey:manager:notifications/create/run"),
        ("POST", "/api/manager/flow/flowcardcondition/homey:manager:logic/contains/run"),
        ("POST", "/api/manager/flow/test"),
        ("POST", "/api/manager/flow/flow"),
        ("PUT", "/api/manager/flow/flow/51d0"),
        ("PUT", "/api/manager/flow/advancedflow/51d0"),
        ("GET", "/api/app/com.athom.homeyscript/script"),
        ("POST", "/api/app/com.athom.homeyscript/script/x/run"),
        ("POST", "/api/manager/devkit/app"),
        ("GET", "/api/manager/apps/app/com.athom.homeyscript/setting"),
        ("GET", "/api/manager/dashboards/appwidget/x/autocomplete"),
        ("POST", "/api/manager/system/journalctl"),
        ("POST", "/api/manager/users/pat"),
        ("GET", "/api/realtime"),
        ("GET", "/api/"),
    ],
)
async def test_what_could_show_the_token(proxy: ProxySetup, method: str, path: str) -> None:
    """A call that could show a variable is rejected, and the Homey gets no request."""
    got = await proxy.ask(f"/homeys/home{path}", method=method)

    assert (403, []) == (got.status, proxy.hub.received)
    assert CANARY.encode() not in got.raw
    assert method == "HEAD" or b"urn:homey-tokend:problem:variable-not-allowed" in got.body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/manager/devices/device"),
        ("HEAD", "/api/manager/devices/device"),
        ("GET", "/api/manager/devices/device/?x=1"),
        ("GET", "/api/manager/devices/device/51d0"),
        ("PUT", "/api/manager/devices/device/51d0/capability/onoff"),
        ("PUT", "/api/manager/devices/device/51d0/capability/dim"),
        ("GET", "/api/manager/zones/zone"),
        ("GET", "/api/manager/flow/flow"),
        ("POST", "/api/manager/flow/flow/51d0/trigger"),
        ("GET", "/api/manager/system"),
        ("GET", "/api/manager/system/"),
        ("GET", "/api/manager/sessions/session/me"),
    ],
)
async def test_what_shows_no_variable(proxy: ProxySetup, method: str, path: str) -> None:
    """The other calls of the catalogue are passed on."""
    proxy.hub.answers = [b"HTTP/1.1 204 No Content\r\n\r\n"]
    got = await proxy.ask(f"/homeys/home{path}", method=method)

    assert (204, 1) == (got.status, len(proxy.hub.received))


async def test_who_may_see_it(socket_path: Path) -> None:
    """The caller and the Homey decide; everything is passed on to a caller who may see the token."""
    asked: list[tuple[Peer | None, str]] = []

    def always(peer: Peer | None, homey: str) -> bool:
        asked.append((peer, homey))
        return True

    async with running_proxy(socket_path, LONG_TIMEOUTS, always) as proxy:
        got = await proxy.ask(f"/homeys/home{VARIABLE}")
    ((peer, homey),) = asked

    assert (200, "home") == (got.status, homey)
    assert peer is not None
