"""What is kept across restarts, and a failing disk."""

import json
import threading

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.account import Digests
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.status import Health
from tests.keeper.conftest import Begin
from tests.keeper.household import HOUR, MINUTE, Household
from tests.support.store import FakeStore


async def test_a_restart_needs_no_sign_in(household: Household) -> None:
    """After a restart the same token is served at once, with its generation."""
    await household.start()
    await household.wait(HOUR)
    token, renew_at = household.token(), household.view().renew_at
    household.steps()
    await household.stop()
    await household.begin()

    assert token == household.token()
    assert renew_at == household.view().renew_at

    await household.quiet()

    assert household.steps() in ([], ["session"])


async def test_a_restart_after_the_end_signs_in(household: Household) -> None:
    """A token that expired meanwhile is not served; generations continue."""
    await household.start()
    await household.stop()
    household.skip(25 * HOUR)
    await household.begin()
    assert household.view().token is None

    await household.quiet()

    assert household.token().generation == 2


async def test_no_state_is_kept_where_none_is_wanted(household: Household) -> None:
    """state.path null: nothing is written, and a restart signs in again."""
    document = household.document()
    document["state"]["path"] = None
    await household.start(document)
    await household.restart(document)

    assert household.token().generation == 1
    assert household.sign_ins() == 2
    assert not household.state.exists()


async def test_a_disk_that_is_full_is_told_once(household: Household) -> None:
    """The token is served and renewed from memory; the log says it once, and when it is over."""
    household.store = store = FakeStore()
    store.full = "no space left on device"
    with capture_logs() as logs:
        await household.start()
        await household.until_renewal()
        assert household.token().generation == 2
        store.full = ""
        await household.until_renewal()

    events = [entry["event"] for entry in logs if entry["event"].startswith("state.")]
    assert events == ["state.write_failed", "state.write_recovered"]
    assert store.saves > 4
    assert store.blob is not None
    assert household.token().generation == 3


async def test_room_on_the_disk_is_noticed_by_the_heartbeat(household: Household) -> None:
    """The state is written without waiting for the next renewal: a power cut then loses no token."""
    household.store = store = FakeStore()
    await household.start()
    store.full = "no space left on device"
    await household.until_renewal()
    served = household.token()
    await household.beat()
    store.full = ""
    await household.beat()
    blob = store.blob
    await household.stop()
    household.store = FakeStore(blob)
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.start()

    assert served.generation == 2
    assert served == household.token()


async def test_a_disk_that_hangs_holds_up_no_token(household: Household) -> None:
    """Each write is given up after its deadline, and the token is published without it."""
    household.write_deadline_s = 0.02
    household.store = store = FakeStore()
    store.hangs = True
    with capture_logs() as logs:
        await household.start()

    assert household.token().generation == 1
    reasons = [entry["reason"] for entry in logs if entry["event"] == "state.write_failed"]
    assert reasons == ["the disk hangs"]


async def test_disk_before_socket(household: Household) -> None:
    """A token is on the disk before it is visible."""
    household.store = store = FakeStore()
    seen = []
    save = store.save

    async def watched(blob: bytes) -> None:
        held = json.loads(blob)["homeys"].get("home", {}).get("token")
        if held is not None:
            state = household.keepers["home"].state
            seen.append((held["generation"], household.view().token, state.token))
        await save(blob)

    store.save = watched  # type: ignore[method-assign]  # a store that looks around
    await household.start()

    assert seen[0] == (1, None, None)
    assert household.token().generation == 1


@pytest.mark.parametrize("blob", [b"", b"{", b"[]", b'{"version": 99}', b"\xff" * 100])
async def test_a_damaged_state_is_set_aside(household: Household, blob: bytes) -> None:
    """An unusable state is kept for a person to look at, and the daemon continues."""
    household.state.write_bytes(blob)
    with capture_logs() as logs:
        await household.start()

    assert household.token().generation == 1
    (told,) = [entry for entry in logs if entry["event"] == "state.set_aside"]
    assert blob == (household.folder / "state.json.damaged-1").read_bytes()
    assert told["kept_as"].endswith("state.json.damaged-1")


async def test_a_state_that_cannot_even_be_moved(household: Household) -> None:
    """If it can be neither read nor moved, that is reported, and there is a token all the same."""
    household.store = store = FakeStore(b"{}")
    store.unreadable, store.unmovable = "permission denied", "read-only file system"
    with capture_logs() as logs:
        await household.start()

    (told,) = [entry for entry in logs if entry["event"] == "state.set_aside"]
    assert told["kept_as"] == "not kept: read-only file system"
    assert household.token().generation == 1
    assert household.view().health is Health.OK


async def test_proofs_cost_no_write(household: Household) -> None:
    """A verification every quarter of an hour is stored with the next relevant write."""
    household.store = store = FakeStore()
    await household.start(household.document(verify_every="15m"))
    before = store.saves
    await household.wait(HOUR + MINUTE)

    assert store.saves == before


async def test_homeys_that_are_configured_no_more_are_left_alone(household: Household) -> None:
    """The state of a removed Homey stays in the file: it may come back."""
    await household.start()
    document = household.document()
    document["homeys"]["cottage"] = document["homeys"].pop("home")
    await household.restart(document)

    assert set(json.loads(household.state.read_text())["homeys"]) == {"home", "cottage"}
    assert household.token("cottage").generation == 1


async def test_a_state_is_written_while_many_digests_are_made(begin: Begin) -> None:
    """With many Homeys the digests of their credentials take long: the disk does not hang."""
    household = await begin(homeys=8)
    begun, made = threading.Event(), threading.Event()

    def slow(_who: Credentials, _accounts: str, _salt: str) -> Digests:
        begun.set()
        made.wait()
        return Digests("account", "password", "site")

    household.digest = slow
    await household.begin()
    await household.until(begun.is_set)
    try:
        await household.components.store.keep_refresh_token("home", Secret("kept"))
        kept = household.state.read_text(encoding="utf-8")
    finally:
        made.set()

    assert "kept" == json.loads(kept)["refresh_tokens"].get("home")
