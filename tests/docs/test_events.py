"""The list of log events and the source agree, both ways."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "homey_tokend"
LIST = ROOT / "docs" / "events.md"

#: The simulator, which has its own log.
_APART = PACKAGE / "simulator"

_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
_LEVELS = {"exception": "error"}
_EVENT = re.compile(r"[a-z0-9_]+\.[a-z0-9_.]+")


def events_of(source: str) -> Iterator[tuple[str, str]]:
    """Yield event and level of each call like ``log.info("token.renewed", …)`` or ``warn("…")``.

    And of each pair ``Level.INFO, "token.renewed"`` of an event that is logged later.

    The level is "" if it is unknown: an event that a dictionary holds, or a variable
    named ``event``. A conditional expression has two events, or two levels.
    """
    for node in ast.walk(ast.parse(source)):
        for value, levels in _values_of(node):
            for event in _constants(value):
                if _EVENT.fullmatch(event):
                    yield from ((event, level) for level in sorted(levels))


def _values_of(node: ast.AST) -> Iterator[tuple[ast.expr, set[str]]]:
    if isinstance(node, ast.Call) and node.args:
        yield node.args[0], _levels_of(node.func)
    elif isinstance(node, ast.Assign):
        if [getattr(target, "id", "") for target in node.targets] == ["event"]:
            yield node.value, {""}
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "event":
                yield value, {""}
    yield from _pairs_of(node)


def _pairs_of(node: ast.AST) -> Iterator[tuple[ast.expr, set[str]]]:
    """Each value after one like ``Level.INFO``, in a call or a tuple."""
    if isinstance(node, ast.Call | ast.Tuple):
        parts = node.args if isinstance(node, ast.Call) else node.elts
        for level, value in pairwise(parts):
            yield value, _named_levels(level)


def _levels_of(function: ast.expr) -> set[str]:
    """Return the levels that a call may log with; none if it is no log method."""
    if isinstance(function, ast.IfExp):
        return _levels_of(function.body) | _levels_of(function.orelse)
    if _name_of(function) in {"warn", "_warn"}:
        return {"warning"}
    if not isinstance(function, ast.Attribute) or function.attr not in _METHODS:
        return set()
    owner = function.value
    if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute):
        owner = owner.func.value  # log.bind(…).info("…")
    known = _name_of(owner) in {"log", "_log"}
    return {_LEVELS.get(function.attr, function.attr)} if known else set()


def _named_levels(node: ast.expr) -> set[str]:
    """The levels of ``Level.INFO``, or of a choice between two."""
    if isinstance(node, ast.IfExp):
        return _named_levels(node.body) | _named_levels(node.orelse)
    known = isinstance(node, ast.Attribute) and _name_of(node.value) == "Level"
    return {node.attr.lower()} if known and isinstance(node, ast.Attribute) else set()


def _name_of(node: ast.expr) -> str:
    """Return ``log`` for ``log`` and for ``self.log``."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def in_source() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.is_relative_to(_APART):
            for event, level in events_of(path.read_text()):
                found[event].add(level)
    return found


def in_list() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_.]+)` \| ([^|]+) \|", LIST.read_text(), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "an event is listed twice"
    return {event: levels.strip() for event, levels in rows}


def test_every_event_is_listed() -> None:
    """Every logged event is in docs/events.md."""
    assert set() == set(in_source()) - set(in_list())


def test_every_listed_event_exists() -> None:
    """Every listed event is logged."""
    assert set() == set(in_list()) - set(in_source())


def test_the_listed_levels_are_those_of_the_source() -> None:
    """The level of each event is the one it is logged with."""
    listed = in_list()
    wrong = {
        event: levels
        for event, levels in in_source().items()
        if event in listed and not levels - {""} <= set(listed[event].split(", "))
    }

    assert wrong == {}


def test_the_list_is_in_order() -> None:
    """The list is sorted and has no duplicates."""
    events = list(in_list())

    assert sorted(events) == events


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('log.info("token.renewed", a=1)', [("token.renewed", "info")]),
        ('self._log.exception("a.b")', [("a.b", "error")]),
        ('_log.bind(a=1).debug("a.b")', [("a.b", "debug")]),
        ('log.info("a.b" if x else "a.c")', [("a.b", "info"), ("a.c", "info")]),
        ('log.log(level, "a.b")', []),
        ('warn("a.b", x=1)', [("a.b", "warning")]),
        ('self._warn("a.b")', [("a.b", "warning")]),
        ('f("warning", {"event": "a.b"})', [("a.b", "")]),
        ('math.log("a.b")', []),
        ('other.info("a.b")', []),
        ("log.info(name)", []),
        ('(log.error if x else log.info)("a.b")', [("a.b", "error"), ("a.b", "info")]),
        ('event = "a.b" if x else "a.c"', [("a.b", ""), ("a.c", "")]),
        ('name = "a.b"', []),
        ('{"event": "no dot"}', []),
        ('warn("Prose without a name")', []),
    ],
)
def test_the_scanner_knows_the_ways_to_log(source: str, expected: list[tuple[str, str]]) -> None:
    """Each form of logging in this package is recognised, and nothing else."""
    assert expected == list(events_of(source))
