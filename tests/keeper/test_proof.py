"""A token is verified with the Homey repeatedly; an invalid one is detected."""

import json
from dataclasses import replace
from datetime import timedelta

from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import Transport
from homey_tokend.core.status import Health
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, Household
from tests.support.sink import FakeSink
from tests.support.store import FakeStore

PROVING: dict[str, object] = {"verify_every": "15m"}


async def test_the_held_token_is_proved_every_quarter_of_an_hour(household: Household) -> None:
    """With verify_every 15m the Homey is asked four times an hour, and nothing else is."""
    await household.start(household.document(**PROVING))
    household.steps()
    await household.wait(HOUR)

    assert household.steps() == ["session"] * 4
    assert household.now == household.view().verified_at


async def test_proof_can_be_turned_off(household: Household) -> None:
    """With verify_every 0 a token is verified once, at its birth."""
    await household.start()
    household.steps()
    await household.wait(11 * HOUR)

    assert household.steps() == []


async def test_a_revoked_session_is_noticed_and_replaced_at_once(household: Household) -> None:
    """A person ends the session: within a quarter of an hour there is another one."""
    await household.start(household.document(**PROVING))
    household.simulator.revoke_sessions()
    household.steps()
    await household.wait(16 * MINUTE)

    assert household.steps()[:4] == ["session", "session", "session", "login"]
    assert household.token().generation == 2
    assert household.simulator.accepts(household.token().value.reveal())


async def test_a_401_is_asked_again_after_one_and_three_seconds(household: Household) -> None:
    """A single 401 is ignored: the token stays."""
    await household.start(household.document(**PROVING))
    household.simulator.add_fault(step="session", kind="status", status=401, times=2)
    household.steps()
    await household.wait(16 * MINUTE)
    asked = [entry.at for entry in household.simulator.seen("session")]

    assert [round(at - asked[0]) for at in asked] == [0, 1, 4]
    assert household.token().generation == 1
    assert household.view().health is Health.OK


async def test_a_revoked_token_is_not_served_any_more(household: Household) -> None:
    """The session is gone and the cloud is down: no token, and a 503 for requests."""
    await household.start(household.document(**PROVING))
    household.simulator.revoke_sessions()
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.wait(16 * MINUTE)
    assert household.view().token is None
    assert household.view().health is Health.DOWN

    await household.restart(household.document(**PROVING))
    assert household.view().token is None

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert household.token().generation == 2


async def test_a_homey_that_cannot_be_asked_does_not_hold_the_token_back(
    household: Household,
) -> None:
    """The session endpoint is down at the token's birth: it is served unverified, and verified later."""
    household.simulator.add_fault(step="session", kind="status", status=503)
    await household.start()
    assert household.token().generation == 1
    assert household.view().verified_at is None
    assert not household.token().expiry_reported

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert household.view().verified_at is not None
    assert household.token().expiry_reported
    assert household.token().generation == 1


async def test_an_unproved_token_is_asked_about_less_and_less(household: Household) -> None:
    """From five seconds, doubling up to a quarter of an hour: some dozen requests in six hours."""
    household.simulator.add_fault(step="session", kind="html")
    await household.start()
    household.steps()
    await household.wait(6 * HOUR)

    assert 25 <= household.steps().count("session") <= 35
    assert household.token().generation == 1


async def test_a_failed_proof_says_nothing_of_the_token(household: Household) -> None:
    """A Homey that is unplugged for hours keeps its token and its health."""
    await household.start(household.document(**PROVING))
    household.simulator.unplug()
    await household.wait(8 * HOUR)

    assert household.token().generation == 1
    assert household.sign_ins() == 1


async def test_the_end_that_the_homey_tells_is_believed(begin: Begin) -> None:
    """A reported expiry that differs from the assumed one moves the renewal."""
    household = await begin(session_lifetime=HOUR.total_seconds() * 8)
    household.simulator.add_fault(step="session", kind="status", status=503, times=1)
    await household.start()
    assert DAY == household.token().life

    await household.wait(MINUTE)

    assert 8 * HOUR == household.token().life
    await household.wait(4 * HOUR)

    assert household.token().generation == 2


async def test_an_end_that_is_told_later_outlives_a_kill(begin: Begin) -> None:
    """It is written at once: after a power cut during an outage no expired token is served."""
    household = await begin(session_lifetime=HOUR.total_seconds() * 8)
    household.store = store = FakeStore()
    household.simulator.add_fault(step="session", kind="status", status=503, times=1)
    await household.start()
    await household.wait(MINUTE)
    blob = store.blob
    await household.stop()
    household.store = FakeStore(blob)
    household.simulator.add_fault(step="session", kind="status", status=503)
    household.simulator.add_fault(step="login", kind="status", status=503)
    household.skip(9 * HOUR)
    await household.start()

    assert household.view().token is None


async def test_an_end_that_is_told_later_goes_to_the_sinks(begin: Begin) -> None:
    """Also to a sink to which the assumed expiry is just being written: all have the same one."""
    household = await begin(session_lifetime=HOUR.total_seconds() * 8)
    household.simulator.add_fault(step="session", kind="status", status=503, times=1)
    household.sinks["slow"] = slow = FakeSink("slow")
    slow.free.clear()
    paths = [str(household.folder / name) for name in ("slow", "quick")]
    sinks = [{"type": "file", "path": path, "format": "json"} for path in paths]
    await household.begin(household.document(*sinks))
    await household.until(lambda: slow.begun and household.scheduler.next())
    household.skip(MINUTE)
    household.scheduler.ring_due()
    await household.until(lambda: household.view().verified_at)
    slow.free.set()
    await household.quiet()

    told = household.token().expires_at
    assert told == household.token().issued_at + 8 * HOUR
    assert slow.begun[-1].token.expires_at == told
    assert slow.taken == [1, 1]
    assert json.loads((household.folder / "quick").read_text())["expires_at"] == rfc3339(told)


async def test_an_end_does_not_wander_with_each_proof(household: Household) -> None:
    """A clock that is three seconds slow, and a Date of whole seconds: no sink seems changed."""
    household.wrap_transport = Trusting
    household.clock.set_wall(timedelta(seconds=-3.4))
    sink = {
        "type": "logic_variable",
        "name": "accesstoken",
        "create": True,
        "expires_variable": "ends",
    }
    await household.start(household.document(sink, **PROVING))
    ends = {household.token().expires_at}
    for _ in range(8):
        household.skip(15 * MINUTE + timedelta(seconds=0.37))
        household.scheduler.ring_due()
        await household.quiet()
        ends.add(household.token().expires_at)

    assert len(ends) == 1
    assert household.view().sinks[0].drifts == 0


class Trusting:
    """A transport whose responses' Date headers are trusted as those of https are."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        return replace(await self._transport.send(request), trusted=True)


async def test_a_bearer_that_its_own_homey_refuses_is_not_published(household: Household) -> None:
    """401 three times right after the login: the bearer is discarded, and another one requested."""
    household.simulator.add_fault(step="session", kind="status", status=401, times=3)
    await household.start()
    assert household.view().token is None
    assert household.trouble() == "bearer_discarded session"

    await household.wait(timedelta(seconds=2))

    assert household.token().generation == 1
    assert household.sign_ins() == 1


async def test_version_3_of_the_api_is_proved_alike(begin: Begin) -> None:
    """A Homey Pro of 2023 reports no expiry; its tokens are verified and assumed to live a day."""
    household = await begin(Switches(api_version=3, expires_at=False))
    await household.start(household.document(**PROVING))
    await household.wait(HOUR)

    assert household.view().verified_at == household.now
    assert household.token().life == DAY
