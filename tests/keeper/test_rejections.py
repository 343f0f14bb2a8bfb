"""Rejected is not transient: few attempts, shared by the account, and a new one when credentials change."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from homey_tokend import exit_codes
from homey_tokend.core.status import Health
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness
from tests.keeper.test_reload import reloaded

WRONG = "not the password"


async def test_a_wrong_password_is_tried_once(harness: Harness) -> None:
    """One attempt, then after 15 min, 1 h, 4 h, and daily; over a week at most four a day."""
    harness.set_password(WRONG)
    await harness.start()
    assert harness.sign_ins() == 1
    tries = []
    for _ in range(7):
        before = harness.sign_ins()
        await harness.wait(DAY)
        tries.append(harness.sign_ins() - before)

    began = harness.simulator.requests[0].at
    first = [round(entry.at - began) for entry in harness.simulator.seen("login")][:5]
    assert first == [0, 900, 900 + 3600, 900 + 3600 + 14400, 900 + 3600 + 14400 + 86400]
    assert tries == [3, 1, 1, 1, 1, 1, 1]


async def test_a_rejection_is_shown_with_its_remedy_and_its_end(harness: Harness) -> None:
    """The view shows what was rejected, what to do, and until when nothing is tried."""
    harness.set_password(WRONG)
    await harness.start()
    view = harness.view()

    assert view.health is Health.DOWN
    assert view.last_error is not None
    assert exit_codes.ACTION_NEEDED == exit_codes.for_kind(view.last_error.kind)
    assert view.last_error.remedy == "Correct the password."
    assert harness.now + 15 * MINUTE == view.sign_in_blocked_until == view.next_at


async def test_a_corrected_password_is_tried_at_the_next_heartbeat(harness: Harness) -> None:
    """After a person changes the password file there is no wait."""
    harness.set_password(WRONG)
    await harness.start()
    await harness.wait(2 * HOUR)
    harness.set_password(harness.simulator.description()["password"])
    harness.steps()
    await harness.heartbeat()

    assert harness.sign_ins() == 1
    assert harness.token().generation == 1
    assert harness.view().sign_in_blocked_until is None


async def test_heartbeats_send_no_rejected_password(harness: Harness) -> None:
    """The file is read at each heartbeat, and while it is unchanged nothing is sent."""
    harness.set_password(WRONG)
    await harness.start()
    for _ in range(20):
        await harness.heartbeat()

    assert harness.sign_ins() == 1


async def test_a_missing_file_does_not_end_the_wait(harness: Harness) -> None:
    """If the password file cannot be read during the wait, it is read again at the next heartbeat."""
    harness.set_password(WRONG)
    await harness.start()
    harness.password.unlink()
    await harness.heartbeat()
    assert harness.last_error() == "account_rejected login"

    harness.set_password(harness.simulator.description()["password"])
    await harness.heartbeat()

    assert harness.token().generation == 1


async def test_a_rejection_survives_restarts(harness: Harness) -> None:
    """A rejected password is not sent again, however often the daemon is restarted."""
    harness.set_password(WRONG)
    await harness.start()
    await harness.wait(5 * MINUTE)
    for _ in range(5):
        await harness.restart()

    assert harness.sign_ins() == 1
    assert harness.view().sign_in_blocked_until is not None
    assert harness.last_error() == "account_rejected login"

    await harness.wait(10 * MINUTE)

    assert harness.sign_ins() == 2


async def test_other_credentials_are_tried_at_once_after_a_restart(harness: Harness) -> None:
    """The rejection belongs to the credentials: after a restart with the right ones there is no wait."""
    harness.set_password(WRONG)
    await harness.start()
    harness.set_password(harness.simulator.description()["password"])
    await harness.restart()

    assert harness.token().generation == 1


@pytest.mark.parametrize("watched", [True, False])
async def test_a_rejection_is_shown_at_once_after_a_restart(
    harness: Harness, watched: bool
) -> None:
    """After a rejection and another failure, the wait is that of the rejection.

    This also applies if the password comes from a command, which is run once.
    """
    harness.set_password(WRONG)
    document = harness.document(retry={"first": "1h", "max": "1h"})
    await harness.start(document)
    blocked_until = harness.view().sign_in_blocked_until
    await harness.wait(2 * MINUTE)
    harness.simulator.add_fault(step="login", kind="status", status=503, times=1)
    await harness.supervisor.refresh("home", MINUTE)
    runs = harness.folder / "runs"
    if not watched:
        script = f"echo >> {runs}; cat {harness.password}"
        document["homeys"]["home"]["password"] = {"command": ["/bin/sh", "-c", script]}
    await harness.restart(document)
    await harness.heartbeat()

    assert blocked_until is not None
    assert harness.last_error() == "server_error login"
    assert blocked_until == harness.view().sign_in_blocked_until == harness.view().next_at
    assert watched or runs.read_text() == "\n"


async def test_the_first_reading_of_the_credentials_is_not_a_change(harness: Harness) -> None:
    """If a reload reads them for the first time since the restart, no change is reported."""
    await harness.start()
    await harness.restart()
    with capture_logs() as logs:
        await reloaded(harness, harness.document())
        await harness.until(lambda: not harness.keepers["home"].activity.busy)

    assert "credentials.changed" not in [entry["event"] for entry in logs]


async def test_the_homeys_of_an_account_share_a_rejection(begin: Begin) -> None:
    """Three Homeys of one account send one wrong password, not three."""
    harness = await begin(homeys=3)
    harness.set_password(WRONG)
    await harness.start()
    assert harness.sign_ins() == 1

    await harness.wait(DAY)

    assert harness.sign_ins() == 4
    assert all(harness.view(name).token is None for name in harness.keepers)

    harness.set_password(harness.simulator.description()["password"])
    await harness.heartbeat()

    assert all(harness.view(name).token is not None for name in harness.keepers)


async def test_a_password_that_becomes_invalid_does_not_affect_the_token(harness: Harness) -> None:
    """If a person changes the password at Athom, the current token is served until it expires."""
    await harness.start()
    harness.simulator.change_password("another")
    harness.steps()
    await harness.wait(23 * HOUR)

    assert harness.token().generation == 1
    assert harness.last_error() == "account_rejected login"
    assert harness.sign_ins() == 4

    harness.set_password("another")
    await harness.heartbeat()

    assert harness.token().generation == 2


async def test_a_rejected_client_stops_only_its_homey(begin: Begin) -> None:
    """The client of one Homey is wrong: the other Homey of the account is refreshed."""
    harness = await begin(homeys=2)
    document = harness.document()
    document["homeys"]["home"]["client_secret"] = "0" * 40
    await harness.start(document)

    assert harness.last_error() == "client_rejected token"
    assert harness.token("home1").generation == 1

    await harness.wait(DAY)
    passwords = harness.sign_ins()

    assert harness.token("home1").generation == 3
    # Three for its own renewals, and few for the rejected client.
    assert passwords <= 3 + 5


async def test_a_rejected_client_is_tried_as_rarely_as_a_password(harness: Harness) -> None:
    """The waits after a rejection also apply to the client, across restarts."""
    document = harness.document()
    document["homeys"]["home"]["client_id"] = "ffffffffffffffffffffffff"
    await harness.start(document)
    await harness.wait(DAY)
    assert len(harness.simulator.seen("consent")) == 0
    tries = harness.sign_ins()

    for _ in range(3):
        await harness.restart(document)

    assert tries == harness.sign_ins() <= 4
    assert harness.view().sign_in_blocked_until is not None


async def test_a_denied_consent_needs_a_person(harness: Harness) -> None:
    """access_denied: reported with a remedy, and tried again with the same waits."""
    harness.simulator.add_fault(step="consent", kind="access_denied")
    await harness.start()
    await harness.wait(DAY)

    assert harness.last_error() == "consent_rejected consent"
    assert harness.simulator.steps().count("consent") == 4

    harness.simulator.clear_faults()
    await harness.wait(6 * HOUR)

    assert harness.token().generation == 1


async def test_for_a_homey_that_is_not_covered_the_others_are_listed(begin: Begin) -> None:
    """A consent for another Homey: the remedy lists those of the account."""
    harness = await begin(Switches(covers="chosen"), homeys=2)
    harness.simulator.add_fault(
        step="homey_login", kind="json", status=403, body={"error": "forbidden"}, homey=2
    )
    await harness.start()
    view = harness.view("home1")

    assert harness.token("home").generation == 1
    assert view.last_error is not None
    assert view.last_error.kind == "homey_rejected"
    assert all(cloudid in view.last_error.remedy for cloudid in harness.simulator.cloudids)


@pytest.mark.parametrize("key", ["email", "client_secret"])
async def test_a_rejected_credential_is_named(harness: Harness, key: str) -> None:
    """A wrong e-mail or client is a rejection with a remedy, not a transient failure."""
    document = harness.document()
    document["homeys"]["home"][key] = "nobody@example.com"
    await harness.start(document)
    view = harness.view()

    assert view.last_error is not None
    assert view.last_error.kind.endswith("_rejected")
    assert view.last_error.remedy
    assert view.sign_in_blocked_until is not None


async def test_html_of_a_proxy_is_not_a_wrong_password(harness: Harness) -> None:
    """A proxy's HTML with status 401 does not reject the account, and is not retried at once."""
    harness.simulator.add_fault(step="login", kind="html", status=401, times=1)
    await harness.start()
    assert harness.last_error() == "protocol_changed login"
    assert harness.view().sign_in_blocked_until is None

    await harness.wait(14 * MINUTE)
    assert harness.sign_ins() == 1
    await harness.wait(2 * MINUTE)

    assert harness.token().generation == 1


