"""The types of the keys: how a scalar is written, and the value it becomes.

Numbers, durations, flags and modes are parsed here: pydantic would accept ``1_000``, ``5.0``,
``y`` and ``inf``. All errors have pydantic's types, for which ``faults`` has the messages; a rule
that involves several keys raises :func:`invalid_value`.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from homey_tokend.config.tree import Null
from homey_tokend.core.timefmt import parse_number, parse_seconds

#: The error type of :func:`invalid_value`.
FAULT = "fault"
#: Longer values are not repeated in a message.
_MAX_SHOWN = 40
_SHOWABLE = re.compile(r"[\w .,:/+@%=\-]*", re.ASCII)
#: The most bytes of a path (PATH_MAX) and of a socket's (``sun_path`` has 108, the last one zero).
_MAX_PATH = 4096
_MAX_SOCKET_PATH = 107

#: By pattern: what describes a text that does not match, and the remedy.
PATTERNS: dict[str, tuple[Callable[[str], str], str]] = {}


def invalid_value(message: str, remedy: str) -> PydanticCustomError:
    """Return an error with a message of our own, for a validator to raise.

    Args:
        message: What is wrong, without a full stop.
        remedy: A sentence on what to do.
    """
    return PydanticCustomError(FAULT, "{message}", {"message": message, "remedy": remedy})


def quoted(text: str) -> str:
    """Return a text in quotes if it is short and printable, else "this value"."""
    if not text:
        return "an empty value"
    if len(text) <= _MAX_SHOWN and _SHOWABLE.fullmatch(text):
        return f'"{text}"'
    return "this value"


def kind(value: object) -> str:
    """Describe a value of the wrong shape without its content."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a single value"


def text(pattern: str, what: str | Callable[[str], str], remedy: str) -> Any:
    """Return a field of text in the form ``pattern``, for the JSON Schema as well.

    Args:
        pattern: A regular expression with ``^`` and ``$``.
        what: What it must be, after "is not"; or a function that describes an invalid value.
        remedy: What to do.
    """

    def complain(value: str) -> str:
        return what(value) if callable(what) else f"{quoted(value)} is not {what}"

    PATTERNS[pattern] = complain, remedy
    return Field(pattern=pattern)


def scalar(parse: Callable[[str], object], *, written: Any = ...) -> BeforeValidator:
    """Return a validator that parses the text of a scalar and accepts values made by code.

    Args:
        parse: Returns the value, or raises an error of pydantic.
        written: Its type in the JSON Schema, if that differs.
    """

    def read(value: object) -> object:
        if isinstance(value, dict | list):
            raise PydanticKnownError("string_type")
        return parse(str(value)) if isinstance(value, str) else value

    return BeforeValidator(read) if written is ... else BeforeValidator(read, written)


#: For keys that take an unquoted null as None.
NULLABLE = BeforeValidator(lambda value: None if isinstance(value, Null) else value)


