"""The log's own structlog processors: redaction, escaping, and the format for the journal."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from homey_tokend.core.redact import MASK, Redactor, is_secret_name
from homey_tokend.core.timefmt import rfc3339

#: Shown first, in this order. They are our own, and not redacted, because a short password may
#: be a word of them.
_FIRST = ("timestamp", "level", "event")
#: The priorities that the journal reads at the start of a line (sd-daemon(3)).
_PRIORITIES = {"error": 3, "warning": 4, "info": 6, "debug": 7}
#: How many characters of a text are redacted, and how many are shown. The first is much larger,
#: so that no secret is cut in two within what is shown. Of a traceback, twice as many are redacted
#: as are shown.
_READ = 64 * 1024
_SHOWN = 8192


class Redaction:
    """A processor that converts fields to JSON values and masks secrets in them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
        """Return the event with time, level and name first, and its fields redacted."""
        first = {key: event.pop(key) for key in _FIRST}
        traceback = event.pop("exception", None)
        fields = {self._redactor.value(key): self._field(key, one) for key, one in event.items()}
        if traceback:
            fields["exception"] = self._redactor.value(traceback[-2 * _READ :])[-_READ:]
        return first | fields

    def _field(self, name: str, value: object) -> Any:
        try:
            return self._hide(name, _plain(value))
        except Exception:  # noqa: BLE001  a value's own __str__ may raise anything
            return f"<unprintable {type(value).__name__}>"

    def _hide(self, name: str, value: Any) -> Any:
        if value and isinstance(value, str | list | dict) and is_secret_name(name):
            return MASK
        if isinstance(value, str):
            text = self._redactor.value(value[:_READ])
            return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… (cut)"
        if isinstance(value, list):
            return [self._hide("", each) for each in value]
        if isinstance(value, dict):
            return {self._redactor.value(key): self._hide(key, one) for key, one in value.items()}
        return value


def _plain(value: object) -> Any:
    """Return a value as JSON can represent it; as text if it cannot."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return rfc3339(value, "auto")
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return str(value)


def escape(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    """Escape control characters and line breaks, and indent the traceback.

    So one event cannot look like two. structlog's console renderer does this only for some
    values, its JSON renderer for all.
    """
    traceback = event.pop("exception", None)
    shown = {
        _visible(key): _visible(value) if isinstance(value, str) else value
        for key, value in event.items()
    }
    if traceback:
        shown["exception"] = "\n".join(f"  | {_visible(line)}" for line in traceback.split("\n"))
    return shown


def console(*, colors: bool) -> Processor:
    """Return structlog's console renderer: time, level, event, fields, traceback."""
    return structlog.dev.ConsoleRenderer(
        0,  # no padding of the event
        colors=colors,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


_words = console(colors=False)


def journal(logger: WrappedLogger, level: str, event: EventDict) -> str:
    """Render ``<6>token.renewed homey=home``, each line of a traceback with the priority."""
    del event["timestamp"]  # the journal adds it
    prefix = f"<{_PRIORITIES.get(event.pop('level'), 3)}>"
    return "\n".join(prefix + line for line in str(_words(logger, level, event)).split("\n"))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
