"""Convert pydantic's errors to configuration errors, with a place and a message of our own."""

import difflib
import re
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from homey_tokend.config.field_types import FAULT, PATTERNS, Section, kind, quoted
from homey_tokend.config.model import SECTIONS
from homey_tokend.config.tree import KeyPath, Null, Tree, showable
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.timefmt import format_duration

#: The most faults that are reported: a file with more is hardly a configuration file.
MAX_FAULTS = 100

_SINKS = ("logic_variable", "file", "exec")
_NAMES = "Write a name below it, such as home, and that Homey's keys below that."
#: Remedies for a value that must be a mapping or a list, by key.
_MAPPINGS = {
    "homeys": _NAMES,
    "state": "Write {path: null} to keep nothing, or leave the section out.",
}
_LISTS = {
    "command": "Write the program and its arguments as a list: [/opt/bin/on-token].",
    "on": "Write a list: [token, error, recovered].",
}
_Words = tuple[str, str]


class _Error(NamedTuple):
    """An error of pydantic, and the value at its place."""

    detail: ErrorDetails
    written: Any

    @property
    def key(self) -> str:
        return str(self.detail["loc"][-1])

    @property
    def context(self) -> dict[str, Any]:
        return self.detail.get("ctx", {})


def validation_faults(error: ValidationError, tree: Tree) -> list[ConfigFault]:
    """Return the errors of a failed validation without secrets, at most ``MAX_FAULTS`` + 1."""
    details = error.errors(include_url=False, include_input=False)
    return list(islice(filter(None, (_fault(detail, tree) for detail in details)), MAX_FAULTS + 1))


def _fault(detail: ErrorDetails, tree: Tree) -> ConfigFault | None:
    loc, type_ = detail["loc"], detail["type"]
    in_key = loc[-1:] == ("[key]",) and type_.startswith("string_")
    path = _path(loc[:-1] if in_key else loc)
    error = _Error(detail, str(path[-1]) if in_key else tree.value(path))
    if type_ == "too_short" and error.written:
        return None  # its items are invalid, which is reported for each
    words = _WORDS.get(type_, _UNFORESEEN)
    message, remedy = words(error) if callable(words) else _filled(words, error)
    on_key = in_key or type_ in {"extra_forbidden", "missing"}
    return tree.fault(path, message, remedy, key=on_key)


def _path(loc: KeyPath) -> KeyPath:
    """Return ``loc`` without the sink's type, which pydantic adds."""
    if len(loc) > 4 and loc[2] == "sinks" and loc[4] in _SINKS:
        return (*loc[:4], *loc[5:])
    return loc


def _filled(words: _Words, error: _Error) -> _Words:
    text = quoted(error.written) if isinstance(error.written, str) else ""
    message, remedy = words
    filled = message.format(value=text, kind=kind(error.written), **error.context)
    return filled, remedy.format(key=error.key)


def _model(loc: KeyPath) -> type[Section]:
    return next(
        model
        for shape, model in SECTIONS.items()
        if len(shape) == len(loc) and all(map(lambda s, p: s in {"*", p}, shape, loc))
    )


def _ours(error: _Error) -> _Words:
    return error.context["message"], error.context["remedy"]


def _unknown(error: _Error) -> _Words:
    known = tuple(_model(error.detail["loc"][:-1]).model_fields)
    if not showable(error.key):
        return "is not a key", "Write key, colon, blank, value; quote text that contains a brace."
    near = difflib.get_close_matches(error.key.lower().replace("-", "_"), known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
    return "is not a known key", remedy


def _no_mapping(error: _Error) -> _Words:
    remedy = _MAPPINGS.get(error.key, "Write keys and values below it, indented by two blanks.")
    if isinstance(error.written, Null):
        return "is empty", remedy
    return f"is {kind(error.written)} where a mapping belongs", remedy


def _no_list(error: _Error) -> _Words:
    remedy = _LISTS.get(error.key, "Write each item after a dash: - item.")
    return f"is {kind(error.written)} where a list belongs", remedy


def _too_few(error: _Error) -> _Words:
    if error.key == "homeys":
        return "names no Homey", _NAMES
    return "is an empty list", _LISTS[error.key]


def _no_choice(error: _Error) -> _Words:
    if isinstance(error.written, dict | list):
        return _filled(_NO_SCALAR, error)
    options = re.findall("'([^']*)'", error.context["expected"])
    return f"{quoted(error.written)} is none of {', '.join(options)}", f"Write {options[0]}."


def _no_pattern(error: _Error) -> _Words:
    complain, remedy = PATTERNS[error.context["pattern"]]
    return complain(error.written) if error.written else "is empty", remedy


def _out_of_range(error: _Error) -> _Words:
    *above, key = error.detail["loc"]
    field = _model(tuple(above)).model_fields[str(key)]
    bounds = {
        name: getattr(each, name)
        for each in field.metadata
        for name in ("gt", "ge", "le")
        if hasattr(each, name)
    }
    if isinstance(bounds["le"], timedelta):
        span = f"from {format_duration(bounds['ge'])} to {format_duration(bounds['le'])}"
        off = " or 0 to turn it off" if type(None) in get_args(field.annotation) else ""
        return (
            f"{quoted(error.written)} is not a duration {span}",
            f"Write seconds, or a number with ms, s, m, h or d, {span}{off}.",
        )
    span = f"{'above 0 and at most' if 'gt' in bounds else 'from 0 to'} {bounds['le']}"
    return (
        f"must be a number {span}, not {quoted(error.written)}",
        "Write a share of the token's life such as 0.5.",
    )


_NO_SCALAR = ("is {kind} where a single value belongs", "Write one value.")
_NO_SINK = (
    f"a sink needs a type, one of {', '.join(_SINKS)}",
    "Write type: logic_variable, type: file or type: exec.",
)
#: For types of error that pydantic may add: its own messages must not reach a user.
_UNFORESEEN = ("is not what belongs here", "Compare it with docs/configuration.md.")
#: Message and remedy by pydantic's type of error.
_WORDS: dict[str, _Words | Callable[[_Error], _Words]] = {
    FAULT: _ours,
    "missing": ("is missing", "Add {key}; docs/configuration.md explains it."),
    "extra_forbidden": _unknown,
    "union_tag_not_found": _NO_SINK,
    "union_tag_invalid": _NO_SINK,
    "model_type": _no_mapping,
    "model_attributes_type": _no_mapping,
    "dict_type": _no_mapping,
    "tuple_type": _no_list,
    "too_short": _too_few,
    "string_type": _NO_SCALAR,
    "string_pattern_mismatch": _no_pattern,
    "string_too_long": ("is longer than {max_length} characters", "Write a shorter one."),
    "string_unicode": ("is not UTF-8", "Write it as UTF-8."),
    "literal_error": _no_choice,
    "time_delta_parsing": _out_of_range,
    "float_parsing": _out_of_range,
    "greater_than": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "bool_parsing": ("{value} is neither true nor false", "Write true or false."),
    "int_parsing": (
        "{value} is not an octal file mode",
        'Write three octal digits after a zero, such as "0640".',
    ),
}