class _NullAs:
    """Accept null for a section or list whose keys or items are all commented out."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def _read(self, value: object) -> object:
        return self._make() if isinstance(value, Null) else value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": "null"}]}


SECTION, LIST = _NullAs(dict), _NullAs(list)


def _duration(value: str) -> timedelta:
    try:
        return timedelta(seconds=parse_seconds(value, any_number=True))
    except ValueError:
        raise PydanticKnownError("time_delta_parsing", {"error": ""}) from None


def _duration_or_off(value: str) -> timedelta | None:
    return _duration(value) or None


def _number(value: str) -> float:
    found = parse_number(value)
    if found is None:
        raise PydanticKnownError("float_parsing")
    return found


_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _flag(value: str) -> bool:
    found = _FLAGS.get(value.lower())
    if found is None:
        raise PydanticKnownError("bool_parsing")
    return found


def _mode(value: str) -> int:
    match = re.fullmatch(r"0?o?([0-7]{3})", value)
    if match is None:
        raise PydanticKnownError("int_parsing")
    return int(match[1], 8)


DURATION = scalar(_duration)
NUMBER = scalar(_number)

Flag = Annotated[
    bool,
    scalar(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": sorted(_FLAGS)}]}),
]
Mode = Annotated[
    int,
    scalar(_mode),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 777},
                {"type": "string", "pattern": "^0?o?[0-7]{3}$"},
            ]
        }
    ),
]


#: A second to a year: a longer duration would mean "never" and is most likely a mistake.
LONG = Field(ge=timedelta(seconds=1), le=timedelta(days=365))
Timeout = Annotated[
    timedelta, Field(ge=timedelta(milliseconds=100), le=timedelta(minutes=10)), DURATION
]
DurationOrOff = Annotated[
    timedelta | None,
    LONG,
    scalar(_duration_or_off, written=Annotated[timedelta, LONG] | Literal[0]),
]

#: Not a directory, and without control characters, because paths are logged.
PATH = r"^/(?:[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f])$"
_PathText = Annotated[
    str,
    text(
        PATH,
        "the absolute path of a file",
        "Write the whole path from / on; ~ and variables are not expanded.",
    ),
]


def is_absolute(value: str) -> bool:
    """Return whether a text can be the absolute path of a file."""
    try:
        return bool(re.fullmatch(PATH, value)) and len(value.encode()) <= _MAX_PATH
    except UnicodeEncodeError:  # surrogates stand for bytes of the environment that are not UTF-8
        return False


def _path(value: str) -> Path:
    if not is_absolute(value):
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": PATH})
    return Path(value)


def _socket_path(value: str) -> Path:
    found = _path(value)
    if len(value.encode()) > _MAX_SOCKET_PATH:
        raise invalid_value(
            f"is longer than the {_MAX_SOCKET_PATH} bytes that a unix socket's path can have",
            "Choose a shorter path.",
        )
    return found


FilePath = Annotated[Path, scalar(_path, written=_PathText)]
SocketPath = Annotated[Path, scalar(_socket_path, written=_PathText)]

_PORT = r"(?:[0-5]?[0-9]{1,4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"(?:[A-Za-z0-9]|\{cloudid\})(?:[A-Za-z0-9._-]|\{cloudid\})*|\[[0-9A-Fa-f:.]+\]"
_LOOPBACK = r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]"
_URL_PATH = r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@%/-]|\{cloudid\})*)?"
#: https everywhere, plain http on this machine only.
_URL_CLOUDID = f"^(?:https://(?:{_HOST})|http://(?:{_LOOPBACK}))(?::{_PORT})?{_URL_PATH}$"
_URL = _URL_CLOUDID.replace(r"|\{cloudid\}", "")
_LISTEN = rf"^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):{_PORT}$"


def _url_complaint(value: str) -> str:
    """Describe an invalid URL without repeating it, because it may contain a password."""
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "contains a user name or password"
    if "?" in value or "#" in value:
        return "contains a query or a fragment"
    if "{" in value or "}" in value:
        return "contains braces without a meaning here"
    if value.startswith("http://"):
        return "is plain http, which is only accepted for this machine (loopback)"
    return "is not a URL of the form https://host"


def _url(pattern: str) -> Any:
    remedy = "Write https://host, with a port and a path where needed, and nothing after it."
    return text(pattern, _url_complaint, remedy)


_BARE = AfterValidator(lambda value: value.rstrip("/"))
_SHORT = Field(max_length=2048)

Url = Annotated[str, _url(_URL), _SHORT, _BARE]
CloudidUrl = Annotated[str, _url(_URL_CLOUDID), _SHORT, _BARE]
UrlOrAuto = Annotated[
    Url | None,
    BeforeValidator(lambda value: None if value == "auto" else value, Literal["auto"] | Url),
]


def _listen(value: str) -> tuple[str, int]:
    if re.fullmatch(_LISTEN, value) is None:
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": _LISTEN})
    host, _, port = value.rpartition(":")
    return host.strip("[]"), int(port)


Listen = Annotated[
    tuple[str, int],
    scalar(
        _listen,
        written=Annotated[
            str,
            text(_LISTEN, "host:port", "Write an address and a port, such as 127.0.0.1:9464."),
        ],
    ),
]

Account = Annotated[str, text(r"^[^\s:/,]{1,64}$", "a user or group", "Write a name or a number.")]


HostName = Annotated[
    str,
    text(
        r"^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$",
        "a host name",
        "Write the name alone, such as metrics.example: no port, no address, no *.",
    ),
    Field(max_length=253),
]


def _program(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words[0] or ("/" in words[0] and not words[0].startswith("/")):
        if len(words[0].split()) > 1:
            raise invalid_value(
                "is a whole command line in one item",
                "Write each word as an item of the list: [PROGRAM, ARGUMENT…].",
            )
        raise invalid_value(
            "does not start with a program",
            "Write the program's absolute path first, or its bare name to find it on PATH.",
        )
    return words


Argv = Annotated[
    tuple[str, ...],
    Field(
        min_length=1,
        json_schema_extra={
            "prefixItems": [{"type": ["string", "number", "boolean"], "pattern": "^(?:/|[^/]+$)"}]
        },
    ),
    AfterValidator(_program),
]


class Section(BaseModel):
    """A mapping of the configuration file: frozen, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # An error must never carry what was written.
        hide_input_in_errors=True,
    )
