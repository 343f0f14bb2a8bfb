"""From words to a call: an endpoint's path and body filled with what a person typed."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from homey_tokend.client import quote
from homey_tokend.hub.endpoint import Endpoint

#: How much of a number is told back?
_CUT = 40
_WHOLE = re.compile(r"\{([a-z]+)\??\}")


class InvalidArguments(ValueError):
    """The words do not fit the endpoint; its text says what is expected."""


class UnsupportedJson(ValueError):
    """It looks like JSON, and cannot be read; its text says why."""


def build_call(endpoint: Endpoint, words: Sequence[str]) -> tuple[str, bytes | None]:
    """The path and the JSON body of a call.

    Args:
        endpoint: What is called.
        words: Its arguments, in order. In the path each is one segment; in the body
            each is JSON where it is JSON (``true``, ``0.5``, ``"text"``), else text.

    Returns:
        The path, encoded, and the body; None where there is none.

    Raises:
        Wrong: too few or too many words, one that is no segment of a path, or one that
            is a number or a nesting beyond what can be sent.
    """
    names = endpoint.arguments
    needed = sum(not name.endswith("?") for name in names)
    if not needed <= len(words) <= len(names):
        raise InvalidArguments(f"expected: {endpoint.usage}")
    given = {name.rstrip("?"): word for name, word in zip(names, words, strict=False)}
    path = _WHOLE.sub(lambda found: _segment(found[1], given[found[1]]), endpoint.path)
    if not endpoint.body:
        return path, None
    return path, json.dumps(_body(endpoint.body, given)).encode()


def parse_value(word: str) -> object:
    """What a word means in a body: JSON where it is JSON, else the text itself.

    Raises:
        Wrong: it is a number that is too large, or nested too deep.
    """
    try:
        return parse_json(word)
    except UnsupportedJson as error:
        raise InvalidArguments(f"a value cannot be sent: {error}") from None
    except ValueError:
        return word


def parse_json(text: str | bytes) -> object:
    """What JSON says, and nothing that Python alone takes for JSON.

    Raises:
        Beyond: a number is too large, or it is nested too deep.
        ValueError: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise UnsupportedJson("it is nested too deep") from None


def _no_constant(word: str) -> NoReturn:
    """Python would take NaN and Infinity for numbers; JSON has none (RFC 8259, 6)."""
    raise ValueError(word)


def _finite(word: str) -> float:
    """Python would make Infinity of what is too large, and send that."""
    number = float(word)
    if math.isinf(number):
        raise UnsupportedJson(f"{word[:_CUT]} is too large a number")
    return number


def _segment(name: str, word: str) -> str:
    if word in {"", ".", ".."} or "/" in word:
        raise InvalidArguments(f"<{name}> is {word!r}, which cannot be a part of a path")
    return quote(word)


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
        return parse_value(given[whole[1]])
    return _WHOLE.sub(lambda found: given[found[1]], shape)
