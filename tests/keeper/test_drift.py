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
from tests.keeper.harness import HOUR, MINUTE, Harness, Json
from tests.keeper.test_reload import reloaded
from tests.support.sink import FakeSink

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
#: Sinks are checked as often as the token is verified.
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


def with_a_file(harness: Harness, **refresh: object) -> tuple[Json, Path]:
    """Return the configuration of a file sink, and where the file is."""
    path = harness.folder / "home.token"
    return harness.document({"type": "file", "path": str(path)}, **refresh), path


async def checked_sink(harness: Harness) -> tuple[CheckableFake, dict[str, Any]]:
    """Start with one such sink; return its configuration as well."""
    harness.sinks["fake"] = fake = CheckableFake("fake")
    sink = {"type": "file", "path": str(harness.folder / "fake")}
    document = harness.document(sink, **LOOKING)
    await harness.start(document)
    return fake, document


async def test_a_variable_that_a_person_changed_is_written_again(harness: Harness) -> None:
    """It has the token again after the next verification, and the log reports it."""
    await harness.start(harness.document(BY_NAME, **LOOKING))
    harness.simulator.set_variable("accesstoken", "scribbled")
    with capture_logs() as logs:
        await harness.wait(HOUR)

    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")
    assert "sink.drifted" in [entry["event"] for entry in logs]
    assert harness.token().generation == 1


async def test_an_unchanged_sink_is_not_written_again(harness: Harness) -> None:
    """An unchanged one is checked, and not written."""
    fake, _ = await checked_sink(harness)
    await harness.wait(HOUR)

    assert fake.looks >= 1
    assert fake.taken == [1]


async def test_a_sink_that_drifted_gets_the_token_again(harness: Harness) -> None:
    """A changed one is written at once, with the same generation."""
    fake, _ = await checked_sink(harness)
    fake.answers = [False]
    await harness.wait(HOUR)

    assert fake.taken == [1, 1]
    assert harness.keepers["home"].state.sink("fake").drifts == 1
    assert [sink.drifts for sink in harness.view().sinks] == [1]


@pytest.mark.parametrize("failure", [SinkFailed("gone"), RuntimeError("a bug")])
async def test_a_failed_check_changes_nothing(harness: Harness, failure: Exception) -> None:
    """After a failed check, or a bug in it, the sink is not written, and checked again later."""
    fake, _ = await checked_sink(harness)
    fake.answers = [failure]
    with capture_logs() as logs:
        await harness.wait(HOUR)

    assert fake.taken == [1]
    assert fake.looks >= 2
    assert "sink.check_failed" in [entry["event"] for entry in logs]
    assert harness.view().sinks[0].last_error is None


async def test_a_401_in_a_check_leads_to_a_verification(harness: Harness) -> None:
    """A revoked session is detected by the check, and a new token follows."""
    fake, _ = await checked_sink(harness)
    fake.answers = [BearerRejected("401", status=401)]
    harness.simulator.revoke_sessions()
    await harness.wait(HOUR)

    assert harness.token().generation == 2
    assert fake.taken == [1, 2]


async def test_a_file_is_written_again_after_a_reboot(harness: Harness) -> None:
    """If /run is empty, the file is written at once, even without periodic checks."""
    document, path = with_a_file(harness)
    await harness.start(document)
    await harness.stop()
    path.unlink()
    await harness.start(document)

    assert harness.token().value.reveal() + "\n" == path.read_text()
    assert harness.token().generation == 1


async def test_a_removed_file_is_written_again(harness: Harness) -> None:
    """A file is checked while the daemon runs, as often as a variable."""
    document, path = with_a_file(harness, **LOOKING)
    await harness.start(document)
    path.unlink()
    await harness.wait(HOUR)

    assert harness.token().value.reveal() + "\n" == path.read_text()


async def test_a_file_gets_the_format_of_a_reload(harness: Harness) -> None:
    """Another format and mode apply at once, not only with the next token."""
    document, path = with_a_file(harness)
    await harness.start(document)
    document["homeys"]["home"]["sinks"][0].update(format="json", mode="0644")
    await reloaded(harness, document)

    assert json.loads(path.read_text())["generation"] == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


async def test_a_variable_changed_while_stopped_is_noticed_at_the_start(
    harness: Harness,
) -> None:
    """A change while the daemon was stopped is detected once, even with verify_every 0."""
    document = harness.document(BY_NAME)
    await harness.start(document)
    await harness.stop()
    harness.simulator.set_variable("accesstoken", "scribbled")
    await harness.start(document)

    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")


async def test_an_expiry_variable_is_written_as_soon_as_it_is_configured(harness: Harness) -> None:
    """An expires_variable added with a reload is written at once, not only with the next token."""
    sink = {**BY_NAME, "create": True}
    await harness.start(harness.document(sink))
    await reloaded(harness, harness.document({**sink, "expires_variable": "ends"}))

    assert rfc3339(harness.token().expires_at) == harness.simulator.get_variable("ends")
    assert harness.token().generation == 1


async def test_an_expiry_variable_changed_while_stopped_is_noticed_at_the_start(
    harness: Harness,
) -> None:
    """One changed while the daemon was stopped is corrected, and no second variable is created."""
    document = harness.document({**BY_NAME, "create": True, "expires_variable": "ends"})
    await harness.start(document)
    await harness.stop()
    harness.simulator.set_variable("ends", "tomorrow")
    await harness.start(document)

    assert rfc3339(harness.token().expires_at) == harness.simulator.get_variable("ends")


async def test_a_check_that_fails_at_the_start_is_repeated(
    harness: Harness,
) -> None:
    """If the Homey is offline at the start, the check follows when it is back, even with verify_every 0."""
    harness.sinks["fake"] = fake = CheckableFake("fake")
    sink = {"type": "file", "path": str(harness.folder / "fake")}
    await harness.start(harness.document(sink))
    await harness.stop()
    fake.answers = [SinkFailed("offline"), False]
    await harness.start(harness.document(sink))
    assert fake.taken == [1]
    await harness.wait(HOUR)

    assert fake.taken == [1, 1]
    assert fake.looks == 2


async def test_a_sink_that_a_person_fixed_is_tried_at_once(harness: Harness) -> None:
    """After rejections for hours, create: true and SIGHUP, the sink is tried at once."""
    sink = {"type": "logic_variable", "name": "absent"}
    await harness.start(harness.document(sink))
    await harness.wait(3 * HOUR)
    await reloaded(harness, harness.document({**sink, "create": True}))

    assert harness.view().sinks[0].generation == 1


async def test_a_check_has_a_deadline(harness: Harness) -> None:
    """A check that hangs delays nothing else."""
    harness.deadline_s = 0.05
    fake, _ = await checked_sink(harness)
    fake.free.clear()
    with capture_logs() as logs:
        await harness.wait(16 * MINUTE)
    fake.free.set()

    assert "sink.check_failed" in [entry["event"] for entry in logs]
    assert harness.token().generation == 1
