"""A changed sink is detected and written again."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.errors import BearerRejected, SinkFailed
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery
from tests.keeper.household import HOUR, MINUTE, Household, Json
from tests.keeper.test_reload import reloaded
from tests.support.sink import FakeSink

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
#: Sinks are looked at as often as the token is proved.
LOOKING: dict[str, object] = {"verify_every": "15m"}


class CheckableFake(FakeSink):
    """A sink that can be checked: it has what was delivered, unless a test changes it."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.looks = 0
        self.answers: list[bool | Exception] = []

    async def check(self, _delivery: Delivery) -> bool:
        self.looks += 1
        answer = self.answers.pop(0) if self.answers else True
        await self.free.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


def with_a_file(household: Household, **refresh: object) -> tuple[Json, Path]:
    """Return the configuration of a file sink, and where the file is."""
    path = household.folder / "home.token"
    return household.document({"type": "file", "path": str(path)}, **refresh), path


async def looked_at(household: Household) -> tuple[CheckableFake, dict[str, Any]]:
    """Start with one such sink; return its configuration as well."""
    household.sinks["fake"] = fake = CheckableFake("fake")
    sink = {"type": "file", "path": str(household.folder / "fake")}
    document = household.document(sink, **LOOKING)
    await household.start(document)
    return fake, document


async def test_a_variable_that_a_person_changed_is_written_again(household: Household) -> None:
    """It has the token again after the next verification, and the log reports it."""
    await household.start(household.document(BY_NAME, **LOOKING))
    household.simulator.set_variable("accesstoken", "scribbled")
    with capture_logs() as logs:
        await household.wait(HOUR)

    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")
    assert "sink.drifted" in [entry["event"] for entry in logs]
    assert household.token().generation == 1


async def test_a_sink_that_holds_the_token_is_left_alone(household: Household) -> None:
    """An unchanged one is checked, and not written."""
    fake, _ = await looked_at(household)
    await household.wait(HOUR)

    assert fake.looks >= 1
    assert fake.taken == [1]


async def test_a_sink_that_drifted_gets_the_token_again(household: Household) -> None:
    """A changed one is written at once, with the same generation."""
    fake, _ = await looked_at(household)
    fake.answers = [False]
    await household.wait(HOUR)

    assert fake.taken == [1, 1]
    assert household.keepers["home"].state.sink("fake").drifts == 1
    assert [sink.drifts for sink in household.view().sinks] == [1]


@pytest.mark.parametrize("failure", [SinkFailed("gone"), RuntimeError("a bug")])
async def test_a_look_that_fails_says_nothing(household: Household, failure: Exception) -> None:
    """After a failure or a bug of the check the sink is left alone, and checked again later."""
    fake, _ = await looked_at(household)
    fake.answers = [failure]
    with capture_logs() as logs:
        await household.wait(HOUR)

    assert fake.taken == [1]
    assert fake.looks >= 2
    assert "sink.check_failed" in [entry["event"] for entry in logs]
    assert household.view().sinks[0].trouble is None


async def test_a_401_at_a_look_leads_to_a_proof(household: Household) -> None:
    """A revoked session is detected by the check, and a new token follows."""
    fake, _ = await looked_at(household)
    fake.answers = [BearerRejected("401", status=401)]
    household.simulator.revoke_sessions()
    await household.wait(HOUR)

    assert household.token().generation == 2
    assert fake.taken == [1, 2]


async def test_a_file_is_there_again_after_a_reboot(household: Household) -> None:
    """/run is empty and the state is not: written at once, even without later checks."""
    document, path = with_a_file(household)
    await household.start(document)
    await household.stop()
    path.unlink()
    await household.start(document)

    assert household.token().value.reveal() + "\n" == path.read_text()
    assert household.token().generation == 1


async def test_a_file_that_somebody_removed_is_written_again(household: Household) -> None:
    """A file is checked while the daemon runs, as often as a variable."""
    document, path = with_a_file(household, **LOOKING)
    await household.start(document)
    path.unlink()
    await household.wait(HOUR)

    assert household.token().value.reveal() + "\n" == path.read_text()


async def test_a_file_gets_the_form_that_a_reload_wants(household: Household) -> None:
    """Another format and mode apply at once, not only with the next token."""
    document, path = with_a_file(household)
    await household.start(document)
    document["homeys"]["home"]["sinks"][0].update(format="json", mode="0644")
    await reloaded(household, document)

    assert json.loads(path.read_text())["generation"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_a_variable_that_was_changed_meanwhile_is_found_at_the_start(
    household: Household,
) -> None:
    """A change while the daemon was stopped is detected once, even with verify_every 0."""
    document = household.document(BY_NAME)
    await household.start(document)
    await household.stop()
    household.simulator.set_variable("accesstoken", "scribbled")
    await household.start(document)

    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")


async def test_an_end_is_written_as_soon_as_it_is_wanted(household: Household) -> None:
    """An expires_variable added with a reload is written at once, not only with the next token."""
    sink = {**BY_NAME, "create": True}
    await household.start(household.document(sink))
    await reloaded(household, household.document({**sink, "expires_variable": "ends"}))

    assert rfc3339(household.token().expires_at) == household.simulator.get_variable("ends")
    assert household.token().generation == 1


async def test_an_end_that_was_changed_meanwhile_is_found_at_the_start(
    household: Household,
) -> None:
    """One changed while the daemon was stopped is corrected, and no second variable is created."""
    document = household.document({**BY_NAME, "create": True, "expires_variable": "ends"})
    await household.start(document)
    await household.stop()
    household.simulator.set_variable("ends", "tomorrow")
    await household.start(document)

    assert rfc3339(household.token().expires_at) == household.simulator.get_variable("ends")


async def test_a_sink_that_cannot_be_seen_at_the_start_is_looked_at_later(
    household: Household,
) -> None:
    """If the Homey is offline at the start, the check follows when it is back, even with verify_every 0."""
    household.sinks["fake"] = fake = CheckableFake("fake")
    sink = {"type": "file", "path": str(household.folder / "fake")}
    await household.start(household.document(sink))
    await household.stop()
    fake.answers = [SinkFailed("offline"), False]
    await household.start(household.document(sink))
    assert fake.taken == [1]
    await household.wait(HOUR)

    assert fake.taken == [1, 1]
    assert fake.looks == 2


async def test_a_sink_that_a_person_has_mended_is_tried_at_once(household: Household) -> None:
    """Rejected for hours, then create: true and SIGHUP: the sink is tried at once."""
    sink = {"type": "logic_variable", "name": "absent"}
    await household.start(household.document(sink))
    await household.wait(3 * HOUR)
    await reloaded(household, household.document({**sink, "create": True}))

    assert household.view().sinks[0].generation == 1


async def test_a_look_has_a_deadline(household: Household) -> None:
    """A hanging check delays nothing."""
    household.deadline_s = 0.05
    fake, _ = await looked_at(household)
    fake.free.clear()
    with capture_logs() as logs:
        await household.wait(16 * MINUTE)
    fake.free.set()

    assert "sink.check_failed" in [entry["event"] for entry in logs]
    assert household.token().generation == 1
