"""refresh.method refresh_token: no password is sent while the refresh token is accepted."""

import json

import pytest
from structlog.testing import capture_logs

from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.household import HOUR, MINUTE, Household, Json
from tests.support.store import FakeStore

METHOD = {"method": "refresh_token"}


def kept(household: Household) -> str | None:
    """Return the refresh token on the disk."""
    tokens: Json = json.loads(household.state.read_text())["refresh_tokens"]
    found: str | None = tokens.get("home")
    return found


def sent(household: Household) -> list[str]:
    """Return the refresh tokens that were sent."""
    forms = [entry.form for entry in household.simulator.seen("token")]
    return [form["refresh_token"] for form in forms if "refresh_token" in form]


async def test_renewals_cost_no_password(household: Household) -> None:
    """The first token comes from the full sign-in, the next ones from the refresh token."""
    await household.start(household.document(**METHOD))
    household.steps()
    await household.until_renewal()

    assert household.token().generation == 2
    assert household.steps() == ["token", "user", "delegation", "homey_login", "session"]


async def test_by_default_no_refresh_token_is_kept(household: Household) -> None:
    """With method full it is not stored."""
    await household.start()

    assert kept(household) is None


async def test_another_method_leaves_none_behind(household: Household) -> None:
    """When the method is set back to full, the refresh token is removed from the disk."""
    await household.start(household.document(**METHOD))
    before = kept(household)
    await household.restart(household.document())

    assert before is not None
    assert kept(household) is None
    assert household.token().generation == 1


async def test_a_restart_uses_what_was_kept(household: Household) -> None:
    """The daemon was stopped until after the token's expiry: still no password."""
    await household.start(household.document(**METHOD))
    await household.stop()
    household.skip(30 * HOUR)
    household.steps()
    await household.start(household.document(**METHOD))

    assert household.token().generation == 2
    assert household.sign_ins() == 0


async def test_rotated_tokens_are_each_used_once(begin: Begin) -> None:
    """If each refresh token is revoked with its use, the latest is always the one that is sent."""
    household = await begin(Switches(rotation="replace"))
    await household.start(household.document(**METHOD))
    for _ in range(4):
        await household.until_renewal()
        await household.restart(household.document(**METHOD))

    assert household.sign_ins() == 1
    assert len(sent(household)) == 4 == len(set(sent(household)))


async def test_without_rotation_the_old_one_is_kept(begin: Begin) -> None:
    """A response without a refresh token leaves the old one in force."""
    household = await begin(Switches(rotation="none"))
    await household.start(household.document(**METHOD))
    for _ in range(2):
        await household.until_renewal()

    assert household.sign_ins() == 1
    assert {kept(household)} == set(sent(household))


async def test_a_rotation_is_on_the_disk_before_it_is_used(begin: Begin) -> None:
    """After a kill right after the rotation the new refresh token is on the disk, not the used one."""
    household = await begin(Switches(rotation="replace"))
    await household.start(household.document(**METHOD))
    first = kept(household)
    household.simulator.add_fault(step="user", kind="hang", times=1)
    household.skip(12 * HOUR)
    household.scheduler.ring_due()
    await household.until(lambda: household.simulator.seen("user")[1:])
    await household.stop()
    assert first != kept(household)

    await household.start(household.document(**METHOD))

    assert household.token().generation == 2
    assert household.sign_ins() == 1


async def test_a_refused_refresh_token_falls_back_to_the_full_flow(household: Household) -> None:
    """invalid_grant: within the same attempt the password is sent, and the log says why."""
    await household.start(household.document(**METHOD))
    first = kept(household)
    household.simulator.revoke_access()
    household.steps()
    with capture_logs() as logs:
        await household.until_renewal()

    assert household.token().generation == 2
    assert household.steps()[:2] == ["token", "login"]
    assert "refresh_token.rejected" in [entry["event"] for entry in logs]
    assert first != kept(household)


async def test_an_outage_of_the_token_endpoint_costs_no_password(household: Household) -> None:
    """A transient failure is no reason to send a password: the refresh token is tried again."""
    await household.start(household.document(retry={"first": "30m", "max": "30m"}, **METHOD))
    household.simulator.add_fault(step="token", kind="status", status=503)
    await household.wait(20 * HOUR)
    household.simulator.clear_faults()
    await household.wait(HOUR)

    assert household.token().generation == 2
    assert household.sign_ins() == 1


async def test_a_grant_that_opens_nothing_ends_the_refresh_token(household: Household) -> None:
    """If its access tokens are rejected at the delegation, the full sign-in follows."""
    await household.start(household.document(**METHOD))
    household.simulator.add_fault(step="delegation", kind="status", status=401, times=1)
    household.steps()
    await household.until_renewal()
    await household.wait(MINUTE)

    assert household.token().generation == 2
    assert household.sign_ins() == 1


async def test_a_consent_for_another_homey_ends_the_refresh_token(begin: Begin) -> None:
    """The configured Homey is now another one, which the old consent does not cover."""
    household = await begin(Switches(covers="chosen"), homeys=2)
    document = household.document(**METHOD)
    del document["homeys"]["home1"]
    await household.start(document)
    assert household.token().generation == 1

    first, second = household.simulator.cloudids
    document["homeys"]["home"]["cloudid"] = second
    await household.stop()
    household.skip(25 * HOUR)
    household.steps()
    await household.start(document)
    assert household.view().token is None

    await household.wait(16 * MINUTE)

    assert household.sign_ins() == 1
    assert household.token().generation == 2
    assert household.simulator.accepts(household.token().value.reveal(), second)
    assert not household.simulator.accepts(household.token().value.reveal(), first)


async def test_another_account_does_not_inherit_the_refresh_token(household: Household) -> None:
    """The e-mail changed while the daemon was stopped: the old account's token is not used."""
    household.store = FakeStore()
    await household.start(household.document(**METHOD))
    document = household.document(**METHOD)
    document["homeys"]["home"]["email"] = "someone@example.org"
    await household.stop()
    household.skip(25 * HOUR)
    household.steps()
    await household.start(document)

    assert sent(household) == []
    assert household.trouble() == "account_rejected login"


async def test_a_changed_password_alone_keeps_the_refresh_token(household: Household) -> None:
    """A new password in the file, right or wrong, does not affect a working refresh token."""
    await household.start(household.document(**METHOD))
    household.set_password("not the password")
    household.steps()
    await household.until_renewal()

    assert household.token().generation == 2
    assert household.sign_ins() == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_client", "description": "The grant type is unauthorised"},
        {"error": "invalid_request", "description": "Invalid or missing grant_type parameter"},
    ],
    ids=["rejected", "unknown"],
)
async def test_a_grant_that_is_not_given_falls_back_to_the_password(
    household: Household, answer: Json
) -> None:
    """If the client may not use refresh tokens, the full sign-in follows at once."""
    await household.start(household.document(**METHOD))
    household.steps()
    household.simulator.add_fault(step="token", kind="status", status=400, times=1, **answer)
    await household.until_renewal()

    assert household.token().generation == 2
    assert household.sign_ins() == 1
    assert household.trouble() == ""
