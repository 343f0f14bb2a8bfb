"""The list of log events has the fields that the source logs."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "homey_tokend"
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| [^|]+ \| ([^|]*) \|", re.MULTILINE)
_LEVELS = {"debug", "info", "warning", "error", "exception"}
#: structlog's own arguments, of which ``exc_info`` becomes the field ``exception`` of any event.
_NOT_FIELDS = {"exc_info"}


@cache
def listed() -> dict[str, set[str]]:
    """Return the fields of each event in the list."""
    return {event: set(re.findall(r"`(\w+)`", fields)) for event, fields in _ROW.findall(PAGE)}


@cache
def logged() -> dict[str, set[str]]:
    """Return the fields of each event that a call names in full: ``log.info("a.b", x=1)``."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        if "simulator" not in path.parts:  # it has a log of its own
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    for event in _events(node):
                        found[event] |= {one.arg for one in node.keywords if one.arg}
    return {event: fields - _NOT_FIELDS for event, fields in found.items()}


def _events(call: ast.Call) -> set[str]:
    """Return the events of a call of a log method whose fields are all keywords."""
    function = call.func
    methods = [function.body, function.orelse] if isinstance(function, ast.IfExp) else [function]
    named = [one for one in methods if isinstance(one, ast.Attribute)]
    names = {one.attr for one in named}
    owners = {ast.unparse(one.value).rpartition(".")[2].lstrip("_") for one in named}
    if not (names and names <= _LEVELS and owners == {"log"}) or len(call.args) != 1:
        return set()
    if any(one.arg is None for one in call.keywords):
        return set()
    texts = [one.value for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and text in listed()}


@pytest.mark.parametrize("event", sorted(logged()))
def test_each_event_has_its_fields(event: str) -> None:
    """The fields in the list are those of the calls."""
    assert logged()[event] == listed()[event]


def test_most_events_are_checked() -> None:
    """The scanner recognises the calls; the others are made from values of ``core.events``."""
    assert len(logged()) > len(listed()) / 2
