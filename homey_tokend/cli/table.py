"""Format a list of JSON objects as a table for a terminal."""

from collections.abc import Mapping, Sequence

#: The most useful members come first; others follow while there is room.
_FIRST = ("id", "name", "type", "class", "value")
_MAX_COLUMNS = 6
_MAX_WIDTH = 40

_Row = Mapping[str, object]


def table(value: object) -> str | None:
    """Format a list of objects, or objects by their id, as a table.

    Args:
        value: A JSON value.

    Returns:
        Lines with a heading, or None if the value is no list of objects with a scalar member.
    """
    rows = _rows(value)
    names = _columns(rows)
    if not names:
        return None
    lines = [
        [_cell(name) for name in names],
        *([_cell(row.get(name)) for name in names] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _rows(value: object) -> Sequence[_Row]:
    items = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        return []
    if isinstance(value, dict) and not all(_is_item(key, one) for key, one in value.items()):
        return []
    return items


def _is_item(key: str, one: _Row) -> bool:
    """Return whether this is an item under its id, not a member that happens to be an object."""
    return one.get("id", key) == key and ("id" in one or "name" in one)


def _columns(rows: Sequence[_Row]) -> list[str]:
    """Return the members that are scalar in every row that has them."""
    nested: dict[str, bool] = {}
    for row in rows:
        for name, value in row.items():
            nested[name] = nested.get(name, False) or isinstance(value, dict | list)
    names = [name for name, is_nested in nested.items() if not is_nested]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return names[:_MAX_COLUMNS]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= _MAX_WIDTH else text[: _MAX_WIDTH - 1] + "\u2026"
