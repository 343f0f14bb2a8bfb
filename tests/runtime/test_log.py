"""Log lines in three formats, without secrets and without forged lines."""

import asyncio
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from homey_tokend.core.redact import MASK, Redactor
from homey_tokend.core.secret import Secret
from homey_tokend.runtime.log import Format, Level, configure
from homey_tokend.runtime.log_writer import LogWriter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = 'cAnArY-with "quotes" & ünïcode'

Lines = Callable[[], list[str]]


class Log:
    """A configured log and its output."""

    def __init__(self, format_: Format, level: Level = "debug", stream: Any = None) -> None:
        self.stream = io.StringIO() if stream is None else stream
        self.redactor = Redactor()
        self.writer: LogWriter = configure(level, format_, self.stream, {}, redactor=self.redactor)
        self.log = structlog.get_logger()

    def text(self) -> str:
        """Return the lines, with each time of day replaced by NOW."""
        self.writer.close(2)
        written: str = self.stream.getvalue()
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "NOW", written)

    def lines(self) -> list[str]:
        return self.text().splitlines()


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, tuple(root.handlers)
    yield
    root.setLevel(level)
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)


def test_json_lines() -> None:
    """JSON: one object per line with timestamp, level and event, then the fields in order."""
    log = Log("json")
    log.log.info("token.renewed", homey="home", generation=3)

    assert log.text() == (
        '{"timestamp": "NOW", "level": "info", "event": "token.renewed",'
        ' "homey": "home", "generation": 3}\n'
    )


@pytest.mark.parametrize(
    ("level", "prefix"),
    [("debug", "<7>"), ("info", "<6>"), ("warning", "<4>"), ("error", "<3>")],
)
def test_journal_lines(level: str, prefix: str) -> None:
    """Journal: the priority, the event and its fields; the journal adds the time."""
    log = Log("journal")
    getattr(log.log, level)("token.renewed", homey="home", why="half used", left=None, n=1.5)

    assert log.lines() == [f"{prefix}token.renewed homey=home why='half used' left=None n=1.5"]


