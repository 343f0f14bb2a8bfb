"""Rejected is not transient: few attempts, shared by the account, and a new one when credentials change."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from homey_tokend import exit_codes
from homey_tokend.core.status import Health
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, Household
from tests.keeper.test_reload import reloaded

WRONG = "not the password"


async def test_a_wrong_password_is_tried_once(household: Household) -> None:
    """One attempt, then after 15 min, 1 h, 4 h, and daily: over a week never more than four a day."""
    household.set_password(WRONG)
    await household.start()
    assert household.sign_ins() == 1
    tries = []
    for _ in range(7):
        before = household.sign_ins()
        await household.wait(DAY)
        tries.append(household.sign_ins() - before)

    began = household.simulator.requests[0].at
    first = [round(entry.at - began) for entry in household.simulator.seen("login")][:5]
    assert first == [0, 900, 900 + 3600, 900 + 3600 + 14400, 900 + 3600 + 14400 + 86400]
    assert tries == [3, 1, 1, 1, 1, 1, 1]


async def test_a_refusal_is_told_with_its_remedy_and_its_end(household: Household) -> None:
    """The view has what was rejected, what to do, and until when nothing is tried."""
    household.set_password(WRONG)
    await household.start()
    view = household.view()

    assert view.health is Health.DOWN
    assert view.trouble is not None
    assert exit_codes.ACTION_NEEDED == exit_codes.for_kind(view.trouble.kind)
    assert view.trouble.remedy == "Correct the password."
    assert household.now + 15 * MINUTE == view.sign_in_blocked_until == view.next_at


async def test_a_corrected_password_is_free_at_the_next_heartbeat(household: Household) -> None:
    """After a person changes the password file there is no wait."""
    household.set_password(WRONG)
    await household.start()
    await household.wait(2 * HOUR)
    household.set_password(household.simulator.description()["password"])
    household.steps()
    await household.beat()

    assert household.sign_ins() == 1
    assert household.token().generation == 1
    assert household.view().sign_in_blocked_until is None


async def test_heartbeats_send_no_password_that_was_refused(household: Household) -> None:
    """The file is read at each heartbeat, and while it is unchanged nothing is sent."""
    household.set_password(WRONG)
    await household.start()
    for _ in range(20):
        await household.beat()

    assert household.sign_ins() == 1


async def test_a_file_that_vanished_changes_nothing(household: Household) -> None:
    """An unreadable password file during the wait is read again at the next heartbeat."""
    household.set_password(WRONG)
    await household.start()
    household.password.unlink()
    await household.beat()
    assert household.trouble() == "account_rejected login"

    household.set_password(household.simulator.description()["password"])
    await household.beat()

    assert household.token().generation == 1


async def test_the_refusal_outlives_restarts(household: Household) -> None:
    """However often the daemon is restarted: a rejected password is not sent again."""
    household.set_password(WRONG)
    await household.start()
    await household.wait(5 * MINUTE)
    for _ in range(5):
        await household.restart()

    assert household.sign_ins() == 1
    assert household.view().sign_in_blocked_until is not None
    assert household.trouble() == "account_rejected login"

    await household.wait(10 * MINUTE)

    assert household.sign_ins() == 2


async def test_a_restart_with_other_values_is_free(household: Household) -> None:
    """The rejection belongs to the credentials: after a restart with the right ones there is no wait."""
    household.set_password(WRONG)
    await household.start()
    household.set_password(household.simulator.description()["password"])
    await household.restart()

    assert household.token().generation == 1


@pytest.mark.parametrize("watched", [True, False])
async def test_a_refusal_is_told_at_once_after_a_restart(
    household: Household, watched: bool
) -> None:
    """Rejected, then an attempt that failed otherwise: the wait is that of the rejection.

    So it is where a command gives the password: it is run once.
    """
    household.set_password(WRONG)
    document = household.document(retry={"first": "1h", "max": "1h"})
    await household.start(document)
    told = household.view().sign_in_blocked_until
    await household.wait(2 * MINUTE)
    household.simulator.add_fault(step="login", kind="status", status=503, times=1)
    await household.supervisor.refresh("home", MINUTE)
    runs = household.folder / "runs"
    if not watched:
        script = f"echo >> {runs}; cat {household.password}"
        document["homeys"]["home"]["password"] = {"command": ["/bin/sh", "-c", script]}
    await household.restart(document)
    await household.beat()

    assert told is not None
    assert household.trouble() == "server_error login"
    assert told == household.view().sign_in_blocked_until == household.view().next_at
    assert watched or runs.read_text() == "\n"


async def test_the_first_reading_of_the_values_is_no_change(household: Household) -> None:
    """A reload reads them for the first time since the restart: no change is reported."""
    await household.start()
    await household.restart()
    with capture_logs() as logs:
        await reloaded(household, household.document())
        await household.until(lambda: not household.keepers["home"].activity.busy)

    assert "credentials.changed" not in [entry["event"] for entry in logs]


async def test_several_homeys_share_the_refusal(begin: Begin) -> None:
    """Three Homeys of one account: one wrong password is sent, not three."""
    household = await begin(homeys=3)
    household.set_password(WRONG)
    await household.start()
    assert household.sign_ins() == 1

    await household.wait(DAY)

    assert household.sign_ins() == 4
    assert all(household.view(name).token is None for name in household.keepers)

    household.set_password(household.simulator.description()["password"])
    await household.beat()

    assert all(household.view(name).token is not None for name in household.keepers)


async def test_a_password_that_turns_wrong_leaves_the_token_alone(household: Household) -> None:
    """The person changes the password: the current token is served until it expires."""
    await household.start()
    household.simulator.change_password("another")
    household.steps()
    await household.wait(23 * HOUR)

    assert household.token().generation == 1
    assert household.trouble() == "account_rejected login"
    assert household.sign_ins() == 4

    household.set_password("another")
    await household.beat()

    assert household.token().generation == 2


async def test_a_refused_client_stops_only_its_homey(begin: Begin) -> None:
    """The client of one Homey is wrong: the other Homey of the account is refreshed."""
    household = await begin(homeys=2)
    document = household.document()
    document["homeys"]["home"]["client_secret"] = "0" * 40
    await household.start(document)

    assert household.trouble() == "client_rejected token"
    assert household.token("home1").generation == 1

    await household.wait(DAY)
    passwords = household.sign_ins()

    assert household.token("home1").generation == 3
    # Its own three at each renewal, and few for the rejected client.
    assert passwords <= 3 + 5


async def test_a_refused_client_is_tried_as_rarely_as_a_password(household: Household) -> None:
    """The waits after a rejection also apply to the client, over restarts."""
    document = household.document()
    document["homeys"]["home"]["client_id"] = "ffffffffffffffffffffffff"
    await household.start(document)
    await household.wait(DAY)
    assert len(household.simulator.seen("consent")) == 0
    tries = household.sign_ins()

    for _ in range(3):
        await household.restart(document)

    assert tries == household.sign_ins() <= 4
    assert household.view().sign_in_blocked_until is not None


async def test_a_denied_consent_needs_a_person(household: Household) -> None:
    """access_denied: reported with a remedy, and tried again with the same waits."""
    household.simulator.add_fault(step="consent", kind="access_denied")
    await household.start()
    await household.wait(DAY)

    assert household.trouble() == "consent_rejected consent"
    assert household.simulator.steps().count("consent") == 4

    household.simulator.clear_faults()
    await household.wait(6 * HOUR)

    assert household.token().generation == 1


async def test_a_homey_that_is_not_covered_names_the_others(begin: Begin) -> None:
    """A consent for another Homey: the remedy lists those of the account."""
    household = await begin(Switches(covers="chosen"), homeys=2)
    household.simulator.add_fault(
        step="homey_login", kind="json", status=403, body={"error": "forbidden"}, homey=2
    )
    await household.start()
    view = household.view("home1")

    assert household.token("home").generation == 1
    assert view.trouble is not None
    assert view.trouble.kind == "homey_rejected"
    assert all(cloudid in view.trouble.remedy for cloudid in household.simulator.cloudids)


@pytest.mark.parametrize("key", ["email", "client_secret"])
async def test_an_unknown_value_is_refused_and_named(household: Household, key: str) -> None:
    """A wrong e-mail or client is a rejection with a remedy, not a transient failure."""
    document = household.document()
    document["homeys"]["home"][key] = "nobody@example.com"
    await household.start(document)
    view = household.view()

    assert view.trouble is not None
    assert view.trouble.kind.endswith("_rejected")
    assert view.trouble.remedy
    assert view.sign_in_blocked_until is not None


async def test_a_blip_is_not_taken_for_a_wrong_password(household: Household) -> None:
    """A proxy's HTML with status 401 does not reject the account, and is not retried at once."""
    household.simulator.add_fault(step="login", kind="html", status=401, times=1)
    await household.start()
    assert household.trouble() == "protocol_changed login"
    assert household.view().sign_in_blocked_until is None

    await household.wait(14 * MINUTE)
    assert household.sign_ins() == 1
    await household.wait(2 * MINUTE)

    assert household.token().generation == 1


