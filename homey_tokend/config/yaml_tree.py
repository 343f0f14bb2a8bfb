"""Read YAML as plain data with the place of each value; no other module uses PyYAML.

Nodes are composed and never constructed: PyYAML's constructor takes the last of duplicate keys and
reads ``0123`` as 83. libyaml is used if PyYAML has it. What it rejects is read again by the parser
in Python: the messages below are chosen by its errors, and it accepts JSON's surrogate pairs. No
text of PyYAML reaches a user, because it may repeat a part of the file, such as a password.
"""

import contextlib
import re
from collections.abc import Iterable
from typing import Any

import yaml

from homey_tokend.config.pasted import CUT, as_meant, cut_by_comment
from homey_tokend.config.tree import KeyPath, Mark, Null, Tree, dotted, invalid
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

#: The most levels of lists and mappings; the deepest real key is at 6.
MAX_DEPTH = 32
MAX_ALIASES = 1000
#: The most nodes with aliases expanded: sixteen lines can expand to a billion ("billion laughs").
MAX_NODES = 20_000

#: Tags of our own for what is resolved; a file cannot contain them by mistake.
_NULL, _MERGE = "null", "<<"
_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = {
    yaml.ScalarNode: {_NULL, _MERGE, *(_TAG + tag for tag in ("str", "int", "float", "bool", "null"))},
    yaml.SequenceNode: {_TAG + "seq"},
    yaml.MappingNode: {_TAG + "map"},
}  # fmt: skip

#: Without the tag, anchor or alias itself: an unquoted password may start with such a mark.
_WRONG_TAG = (
    "a value starts with !, which names a tag that is not known here",
    "Put it in quotes if it is text; else remove the tag.",
)
_NO_VALUE = (
    "a value starts with &, which names an anchor, and nothing follows it",
    "Put it in quotes if it is text; else write what the anchor names.",
)
_NO_TEXT = ("the text contains an escape for NUL or for half a character", "Remove the escape.")
_NO_MERGE = (
    "<< merges something that is not a mapping",
    "Write an alias of a mapping after it, or a list of such.",
)
_NO_KEY = (
    "a list or a mapping is in the place of a key",
    "Put text that starts with a brace or a bracket in quotes.",
)
_ALIAS_KEY = ("an alias of a list or mapping is a key", "Write a word.")
_DEEP = (
    f"lists and mappings are nested more than {MAX_DEPTH} levels deep",
    "Check brackets and indentation.",
)
_LARGE = (
    f"there are more than {MAX_NODES} values, with aliases expanded",
    "Check that it is the right file, and use fewer aliases.",
)

#: Message and remedy by the start of PyYAML's own (scanner, parser and composer of 6.0).
_PROBLEMS = (
    (_DEEP[0], *_DEEP),
    (_LARGE[0], *_LARGE),
    ("but found another document", "a second document starts here", "Keep one; remove ---."),
    ("found undefined alias",
     "a value starts with *, which names an alias, and no anchor has that name",
     "Put it in quotes if it is text; else write the anchor before it."),
    ("second occurrence",
     "a value starts with &, which names an anchor, and that name is used above",
     "Put it in quotes if it is text; else give each anchor a name of its own."),
    ("mapping values are not allowed", "there is a colon in a wrong place",
     "Quote text that contains a colon and a blank, and check the indentation."),
    ("could not find expected ':'", "a key has no colon, or a text continues without indentation",
     "Write key, colon, blank, value on one line."),
    ("expected <block end>", "the indentation does not fit the lines above",
     "Indent keys of one mapping alike."),
    ("found unexpected end of stream", "a quote is opened and never closed", "Close it."),
    ("found unknown escape character", "a backslash is followed by a character without meaning",
     "Use single quotes, in which a backslash is a backslash."),
)  # fmt: skip
#: Message and remedy by the character at the place, if that says more than PyYAML does.
_STARTS = {
    "\t": ("there is a tab in place of blanks", "Indent with blanks."),
    "@": ("a value starts with @", "Put it in quotes."),
    "`": ("a value starts with a backtick", "Put it in quotes."),
    "%": ("a value starts with %", "Put it in quotes."),
    "*": ("a value starts with *, which names an alias", "Put it in quotes if it is text."),
    "&": ("a value starts with &, which names an anchor", "Put it in quotes if it is text."),
    "!": ("a value starts with !, which names a tag", "Put it in quotes if it is text."),
}