def test_console_lines() -> None:
    """Console: time, level, event, fields."""
    log = Log("console")
    log.log.warning("sink.failed", target="file:/run/t", reason="no room")

    assert log.lines() == ["NOW [warning  ] sink.failed target=file:/run/t reason='no room'"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_has_colours_unless_disabled(environ: dict[str, str], coloured: bool) -> None:
    """``auto`` on a terminal is the console; NO_COLOR is respected."""
    stream = Terminal()
    writer = configure("info", "auto", stream, environ)
    structlog.get_logger().error("refresh.failed")
    writer.close(2)

    assert coloured == ("\x1b[31m" in stream.getvalue())
    assert "refresh.failed" in stream.getvalue()


def test_auto_is_the_journal_only_if_the_stream_is_connected_to_it(tmp_path: Path) -> None:
    """JOURNAL_STREAM is compared with the stream, since children inherit the variable."""
    path = tmp_path / "log"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        for value in (f"{status.st_dev}:{status.st_ino}", "1:2"):
            writer = configure("info", "auto", stream, {"JOURNAL_STREAM": value})
            structlog.get_logger().info("daemon.started")
            writer.close(2)
    first, second = path.read_text().splitlines()

    assert first == "<6>daemon.started"
    assert json.loads(second)["event"] == "daemon.started"


class Strange:
    """A stream whose methods raise."""

    def write(self, _: str) -> None:
        raise ValueError("closed")

    def isatty(self) -> bool:
        raise ValueError("closed")

    def fileno(self) -> int:
        raise ValueError("closed")


def test_a_closed_stream_does_not_stop_the_daemon() -> None:
    """A daemon whose stderr is closed continues."""
    log = Log("auto", stream=Strange())
    log.log.info("daemon.started")

    assert log.writer.close(2)


def test_events_below_the_level_are_not_written() -> None:
    """Events below the level are not written."""
    log = Log("journal", level="warning")
    log.log.debug("request.answered")
    log.log.info("token.renewed")
    log.log.warning("sink.failed")

    assert log.lines() == ["<4>sink.failed"]


def test_values_of_all_kinds() -> None:
    """Times are in UTC, durations in seconds, sequences and mappings JSON, the rest text."""
    log = Log("json")
    log.log.info(
        "odd.values",
        at=NOON,
        day=date(2026, 3, 1),
        span=timedelta(minutes=1.5),
        path=Path("/run"),
        several={"a": (1, 2), "b": frozenset({3})},
        value=Secret("never shown"),
    )
    fields = json.loads(log.text())

    assert fields["at"] == "2026-03-01T12:00:00Z"
    assert (fields["day"], fields["span"], fields["path"]) == ("2026-03-01", 90.0, "/run")
    assert fields["several"] == {"a": [1, 2], "b": [3]}
    assert fields["value"] == "<secret>"


@pytest.mark.parametrize("format_", ["json", "journal", "console"])
def test_one_event_cannot_look_like_two(format_: Format) -> None:
    """Newlines, escapes and other control characters of any value are escaped."""
    evil = "a\n<0>daemon.hacked\r\x1b[2Jb\x9b\u2028c\x00"
    log = Log(format_)
    log.log.info("client.named", agent=evil, key=[evil], **{evil: 1})
    log.log.error("internal.error", exc_info=RuntimeError(evil))
    text = log.text()

    assert not re.search(r"^(<\d>)?daemon\.hacked", text, re.MULTILINE)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", text)


@pytest.mark.parametrize("format_", ["json", "journal", "console"])
def test_tracebacks_have_no_locals_and_no_secrets(format_: Format) -> None:
    """A traceback has places and messages, but no values of variables."""
    log = Log(format_)
    log.redactor.add(Secret(CANARY))
    log.redactor.add(Secret("s3cr"))

    def fail(password: str) -> None:
        inner = password.upper()
        raise RuntimeError(f"cannot send {password!r} or s3cr" if inner else "")

    try:
        fail(CANARY)
    except RuntimeError as error:
        log.log.exception("internal.error")
        log.log.error("internal.error", exc_info=error)
        log.log.error("internal.error", exc_info=(type(error), error, error.__traceback__))
    text = log.text()

    assert text.count("RuntimeError: cannot send") == 3
    assert text.count("in fail") == 3
    assert "cAnArY" not in text
    assert "CANARY-WITH" not in text
    assert text.count(f"{MASK} or {MASK}") + text.count(f"{MASK}' or {MASK}") == 3


def test_a_secret_at_the_beginning_of_what_is_shown_of_a_traceback() -> None:
    """A long traceback is not cut within a secret, of which the second half would remain."""
    log = Log("json")
    log.redactor.add(Secret(CANARY))
    half = len(CANARY) // 2
    log.log.error("internal.error", exc_info=RuntimeError(CANARY + "x" * (64 * 1024 - half)))

    assert "code" not in log.text()


def test_exc_info_without_an_exception() -> None:
    """``exc_info=True`` without an exception adds nothing."""
    log = Log("journal")
    log.log.error("odd.call", exc_info=True)  # noqa: LOG014  what is tested

    assert log.lines() == ["<3>odd.call"]


@pytest.mark.parametrize("format_", ["json", "journal", "console"])
def test_secrets_are_removed_from_fields_and_keys(format_: Format) -> None:
    """Secrets are removed by name, by value, nested, within text, and under odd keys."""
    log = Log(format_)
    log.redactor.add(Secret(CANARY))
    log.redactor.add(Secret("s3cr"))
    careless = f"careless.line {CANARY}"
    log.log.info(
        careless,
        password="plain-by-name",
        cookie=["plain-by-name"],
        Authorization="x plain-by-name",
        nested={"refresh_token": "plain-by-name", "list": [f"text {CANARY}", "s3cr"]},
        url=f"http://h/?user_token={CANARY}",
        reason=f"said {CANARY!r}, s3cr",
        token=[],
        generation=3,
        **{f"key {CANARY}": 1, "key s3cr": 2},
    )
    text = log.text()

    for hidden in ("cAnArY", "ünïcode", "plain-by-name", "s3cr"):
        assert hidden not in text.replace("secret", "")
    assert "generation" in text


def test_an_event_keeps_its_name_if_a_password_is_a_word_of_it() -> None:
    """A short password that is a word of an event's name does not change the name."""
    log = Log("journal")
    log.redactor.add(Secret("token"))
    log.log.info("token.renewed", why="a token, expired")

    assert log.lines() == [f"<6>token.renewed why='a {MASK}, expired'"]


@pytest.mark.parametrize("format_", ["json", "journal", "console"])
def test_a_field_that_cannot_be_shown_is_replaced_by_its_type(format_: Format) -> None:
    """A field whose text raises, or that contains itself, is shown by its type."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

    endless: list[object] = []
    endless.append(endless)
    log = Log(format_)
    log.log.info("broken.field", field=Broken(), endless=endless, homey="home")
    text = log.text()

    assert "<unprintable Broken>" in text
    assert "<unprintable list>" in text
    assert "broken.field" in text
    assert "home" in text


def test_long_values_are_truncated() -> None:
    """A field of a megabyte is truncated."""
    log = Log("journal")
    log.log.info("long.field", field="x" * 1_000_000)
    line = log.text()

    assert len(line) < 9000
    assert line.rstrip().endswith("… (cut)'")


@pytest.mark.parametrize("format_", ["json", "journal", "console"])
def test_warnings_of_libraries_are_logged(format_: Format) -> None:
    """Messages of libraries are redacted; those below a warning are not written."""
    log = Log(format_)
    log.redactor.add(Secret(CANARY))
    library = logging.getLogger("aiohttp.client")
    library.info("not worth a line")
    library.warning("odd %s", CANARY)
    wrong = library.makeRecord("aiohttp", logging.ERROR, "", 0, "wrong %d", ("arguments",), None)
    logging.getLogger().handlers[-1].handle(wrong)
    library.critical("a\n<0>daemon.hacked\x1b[2J")
    failure = RuntimeError("https://u:pw1@h/?code=" + "a" * 40)
    logging.getLogger("asyncio").error("never retrieved", exc_info=failure)
    text = log.text()

    assert text.count("library.warned") == 4
    for shown in ("aiohttp.client", f"odd {MASK}", "wrong %d", f"https://{MASK}@h/?code={MASK}"):
        assert shown in text
    for hidden in ("cAnArY", "not worth", "\x1b", "\n<0>"):
        assert hidden not in text


def test_a_librarys_warning_in_the_journal() -> None:
    """They have the library's name, and a priority."""
    log = Log("journal")
    logging.getLogger("asyncio").warning("slow %s", "task")
    logging.getLogger("aiohttp").critical("down")

    assert log.lines() == [
        "<4>library.warned library=asyncio message='slow task'",
        "<3>library.warned library=aiohttp message=down",
    ]


def test_configuring_again_replaces_the_configuration() -> None:
    """A second configuration replaces the first, also for the libraries' lines."""
    first = Log("journal")
    second = Log("journal")
    second.log.info("daemon.started")
    logging.getLogger("asyncio").warning("slow")

    assert first.lines() == []
    assert second.lines() == [
        "<6>daemon.started",
        "<4>library.warned library=asyncio message=slow",
    ]


def test_existing_loggers_are_configured_too() -> None:
    """A module's logger, created at import, writes to the configured stream."""
    early = structlog.get_logger()
    log = Log("journal")
    early.info("daemon.started")

    assert log.lines() == ["<6>daemon.started"]


async def test_logging_does_not_block_the_event_loop() -> None:
    """With a stream that nobody reads, logging does not block the event loop."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = Log("json", stream=stream)
        start = asyncio.get_running_loop().time()
        for number in range(200):
            log.log.info("request.answered", number=number, padding="x" * 1000)
        took = asyncio.get_running_loop().time() - start
        os.close(reading)
        await asyncio.to_thread(log.writer.close, 1)

    assert took < 10


async def test_dropped_lines_are_reported_by_an_event() -> None:
    """After a stalled reader the number of lost lines is an event like any other."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = Log("json", stream=stream)
        for number in range(1400):
            log.log.info("request.answered", number=number, padding="x" * 1000)
        closing = asyncio.create_task(asyncio.to_thread(log.writer.close, 40))
        received = b""
        while b"log.dropped" not in received:
            received += await asyncio.to_thread(os.read, reading, 65536)
        os.close(reading)
        await closing
    [reported] = [json.loads(line) for line in received.splitlines() if b"log.dropped" in line]

    assert (reported["event"], reported["level"]) == ("log.dropped", "warning")
    assert reported["lines"] > 100


def test_bound_fields_are_in_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Bound fields are in every line, also on the real standard error stream."""
    writer = configure("info", "journal", sys.stderr, {})
    structlog.get_logger().bind(homey="home").info("token.renewed")
    writer.close(2)

    assert capsys.readouterr().err == "<6>token.renewed homey=home\n"
