"""What pydantic found, as Faults: at the place in the text, in our own words."""

import difflib
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from homey_tokend.config.document import SECTIONS
from homey_tokend.config.nodes import Node, place
from homey_tokend.config.paths import KeyPath, dotted, showable
from homey_tokend.config.sections import Section
from homey_tokend.config.words import FAULT
from homey_tokend.core.errors import ConfigFault

#: Beyond these many a file is not a configuration file, and nobody reads on.
MOST = 100

_SINKS = ("logic_variable", "file", "exec")


def validation_faults(error: ValidationError, root: Node, source: str) -> list[ConfigFault]:
    """The faults of a failed validation, at most ``MOST`` and one more, and no secret in them.

    Args:
        error: What pydantic raised.
        root: The text's tree, for the places.
        source: The file's name.
    """
    details = error.errors(include_url=False, include_input=False)
    return [_fault(detail, root, source) for detail in details[: MOST + 1]]


def fault_at(path: KeyPath, root: Node, source: str, message: str, remedy: str) -> ConfigFault:
    """A fault of the value at ``path``."""
    mark = place(root, path).value
    return ConfigFault(source, mark.line, mark.column, dotted(path), message, remedy)


def _fault(detail: ErrorDetails, root: Node, source: str) -> ConfigFault:
    loc = detail["loc"]
    on_key = detail["type"] == "extra_forbidden" or loc[-1:] == ("[key]",)
    path = _path(loc)
    spot = place(root, path)
    mark = spot.key if on_key or detail["type"] == "missing" else spot.value
    message, remedy = _WORDS.get(detail["type"], _strange)(detail)
    return ConfigFault(source, mark.line, mark.column, dotted(path), message, remedy)


def _path(loc: KeyPath) -> KeyPath:
    """``loc`` without what pydantic puts in: the sink's type and the mark of a key."""
    bare = loc[:-1] if loc[-1:] == ("[key]",) else loc
    if len(bare) > 4 and bare[2] == "sinks" and bare[4] in _SINKS:
        return (*bare[:4], *bare[5:])
    return bare


Words = tuple[str, str]


def _ours(detail: ErrorDetails) -> Words:
    return detail["ctx"]["message"], detail["ctx"]["remedy"]


def _missing(detail: ErrorDetails) -> Words:
    key = str(detail["loc"][-1])
    return "is missing", f"Add {key}; docs/configuration.md tells what it is."


def _unknown(detail: ErrorDetails) -> Words:
    key, known = str(detail["loc"][-1]), _known(detail["loc"][:-1])
    if not showable(key):
        return "is not a key", "Write key, colon, blank, value; quote text that holds a brace."
    near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
    if near:
        return "is not a known key", f"Did you mean {near[0]}?"
    return "is not a known key", f"Known here: {', '.join(known)}."


def _known(loc: KeyPath) -> Sequence[str]:
    """The keys that are known at ``loc``."""
    models = (
        model
        for shape, model in SECTIONS.items()
        if len(shape) == len(loc) and all(s in {"*", p} for s, p in zip(shape, loc, strict=True))
    )
    return tuple(next(models, Section).model_fields)


def _sink_type(_: ErrorDetails) -> Words:
    return (
        "a sink needs a type, one of logic_variable, file, exec",
        "Write type: logic_variable, type: file or type: exec.",
    )


def _no_homey(_: ErrorDetails) -> Words:
    return (
        "names no Homey",
        "Write a name below it, such as home, and that Homey's keys below that.",
    )


def _strange(_: ErrorDetails) -> Words:
    """For what pydantic may yet invent: its own words must not reach a user."""
    return "is not what belongs here", "Compare it with docs/configuration.md."


_WORDS: dict[str, Callable[[ErrorDetails], Words]] = {
    FAULT: _ours,
    "missing": _missing,
    "extra_forbidden": _unknown,
    "union_tag_not_found": _sink_type,
    "union_tag_invalid": _sink_type,
    "too_short": _no_homey,
}
