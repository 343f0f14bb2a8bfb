"""A configuration as it is written, with the place of each value, and paths of keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SECRET_KEYS

KeyPath = tuple[str | int, ...]

#: The keys below a secret; anything else there is most likely the secret itself.
SOURCES = frozenset({"file", "env", "credential", "command"})
#: A key that may be shown; with a mistake such as ``{password:hunter2}`` a secret is part of a key.
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|<<")


class Null(str):
    """An unquoted null as it is written; the models decide which keys accept it as None."""

    __slots__ = ()


class Mark(NamedTuple):
    """A place in the text; line and column count from 1, 0 where there is no text."""

    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """Lists, dicts and the scalars as they are written, with the place of each.

    ``marks`` has the place of each value and of its key, ``names`` the name of a value if that is
    not its path; ``faults`` and ``warnings`` were found while it was read.
    """

    source: str
    data: Any = None
    marks: dict[KeyPath, tuple[Mark, Mark]] = field(default_factory=dict)
    names: dict[KeyPath, str] = field(default_factory=dict)
    faults: list[ConfigFault] = field(default_factory=list)
    warnings: list[ConfigFault] = field(default_factory=list)

    def mark(self, path: KeyPath, *, key: bool = False) -> Mark:
        """Return the place of a value or of its key, else of the nearest section above."""
        return _nearest(self.marks, path, (Mark(0, 0), Mark(0, 0)))[key]

    def place(self, path: KeyPath) -> str:
        """Return the place and the name of a value: ``file:line:column homeys.home.email``."""
        line, column = self.mark(path)
        where = f"{self.source}:{line}:{column}" if line else self.source
        return f"{where} {self.name(path)}"

    def name(self, path: KeyPath) -> str:
        """Return the name of the value at ``path`` for messages."""
        return _nearest(self.names, path, dotted(path))

    def value(self, path: KeyPath) -> Any:
        """Return the value at ``path``, or None."""
        found = self.data
        for part in path:
            try:
                found = found[part]
            except (LookupError, TypeError):
                return None
        return found

    def fault(self, path: KeyPath, message: str, remedy: str, *, key: bool = False) -> ConfigFault:
        """Return a fault of the value at ``path``, or of its key."""
        mark = self.mark(path, key=key)
        return ConfigFault(self.source, *mark, self.name(path), message, remedy)


_T = TypeVar("_T")


def _nearest(table: Mapping[KeyPath, _T], path: KeyPath, default: _T) -> _T:
    above = (path[:length] for length in range(len(path), -1, -1))
    return next((table[each] for each in above if each in table), default)


def invalid(source: str, mark: Mark, message: str, remedy: str) -> ConfigurationInvalid:
    """Return an error with this one fault."""
    return ConfigurationInvalid([ConfigFault(source, *mark, "", message, remedy)])


def dotted(path: KeyPath) -> str:
    """Format a path of keys without secrets: ``homeys.home.sinks[0].path``."""
    text = ""
    hidden = False
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        text += f".{part}" if showable(part) and (not hidden or part in SOURCES) else ".…"
        hidden = hidden or part in SECRET_KEYS
    return text.removeprefix(".")


def showable(key: str) -> bool:
    """Return whether a key looks like one, so that it may be shown."""
    return _KEY.fullmatch(key) is not None
