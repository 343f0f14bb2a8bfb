"""Find keys beside the empty section that they belong to, and report one fault instead of many."""

from collections.abc import Callable
from itertools import takewhile
from typing import Any

from homey_tokend.config.model import SECTIONS, ConfigDocument, HomeyDocument
from homey_tokend.config.tree import SOURCES, KeyPath, Null, Tree, showable

_Belongs = Callable[[str, Any], bool]


def nest(tree: Tree) -> None:
    """Move such keys below their section with one fault for each group; their places stay."""
    _nest(tree, ())
    _nest(tree, ("homeys",))
    homeys = tree.value(("homeys",))
    if isinstance(homeys, dict) and homeys:
        # The keys of the last Homey can be at the very left.
        last = list(homeys)[-1]
        if isinstance(homeys[last], Null):
            _take(tree, (), "homeys", ("homeys", last), _of_homey)
    for path in (("refresh",), ("socket",)):
        _nest(tree, path)


def _nest(tree: Tree, path: KeyPath) -> None:
    section = tree.value(path)
    for key in list(section) if isinstance(section, dict) else ():
        if isinstance(section.get(key), Null):
            _take(tree, path, key, (*path, key), _belongs_to(path, key))


def _belongs_to(path: KeyPath, key: str) -> _Belongs:
    """Return a predicate for keys and values that belong below an empty ``key`` beside them."""
    if path == ("homeys",):
        return _of_homey
    if path == () and key == "homeys":
        return _is_homey
    own = SECTIONS[tuple(map(str, path))].model_fields
    below = SECTIONS.get((*map(str, path), key))
    return lambda name, _: below is not None and name in below.model_fields and name not in own


def _of_homey(name: str, value: Any) -> bool:
    source = not isinstance(value, dict) or set(value) <= SOURCES
    return source and name in HomeyDocument.model_fields


def _is_homey(name: str, value: Any) -> bool:
    free = name.startswith("x-") or name in ConfigDocument.model_fields
    return not free and (isinstance(value, dict | Null) or name in HomeyDocument.model_fields)


def _take(tree: Tree, path: KeyPath, after: str, to: KeyPath, belongs: _Belongs) -> None:
    """Move the keys that follow ``after`` in ``path`` to ``to``, as long as they belong there."""
    section = tree.value(path)
    names = list(section)[list(section).index(after) + 1 :]
    moved = list(takewhile(lambda name: belongs(name, section[name]), names))
    if not moved:
        return
    key = str(to[-1])
    below = key if showable(key) else "the key above"
    tree.faults.append(
        tree.fault(
            (*path, moved[0]),
            f"stands beside {below} and belongs below it",
            f"Indent it and the keys after it further than {below}.",
            key=True,
        )
    )
    tree.value(to[:-1])[key] = {name: section.pop(name) for name in moved}
    for place in list(tree.marks):
        if place[: len(path)] == path and place[len(path) : len(path) + 1] in {(n,) for n in moved}:
            tree.marks[to + place[len(path) :]] = tree.marks.pop(place)
