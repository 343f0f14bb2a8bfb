"""What api.athom.com answers: token, delegation, the account (``docs/wire.md`` A4, A5, E)."""

import json
from collections.abc import Iterable
from datetime import timedelta

from homey_tokend.athom.answers.common import (
    JWT_LIMIT,
    changed,
    is_json_object,
    opaque,
    parse_success_json,
    raise_for_common_failures,
)
from homey_tokend.athom.answers.dates import clock_skew
from homey_tokend.core.errors import ClientRejected, ProtocolChanged, SignInExpired
from homey_tokend.core.excerpt import quoted
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Grant

#: What is believed of expires_in: docs/wire.md A4 saw 3660; beyond a year it is nonsense.
_LIFE_LIMIT_S = 366 * 86400
_LIFE_ASSUMED = timedelta(minutes=30)


def parse_grant(response: Response, hide: Iterable[Secret]) -> Grant:
    """The answer of POST /oauth2/token, for a code and for a refresh token alike.

    Raises:
        ClientRejected: ``invalid_client``.
        SignInExpired: ``invalid_grant``: the code or refresh token is not taken.
        ProtocolChanged: anything else that is no success.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.TOKEN
    raise_for_common_failures(step, response)
    if 400 <= response.status < 500:
        raise _token_error(response, hide)
    found = parse_success_json(step, response, "unknown answer of the token endpoint")
    if not isinstance(found, dict):
        raise changed(step, response, "the answer is no JSON object")
    refresh = found.get("refresh_token")
    return Grant(
        access_token=opaque(step, response, found.get("access_token"), "access token", JWT_LIMIT),
        expires_at=response.received_at + _life(found.get("expires_in")),
        refresh_token=opaque(step, response, refresh, "refresh token", JWT_LIMIT)
        if refresh
        else None,
        skew=clock_skew(response),
    )


def _token_error(
    response: Response, hide: Iterable[Secret]
) -> ClientRejected | SignInExpired | ProtocolChanged:
    step, status = Step.TOKEN, response.status
    error = json.loads(response.body).get("error") if is_json_object(response) else None
    if error == "invalid_client":
        return ClientRejected(
            f"Athom rejects the client{quoted(response, hide)}",
            step=step,
            status=status,
            remedy="Check client_id and client_secret; was the client revoked?",
        )
    if error == "invalid_grant":
        return SignInExpired("the code or refresh token is not taken", step=step, status=status)
    return changed(step, response, f"unknown answer of the token endpoint{quoted(response, hide)}")


def _life(value: object) -> timedelta:
    """``expires_in``: a number or text (docs/wire.md A4); assumed where it is neither."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return _LIFE_ASSUMED
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return _LIFE_ASSUMED
    return timedelta(seconds=seconds) if 0 <= seconds <= _LIFE_LIMIT_S else _LIFE_ASSUMED


def raise_for_stale_grant(step: Step, response: Response) -> None:
    """401 of the cloud API: the access token is old, the sign-in is needed anew.

    Raises:
        SignInExpired: 401.
        Transient: the host is in trouble.
    """
    raise_for_common_failures(step, response)
    if response.status == 401:
        raise SignInExpired(f"{step}: the access token is not taken (401)", step=step, status=401)


def parse_delegation(response: Response, hide: Iterable[Secret]) -> Secret:
    """The answer of POST /delegation/token: a bare JSON string, kept nowhere.

    Raises:
        SignInExpired: 401.
        ProtocolChanged: no JSON string.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.DELEGATION
    raise_for_stale_grant(step, response)
    what = "there is no delegation token"
    found = parse_success_json(step, response, f"{what}{quoted(response, hide)}")
    return opaque(step, response, found, "delegation token", JWT_LIMIT)


def parse_homeys(response: Response, hide: Iterable[Secret]) -> dict[str, tuple[str, str | None]]:
    """The account's Homeys of GET /user/me: cloudid to name and ``remoteUrl``.

    Raises:
        SignInExpired: 401.
        ProtocolChanged: no such list (a client without the scope gets one, too).
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.USER
    raise_for_stale_grant(step, response)
    found = parse_success_json(step, response, "no list of Homeys")
    homeys = found.get("homeys") if isinstance(found, dict) else None
    if not isinstance(homeys, list):
        raise changed(step, response, "no list of Homeys")
    known: dict[str, tuple[str, str | None]] = {}
    for homey in homeys[:1000]:
        key = homey.get("_id", homey.get("id")) if isinstance(homey, dict) else None
        if isinstance(key, str):
            name, url = homey.get("name"), homey.get("remoteUrl")
            known[key] = (
                excerpt(name, hide) if isinstance(name, str) else "",
                url if isinstance(url, str) else None,
            )
    return known
