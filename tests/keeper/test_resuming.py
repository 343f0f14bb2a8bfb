"""What a longer outage costs, above all in passwords."""

from datetime import timedelta

from homey_tokend.core.status import Health
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness

SLOW = {"retry": {"first": "40m", "max": "40m"}}


async def test_an_outage_of_a_night_leaves_no_gap(harness: Harness) -> None:
    """After eleven hours of outage, during which the old token is valid, it is renewed."""
    await harness.start(harness.document(**SLOW))
    harness.simulator.add_fault(step="any", kind="status", status=503)
    for _ in range(4):
        await harness.wait(23 * HOUR / 4)
        assert harness.simulator.accepts(harness.token().value.reveal())

    harness.simulator.clear_faults()
    await harness.wait(20 * MINUTE)

    assert harness.token().generation == 2
    assert harness.last_error() == ""


async def test_a_token_is_not_served_after_its_expiry(harness: Harness) -> None:
    """After a day of outage there is no token, and the status says why, and when the next attempt is."""
    await harness.start(harness.document(**SLOW))
    harness.simulator.add_fault(step="any", kind="status", status=503)
    harness.skip(DAY - timedelta(seconds=1))
    await harness.heartbeat()
    assert harness.token().generation == 1

    await harness.wait(timedelta(seconds=1))
    view = harness.view()

    assert view.token is None
    assert view.health is Health.DOWN
    assert view.outage_at is None
    assert view.next_at is not None
    assert view.next_at - harness.now <= MINUTE

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.token().generation == 2


async def test_in_the_last_hour_the_status_is_degraded(harness: Harness) -> None:
    """Within the last hour of a day's token the status is degraded, and attempts are a minute apart."""
    await harness.start(harness.document(**SLOW))
    harness.simulator.add_fault(step="login", kind="status", status=503)
    harness.skip(23 * HOUR - MINUTE)
    await harness.heartbeat()
    assert harness.view().health is Health.FAILING
    harness.steps()

    await harness.wait(11 * MINUTE)

    assert harness.view().health is Health.DEGRADED
    assert harness.sign_ins() >= 10


async def test_a_homey_offline_for_an_hour_costs_no_password(harness: Harness) -> None:
    """While the access token is valid, only the exchange is repeated with it."""
    await harness.start(harness.document(**SLOW))
    await harness.wait(12 * HOUR - MINUTE)
    harness.steps()
    harness.simulator.unplug()
    await harness.wait(HOUR)

    assert harness.sign_ins() == 1
    assert harness.last_error() == "homey_offline homey_login"
    assert harness.simulator.steps().count("homey_login") >= 3

    harness.simulator.plug()
    await harness.wait(20 * MINUTE)

    assert harness.sign_ins() == 1
    assert harness.token().generation == 2


async def test_a_homey_offline_overnight_costs_few_passwords(harness: Harness) -> None:
    """At most one password an hour, and the budget has some left for the morning."""
    await harness.start(harness.document(**SLOW))
    await harness.wait(12 * HOUR - MINUTE)
    harness.steps()
    harness.simulator.unplug()
    await harness.wait(11 * HOUR)

    assert harness.sign_ins() <= 11

    harness.simulator.plug()
    await harness.wait(20 * MINUTE)

    assert harness.token().generation == 2
    assert harness.sign_ins() <= 11


async def test_a_rejected_user_token_is_discarded(begin: Begin) -> None:
    """If a user token gets 401, a password is sent within the same attempt, once."""
    harness = await begin(user_token_lifetime=10)
    harness.simulator.add_fault(step="token", kind="status", status=503, times=1)
    await harness.start(harness.document(retry={"first": "10m", "max": "10m"}))
    harness.steps()
    await harness.wait(5 * MINUTE)

    assert harness.token().generation == 1
    assert harness.steps()[:4] == ["authorise", "authorise", "login", "authorise"]


async def test_a_revoked_access_token_is_discarded(harness: Harness) -> None:
    """After 401 at the delegation, the sign-in starts again within the same attempt."""
    harness.simulator.add_fault(step="homey_login", kind="status", status=503, times=1)
    await harness.start()
    harness.steps()
    harness.simulator.revoke_access()
    await harness.wait(MINUTE)

    assert harness.token().generation == 1
    assert harness.steps()[:4] == ["user", "authorise", "authorise", "login"]


async def test_a_code_is_not_repeated_after_a_lost_response(harness: Harness) -> None:
    """If the response to the code is lost, a new consent gives a new code."""
    harness.simulator.add_fault(step="token", kind="reset", carried_out=True, times=2)
    await harness.start()
    await harness.wait(MINUTE)
    codes = [entry.form["code"] for entry in harness.simulator.seen("token")]

    assert harness.token().generation == 1
    assert harness.sign_ins() == 1
    assert len(codes) == 3 == len(set(codes))


async def test_retry_after_is_a_lower_bound(harness: Harness) -> None:
    """After 429 with Retry-After: 900 the next attempt is a quarter of an hour later, not before."""
    await harness.start()
    harness.simulator.add_fault(step="login", kind="too_many_requests", retry_after=900, times=1)
    await harness.until_renewal()
    await harness.wait(14 * MINUTE)
    assert harness.token().generation == 1

    await harness.wait(2 * MINUTE)

    assert harness.token().generation == 2


async def test_a_consent_form_that_is_stale_twice_is_a_changed_protocol(
    harness: Harness,
) -> None:
    """csurf's 403 is ignored once; twice in a row it is a changed protocol."""
    harness.simulator.add_fault(step="consent", kind="csrf_mismatch")
    await harness.start()
    assert harness.last_error() == "sign_in_expired consent"

    await harness.wait(timedelta(seconds=10))

    assert harness.last_error() == "protocol_changed consent"
