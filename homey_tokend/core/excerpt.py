"""What a host says of an error, fit to be shown."""

import json
from collections.abc import Iterable

from homey_tokend.core.http_types import Response
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret


def said(response: Response, hide: Iterable[Secret] = ()) -> str:
    """What the server says of an error: printable, at most 200 characters, no secret.

    Looks at ``error`` and ``error_description``, which may be text or an object
    of field to text (``docs/wire.md`` A1). Known secrets and everything that is
    long and opaque enough to be one are left out.
    """
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    parts = [*_texts(found.get("error")), *_texts(found.get("error_description"))]
    return excerpt(": ".join(parts), hide)


def quoted(response: Response, hide: Iterable[Secret]) -> str:
    """The same in brackets, behind a sentence of ours."""
    words = said(response, hide)
    return f" (“{words}”)" if words else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [f"{key} {text}" for key, text in list(value.items())[:8] if isinstance(text, str)]
    return []
