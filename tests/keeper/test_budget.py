"""Few passwords are sent, whatever the use of the daemon."""

from typing import Any

from tests.keeper.conftest import Begin
from tests.keeper.harness import HOUR, MINUTE, TOTP_SECRET, Harness

#: Within half a token's life: ten, and two for each Homey of the account.
ONE_HOMEY = 10 + 2
TWO_HOMEYS = 10 + 2 * 2


async def at_consent(harness: Harness, number: int) -> None:
    """Wait until the consent page was requested that often, or the keeper is idle."""
    await harness.until(
        lambda: (
            len(harness.simulator.seen("authorise")) >= number
            or all(keeper.settled.is_set() for keeper in harness.keepers.values())
        )
    )


async def test_a_crash_loop_sends_few_passwords(harness: Harness) -> None:
    """Thirty starts, each killed during its sign-in, send few passwords at growing intervals."""
    harness.simulator.add_fault(step="authorise", kind="hang")
    for _ in range(30):
        seen = len(harness.simulator.seen("authorise"))
        await harness.begin()
        await at_consent(harness, seen + 1)
        await harness.stop()
        harness.skip(MINUTE)
    spent = harness.sign_ins()

    assert 3 <= spent <= 8

    harness.simulator.clear_faults()
    await harness.start()
    view = harness.view()

    assert spent == harness.sign_ins()
    assert view.token is None
    assert view.next_reason == "the sign-in budget is almost used up"
    assert view.sign_in_blocked_until is not None


async def test_a_day_of_a_crash_loop_stays_within_the_budget(harness: Harness) -> None:
    """With a start each hour, at most twelve passwords are sent within any half day."""
    harness.simulator.add_fault(step="authorise", kind="hang")
    for _ in range(24):
        seen = len(harness.simulator.seen("authorise"))
        await harness.begin()
        await at_consent(harness, seen + 1)
        await harness.stop()
        harness.skip(HOUR)
    at = [entry.at for entry in harness.simulator.seen("login")]
    most = max(sum(1 for one in at if 0 <= one - start < 12 * 3600) for start in at)

    assert 8 <= len(at)
    assert most <= ONE_HOMEY

    harness.simulator.clear_faults()
    await harness.start()
    await harness.wait(6 * HOUR)

    assert harness.token().generation == 1


async def test_two_homeys_have_a_larger_budget_together(begin: Begin) -> None:
    """Each Homey of an account adds two: fourteen for two, in any spelling of the e-mail."""
    harness = await begin(homeys=2, user_token_lifetime=1)
    harness.simulator.add_fault(step="token", kind="status", status=503)
    document = harness.document(retry={"first": "1m", "max": "1m"})
    await harness.start(document)
    await harness.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY < harness.sign_ins() <= TWO_HOMEYS
    assert all(view_of.sign_in_blocked_until for view_of in map(harness.view, harness.keepers))


async def test_failures_after_the_login_are_counted(begin: Begin) -> None:
    """A failing token endpoint, with user tokens that expire at once: twelve, spread out."""
    harness = await begin(user_token_lifetime=1)
    harness.simulator.add_fault(step="token", kind="status", status=503)
    await harness.start(harness.document(retry={"first": "1m", "max": "1m"}))
    await harness.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY - 1 <= harness.sign_ins() <= ONE_HOMEY


async def test_a_login_without_a_judgement_does_not_count(harness: Harness) -> None:
    """After 503 at the login for an hour, the budget is still unused."""
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start()
    await harness.wait(HOUR / 3)
    assert harness.sign_ins() > ONE_HOMEY

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.token().generation == 1
    (account,) = harness.components.store.accounts.values()
    assert len(account.sign_ins) == 1


async def test_429_at_the_login_counts(harness: Harness) -> None:
    """Passwords that get 429 stay counted."""
    harness.simulator.add_fault(step="login", kind="too_many_requests")
    await harness.start(harness.document(retry={"first": "1m", "max": "1m"}))
    await harness.wait(12 * HOUR - MINUTE)

    assert ONE_HOMEY - 1 <= harness.sign_ins() <= ONE_HOMEY
    assert harness.view().next_reason.startswith("the sign-in budget is")


async def test_a_person_cannot_exceed_the_budget(harness: Harness) -> None:
    """A person need not wait for the gaps, but for the budget."""
    harness.simulator.add_fault(step="login", kind="too_many_requests")
    await harness.start(harness.document(retry={"first": "1m", "max": "1m"}))
    answers = []
    for _ in range(ONE_HOMEY):
        await harness.wait(MINUTE)
        answers.append(await harness.supervisor.refresh("home", MINUTE))
    answer = answers[-1]

    assert ONE_HOMEY == harness.sign_ins()
    assert answer.too_soon is not None
    assert answer.too_soon > harness.now + 10 * HOUR
    assert harness.view().next_reason == "the sign-in budget is used up"


def codes_of(harness: Harness) -> list[str]:
    """Return the one-time codes that were sent."""
    return [entry.form["otptoken"] for entry in harness.simulator.seen("login")]


def with_codes(harness: Harness) -> dict[str, Any]:
    """Return a configuration with the one-time secret."""
    document = harness.document()
    for homey in document["homeys"].values():
        homey["totp_secret"] = TOTP_SECRET
    return document


async def test_a_one_time_code_is_sent_and_accepted(begin: Begin) -> None:
    """With totp_secret the login has the current six digits."""
    harness = await begin(totp_secret=TOTP_SECRET)
    await harness.start(with_codes(harness))

    assert harness.token().generation == 1
    assert [len(code) for code in codes_of(harness)] == [6]


async def test_two_homeys_never_send_the_same_code(begin: Begin) -> None:
    """The second Homey of an account waits for the next step of 30 seconds."""
    harness = await begin(totp_secret=TOTP_SECRET, homeys=2)
    await harness.start(with_codes(harness))
    assert len(codes_of(harness)) == 1

    await harness.wait(MINUTE)

    assert harness.token("home").generation == 1
    assert harness.token("home1").generation == 1
    assert len(codes_of(harness)) == 2 == len(set(codes_of(harness)))


async def test_a_restart_never_sends_the_same_code(begin: Begin) -> None:
    """The step is stored before its code is sent: three starts within it, one code."""
    harness = await begin(totp_secret=TOTP_SECRET)
    harness.simulator.add_fault(step="authorise", kind="hang")
    await harness.begin(with_codes(harness))
    await at_consent(harness, 1)
    await harness.restart(with_codes(harness))
    await harness.restart(with_codes(harness))

    assert len(codes_of(harness)) == 1


async def test_a_clock_set_back_sends_no_code_again(begin: Begin) -> None:
    """If the clock goes back a minute, the codes of the repeated steps are not sent again."""
    harness = await begin(totp_secret=TOTP_SECRET)
    harness.simulator.add_fault(step="login", kind="reset")
    await harness.start(with_codes(harness))
    await harness.wait(2 * MINUTE)
    harness.clock.set_wall(-2 * MINUTE)
    await harness.heartbeat()
    await harness.wait(2 * MINUTE)

    assert len(codes_of(harness)) == len(set(codes_of(harness))) > 2


async def test_a_required_one_time_code_that_is_not_configured(begin: Begin) -> None:
    """Two-factor authentication without totp_secret is reported with a remedy."""
    harness = await begin(totp_secret=TOTP_SECRET)
    await harness.start()
    trouble = harness.view().last_error

    assert trouble is not None
    assert trouble.kind == "account_rejected"
    assert "one-time code" in trouble.message
    assert "totp_secret" in trouble.remedy
    assert codes_of(harness) == [""]
