"""The tree that a YAML text becomes: scalars as they are written, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; line and column count from 1."""

    line: int
    column: int


#: Where there is no text to point into.
NOWHERE = Mark(0, 0)


class Text(str):
    """A scalar as it is written, and whether it stood without quotes.

    Only an unquoted scalar can mean null; which keys take null is for the models to say.

    Args:
        text: The scalar's text, escapes and folding undone.
        plain: Whether it stood without quotes.
    """

    __slots__ = ("plain",)
    plain: bool

    def __new__(cls, text: str, *, plain: bool = False) -> Self:  # noqa: D102  see the class
        made = super().__new__(cls, text)
        made.plain = plain
        return made

    @property
    def null(self) -> bool:
        """Whether YAML reads it as null."""
        return self.plain and str(self) in {"", "~", "null", "Null", "NULL"}


@dataclass(slots=True)
class ScalarNode:
    """Text, a number, true or false: told apart only by who asks."""

    text: Text
    mark: Mark
    size: int = 1


@dataclass(slots=True)
class ListNode:
    """A list. ``size`` counts all nodes in it, aliases as what they stand for."""

    mark: Mark
    items: "list[Node]" = field(default_factory=list)
    size: int = 1


@dataclass(slots=True)
class MapNode:
    """A mapping, merge keys already merged. Each entry keeps the place of its key."""

    mark: Mark
    entries: "dict[str, tuple[Mark, Node]]" = field(default_factory=dict)
    size: int = 1


Node = ScalarNode | ListNode | MapNode

#: What the models are given: the tree without its places.
Plain = Text | list["Plain"] | dict[str, "Plain"]


def plain(node: Node) -> "Plain":
    """The tree as dicts, lists and ``Text``; its depth is bounded by the reader."""
    if isinstance(node, ScalarNode):
        return node.text
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """What a path of keys leads to: the place of the value, and of its key."""

    value: Mark
    key: Mark


def place(root: Node, path: Sequence[str | int]) -> Place:
    """The place of ``path`` below ``root``; where it ends early, that of the last one found."""
    node, found = root, Place(root.mark, root.mark)
    for part in path:
        if isinstance(node, MapNode) and part in node.entries:
            key, node = node.entries[str(part)]
            found = Place(node.mark, key)
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            found = Place(node.mark, node.mark)
    return found
