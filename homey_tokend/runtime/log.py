"""The log: event names and fields, on the standard error stream, without secrets.

structlog hands over events; the standard library's loggers (aiohttp, asyncio,
APScheduler) are bridged from WARNING on. Both go the same way: traceback
rendered without locals, fields redacted, rendered, the line redacted again,
and written by a thread (``log_outlet.py``). ``docs/events.md`` lists the events.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from functools import partial
from typing import Any, Literal, TextIO

import structlog

from homey_tokend.runtime.log_journal import (
    TRACEBACK,
    Render,
    format_traceback,
    render_console,
    render_journal,
    render_json,
    to_plain,
)
from homey_tokend.runtime.log_redact import MASK, Redactor
from homey_tokend.runtime.log_writer import LogWriter

Level = Literal["debug", "info", "warning", "error", "critical"]
Format = Literal["auto", "console", "journal", "json"]

#: Fields whose value is a secret whatever it is.
_SECRET_FIELDS = frozenset(
    {
        "password",
        "token",
        "access_token",
        "refresh_token",
        "user_token",
        "client_secret",
        "totp_secret",
        "otptoken",
        "secret",
        "bearer",
        "authorization",
        "cookie",
        "email",
    }
)

#: How many characters of a value are looked at? Many times what is shown, so that no secret
#: is cut in two where it would still be seen.
_LONGEST = 64 * 1024

#: Set by this file, hence not redacted: a short password may look like one of them.
_OWN_FIELDS = frozenset({"event", "level", "timestamp"})


def configure(
    level: Level,
    format: Format,  # noqa: A002  the name that it has in the configuration
    stream: TextIO,
    environ: Mapping[str, str],
    *,
    now: Callable[[], datetime],
    redactor: Redactor | None = None,
) -> LogWriter:
    """Sets structlog and the standard library's logging up, for the whole process.

    Args:
        level: The least level that is written.
        format: How lines look; ``auto`` is console on a terminal, journal where the
            stream leads to systemd's journal, else JSON lines.
        stream: Where lines go, usually ``sys.stderr``.
        environ: Where ``JOURNAL_STREAM`` and ``NO_COLOR`` are looked up.
        now: The wall clock.
        redactor: What knows the live secrets.

    Returns:
        The outlet: close it when the process ends, so that the last lines are written.
    """
    lines = _Lines(_render(format, stream, environ), now, redactor or Redactor())
    outlet = LogWriter(
        stream,
        lambda count: lines.of("warning", {"event": "log.dropped", "lines": count}),
    )

    def write(_: object, method: str, event: MutableMapping[str, Any]) -> str:
        return lines.of(method, event)

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, write],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Writer(outlet),
        cache_logger_on_first_use=False,
    )
    _bridge(_Bridge(lines, outlet))
    return outlet


class _Lines:
    """Turns an event into its line; one that cannot be rendered says so and no more."""

    def __init__(self, render: Render, now: Callable[[], datetime], redactor: Redactor) -> None:
        self._render = render
        self._now = now
        self._redactor = redactor

    def of(self, level: str, event: MutableMapping[str, Any]) -> str:
        try:
            line = self._render(self._complete(level, dict(event)))
        except Exception as error:  # noqa: BLE001  a field's own __str__ may raise anything
            unrendered = {"event": "log.render_failed", "of": str(event.get("event"))}
            line = self._render(
                self._complete("error", unrendered | {"error": type(error).__name__})
            )
        return self._redactor.line(line)

    def _complete(self, level: str, event: dict[str, Any]) -> dict[str, Any]:
        exc_info = event.pop("exc_info", None)
        text = format_traceback(exc_info, sys.exc_info) if exc_info else ""
        fields = {
            key: value if key in _OWN_FIELDS else self._redact(key, to_plain(value))
            for key, value in event.items()
        }
        fields["level"] = level
        fields["timestamp"] = f"{self._now():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        if text:
            fields[TRACEBACK] = self._redactor.value(text[-_LONGEST:])
        return fields

    def _redact(self, key: str, value: Any) -> Any:
        if value and isinstance(value, str | list | dict) and key.lower() in _SECRET_FIELDS:
            return MASK
        if isinstance(value, str):
            return self._redactor.value(value[:_LONGEST])
        if isinstance(value, list):
            return [self._redact("", each) for each in value]
        if isinstance(value, dict):
            return {
                self._redactor.value(name): self._redact(name, each) for name, each in value.items()
            }
        return value


class _Writer:
    """What structlog takes for a logger: every level is one method that writes."""

    def __init__(self, outlet: LogWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = outlet.write


class _Bridge(logging.Handler):
    """The standard library's log records as ``library.warned``."""

    def __init__(self, lines: _Lines, outlet: LogWriter) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines
        self._outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; a message that does not fit its arguments is shown as it is."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = str(record.msg)
        event = {
            "event": "library.warned",
            "library": record.name,
            "message": message,
            "exc_info": record.exc_info,
        }
        level = "error" if record.levelno >= logging.ERROR else "warning"
        self._outlet.write(self._lines.of(level, event))


def _bridge(bridge: _Bridge) -> None:
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        if isinstance(handler, _Bridge):
            root.removeHandler(handler)
    root.addHandler(bridge)
    root.setLevel(logging.WARNING)


def _render(format_: Format, stream: TextIO, environ: Mapping[str, str]) -> Render:
    if format_ == "auto":
        format_ = _chosen(stream, environ)
    if format_ == "console":
        return partial(render_console, colours=_is_terminal(stream) and not environ.get("NO_COLOR"))
    return render_journal if format_ == "journal" else render_json


def _chosen(stream: TextIO, environ: Mapping[str, str]) -> Format:
    if _is_terminal(stream):
        return "console"
    return "journal" if _leads_to_journal(stream, environ) else "json"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (ValueError, AttributeError):
        return False


def _leads_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """systemd.exec(5): ``JOURNAL_STREAM`` is the device and inode of what it has connected.

    Compared, because the variable is inherited by children whose stream leads elsewhere.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
