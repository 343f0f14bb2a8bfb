"""Which faults apply to a request, and what a test changes while the simulator runs."""

from homey_tokend.simulator.faults import ActiveFaults, Fault
from tests.simulator.conftest import Client, Clock, StartClient

PING = "/system/ping"


async def test_which_request(client: Client) -> None:
    """A fault leaves the first requests alone, then applies a number of times."""
    client.simulator.add_fault(step=["ping", "login"], kind="status", after=1, times=2)
    answers = [await client.homey("GET", PING) for _ in range(4)]

    assert [one.status for one in answers] == [200, 503, 503, 200]


async def test_which_homey(start_client: StartClient) -> None:
    """A fault can be for one Homey, by number or cloudid."""
    client = await start_client(homeys=3)
    first, second, third = (one["cloudid"] for one in client.description["homeys"])
    client.simulator.add_fault(homey=2, kind="status")
    client.simulator.add_fault(homey=third, kind="status")
    answers = [await client.homey("GET", PING, at=one) for one in (first, second, third)]

    assert [one.status for one in answers] == [200, 503, 503]
    assert (await client.login()).status == 200


async def test_which_method(client: Client) -> None:
    """A fault can be for one method: reading goes on, writing fails."""
    token = await client.bearer()
    client.simulator.add_fault(step="variable", method="POST", kind="status")
    read = await client.homey("GET", "/logic/variable", token)
    write = await client.homey("POST", "/logic/variable", token, json={})

    assert [read.status, write.status] == [200, 503]


async def test_which_time(client: Client, clock: Clock) -> None:
    """An outage has a beginning and an end, in seconds since the start."""
    client.simulator.add_fault(step="any", kind="status", from_=10, until=20)
    statuses = []
    for _ in range(3):
        statuses.append((await client.homey("GET", PING)).status)
        clock.time += 10

    assert statuses == [200, 503, 200]


async def test_all_modifying_and_one_replacing(client: Client, clock: Clock) -> None:
    """To a request apply all modifying faults and the first replacing one."""
    for keys in ({"kind": "delay", "seconds": 1}, {"kind": "status"}, {"kind": "html"}):
        client.simulator.add_fault(step="ping", **keys)
    answer = await client.homey("GET", PING)

    assert (answer.status, clock.slept) == (503, [1])
    assert client.simulator.requests[-1].faults == ["delay", "status"]


async def test_cleared(client: Client) -> None:
    """Faults can be ended."""
    client.simulator.add_fault(kind="status")
    client.simulator.clear_faults()

    assert (await client.homey("GET", PING)).status == 200


async def test_from_settings(start_client: StartClient) -> None:
    """Faults of the settings apply from the start."""
    client = await start_client(faults=(Fault(kind="status", steps=("ping",)),))

    assert (await client.homey("GET", PING)).status == 503


async def test_changed_password(client: Client) -> None:
    """A changed password is the only valid one from then on."""
    old = client.description["password"]
    client.simulator.change_password("another")

    assert (await client.login(password=old)).status == 401
    assert (await client.login(password="another")).status == 200
    assert client.simulator.description()["password"] == "another"


async def test_revoked(client: Client) -> None:
    """A test can revoke sessions and access tokens."""
    token, access = await client.bearer(), await client.access()
    client.simulator.revoke_sessions()
    client.simulator.revoke_access()

    assert not client.simulator.accepts(token)
    assert (await client.delegation(access)).status == 401


def test_counting() -> None:
    """A fault behind a replacing one does not count the request."""
    faults = ActiveFaults([Fault(kind="status", times=1), Fault(kind="html", after=1)])
    met = [[fault.kind for fault in faults.apply("ping")] for _ in range(3)]

    assert met == [["status"], [], ["html"]]