async def test_nothing_is_sent_without_credentials(harness: Harness) -> None:
    """A missing password file is reported with a remedy, and read soon after it is created."""
    document = harness.document(retry={"first": "1m", "max": "1m"})
    harness.set_password(WRONG)
    harness.password.unlink()
    document["homeys"]["home"]["password"] = {"file": str(harness.folder / "absent")}
    await harness.start(document)
    view = harness.view()

    assert harness.steps() == []
    assert view.last_error is not None
    assert view.last_error.kind == "secret_unavailable"
    assert "absent" in view.last_error.message

    absent = harness.folder / "absent"
    absent.write_text(harness.simulator.description()["password"])
    absent.chmod(0o600)
    await harness.wait(timedelta(minutes=1))

    assert harness.token().generation == 1


async def test_a_person_need_not_wait_after_a_missing_credential(harness: Harness) -> None:
    """Once the missing password file exists, a refresh starts at once."""
    document, absent = harness.document(), harness.folder / "absent"
    document["homeys"]["home"]["password"] = {"file": str(absent)}
    await harness.start(document)
    again = await harness.supervisor.refresh("home", MINUTE)
    absent.write_text(harness.simulator.description()["password"], encoding="utf-8")
    absent.chmod(0o600)
    there = await harness.supervisor.refresh("home", MINUTE)

    assert again.too_soon is None
    assert not again.done
    assert there.done
    assert harness.sign_ins() == 1
