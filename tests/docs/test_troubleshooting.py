"""docs/troubleshooting.md lists all kinds of errors."""

import re
from collections.abc import Iterator
from pathlib import Path

from homey_tokend.core.errors import TokendError, needs_action

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def kinds(error: type[TokendError]) -> Iterator[str]:
    """Yield the kinds of an error and of all errors below it."""
    yield error.kind
    for each in error.__subclasses__():
        yield from kinds(each)


def listed() -> dict[str, bool]:
    """Return the kinds in the table, and whether a person has to act."""
    table = PAGE.partition("\n## Kinds of errors\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| (P?) ?\| [A-Z].*\. \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n| `")
    return {kind: mark == "P" for kind, mark in rows}


def test_each_kind_has_a_row() -> None:
    """The table has every kind of the code and no other, each with who has to act."""
    assert {kind: needs_action(kind) for kind in kinds(TokendError)} == listed()
