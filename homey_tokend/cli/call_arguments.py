"""Fill the path and the body of an endpoint with what a person typed."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from homey_tokend.client import quote
from homey_tokend.hub.endpoint import Endpoint

#: Characters of a number that a message repeats.
_MAX_SHOWN = 40
_PLACEHOLDER = re.compile(r"\{([a-z]+)\??\}")


class InvalidArguments(ValueError):
    """The words do not fit the endpoint; the text says what is expected."""


class UnsupportedJson(ValueError):
    """JSON that cannot be processed; the text says why."""


def build_call(endpoint: Endpoint, words: Sequence[str]) -> tuple[str, bytes | None]:
    """Return the encoded path and the JSON body of a call, None without a body.

    Args:
        endpoint: What is called.
        words: Its arguments, in order. In the path each is one segment. In the body each is
            JSON if it can be (``true``, ``0.5``, ``"text"``), else text.

    Raises:
        InvalidArguments: There are too few or too many words, one is not a path segment, or one
            is JSON that cannot be sent.
    """
    names = endpoint.arguments
    required = sum(not name.endswith("?") for name in names)
    if not required <= len(words) <= len(names):
        raise InvalidArguments(f"expected: {endpoint.usage}")
    values = {name.rstrip("?"): word for name, word in zip(names, words, strict=False)}
    path = _PLACEHOLDER.sub(lambda match: _segment(match[1], values[match[1]]), endpoint.path)
    if not endpoint.body:
        return path, None
    return path, json.dumps(_fill(endpoint.body, values)).encode()


def parse_value(word: str) -> object:
    """Return the JSON value of a word, or the word itself if it is not JSON.

    Raises:
        InvalidArguments: It is JSON that cannot be sent.
    """
    try:
        return parse_json(word)
    except UnsupportedJson as error:
        raise InvalidArguments(f"a value cannot be sent: {error}") from None
    except ValueError:
        return word


def parse_json(text: str | bytes) -> object:
    """Parse JSON strictly: unlike ``json.loads`` accept neither NaN nor infinite numbers.

    Raises:
        UnsupportedJson: A number is too large, or the nesting is too deep.
        ValueError: It is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float)
    except RecursionError:
        raise UnsupportedJson("the nesting is too deep") from None


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(word)  # JSON has neither NaN nor Infinity (RFC 8259, 6)


def _parse_float(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        raise UnsupportedJson(f"the number {word[:_MAX_SHOWN]} is too large")
    return number


def _segment(name: str, word: str) -> str:
    if word in {"", ".", ".."} or "/" in word:
        raise InvalidArguments(f"<{name}> is {word!r}, which is not a path segment")
    return quote(word)


def _fill(template: object, values: Mapping[str, str]) -> object:
    if isinstance(template, Mapping):
        return {
            key: _fill(each, values)
            for key, each in template.items()
            if not _is_omitted(each, values)
        }
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template)
    if whole:
        return parse_value(values[whole[1]])
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _is_omitted(template: object, values: Mapping[str, str]) -> bool:
    optional = isinstance(template, str) and template.endswith("?}")
    return optional and str(template)[1:-2] not in values
