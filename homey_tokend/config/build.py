"""Builds the tree from YAML events, within bounds, and finds what YAML leaves to us.

Duplicate keys, merge keys, aliases and tags are settled here; nothing recurses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from homey_tokend.config.decode import invalid
from homey_tokend.config.nodes import ListNode, MapNode, Mark, Node, ScalarNode, Text
from homey_tokend.config.paths import KeyPath, dotted
from homey_tokend.core.errors import ConfigFault

#: How deep may lists and mappings stand in each other? The deepest real key is at 6.
MOST_DEPTH = 32
#: How many aliases may there be?
MOST_ALIASES = 1000
#: How many nodes may there be, aliases counted as all that they stand for? This keeps the
#: "billion laughs" small: sixteen lines can stand for a billion nodes.
MOST_NODES = 20_000

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {None, "!", *(_TAG + tag for tag in ("str", "int", "float", "bool", "null"))}
_LIST_TAGS = {None, "!", _TAG + "seq"}
_MAP_TAGS = {None, "!", _TAG + "map"}
_MERGE = "<<"


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: ListNode | MapNode
    anchor: str | None
    key: tuple[Mark, Text] | None = None
    merges: list[tuple[Mark, Node]] = field(default_factory=list)


class Builder:
    """Takes events, one by one; ``root`` and ``faults`` are the outcome.

    Args:
        source: The file's name, for messages.
    """

    def __init__(self, source: str) -> None:
        self.root: Node | None = None
        self.faults: list[ConfigFault] = []
        self._source = source
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._aliases = 0
        self._nodes = 0
        self._takers: dict[type[yaml.Event], Callable[[Any, Mark], None]] = {
            yaml.DocumentStartEvent: self._document,
            yaml.AliasEvent: self._alias,
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: self._list,
            yaml.MappingStartEvent: self._map,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
        }

    def take(self, event: yaml.Event) -> None:
        """The next event.

        Raises:
            ConfigurationInvalid: A bound is passed, or the structure cannot be made sense of.
        """
        taker = self._takers.get(type(event))
        if taker is not None:
            start: Any = event.start_mark  # the scanner always sets it, whatever its type says
            taker(event, Mark(start.line + 1, start.column + 1))

    def _document(self, _: yaml.DocumentStartEvent, mark: Mark) -> None:
        if self.root is not None:
            raise invalid(
                self._source, mark, "a second document starts here", "Keep one; take --- out."
            )

    def _alias(self, event: yaml.AliasEvent, mark: Mark) -> None:
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise invalid(
                self._source, mark, f"there are more than {MOST_ALIASES} aliases", "Use fewer."
            )
        if event.anchor not in self._anchors:
            # The name is not told: an unquoted password may well start with a star.
            raise invalid(
                self._source,
                mark,
                "a value starts with *, which names an alias, and no anchor has that name",
                "Put it in quotes if it is text; else write the anchor before it.",
            )
        node = self._anchors[event.anchor]
        if node is None:
            raise invalid(
                self._source, mark, "an alias stands inside of what it names", "Take it out."
            )
        self._count(node.size, mark)
        self._add(node, mark)

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        self._tag(event.tag, _SCALAR_TAGS, mark)
        self._count(1, mark)
        plain = event.style is None and event.tag in {None, _TAG + "null"}
        node = ScalarNode(Text(self._real(event.value, mark), plain=plain), mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            if plain and not node.text:
                self._fault(
                    mark,
                    "a value starts with &, which names an anchor, and nothing follows it",
                    "Put it in quotes if it is text; else write what the anchor names.",
                )
        self._add(node, mark)

    def _list(self, event: yaml.SequenceStartEvent, mark: Mark) -> None:
        self._tag(event.tag, _LIST_TAGS, mark)
        self._start(_Open(ListNode(mark), event.anchor), mark)

    def _map(self, event: yaml.MappingStartEvent, mark: Mark) -> None:
        self._tag(event.tag, _MAP_TAGS, mark)
        self._start(_Open(MapNode(mark), event.anchor), mark)

    def _start(self, opened: _Open, mark: Mark) -> None:
        self._count(1, mark)
        if len(self._open) >= MOST_DEPTH:
            raise invalid(
                self._source,
                mark,
                f"more than {MOST_DEPTH} lists and mappings stand in each other",
                "Check brackets and indentation.",
            )
        above = self._open[-1] if self._open else None
        if above is not None and isinstance(above.node, MapNode) and above.key is None:
            raise invalid(
                self._source,
                mark,
                "a list or a mapping stands where a key belongs",
                "Put text that starts with a brace or a bracket in quotes.",
            )
        if opened.anchor is not None:
            self._anchors[opened.anchor] = None
        self._open.append(opened)

    def _end(self, _: yaml.Event, mark: Mark) -> None:
        done = self._open.pop()
        if isinstance(done.node, MapNode):
            self._merge(done.node, done.merges)
        if done.anchor is not None:
            self._anchors[done.anchor] = done.node
        self._add(done.node, mark)

    def _add(self, node: Node, mark: Mark) -> None:
        if not self._open:
            self.root = node
            return
        above = self._open[-1]
        above.node.size += node.size
        if isinstance(above.node, ListNode):
            above.node.items.append(node)
        elif above.key is None:
            above.key = self._key(node, mark)
        else:
            self._entry(above, above.node, above.key, node)
            above.key = None

    def _key(self, node: Node, mark: Mark) -> tuple[Mark, Text]:
        if not isinstance(node, ScalarNode):
            raise invalid(
                self._source, mark, "an alias of a list or mapping is a key", "Write a word."
            )
        return mark, node.text

    def _entry(self, above: _Open, into: MapNode, key: tuple[Mark, Text], node: Node) -> None:
        mark, name = key
        if name == _MERGE and name.plain:
            first = above.merges[0][0] if above.merges else None
            above.merges.append((mark, node))
        else:
            first = into.entries[name][0] if name in into.entries else None
            into.entries.setdefault(str(name), (mark, node))
        if first is not None:
            self._fault(
                mark,
                f"this key stands here twice, first in line {first.line}, column {first.column}",
                "Keep one of them; for << write one list of aliases.",
            )

    def _merge(self, into: MapNode, merges: list[tuple[Mark, Node]]) -> None:
        for mark, merged in merges:
            several = merged.items if isinstance(merged, ListNode) else [merged]
            for one in several:
                if not isinstance(one, MapNode):
                    self._fault(
                        mark,
                        "<< merges something that is not a mapping",
                        "Write an alias of a mapping after it, or a list of such.",
                    )
                    continue
                for key, entry in one.entries.items():
                    into.entries.setdefault(key, entry)

    def _real(self, text: str, mark: Mark) -> str:
        """``text`` as UTF-8 can hold it: JSON writes one character as two halves."""
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if "\0" in text or (whole != text and "\ufffd" in whole):
            self._fault(
                mark,
                "the text holds an escape for NUL or for half a character",
                "Take the escape out.",
            )
        return whole.replace("\0", "")

    def _tag(self, tag: str | None, known: set[str | None], mark: Mark) -> None:
        if tag not in known:
            # The tag is not told: an unquoted password may well start with an exclamation mark.
            self._fault(
                mark,
                "a value starts with !, which names a tag that is not known here",
                "Put it in quotes if it is text; else take the tag out.",
            )

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise invalid(
                self._source,
                mark,
                f"there are more than {MOST_NODES} values, aliases counted as what they name",
                "Check that it is the right file, and use fewer aliases.",
            )

    def _fault(self, mark: Mark, message: str, remedy: str, *, key: str | None = None) -> None:
        name = dotted((*self._path(), key) if key is not None else self._path())
        self.faults.append(ConfigFault(self._source, mark.line, mark.column, name, message, remedy))

    def _path(self) -> KeyPath:
        """Where the next value will stand."""
        path: list[str | int] = []
        for opened in self._open:
            if isinstance(opened.node, ListNode):
                path.append(len(opened.node.items))
            elif opened.key is not None:
                path.append(opened.key[1])
        return tuple(path)
