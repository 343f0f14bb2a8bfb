"""Read a fault file (YAML, of which JSON is a part) and report every error in it."""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from homey_tokend.simulator.faults import MODIFYING, REPLACING, STEPS, Fault

#: Every kind of fault, with its own keys.
KINDS = MODIFYING | REPLACING

_COMMON = ("kind", "step", "homey", "method", "after", "times", "from", "until")
_REQUIRED = {"delay": "seconds", "drip": "seconds", "json": "body", "text": "body"}
_METHODS = ("GET", "POST", "PUT", "DELETE")
#: Fields of ``Fault`` whose key would be a poor name in Python.
_FIELDS = {"from": "start", "bytes": "size"}


class FaultsInvalid(ValueError):
    """A fault file that cannot be used.

    Args:
        errors: Every error, each with its place.
    """

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def load(path: Path) -> tuple[Fault, ...]:
    """Read a fault file; this blocks.

    Raises:
        OSError: It cannot be read.
        FaultsInvalid: Its content is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FaultsInvalid([f"{path}: is not UTF-8; save it as UTF-8"]) from error
    return parse(text, str(path))


def parse(text: str, name: str = "faults") -> tuple[Fault, ...]:
    """Parse the text of a fault file.

    Raises:
        FaultsInvalid: With all errors at once, each ``name:line:column: …``.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FaultsInvalid([_unreadable(error, name)]) from error
    if root is None:
        return ()
    if not isinstance(root, yaml.SequenceNode):
        raise FaultsInvalid([f"{_place(name, root)}: a list of faults belongs here"])
    errors = [
        f"{_place(name, where)}: fault {number}: {what}"
        for number, (node, keys) in enumerate(zip(root.value, value, strict=True), 1)
        for where, what in _entry_errors(node, keys)
    ]
    if errors:
        raise FaultsInvalid(errors)
    return tuple(_fault(keys) for keys in value)


def fault_from(keys: Mapping[str, Any]) -> Fault:
    """Return the fault that the keys of one entry describe.

    Raises:
        FaultsInvalid: The keys are invalid.
    """
    errors = [what for _, what in _key_errors(keys)]
    if errors:
        raise FaultsInvalid(errors)
    return _fault(keys)


def _fault(keys: Mapping[str, Any]) -> Fault:
    fields = {_FIELDS.get(key, key): value for key, value in keys.items() if key != "step"}
    step = keys.get("step", "any")
    steps = [] if step == "any" else [step] if isinstance(step, str) else step
    return Fault(steps=tuple(steps), **fields)


def _entry_errors(node: yaml.Node, keys: Any) -> Iterator[tuple[yaml.Node, str]]:
    if not isinstance(node, yaml.MappingNode) or not isinstance(keys, dict):
        yield node, "keys and values belong here"
        return
    places: dict[str, yaml.Node] = {}
    for key, _ in node.value:
        if key.value in places:
            yield key, f"key {key.value!r} is there twice"
        places[key.value] = key
    for key_name, what in _key_errors(keys):
        yield places.get(str(key_name), node), what


def _key_errors(keys: Mapping[Any, Any]) -> Iterator[tuple[object, str]]:
    """Yield each invalid key with what is wrong; "" in place of the key: the whole entry."""
    kind = keys.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        known, nothing = {*_COMMON, *KINDS[kind]}, f"kind {kind!r} has no"
    else:
        yield "kind", f"kind {kind!r} is not known{_suggestion(kind, KINDS)}"
        known, nothing = set(_CHECKS), "no kind has a"
        keys = {key: value for key, value in keys.items() if key != "kind"}
    for key, value in keys.items():
        if key not in known:
            yield key, f"{nothing} key {key!r}{_suggestion(key, known)}"
        elif not _CHECKS[key][0](value):
            yield key, f"{key} is {value!r}, but must be {_CHECKS[key][1]}"
    required = _REQUIRED.get(kind) if isinstance(kind, str) else None
    if required and required not in keys:
        yield "", f"kind {kind!r} needs {required!r}"


def _suggestion(word: object, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(word), known, n=1)
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


def _unreadable(error: Exception, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
    return f"{place}: not readable as YAML: {getattr(error, 'problem', None) or error}"


def _place(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
