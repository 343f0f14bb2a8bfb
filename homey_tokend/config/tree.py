"""What is written in a configuration, each value with its place, and paths of keys."""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SECRET_KEYS

KeyPath = tuple[str | int, ...]

#: What may stand below a secret's key; anything else there is most likely the secret itself.
_SOURCES = frozenset({"file", "env", "credential", "command"})
#: A key that may be shown; a slip such as ``{password:hunter2}`` makes a secret part of a key.
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|<<")


class Null(str):
    """An unquoted null as it is written; which keys take it as None is for the models to say."""

    __slots__ = ()


class Mark(NamedTuple):
    """A place in the text; line and column count from 1, 0 where there is no text."""

    line: int
    column: int


@dataclass(slots=True)
class Tree:
    """Lists, dicts and the scalars as they are written, with the place of each.

    ``marks`` has the place of each value and of its key; ``faults`` what is wrong with the
    YAML itself and did not keep it from being read.
    """

    source: str
    data: Any = None
    marks: dict[KeyPath, tuple[Mark, Mark]] = field(default_factory=dict)
    faults: list[ConfigFault] = field(default_factory=list)

    def mark(self, path: KeyPath, *, key: bool = False) -> Mark:
        """The place of a value or of its key; where there is none, that of what is above it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]][key]
        return Mark(0, 0)

    def value(self, path: KeyPath) -> Any:
        """What is written at ``path``; None where nothing is."""
        found = self.data
        for part in path:
            try:
                found = found[part]
            except (LookupError, TypeError):
                return None
        return found

    def fault(self, path: KeyPath, message: str, remedy: str, *, key: bool = False) -> ConfigFault:
        """A fault of the value at ``path``, or of its key."""
        return ConfigFault(self.source, *self.mark(path, key=key), dotted(path), message, remedy)


def invalid(source: str, mark: Mark, message: str, remedy: str) -> ConfigurationInvalid:
    """The one fault that makes all others moot."""
    return ConfigurationInvalid([ConfigFault(source, *mark, "", message, remedy)])


def dotted(path: KeyPath) -> str:
    """A path of keys as people write it, no secret in it: ``homeys.home.sinks[0].path``."""
    text = ""
    hidden = False
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        text += f".{part}" if showable(part) and (not hidden or part in _SOURCES) else ".…"
        hidden = hidden or part in SECRET_KEYS
    return text.removeprefix(".")


def showable(key: str) -> bool:
    """Whether a key looks like one."""
    return _KEY.fullmatch(key) is not None