class _Bounds:
    """Limit what a loader composes: a resolver's methods are called around each node."""

    _nodes = _depth = 0

    def descend_resolver(self, *_: object) -> None:
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_NODES:
            self.stop(_LARGE)
        if self._depth > MAX_DEPTH:
            self.stop(_DEEP)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def stop(self, _: tuple[str, str]) -> None:
        """Raise an error without a place, which the second reading by the Python loader adds."""
        raise yaml.YAMLError


class _PythonLoader(_Bounds, yaml.SafeLoader):
    """PyYAML's own parser; all plain scalars but null and the merge key are text."""

    def stop(self, words: tuple[str, str]) -> None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML's gap
        if words is not _DEEP or isinstance(event, yaml.CollectionStartEvent):
            raise yaml.MarkedYAMLError(problem=words[0], problem_mark=event.start_mark)


class _FastLoader(_Bounds, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two
    """The same with libyaml."""


for _loader in (_PythonLoader, _FastLoader):
    _loader.yaml_implicit_resolvers = {}
    _loader.add_implicit_resolver(_NULL, re.compile("(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    _loader.add_implicit_resolver(_MERGE, re.compile("<<$"), ["<"])


def read_yaml(text: str, source: str) -> Tree:
    """Read the text of a file.

    Raises:
        ConfigurationInvalid: It is not YAML, empty, or exceeds a limit.
    """
    root, aliases = _compose(text, source)
    if root is None or root.tag == _NULL:
        raise invalid(source, Mark(1, 1), "is empty", "Start from config.example.yaml.")
    _Aliases(source, aliases).check(root)
    reader = _Reader(text, Tree(source))
    reader.tree.data = reader.read(root, ())
    return reader.tree


def _compose(text: str, source: str) -> tuple[yaml.Node | None, list[Mark]]:
    """Return the root node, and the places of all aliases in the order of the text."""
    if "\t" not in text:  # libyaml accepts tabs in places where PyYAML does not
        with contextlib.suppress(yaml.YAMLError):
            return _compose_by(_FastLoader, text)
    try:
        return _compose_by(_PythonLoader, text)
    except yaml.YAMLError as exc:
        raise ConfigurationInvalid([_syntax_fault(exc, text, source)]) from None


def _compose_by(
    loader_class: type[yaml.SafeLoader], text: str
) -> tuple[yaml.Node | None, list[Mark]]:
    loader = loader_class(text)
    try:
        root = loader.get_single_node()
    except (ValueError, OverflowError):
        # chr() of an escape such as "\UFFFFFFFF" is not checked in PyYAML's own scanner.
        raise yaml.MarkedYAMLError(problem="", problem_mark=loader.get_mark()) from None
    finally:
        loader.dispose()
    # The node of an alias has the place of its anchor; its event has its own place.
    events = yaml.parse(text, loader_class) if "*" in text else ()
    return root, [_mark(event) for event in events if isinstance(event, yaml.AliasEvent)]


def _syntax_fault(exc: yaml.YAMLError, text: str, source: str) -> ConfigFault:
    mark, problem = getattr(exc, "problem_mark", None), getattr(exc, "problem", None) or ""
    place, index = (Mark(mark.line + 1, mark.column + 1), mark.index) if mark else (Mark(0, 0), -1)
    words = _STARTS.get(text[index : index + 1]) if "cannot start" in problem else None
    for start, message, remedy in _PROBLEMS:
        if words is None and problem.startswith(start):
            words = (message, remedy)
    if words is None and problem.endswith("'<stream end>'"):
        words = "a bracket or a brace is opened and never closed", "Close it."
    message, remedy = words or (
        "is not YAML from here on",
        "Check quotes, brackets and indentation just before this place.",
    )
    return ConfigFault(source, *place, "", message, remedy)


def _mark(found: yaml.Event | yaml.Node) -> Mark:
    start: Any = found.start_mark  # PyYAML always sets it, whatever its type says
    return Mark(start.line + 1, start.column + 1)


class _Aliases:
    """Count nodes, with aliases expanded; ``check`` raises beyond the limit."""

    def __init__(self, source: str, marks: Iterable[Mark]) -> None:
        self._source = source
        self._marks = enumerate(marks, 1)
        #: The size of each node with all below it; 0 while it is being counted.
        self._sizes: dict[yaml.Node, int] = {}
        self._size = 0

    def check(self, node: yaml.Node, *, key: bool = False) -> None:
        alias, before = node in self._sizes, self._size
        mark = self._alias(node) if alias else _mark(node)
        self._size += self._sizes.setdefault(node, 0) if alias else 1
        if self._size > MAX_NODES:
            raise invalid(self._source, mark, *_LARGE)
        if key and not isinstance(node, yaml.ScalarNode):
            raise invalid(self._source, mark, *(_ALIAS_KEY if alias else _NO_KEY))
        if alias:
            return
        self._sizes[node] = 0
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                self.check(name, key=True)
                self.check(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self.check(item)
        self._sizes[node] = self._size - before

    def _alias(self, node: yaml.Node) -> Mark:
        number, mark = next(self._marks)
        if number > MAX_ALIASES:
            words = f"there are more than {MAX_ALIASES} aliases", "Use fewer."
            raise invalid(self._source, mark, *words)
        if not self._sizes[node]:
            words = "an alias is inside the value that it refers to", "Take it out."
            raise invalid(self._source, mark, *words)
        return mark


_Entries = dict[str, tuple[yaml.Node, yaml.Node]]


class _Reader:
    """Convert nodes to plain data within the bounds, and record places and errors."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.tree = tree
        self._text = text
        self._commented = " #" in text
        self._met: set[yaml.Node] = set()

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        mark = self._place(node)
        self.tree.marks[path] = (mark, mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._is_new(node, path)
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        data = {}
        for name, (key, value) in self._entries(node, path).items():
            data[name] = self.read(value, (*path, name))
            self.tree.marks[*path, name] = (self.tree.marks[*path, name][0], _mark(key))
        return data

    def _entries(self, mapping: yaml.Node, path: KeyPath) -> _Entries:
        """Return the entries of a mapping; its own ones take precedence over merged ones."""
        new = self._is_new(mapping, path)
        found: _Entries = {}
        merges: _Entries = {}
        for key, value in mapping.value:
            name = self._scalar(key, path)
            into = merges if key.tag == _MERGE else found
            if name in into and new:
                line, column = _mark(into[name][0])
                self._fault(
                    key,
                    (*path, name),
                    f"this key is a duplicate, first in line {line}, column {column}",
                    "Keep one of them; for << write one list of aliases.",
                )
            into.setdefault(name, (key, value))
        for key, value in merges.values():
            for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(one, yaml.MappingNode):
                    self._fault(key, path, *_NO_MERGE)
                    continue
                for name, entry in self._entries(one, path).items():
                    found.setdefault(name, entry)
        return found

    def _scalar(self, node: Any, path: KeyPath) -> str:
        text: str = node.value
        # JSON writes one character as two halves.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        no_text = "\0" in text or (whole != text and "\ufffd" in whole)
        if new := self._is_new(node, path):
            if self._at_nothing(node) == "&":
                self._fault(node, path, *_NO_VALUE)
            if no_text:
                self._fault(node, path, *_NO_TEXT)
        if no_text:
            whole = whole.replace("\0", "").replace("\ufffd", "")
        if not node.style:
            whole, words = as_meant(whole)
            if words and new:
                self._fault(node, path, *words)
            if new and self._commented:
                self._warn_of_comment(node, path)
        return (Null if node.tag == _NULL else str)(whole)

    def _warn_of_comment(self, node: Any, path: KeyPath) -> None:
        key = str(path[-1]) if path else ""
        if cut_by_comment(self._text, node.end_mark.index, key):
            fault = ConfigFault(self.tree.source, *_mark(node), dotted(path), *CUT)
            self.tree.warnings.append(fault)

    def _is_new(self, node: yaml.Node, path: KeyPath) -> bool:
        """Return whether a node is read for the first time, not through an alias; check its tag."""
        new = node not in self._met
        self._met.add(node)
        if new and node.tag not in _KNOWN_TAGS[type(node)]:
            self._fault(node, path, *_WRONG_TAG)
        return new

    def _place(self, node: Any) -> Mark:
        line, column = _mark(node)
        if self._at_nothing(node) not in {None, "!", "&"}:
            # libyaml places an empty value after the blanks, not before them.
            index = node.start_mark.index
            while column > 1 and self._text[index - 1] == " ":
                index, column = index - 1, column - 1
        return Mark(line, column)

    def _at_nothing(self, node: Any) -> str | None:
        """Return the character at the place of an empty plain scalar, else None."""
        if not isinstance(node, yaml.ScalarNode) or node.value or node.style:
            return None
        index = node.start_mark.index
        return self._text[index : index + 1]

    def _fault(self, node: yaml.Node, path: KeyPath, message: str, remedy: str) -> None:
        fault = ConfigFault(self.tree.source, *_mark(node), dotted(path), message, remedy)
        self.tree.faults.append(fault)
