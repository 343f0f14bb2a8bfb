"""The cost of a longer outage, above all in passwords."""

from datetime import timedelta

from homey_tokend.core.status import Health
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, Household

SLOW = {"retry": {"first": "40m", "max": "40m"}}


async def test_an_outage_of_a_night_passes_unnoticed(household: Household) -> None:
    """The cloud is down for eleven hours: the old token is valid all along, then it is renewed."""
    await household.start(household.document(**SLOW))
    household.simulator.add_fault(step="any", kind="status", status=503)
    for _ in range(4):
        await household.wait(23 * HOUR / 4)
        assert household.simulator.accepts(household.token().value.reveal())

    household.simulator.clear_faults()
    await household.wait(20 * MINUTE)

    assert household.token().generation == 2
    assert household.trouble() == ""


async def test_a_token_is_not_served_past_its_end(household: Household) -> None:
    """After a day of outage there is none, and the status says why, and when the next attempt is."""
    await household.start(household.document(**SLOW))
    household.simulator.add_fault(step="any", kind="status", status=503)
    household.skip(DAY - timedelta(seconds=1))
    await household.beat()
    assert household.token().generation == 1

    await household.wait(timedelta(seconds=1))
    view = household.view()

    assert view.token is None
    assert view.health is Health.DOWN
    assert view.outage_at is None
    assert view.next_at is not None
    assert view.next_at - household.now <= MINUTE

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert household.token().generation == 2


async def test_the_last_hour_is_grave(household: Household) -> None:
    """Within the last hour of a day's token the status is degraded, and attempts are a minute apart."""
    await household.start(household.document(**SLOW))
    household.simulator.add_fault(step="login", kind="status", status=503)
    household.skip(23 * HOUR - MINUTE)
    await household.beat()
    assert household.view().health is Health.TROUBLED
    household.steps()

    await household.wait(11 * MINUTE)

    assert household.view().health is Health.DEGRADED
    assert household.sign_ins() >= 10


async def test_a_homey_unplugged_for_an_hour_costs_no_password(household: Household) -> None:
    """While the access token is valid, only the exchange is repeated with it."""
    await household.start(household.document(**SLOW))
    await household.wait(12 * HOUR - MINUTE)
    household.steps()
    household.simulator.unplug()
    await household.wait(HOUR)

    assert household.sign_ins() == 1
    assert household.trouble() == "homey_offline homey_login"
    assert household.simulator.steps().count("homey_login") >= 3

    household.simulator.plug()
    await household.wait(20 * MINUTE)

    assert household.sign_ins() == 1
    assert household.token().generation == 2


async def test_a_homey_unplugged_overnight_costs_few_passwords(household: Household) -> None:
    """At most one password an hour, and the budget has some left for the morning."""
    await household.start(household.document(**SLOW))
    await household.wait(12 * HOUR - MINUTE)
    household.steps()
    household.simulator.unplug()
    await household.wait(11 * HOUR)

    assert household.sign_ins() <= 11

    household.simulator.plug()
    await household.wait(20 * MINUTE)

    assert household.token().generation == 2
    assert household.sign_ins() <= 11


async def test_a_remembered_user_token_that_is_not_taken_is_dropped(begin: Begin) -> None:
    """An old user token gets 401: within the same attempt a password is sent, once."""
    household = await begin(user_token_lifetime=10)
    household.simulator.add_fault(step="token", kind="status", status=503, times=1)
    await household.start(household.document(retry={"first": "10m", "max": "10m"}))
    household.steps()
    await household.wait(5 * MINUTE)

    assert household.token().generation == 1
    assert household.steps()[:4] == ["authorise", "authorise", "login", "authorise"]


async def test_an_access_token_that_is_revoked_is_dropped(household: Household) -> None:
    """401 at the delegation: within the same attempt the sign-in begins again."""
    household.simulator.add_fault(step="homey_login", kind="status", status=503, times=1)
    await household.start()
    household.steps()
    household.simulator.revoke_access()
    await household.wait(MINUTE)

    assert household.token().generation == 1
    assert household.steps()[:4] == ["user", "authorise", "authorise", "login"]


async def test_a_lost_answer_to_the_code_does_not_repeat_it(household: Household) -> None:
    """The code was accepted and the response lost: a new consent gives a new code."""
    household.simulator.add_fault(step="token", kind="reset", carried_out=True, times=2)
    await household.start()
    await household.wait(MINUTE)
    codes = [entry.form["code"] for entry in household.simulator.seen("token")]

    assert household.token().generation == 1
    assert household.sign_ins() == 1
    assert len(codes) == 3 == len(set(codes))


async def test_retry_after_is_a_lower_bound(household: Household) -> None:
    """After 429 with Retry-After: 900 the next attempt is a quarter of an hour later, not before."""
    await household.start()
    household.simulator.add_fault(step="login", kind="too_many_requests", retry_after=900, times=1)
    await household.until_renewal()
    await household.wait(14 * MINUTE)
    assert household.token().generation == 1

    await household.wait(2 * MINUTE)

    assert household.token().generation == 2


async def test_a_consent_form_that_is_stale_twice_is_named_as_a_change(
    household: Household,
) -> None:
    """csurf's 403 is ignored once; the second time in a row it is a changed protocol."""
    household.simulator.add_fault(step="consent", kind="csrf_mismatch")
    await household.start()
    assert household.trouble() == "sign_in_expired consent"

    await household.wait(timedelta(seconds=10))

    assert household.trouble() == "protocol_changed consent"
