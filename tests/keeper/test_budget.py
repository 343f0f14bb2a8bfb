"""Few passwords are sent, however the daemon is used."""

from typing import Any

from tests.keeper.conftest import Begin
from tests.keeper.household import HOUR, MINUTE, TOTP_SECRET, Household

#: Within half a token's life: ten, and two for each Homey of the account.
ONE_HOMEY = 10 + 2
TWO_HOMEYS = 10 + 2 * 2


async def at_consent(household: Household, number: int) -> None:
    """Wait until the consent page was requested so often, or the keeper waits."""
    await household.until(
        lambda: (
            len(household.simulator.seen("authorise")) >= number
            or all(keeper.settled.is_set() for keeper in household.keepers.values())
        )
    )


async def test_a_crash_loop_cannot_hammer_the_account(household: Household) -> None:
    """Thirty starts, each killed before its flow ends: few passwords, further and further apart."""
    household.simulator.add_fault(step="authorise", kind="hang")
    for _ in range(30):
        seen = len(household.simulator.seen("authorise"))
        await household.begin()
        await at_consent(household, seen + 1)
        await household.stop()
        household.skip(MINUTE)
    spent = household.sign_ins()

    assert 3 <= spent <= 8

    household.simulator.clear_faults()
    await household.start()
    view = household.view()

    assert spent == household.sign_ins()
    assert view.token is None
    assert view.next_reason == "the budget of sign-ins is used sparingly"
    assert view.sign_in_blocked_until is not None


async def test_a_day_of_a_crash_loop_stays_within_the_budget(household: Household) -> None:
    """A start each hour: never more than twelve passwords within any half day."""
    household.simulator.add_fault(step="authorise", kind="hang")
    for _ in range(24):
        seen = len(household.simulator.seen("authorise"))
        await household.begin()
        await at_consent(household, seen + 1)
        await household.stop()
        household.skip(HOUR)
    at = [entry.at for entry in household.simulator.seen("login")]
    most = max(sum(1 for one in at if 0 <= one - start < 12 * 3600) for start in at)

    assert 8 <= len(at)
    assert most <= ONE_HOMEY

    household.simulator.clear_faults()
    await household.start()
    await household.wait(6 * HOUR)

    assert household.token().generation == 1


async def test_two_homeys_have_a_larger_budget_together(begin: Begin) -> None:
    """Each Homey of an account adds two: fourteen for two, in any spelling of the e-mail."""
    household = await begin(homeys=2, user_token_lifetime=1)
    household.simulator.add_fault(step="token", kind="status", status=503)
    document = household.document(retry={"first": "1m", "max": "1m"})
    await household.start(document)
    await household.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY < household.sign_ins() <= TWO_HOMEYS
    assert all(view_of.sign_in_blocked_until for view_of in map(household.view, household.keepers))


async def test_failures_after_the_login_are_counted(begin: Begin) -> None:
    """A failing token endpoint, with user tokens that expire at once: twelve, spread out."""
    household = await begin(user_token_lifetime=1)
    household.simulator.add_fault(step="token", kind="status", status=503)
    await household.start(household.document(retry={"first": "1m", "max": "1m"}))
    await household.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY - 1 <= household.sign_ins() <= ONE_HOMEY


async def test_a_login_that_gives_no_judgement_does_not_count(household: Household) -> None:
    """503 at the login for an hour: the budget is unused when the cloud works again."""
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.start()
    await household.wait(HOUR / 3)
    assert household.sign_ins() > ONE_HOMEY

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert household.token().generation == 1
    (account,) = household.components.store.accounts.values()
    assert len(account.sign_ins) == 1


async def test_429_at_the_login_counts(household: Household) -> None:
    """Too many requests is a judgement: these passwords stay counted."""
    household.simulator.add_fault(step="login", kind="too_many_requests")
    await household.start(household.document(retry={"first": "1m", "max": "1m"}))
    await household.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY - 1 <= household.sign_ins() <= ONE_HOMEY
    assert household.view().next_reason.startswith("the budget of sign-ins is")


async def test_a_person_cannot_pass_the_budget(household: Household) -> None:
    """A person need not wait for the gaps; but the budget holds."""
    household.simulator.add_fault(step="login", kind="too_many_requests")
    await household.start(household.document(retry={"first": "1m", "max": "1m"}))
    answers = []
    for _ in range(ONE_HOMEY):
        await household.wait(MINUTE)
        answers.append(await household.supervisor.refresh("home", MINUTE))
    answer = answers[-1]

    assert ONE_HOMEY == household.sign_ins()
    assert answer.too_soon is not None
    assert answer.too_soon > household.now + 10 * HOUR
    assert household.view().next_reason == "the budget of sign-ins is spent"


def codes_of(household: Household) -> list[str]:
    """Return the one-time codes that were sent."""
    return [entry.form["otptoken"] for entry in household.simulator.seen("login")]


def with_codes(household: Household) -> dict[str, Any]:
    """Return a configuration with the one-time secret."""
    document = household.document()
    for homey in document["homeys"].values():
        homey["totp_secret"] = TOTP_SECRET
    return document


async def test_a_one_time_code_is_sent_and_taken(begin: Begin) -> None:
    """With totp_secret the login has the current six digits."""
    household = await begin(totp_secret=TOTP_SECRET)
    await household.start(with_codes(household))

    assert household.token().generation == 1
    assert [len(code) for code in codes_of(household)] == [6]


async def test_two_homeys_never_send_the_same_code(begin: Begin) -> None:
    """The second Homey of an account waits for the next step of 30 seconds."""
    household = await begin(totp_secret=TOTP_SECRET, homeys=2)
    await household.start(with_codes(household))
    assert len(codes_of(household)) == 1

    await household.wait(MINUTE)

    assert household.token("home").generation == 1
    assert household.token("home1").generation == 1
    assert len(codes_of(household)) == 2 == len(set(codes_of(household)))


async def test_a_restart_never_sends_the_same_code(begin: Begin) -> None:
    """The step is stored before its code is sent: three starts within it, one code."""
    household = await begin(totp_secret=TOTP_SECRET)
    household.simulator.add_fault(step="authorise", kind="hang")
    await household.begin(with_codes(household))
    await at_consent(household, 1)
    await household.restart(with_codes(household))
    await household.restart(with_codes(household))

    assert len(codes_of(household)) == 1


async def test_a_clock_set_back_sends_no_code_again(begin: Begin) -> None:
    """If the clock goes back a minute, the codes of the repeated steps are not sent again."""
    household = await begin(totp_secret=TOTP_SECRET)
    household.simulator.add_fault(step="login", kind="reset")
    await household.start(with_codes(household))
    await household.wait(2 * MINUTE)
    household.clock.set_wall(-2 * MINUTE)
    await household.beat()
    await household.wait(2 * MINUTE)

    assert len(codes_of(household)) == len(set(codes_of(household))) > 2


async def test_a_code_that_is_asked_for_and_not_configured(begin: Begin) -> None:
    """Two-factor authentication without totp_secret is reported in plain words."""
    household = await begin(totp_secret=TOTP_SECRET)
    await household.start()
    trouble = household.view().trouble

    assert trouble is not None
    assert trouble.kind == "account_rejected"
    assert "one-time code" in trouble.message
    assert "totp_secret" in trouble.remedy
    assert codes_of(household) == [""]
