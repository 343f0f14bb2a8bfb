"""Which requests meet which faults, and what a test changes while it runs."""

from homey_tokend.simulator.faults import KINDS, Asked, Fault, FaultBook
from tests.simulator.conftest import Clock, Meet, Person

PING = "/system/ping"


async def test_which_request(person: Person) -> None:
    """A fault passes over the first requests, then holds as often as told."""
    person.simulator.add_fault(step=["ping", "login"], kind="status", after=1, times=2)
    answers = [await person.homey("GET", PING) for _ in range(4)]

    assert [one.status for one in answers] == [200, 503, 503, 200]


async def test_which_homey(meet: Meet) -> None:
    """A fault can be for one Homey, by number or cloudid."""
    person = await meet(homeys=3)
    first, second, third = (one["cloudid"] for one in person.told["homeys"])
    person.simulator.add_fault(homey=2, kind="status")
    person.simulator.add_fault(homey=third, kind="status")
    answers = [await person.homey("GET", PING, at=one) for one in (first, second, third)]

    assert [one.status for one in answers] == [200, 503, 503]
    assert (await person.login()).status == 200


async def test_which_method(person: Person) -> None:
    """A fault can be for one method: reading goes on, writing fails."""
    token = await person.bearer()
    person.simulator.add_fault(step="variable", method="POST", kind="status")
    read = await person.homey("GET", "/logic/variable", token)
    write = await person.homey("POST", "/logic/variable", token, json={})

    assert [read.status, write.status] == [200, 503]


async def test_which_time(person: Person, clock: Clock) -> None:
    """An outage has a beginning and an end, in seconds since the start."""
    person.simulator.add_fault(step="any", kind="status", from_=10, until=20)
    statuses = []
    for _ in range(3):
        statuses.append((await person.homey("GET", PING)).status)
        clock.time += 10

    assert statuses == [200, 503, 200]


async def test_all_bends_and_one_replacement(person: Person, clock: Clock) -> None:
    """A request meets every bending fault and the first replacing one."""
    for keys in ({"kind": "delay", "seconds": 1}, {"kind": "status"}, {"kind": "html"}):
        person.simulator.add_fault(step="ping", **keys)
    answer = await person.homey("GET", PING)

    assert (answer.status, clock.slept) == (503, [1])
    assert person.simulator.journal[-1].faults == ["delay", "status"]


async def test_cleared(person: Person) -> None:
    """Faults can be ended."""
    person.simulator.add_fault(kind="status")
    person.simulator.clear_faults()

    assert (await person.homey("GET", PING)).status == 200


async def test_from_settings(meet: Meet) -> None:
    """Faults of the settings hold from the start."""
    person = await meet(faults=(Fault(kind="status", steps=("ping",)),))

    assert (await person.homey("GET", PING)).status == 503


async def test_changed_password(person: Person) -> None:
    """A changed password is the only good one from then on."""
    old = person.told["password"]
    person.simulator.change_password("another")

    assert (await person.login(password=old)).status == 401
    assert (await person.login(password="another")).status == 200
    assert person.simulator.description()["password"] == "another"


async def test_revoked(person: Person) -> None:
    """A test can end sessions and access tokens."""
    token, access = await person.bearer(), await person.access()
    person.simulator.revoke_sessions()
    person.simulator.revoke_access()

    assert not person.simulator.accepts(token)
    assert (await person.delegation(access)).status == 401


def test_counting() -> None:
    """A fault behind a replacing one does not count the request."""
    book = FaultBook([Fault(kind="status", times=1), Fault(kind="html", after=1)])
    met = [[fault.kind for fault in book.meet(Asked("ping"), 0)] for _ in range(3)]

    assert met == [["status"], [], ["html"]]


def test_every_kind_is_described() -> None:
    """Every kind says what it does."""
    assert all(KINDS.values())
