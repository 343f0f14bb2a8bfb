"""A Homey's lists as tables, for people before a terminal."""

from collections.abc import Mapping, Sequence

#: What tells most about a thing, first. Other plain members follow while there is room.
_FIRST = ("id", "name", "type", "class", "value")
_COLUMNS = 6
_WIDEST = 40

_Row = Mapping[str, object]


def table(value: object) -> str | None:
    """A list of things, or things by their id, as a table.

    Args:
        value: A JSON value.

    Returns:
        Lines with a heading, or None where the value is no list of things with a plain member.
    """
    rows = _rows(value)
    if not rows:
        return None
    names = _columns(rows)
    if not names:
        return None  # nothing of these things fits into a cell
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _rows(value: object) -> Sequence[_Row]:
    things = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(things, list) or not all(isinstance(one, dict) for one in things):
        return []
    if isinstance(value, dict) and not all(_names_itself(key, one) for key, one in value.items()):
        return []
    return things


def _names_itself(key: str, one: _Row) -> bool:
    """Whether this is a thing under its id, not a member that happens to be an object."""
    return one.get("id", key) == key and ("id" in one or "name" in one)


def _columns(rows: Sequence[_Row]) -> list[str]:
    """The members that are plain in every thing that has them."""
    plain = dict.fromkeys(
        name for row in rows for name, value in row.items() if not isinstance(value, dict | list)
    )
    odd = {name for row in rows for name, value in row.items() if isinstance(value, dict | list)}
    names = [name for name in plain if name not in odd]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return names[:_COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "\u2026"
