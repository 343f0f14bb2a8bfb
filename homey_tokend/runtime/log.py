"""The log: event names and fields on standard error, without secrets.

structlog's processors handle our own events and, through ``ProcessorFormatter``, warnings and
errors that the libraries (aiohttp, asyncio, APScheduler) log. A thread writes the lines
(``log_writer.py``). ``docs/events.md`` lists the events.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from homey_tokend.core.redact import Redactor
from homey_tokend.runtime.log_processors import Redaction, console, escape, journal
from homey_tokend.runtime.log_writer import LogWriter

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "journal", "json"]


def configure(
    level: Level,
    format: Format,  # noqa: A002  the name that it has in the configuration
    stream: TextIO,
    environ: Mapping[str, str],
    *,
    redactor: Redactor | None = None,
) -> LogWriter:
    """Set up structlog and the standard library's logging for the whole process.

    Args:
        level: The lowest level that is logged.
        format: The format of a line; ``auto`` is console on a terminal, journal if the stream
            is connected to systemd's journal, else JSON.
        stream: The stream to write to, usually ``sys.stderr``.
        environ: The environment, for ``JOURNAL_STREAM`` and ``NO_COLOR``.
        redactor: Masks the known secrets.

    Returns:
        The writer, to be closed when the process ends, so that the last lines are written.
    """
    redactor = redactor or Redactor()
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
        Redaction(redactor),
        *_renderers(format, stream, environ),
        lambda _logger, _name, line: redactor.line(cast("str", line)),
    ]

    def dropped(lines: int) -> str:
        return _render(processors, "warning", {"event": "log.dropped", "lines": lines})

    writer = LogWriter(stream, dropped)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Logger(writer.write),
        cache_logger_on_first_use=False,
    )
    _capture_libraries(processors, writer)
    return writer


def _render(processors: Sequence[Processor], level: str, event: EventDict) -> str:
    rendered: Any = event
    for processor in processors:
        rendered = processor(None, level, rendered)
    return cast("str", rendered)


class _Logger:
    """The logger that structlog calls with a rendered line: one method for each level."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = write


class _LibraryHandler(logging.Handler):
    """Write messages of libraries as ``library.warned``."""

    def __init__(self, processors: Sequence[Processor], writer: LogWriter) -> None:
        super().__init__(logging.WARNING)
        self._writer = writer
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[_library_event],
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *processors,
                ],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; if message and arguments do not match, only the message."""
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError):
            record.msg, record.args = str(record.msg), ()
            line = self.format(record)
        self._writer.write(line)


def _library_event(_logger: object, _level: str, event: EventDict) -> EventDict:
    message = event.pop("event")
    return {
        "event": "library.warned",
        "library": event["_record"].name,
        "message": message,
        **event,
    }


def _capture_libraries(processors: Sequence[Processor], writer: LogWriter) -> None:
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        if isinstance(handler, _LibraryHandler):
            root.removeHandler(handler)
    root.addHandler(_LibraryHandler(processors, writer))
    root.setLevel(logging.WARNING)


def _renderers(format_: Format, stream: TextIO, environ: Mapping[str, str]) -> list[Processor]:
    terminal = _is_terminal(stream)
    if format_ == "auto":
        to_journal = not terminal and _leads_to_journal(stream, environ)
        format_ = "console" if terminal else "journal" if to_journal else "json"
    if format_ == "json":
        return [structlog.processors.JSONRenderer()]
    if format_ == "journal":
        return [escape, journal]
    return [escape, console(colors=terminal and not environ.get("NO_COLOR"))]


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def _leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether ``JOURNAL_STREAM`` has the stream's device and inode (systemd.exec(5)).

    That the variable is set is not enough: children inherit it, and their stream may be another.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
