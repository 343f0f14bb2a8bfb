"""Responses of a Homey: login and session (``docs/wire.md`` A6, C)."""

from datetime import UTC, datetime

from homey_tokend.athom.answers.common import (
    parse_success_json,
    parse_token,
    protocol_changed,
    raise_for_common_failures,
)
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.secret import Secret

#: How long may a bearer be? docs/wire.md C: 114 today, and opaque.
_BEARER_LIMIT = 4096


def parse_homey_login(response: Response) -> Secret | None:
    """Return the bearer of POST users/login; None if the login is rejected (401, 403).

    Raises:
        ProtocolChanged: no JSON string.
        Transient: the Homey or the cloud before it is in trouble.
    """
    step = Step.HOMEY_LOGIN
    raise_for_common_failures(step, response)
    if response.status in {401, 403}:
        return None
    found = parse_success_json(step, response, "unknown answer to the Homey login")
    return parse_token(step, response, found, "bearer", _BEARER_LIMIT)


def parse_session(response: Response) -> tuple[datetime | None, datetime | None] | None:
    """Return ``createdAt`` and ``expiresAt`` by the Homey's clock; None on 401.

    Either may be None: the V3 schema has neither (``docs/wire.md`` C).

    Raises:
        ProtocolChanged: neither an object nor a 401.
        Transient: the Homey or the cloud before it is in trouble.
    """
    step = Step.SESSION
    raise_for_common_failures(step, response)
    if response.status == 401:
        return None
    found = parse_success_json(step, response, "unknown answer about the session")
    if not isinstance(found, dict):
        raise protocol_changed(step, response, "the response is not a JSON object")
    return _instant(found.get("createdAt")), _instant(found.get("expiresAt"))


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