async def test_nothing_goes_out_without_values(household: Household) -> None:
    """The password file is missing: reported in plain words, and read soon after it is there."""
    document = household.document(retry={"first": "1m", "max": "1m"})
    household.set_password(WRONG)
    household.password.unlink()
    document["homeys"]["home"]["password"] = {"file": str(household.folder / "absent")}
    await household.start(document)
    view = household.view()

    assert household.steps() == []
    assert view.trouble is not None
    assert view.trouble.kind == "secret_unavailable"
    assert "absent" in view.trouble.message

    absent = household.folder / "absent"
    absent.write_text(household.simulator.description()["password"])
    absent.chmod(0o600)
    await household.wait(timedelta(minutes=1))

    assert household.token().generation == 1


async def test_a_person_need_not_wait_after_a_missing_value(household: Household) -> None:
    """The password file was missing and is there now: a refresh starts at once."""
    document, absent = household.document(), household.folder / "absent"
    document["homeys"]["home"]["password"] = {"file": str(absent)}
    await household.start(document)
    again = await household.supervisor.refresh("home", MINUTE)
    absent.write_text(household.simulator.description()["password"], encoding="utf-8")
    absent.chmod(0o600)
    there = await household.supervisor.refresh("home", MINUTE)

    assert again.too_soon is None
    assert not again.done
    assert there.done
    assert household.sign_ins() == 1
