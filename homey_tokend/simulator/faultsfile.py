"""Reads a faults file (YAML, of which JSON is a part) and tells everything wrong with it."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from homey_tokend.simulator.faults import KINDS, Fault
from homey_tokend.simulator.steps import STEPS

_COMMON = frozenset({"kind", "step", "homey", "method", "after", "times", "from", "until"})
_OWN: dict[str, tuple[str, ...]] = {
    "status": ("status", "error", "description"),
    "text": ("status", "body"),
    "html": ("status", "body"),
    "json": ("status", "body"),
    "too_many_requests": ("status",),
    "mesh_node_offline": ("status",),
    "error_redirect": ("status", "error", "description"),
    "redirect": ("status", "location"),
    "delay": ("seconds",),
    "hang": ("seconds",),
    "drip": ("seconds",),
    "cut": ("bytes",),
    "huge": ("bytes",),
    "gzip_bomb": ("bytes",),
    "long_header": ("bytes",),
}
_ANSWERING = frozenset(
    {"status", "text", "html", "json", "too_many_requests", "mesh_node_offline"}
    | {"missing_scopes", "csrf_mismatch", "error_redirect", "redirect"}
)
_CARRIED = _ANSWERING | {"reset", "hang", "huge", "gzip_bomb"}
_NEEDED = {"delay": "seconds", "drip": "seconds", "json": "body", "text": "body"}
_METHODS = ("GET", "POST", "PUT", "DELETE")
#: Names of keys that are no good names in Python.
_FIELDS = {"from": "start", "bytes": "size"}


class FaultsInvalid(ValueError):
    """A faults file that cannot be used.

    Args:
        complaints: Every one, each with its place.
    """

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = complaints


def load(path: Path) -> tuple[Fault, ...]:
    """Read a faults file; it blocks, so do it before the loop starts.

    Raises:
        OSError: Where it cannot be read.
        FaultsInvalid: Where it says what cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as trouble:
        raise FaultsInvalid([f"{path}: is not UTF-8; save it as UTF-8"]) from trouble
    return parse(text, str(path))


def parse(text: str, name: str = "faults") -> tuple[Fault, ...]:
    """Read the text of a faults file.

    Raises:
        FaultsInvalid: With all complaints at once, each ``name:line:column: …``.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.YAMLError as trouble:
        raise FaultsInvalid([_unreadable(trouble, name)]) from trouble
    if root is None:
        return ()
    if not isinstance(root, yaml.SequenceNode):
        raise FaultsInvalid([f"{_place(name, root)}: a list of faults belongs here"])
    complaints: list[str] = []
    for number, (node, keys) in enumerate(zip(root.value, value, strict=True), 1):
        complaints += [
            f"{_place(name, where)}: fault {number}: {what}" for where, what in _faulty(node, keys)
        ]
    if complaints:
        raise FaultsInvalid(complaints)
    return tuple(_made(keys) for keys in value)


def fault_of(keys: Mapping[str, Any]) -> Fault:
    """Make a fault of the keys of one entry.

    Raises:
        FaultsInvalid: Where they say what cannot be.
    """
    complaints = [what for _, what in _wrong(keys)]
    if complaints:
        raise FaultsInvalid(complaints)
    return _made(keys)


def _made(keys: Mapping[str, Any]) -> Fault:
    told = {_FIELDS.get(key, key): value for key, value in keys.items() if key != "step"}
    step = keys.get("step", "any")
    steps = [] if step == "any" else [step] if isinstance(step, str) else step
    return Fault(steps=tuple(steps), **told)


def _faulty(node: yaml.Node, keys: Any) -> Iterator[tuple[yaml.Node, str]]:
    if not isinstance(node, yaml.MappingNode) or not isinstance(keys, dict):
        yield node, "keys and values belong here"
        return
    places: dict[str, yaml.Node] = {}
    for key, _ in node.value:
        if key.value in places:
            yield key, f"key {key.value!r} is there twice"
        places[key.value] = key
    for wrong, what in _wrong(keys):
        yield places.get(str(wrong), node), what


def _wrong(keys: Mapping[Any, Any]) -> Iterator[tuple[object, str]]:
    """Give each wrong key with what is wrong about it; "" where the entry as a whole is."""
    kind = keys.get("kind")
    if kind in tuple(KINDS):
        known, none = _known(kind), f"kind {kind!r} has no"
    else:
        yield "kind", f"kind {kind!r} is not known{_meant(kind, KINDS)}"
        known, none = frozenset(_CHECKS), "no kind has a"
        keys = {key: value for key, value in keys.items() if key != "kind"}
    for key, value in keys.items():
        if key not in known:
            yield key, f"{none} key {key!r}{_meant(key, known)}"
        elif not _CHECKS[key][0](value):
            yield key, f"{key} is {value!r}, but must be {_CHECKS[key][1]}"
    if kind in tuple(_NEEDED) and _NEEDED[kind] not in keys:
        yield "", f"kind {kind!r} needs {_NEEDED[kind]!r}"


def _known(kind: str) -> frozenset[str]:
    """The keys that a kind has."""
    known = _COMMON | set(_OWN.get(kind, ()))
    known |= {"retry_after"} if kind in _ANSWERING else set()
    return known | ({"carried_out"} if kind in _CARRIED else set())


def _meant(word: object, known: Any) -> str:
    close = difflib.get_close_matches(str(word), [str(one) for one in known], n=1)
    return f": did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_step(value: object) -> bool:
    steps = value if isinstance(value, list | tuple) and value else [value]
    return value == "any" or all(step in STEPS for step in steps)


def _is_retry_after(value: object) -> bool:
    if not isinstance(value, str):
        return _is_number(value)
    word, plus, ahead = value.partition("+")
    return word != "date" or not plus or ahead.isdecimal()


_TEXT = (lambda value: isinstance(value, str), "text")
_COUNT = (_is_count, "a whole number, 0 or more")
_NUMBER = (_is_number, "a number of seconds, 0 or more")
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": _TEXT,
    "step": (_is_step, f"'any', a step, or a list of steps ({', '.join(STEPS)})"),
    "homey": (lambda value: isinstance(value, str) or _is_count(value), "a cloudid or a number"),
    "method": (lambda value: value in _METHODS, f"one of {', '.join(_METHODS)}"),
    "after": _COUNT,
    "times": _COUNT,
    "from": _NUMBER,
    "until": _NUMBER,
    "carried_out": (lambda value: isinstance(value, bool), "true or false"),
    "status": (lambda value: _is_count(value) and 200 <= value <= 599, "from 200 to 599"),
    "error": _TEXT,
    "description": _TEXT,
    "body": (lambda _: True, "anything"),
    "retry_after": (_is_retry_after, "seconds, a text that is sent as it is, or date+SECONDS"),
    "seconds": _NUMBER,
    "bytes": _COUNT,
    "location": _TEXT,
}


def _unreadable(trouble: yaml.YAMLError, name: str) -> str:
    mark = getattr(trouble, "problem_mark", None)
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return f"{place}: not readable as YAML: {getattr(trouble, 'problem', None) or trouble}"


def _place(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
