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
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness
from tests.support.sink import FakeSink
from tests.support.store import FakeStore

PROVING: dict[str, object] = {"verify_every": "15m"}


async def test_the_token_is_verified_every_quarter_of_an_hour(harness: Harness) -> None:
    """With verify_every 15m there are four verifications an hour, and no other requests."""
    await harness.start(harness.document(**PROVING))
    harness.steps()
    await harness.wait(HOUR)

    assert harness.steps() == ["session"] * 4
    assert harness.now == harness.view().verified_at


async def test_verification_can_be_turned_off(harness: Harness) -> None:
    """With verify_every 0 a token is verified once, after its issue."""
    await harness.start()
    harness.steps()
    await harness.wait(11 * HOUR)

    assert harness.steps() == []


async def test_a_revoked_session_is_noticed_and_replaced_at_once(harness: Harness) -> None:
    """After a person ends the session, there is a new token within a quarter of an hour."""
    await harness.start(harness.document(**PROVING))
    harness.simulator.revoke_sessions()
    harness.steps()
    await harness.wait(16 * MINUTE)

    assert harness.steps()[:4] == ["session", "session", "session", "login"]
    assert harness.token().generation == 2
    assert harness.simulator.accepts(harness.token().value.reveal())


async def test_after_a_401_the_verification_is_repeated_after_one_and_three_seconds(
    harness: Harness,
) -> None:
    """A single 401 is ignored: the token stays."""
    await harness.start(harness.document(**PROVING))
    harness.simulator.add_fault(step="session", kind="status", status=401, times=2)
    harness.steps()
    await harness.wait(16 * MINUTE)
    asked = [entry.at for entry in harness.simulator.seen("session")]

    assert [round(at - asked[0]) for at in asked] == [0, 1, 4]
    assert harness.token().generation == 1
    assert harness.view().health is Health.OK


async def test_a_revoked_token_is_not_served_any_more(harness: Harness) -> None:
    """If the session has ended and the cloud is down, there is no token, and requests get 503."""
    await harness.start(harness.document(**PROVING))
    harness.simulator.revoke_sessions()
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.wait(16 * MINUTE)
    assert harness.view().token is None
    assert harness.view().health is Health.DOWN

    await harness.restart(harness.document(**PROVING))
    assert harness.view().token is None

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.token().generation == 2


async def test_a_failed_verification_does_not_delay_a_new_token(
    harness: Harness,
) -> None:
    """If the session endpoint is down at its issue, it is served unverified, and verified later."""
    harness.simulator.add_fault(step="session", kind="status", status=503)
    await harness.start()
    assert harness.token().generation == 1
    assert harness.view().verified_at is None
    assert not harness.token().expiry_reported

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.view().verified_at is not None
    assert harness.token().expiry_reported
    assert harness.token().generation == 1


async def test_failed_verifications_are_repeated_less_and_less(harness: Harness) -> None:
    """The waits double from five seconds to a quarter of an hour."""
    harness.simulator.add_fault(step="session", kind="html")
    await harness.start()
    harness.steps()
    await harness.wait(6 * HOUR)

    assert 25 <= harness.steps().count("session") <= 35
    assert harness.token().generation == 1


async def test_failed_verifications_keep_the_token(harness: Harness) -> None:
    """While the Homey is offline for hours, its token and health stay as they are."""
    await harness.start(harness.document(**PROVING))
    harness.simulator.unplug()
    await harness.wait(8 * HOUR)

    assert harness.token().generation == 1
    assert harness.sign_ins() == 1


async def test_the_expiry_that_the_homey_reports_counts(begin: Begin) -> None:
    """A reported expiry that differs from the assumed one moves the renewal."""
    harness = await begin(session_lifetime=HOUR.total_seconds() * 8)
    harness.simulator.add_fault(step="session", kind="status", status=503, times=1)
    await harness.start()
    assert DAY == harness.token().life

    await harness.wait(MINUTE)

    assert 8 * HOUR == harness.token().life
    await harness.wait(4 * HOUR)

    assert harness.token().generation == 2


