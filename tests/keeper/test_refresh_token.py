"""refresh.method refresh_token: no password is sent while the refresh token is accepted."""

import json

import pytest
from structlog.testing import capture_logs

from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.harness import HOUR, MINUTE, Harness, Json
from tests.support.store import FakeStore

METHOD = {"method": "refresh_token"}


def kept(harness: Harness) -> str | None:
    """Return the refresh token on the disk."""
    tokens: Json = json.loads(harness.state.read_text())["refresh_tokens"]
    found: str | None = tokens.get("home")
    return found


def sent(harness: Harness) -> list[str]:
    """Return the refresh tokens that were sent."""
    forms = [entry.form for entry in harness.simulator.seen("token")]
    return [form["refresh_token"] for form in forms if "refresh_token" in form]


async def test_renewals_cost_no_password(harness: Harness) -> None:
    """The first token comes from the full sign-in, the next ones from the refresh token."""
    await harness.start(harness.document(**METHOD))
    harness.steps()
    await harness.until_renewal()

    assert harness.token().generation == 2
    assert harness.steps() == ["token", "user", "delegation", "homey_login", "session"]


async def test_by_default_no_refresh_token_is_kept(harness: Harness) -> None:
    """With method full it is not stored."""
    await harness.start()

    assert kept(harness) is None


async def test_another_method_removes_the_refresh_token(harness: Harness) -> None:
    """When the method is set back to full, the refresh token is removed from the disk."""
    await harness.start(harness.document(**METHOD))
    before = kept(harness)
    await harness.restart(harness.document())

    assert before is not None
    assert kept(harness) is None
    assert harness.token().generation == 1


async def test_a_restart_uses_the_stored_refresh_token(harness: Harness) -> None:
    """The daemon was stopped until after the token's expiry: still no password."""
    await harness.start(harness.document(**METHOD))
    await harness.stop()
    harness.skip(30 * HOUR)
    harness.steps()
    await harness.start(harness.document(**METHOD))

    assert harness.token().generation == 2
    assert harness.sign_ins() == 0


async def test_rotated_tokens_are_each_used_once(begin: Begin) -> None:
    """If each refresh token is revoked with its use, the latest is always the one that is sent."""
    harness = await begin(Switches(rotation="replace"))
    await harness.start(harness.document(**METHOD))
    for _ in range(4):
        await harness.until_renewal()
        await harness.restart(harness.document(**METHOD))

    assert harness.sign_ins() == 1
    assert len(sent(harness)) == 4 == len(set(sent(harness)))


async def test_without_rotation_the_old_refresh_token_is_kept(begin: Begin) -> None:
    """A response without a refresh token leaves the old one in force."""
    harness = await begin(Switches(rotation="none"))
    await harness.start(harness.document(**METHOD))
    for _ in range(2):
        await harness.until_renewal()

    assert harness.sign_ins() == 1
    assert {kept(harness)} == set(sent(harness))


async def test_a_rotation_is_on_the_disk_before_it_is_used(begin: Begin) -> None:
    """After a kill right after the rotation the new refresh token is on the disk, not the used one."""
    harness = await begin(Switches(rotation="replace"))
    await harness.start(harness.document(**METHOD))
    first = kept(harness)
    harness.simulator.add_fault(step="user", kind="hang", times=1)
    harness.skip(12 * HOUR)
    harness.scheduler.run_due()
    await harness.until(lambda: harness.simulator.seen("user")[1:])
    await harness.stop()
    assert first != kept(harness)

    await harness.start(harness.document(**METHOD))

    assert harness.token().generation == 2
    assert harness.sign_ins() == 1


async def test_a_rejected_refresh_token_leads_to_the_full_sign_in(harness: Harness) -> None:
    """invalid_grant: within the same attempt the password is sent, and the log says why."""
    await harness.start(harness.document(**METHOD))
    first = kept(harness)
    harness.simulator.revoke_access()
    harness.steps()
    with capture_logs() as logs:
        await harness.until_renewal()

    assert harness.token().generation == 2
    assert harness.steps()[:2] == ["token", "login"]
    assert "refresh_token.rejected" in [entry["event"] for entry in logs]
    assert first != kept(harness)


async def test_an_outage_of_the_token_endpoint_costs_no_password(harness: Harness) -> None:
    """A transient failure is no reason to send a password: the refresh token is tried again."""
    await harness.start(harness.document(retry={"first": "30m", "max": "30m"}, **METHOD))
    harness.simulator.add_fault(step="token", kind="status", status=503)
    await harness.wait(20 * HOUR)
    harness.simulator.clear_faults()
    await harness.wait(HOUR)

    assert harness.token().generation == 2
    assert harness.sign_ins() == 1


async def test_a_rejected_grant_ends_the_refresh_token(harness: Harness) -> None:
    """If its access tokens are rejected at the delegation, the full sign-in follows."""
    await harness.start(harness.document(**METHOD))
    harness.simulator.add_fault(step="delegation", kind="status", status=401, times=1)
    harness.steps()
    await harness.until_renewal()
    await harness.wait(MINUTE)

    assert harness.token().generation == 2
    assert harness.sign_ins() == 1


async def test_a_consent_for_another_homey_ends_the_refresh_token(begin: Begin) -> None:
    """The configured Homey is now another one, which the old consent does not cover."""
    harness = await begin(Switches(covers="chosen"), homeys=2)
    document = harness.document(**METHOD)
    del document["homeys"]["home1"]
    await harness.start(document)
    assert harness.token().generation == 1

    first, second = harness.simulator.cloudids
    document["homeys"]["home"]["cloudid"] = second
    await harness.stop()
    harness.skip(25 * HOUR)
    harness.steps()
    await harness.start(document)
    assert harness.view().token is None

    await harness.wait(16 * MINUTE)

    assert harness.sign_ins() == 1
    assert harness.token().generation == 2
    assert harness.simulator.accepts(harness.token().value.reveal(), second)
    assert not harness.simulator.accepts(harness.token().value.reveal(), first)


async def test_another_account_does_not_inherit_the_refresh_token(harness: Harness) -> None:
    """The e-mail changed while the daemon was stopped: the old account's token is not used."""
    harness.store = FakeStore()
    await harness.start(harness.document(**METHOD))
    document = harness.document(**METHOD)
    document["homeys"]["home"]["email"] = "someone@example.org"
    await harness.stop()
    harness.skip(25 * HOUR)
    harness.steps()
    await harness.start(document)

    assert sent(harness) == []
    assert harness.last_error() == "account_rejected login"


async def test_a_changed_password_keeps_the_refresh_token(harness: Harness) -> None:
    """A new password in the file, right or wrong, does not affect a working refresh token."""
    await harness.start(harness.document(**METHOD))
    harness.set_password("not the password")
    harness.steps()
    await harness.until_renewal()

    assert harness.token().generation == 2
    assert harness.sign_ins() == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_client", "description": "The grant type is unauthorised"},
        {"error": "invalid_request", "description": "Invalid or missing grant_type parameter"},
    ],
    ids=["rejected", "unknown"],
)
async def test_a_rejected_grant_type_leads_to_the_full_sign_in(
    harness: Harness, answer: Json
) -> None:
    """If the client may not use refresh tokens, the full sign-in follows at once."""
    await harness.start(harness.document(**METHOD))
    harness.steps()
    harness.simulator.add_fault(step="token", kind="status", status=400, times=1, **answer)
    await harness.until_renewal()

    assert harness.token().generation == 2
    assert harness.sign_ins() == 1
    assert harness.last_error() == ""
