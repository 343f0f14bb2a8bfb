"""Events as lines: JSON, the journal's, and a terminal's. One event cannot look like two."""

import json
import traceback
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any

Event = Mapping[str, Any]
Render = Callable[[Event], str]

#: Where the traceback of an event is kept, rendered already.
TRACEBACK = "exception"

#: sd-daemon(3): the priority that the journal takes off the start of a line.
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}

_COLOURS = {"critical": 31, "error": 31, "warning": 33, "info": 32, "debug": 2}

#: How many characters of one field are shown? More is no reason but a dump.
_LONGEST = 8192

_FIRST = ("timestamp", "level", "event")


def render_json(event: Event) -> str:
    """One JSON object, ASCII only: no control character of any alphabet gets through."""
    ordered = {key: event[key] for key in _FIRST if key in event} | dict(event)
    return json.dumps({key: _cut(to_plain(value)) for key, value in ordered.items()})


def render_journal(event: Event) -> str:
    """``<6>token.renewed homey=home``; a traceback follows, each line with the priority."""
    prefix = f"<{_PRIORITIES.get(str(event.get('level')), 6)}>"
    lines = [_words(event), *_traceback_lines(event)]
    return "\n".join(prefix + line for line in lines)


def render_console(event: Event, *, colours: bool = False) -> str:
    """Time, level, event, fields; a traceback follows, indented."""
    level = str(event.get("level", ""))
    shown = f"{level:8}"
    if colours and level in _COLOURS:
        shown = f"\x1b[{_COLOURS[level]}m{shown}\x1b[0m"
    head = f"{event.get('timestamp', '')} {shown} {_words(event)}"
    return "\n".join([head, *_traceback_lines(event)])


def to_plain(value: object) -> Any:
    """A value that JSON knows, or its text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(each) for each in value]
    return str(value)


def format_traceback(exc_info: object, current: Callable[[], Any]) -> str:
    """The traceback of ``exc_info`` (True, an exception or a triple), without any locals."""
    if isinstance(exc_info, BaseException):
        triple: Any = (type(exc_info), exc_info, exc_info.__traceback__)
    elif isinstance(exc_info, tuple):
        triple = exc_info
    else:
        triple = current()
    kind, error, at = triple
    if error is None:
        return ""
    return _format(kind, error, at)


def _format(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> str:
    return "".join(traceback.TracebackException(kind, error, at).format()).rstrip("\n")


def _words(event: Event) -> str:
    """The event's name, and its fields as ``key=value``, on one line."""
    fields = (
        f"{key}={_word(value)}" for key, value in event.items() if key not in {*_FIRST, TRACEBACK}
    )
    return " ".join([_visible(str(event.get("event", ""))), *fields])


def _word(value: object) -> str:
    """A value that ends where it seems to end: quoted if it holds a blank, quote or =."""
    value = _cut(to_plain(value))
    if not isinstance(value, str):
        return json.dumps(value)
    if value and value.isprintable() and not set(value) & set(" =\"'\\"):
        return value
    return _visible(json.dumps(value, ensure_ascii=False))


def _traceback_lines(event: Event) -> list[str]:
    text = str(event.get(TRACEBACK) or "")
    # Indented, so that no line of it, whoever wrote it, passes for an event.
    return ["  | " + _visible(line) for line in text.split("\n")] if text else []


def _visible(text: str) -> str:
    """The text with everything that would move a cursor or start a line escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… (cut)"
    return value
