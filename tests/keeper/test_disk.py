"""What is kept across restarts, and a failing disk."""

import json
import threading

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.account import Digests
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.status import Health
from tests.keeper.conftest import Begin
from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.support.store import FakeStore


async def test_a_restart_needs_no_sign_in(harness: Harness) -> None:
    """After a restart the same token is served at once, with its generation."""
    await harness.start()
    await harness.wait(HOUR)
    token, renew_at = harness.token(), harness.view().renew_at
    harness.steps()
    await harness.stop()
    await harness.begin()

    assert token == harness.token()
    assert renew_at == harness.view().renew_at

    await harness.quiet()

    assert harness.steps() in ([], ["session"])


async def test_a_restart_after_the_expiry_signs_in(harness: Harness) -> None:
    """A token that expired meanwhile is not served; generations continue."""
    await harness.start()
    await harness.stop()
    harness.skip(25 * HOUR)
    await harness.begin()
    assert harness.view().token is None

    await harness.quiet()

    assert harness.token().generation == 2


async def test_without_a_state_path_nothing_is_stored(harness: Harness) -> None:
    """With state.path null nothing is written, and a restart signs in again."""
    document = harness.document()
    document["state"]["path"] = None
    await harness.start(document)
    await harness.restart(document)

    assert harness.token().generation == 1
    assert harness.sign_ins() == 2
    assert not harness.state.exists()


async def test_a_full_disk_is_logged_once(harness: Harness) -> None:
    """The token is served and renewed from memory; the failure and its end are each logged once."""
    harness.store = store = FakeStore()
    await harness.start()
    store.full = "no space left on device"
    with capture_logs() as logs:
        await harness.until_renewal()
        assert harness.token().generation == 2
        store.full = ""
        await harness.until_renewal()

    events = [entry["event"] for entry in logs if entry["event"].startswith("state.")]
    assert events == ["state.write_failed", "state.write_recovered"]
    assert store.saves > 4
    assert store.blob is not None
    assert harness.token().generation == 3


async def test_the_heartbeat_writes_again_once_the_disk_has_space(harness: Harness) -> None:
    """The state is written without waiting for the next renewal: a power cut then loses no token."""
    harness.store = store = FakeStore()
    await harness.start()
    store.full = "no space left on device"
    await harness.until_renewal()
    served = harness.token()
    await harness.heartbeat()
    store.full = ""
    await harness.heartbeat()
    blob = store.blob
    await harness.stop()
    harness.store = FakeStore(blob)
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start()

    assert served.generation == 2
    assert served == harness.token()


async def test_a_hanging_disk_delays_no_token(harness: Harness) -> None:
    """The wait for each write ends at its deadline, and the token is published."""
    harness.write_deadline_s = 0.02
    harness.store = store = FakeStore()
    await harness.start()
    store.hangs = True
    with capture_logs() as logs:
        await harness.until_renewal()

    assert harness.token().generation == 2
    reasons = [entry["reason"] for entry in logs if entry["event"] == "state.write_failed"]
    assert reasons == ["the disk hangs"]


async def test_disk_before_socket(harness: Harness) -> None:
    """A token is on the disk before it is visible."""
    harness.store = store = FakeStore()
    seen = []
    save = store.save

    async def watched(blob: bytes) -> None:
        held = json.loads(blob)["homeys"].get("home", {}).get("token")
        if held is not None:
            state = harness.keepers["home"].state
            seen.append((held["generation"], harness.view().token, state.token))
        await save(blob)

    store.save = watched  # type: ignore[method-assign]  # a store that looks around
    await harness.start()

    assert seen[0] == (1, None, None)
    assert harness.token().generation == 1


@pytest.mark.parametrize("blob", [b"", b"{", b"[]", b'{"version": 99}', b"\xff" * 100])
async def test_a_damaged_state_is_set_aside(harness: Harness, blob: bytes) -> None:
    """A damaged state is kept for a person to examine, and the daemon continues."""
    harness.state.write_bytes(blob)
    with capture_logs() as logs:
        await harness.start()

    assert harness.token().generation == 1
    (logged,) = [entry for entry in logs if entry["event"] == "state.set_aside"]
    assert blob == (harness.folder / "state.json.damaged-1").read_bytes()
    assert logged["kept_as"].endswith("state.json.damaged-1")


async def test_a_state_that_can_be_neither_read_nor_moved(harness: Harness) -> None:
    """This is reported, and there is a token nevertheless."""
    harness.store = store = FakeStore(b"{}")
    store.unreadable, store.unmovable = "permission denied", "read-only file system"
    with capture_logs() as logs:
        await harness.start()

    (logged,) = [entry for entry in logs if entry["event"] == "state.set_aside"]
    assert logged["kept_as"] == "not kept: read-only file system"
    assert harness.token().generation == 1
    assert harness.view().health is Health.OK


async def test_verifications_cause_no_write(harness: Harness) -> None:
    """A verification every quarter of an hour is stored with the next relevant write."""
    harness.store = store = FakeStore()
    await harness.start(harness.document(verify_every="15m"))
    before = store.saves
    await harness.wait(HOUR + MINUTE)

    assert store.saves == before


async def test_the_state_of_a_homey_that_is_no_longer_configured_stays(harness: Harness) -> None:
    """The state of a removed Homey stays in the file: it may come back."""
    await harness.start()
    document = harness.document()
    document["homeys"]["cottage"] = document["homeys"].pop("home")
    await harness.restart(document)

    assert set(json.loads(harness.state.read_text())["homeys"]) == {"home", "cottage"}
    assert harness.token("cottage").generation == 1


async def test_digests_do_not_delay_state_writes(begin: Begin) -> None:
    """With many Homeys the digests of their credentials take long, but the disk does not seem to hang."""
    harness = await begin(homeys=8)
    begun, made = threading.Event(), threading.Event()

    def slow(_who: Credentials, _accounts: str, _salt: str) -> Digests:
        begun.set()
        made.wait()
        return Digests("account", "password", "site")

    harness.digest = slow
    await harness.begin()
    await harness.until(begun.is_set)
    try:
        await harness.components.store.keep_refresh_token("home", Secret("kept"))
        kept = harness.state.read_text(encoding="utf-8")
    finally:
        made.set()

    assert "kept" == json.loads(kept)["refresh_tokens"].get("home")