async def test_an_expiry_that_is_reported_later_survives_a_kill(begin: Begin) -> None:
    """It is written at once, so that no expired token is served after a power cut during an outage."""
    harness = await begin(session_lifetime=HOUR.total_seconds() * 8)
    harness.store = store = FakeStore()
    harness.simulator.add_fault(step="session", kind="status", status=503, times=1)
    await harness.start()
    await harness.wait(MINUTE)
    blob = store.blob
    await harness.stop()
    harness.store = FakeStore(blob)
    harness.simulator.add_fault(step="session", kind="status", status=503)
    harness.simulator.add_fault(step="login", kind="status", status=503)
    harness.skip(9 * HOUR)
    await harness.start()

    assert harness.view().token is None


async def test_an_expiry_that_is_reported_later_is_delivered(begin: Begin) -> None:
    """This includes a sink to which the assumed expiry is just being written."""
    harness = await begin(session_lifetime=HOUR.total_seconds() * 8)
    harness.simulator.add_fault(step="session", kind="status", status=503, times=1)
    harness.sinks["slow"] = slow = FakeSink("slow")
    slow.free.clear()
    paths = [str(harness.folder / name) for name in ("slow", "quick")]
    sinks = [{"type": "file", "path": path, "format": "json"} for path in paths]
    await harness.begin(harness.document(*sinks))
    await harness.until(lambda: slow.begun and harness.scheduler.next())
    harness.skip(MINUTE)
    harness.scheduler.run_due()
    await harness.until(lambda: harness.view().verified_at)
    slow.free.set()
    await harness.quiet()

    expires_at = harness.token().expires_at
    assert expires_at == harness.token().issued_at + 8 * HOUR
    assert slow.begun[-1].token.expires_at == expires_at
    assert slow.taken == [1, 1]
    assert json.loads((harness.folder / "quick").read_text())["expires_at"] == rfc3339(expires_at)


async def test_the_expiry_does_not_drift_with_each_verification(harness: Harness) -> None:
    """With a clock that is three seconds behind, no sink seems changed."""
    harness.wrap_transport = Trusting
    harness.clock.set_wall(timedelta(seconds=-3.4))
    sink = {
        "type": "logic_variable",
        "name": "accesstoken",
        "create": True,
        "expires_variable": "ends",
    }
    await harness.start(harness.document(sink, **PROVING))
    ends = {harness.token().expires_at}
    for _ in range(8):
        harness.skip(15 * MINUTE + timedelta(seconds=0.37))
        harness.scheduler.run_due()
        await harness.quiet()
        ends.add(harness.token().expires_at)

    assert len(ends) == 1
    assert harness.view().sinks[0].drifts == 0


class Trusting:
    """A transport whose responses' Date headers are trusted as those of https are."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        return replace(await self._transport.send(request), trusted=True)


async def test_a_bearer_that_its_homey_rejects_is_not_published(harness: Harness) -> None:
    """After 401 three times just after the login, the bearer is discarded, and another one requested."""
    harness.simulator.add_fault(step="session", kind="status", status=401, times=3)
    await harness.start()
    assert harness.view().token is None
    assert harness.last_error() == "bearer_discarded session"

    await harness.wait(timedelta(seconds=2))

    assert harness.token().generation == 1
    assert harness.sign_ins() == 1


async def test_version_3_of_the_api_is_verified_in_the_same_way(begin: Begin) -> None:
    """A Homey Pro of 2023 reports no expiry; its tokens are verified, and a day's lifetime is assumed."""
    harness = await begin(Switches(api_version=3, expires_at=False))
    await harness.start(harness.document(**PROVING))
    await harness.wait(HOUR)

    assert harness.view().verified_at == harness.now
    assert harness.token().life == DAY
