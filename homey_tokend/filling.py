"""From words to a call: an endpoint's path and body filled with what a person typed."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from homey_tokend.catalogue import Endpoint
from homey_tokend.client import quoted

_WHOLE = re.compile(r"\{([a-z]+)\??\}")


class Wrong(ValueError):
    """The words do not fit the endpoint; its text says what is expected."""


def filled(endpoint: Endpoint, words: Sequence[str]) -> tuple[str, bytes | None]:
    """The path and the JSON body of a call.

    Args:
        endpoint: What is called.
        words: Its arguments, in order. In the path each is one segment; in the body
            each is JSON where it is JSON (``true``, ``0.5``, ``"text"``), else text.

    Returns:
        The path, encoded, and the body; None where there is none.

    Raises:
        Wrong: too few or too many words, or one that is no segment of a path.
    """
    names = endpoint.arguments
    needed = sum(not name.endswith("?") for name in names)
    if not needed <= len(words) <= len(names):
        raise Wrong(f"expected: {endpoint.usage}")
    given = {name.rstrip("?"): word for name, word in zip(names, words, strict=False)}
    path = _WHOLE.sub(lambda found: _segment(found[1], given[found[1]]), endpoint.path)
    if not endpoint.body:
        return path, None
    return path, json.dumps(_body(endpoint.body, given)).encode()


def value_of(word: str) -> object:
    """What a word means in a body: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(word, parse_constant=_no_constant)
    except ValueError:
        return word


def _no_constant(word: str) -> NoReturn:
    """Python would take NaN and Infinity for numbers; JSON has none (RFC 8259, 6)."""
    raise ValueError(word)


def _segment(name: str, word: str) -> str:
    if word in {"", ".", ".."} or "/" in word:
        raise Wrong(f"<{name}> is {word!r}, which cannot be a part of a path")
    return quoted(word)


def _body(shape: Mapping[str, object], given: Mapping[str, str]) -> dict[str, object]:
    """The body without what was left out."""
    return {
        key: _value(each, given)
        for key, each in shape.items()
        if not (isinstance(each, str) and each.endswith("?}") and each[1:-2] not in given)
    }


def _value(shape: object, given: Mapping[str, str]) -> object:
    if isinstance(shape, Mapping):
        return _body(shape, given)
    if not isinstance(shape, str):
        return shape
    whole = _WHOLE.fullmatch(shape)
    if whole:
        return value_of(given[whole[1]])
    return _WHOLE.sub(lambda found: given[found[1]], shape)
