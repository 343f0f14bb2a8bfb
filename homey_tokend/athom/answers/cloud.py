"""Responses of api.athom.com: token, delegation, the account (``docs/wire.md`` A4, A5, E)."""

from collections.abc import Iterable
from datetime import timedelta

from homey_tokend.athom.answers.common import (
    JWT_LIMIT,
    parse_success_json,
    parse_token,
    protocol_changed,
    quoted_error,
    raise_for_common_failures,
    trusted_clock_skew,
)
from homey_tokend.core.errors import ClientRejected, ProtocolChanged, SignInExpired
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Grant

#: What is believed of expires_in: docs/wire.md A4 saw 3660; beyond a year it is nonsense.
_LIFE_LIMIT_S = 366 * 86400
_LIFE_ASSUMED = timedelta(minutes=30)
#: How many Homeys of an account are read?
_MAX_HOMEYS = 1000


def parse_grant(response: Response, hide: Iterable[Secret]) -> Grant:
    """Return the grant of POST /oauth2/token, for a code or a refresh token.

    Raises:
        ClientRejected: ``invalid_client``.
        SignInExpired: ``invalid_grant``: the code or refresh token is not accepted.
        ProtocolChanged: anything else that is no success.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.TOKEN
    raise_for_common_failures(step, response)
    if 400 <= response.status < 500:
        raise _token_error(response, hide)
    found = parse_success_json(step, response, "unknown answer of the token endpoint")
    if not isinstance(found, dict):
        raise protocol_changed(step, response, "the response is not a JSON object")
    access, refresh = found.get("access_token"), found.get("refresh_token")
    return Grant(
        access_token=parse_token(step, response, access, "access token", JWT_LIMIT),
        expires_at=response.received_at + _lifetime(found.get("expires_in")),
        refresh_token=parse_token(step, response, refresh, "refresh token", JWT_LIMIT)
        if refresh
        else None,
        skew=trusted_clock_skew(response),
    )


def _token_error(
    response: Response, hide: Iterable[Secret]
) -> ClientRejected | SignInExpired | ProtocolChanged:
    step, status, found = Step.TOKEN, response.status, response.json()
    error = found.get("error") if isinstance(found, dict) else None
    if error == "invalid_client":
        return ClientRejected(
            f"Athom rejects the client{quoted_error(response, hide)}",
            step=step,
            status=status,
            remedy="Check client_id and client_secret; was the client revoked?",
        )
    if error == "invalid_grant":
        message = "the code or refresh token is not accepted"
        return SignInExpired(message, step=step, status=status)
    words = quoted_error(response, hide)
    return protocol_changed(step, response, f"unknown answer of the token endpoint{words}")


def _lifetime(value: object) -> timedelta:
    # A number or text (docs/wire.md A4); assumed where it is neither.
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return _LIFE_ASSUMED
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return _LIFE_ASSUMED
    return timedelta(seconds=seconds) if 0 <= seconds <= _LIFE_LIMIT_S else _LIFE_ASSUMED


def _raise_for_expired_grant(step: Step, response: Response) -> None:
    raise_for_common_failures(step, response)
    if response.status == 401:
        message = f"{step}: the access token is not accepted (401)"
        raise SignInExpired(message, step=step, status=401)


def parse_delegation(response: Response, hide: Iterable[Secret]) -> Secret:
    """Return the delegation token of POST /delegation/token, a bare JSON string.

    Raises:
        SignInExpired: 401: the access token has expired.
        ProtocolChanged: no JSON string.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.DELEGATION
    _raise_for_expired_grant(step, response)
    what = f"there is no delegation token{quoted_error(response, hide)}"
    found = parse_success_json(step, response, what)
    return parse_token(step, response, found, "delegation token", JWT_LIMIT)


def parse_homeys(response: Response, hide: Iterable[Secret]) -> dict[str, tuple[str, str | None]]:
    """Return the account's Homeys of GET /user/me: cloudid to name and ``remoteUrl``.

    Raises:
        SignInExpired: 401: the access token has expired.
        ProtocolChanged: no such list (a client without the scope gets none, too).
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.USER
    _raise_for_expired_grant(step, response)
    found = parse_success_json(step, response, "no list of Homeys")
    homeys = found.get("homeys") if isinstance(found, dict) else None
    if not isinstance(homeys, list):
        raise protocol_changed(step, response, "no list of Homeys")
    known: dict[str, tuple[str, str | None]] = {}
    for homey in homeys[:_MAX_HOMEYS]:
        key = homey.get("_id", homey.get("id")) if isinstance(homey, dict) else None
        if isinstance(key, str):
            name, url = homey.get("name"), homey.get("remoteUrl")
            known[key] = (
                excerpt(name, hide) if isinstance(name, str) else "",
                url if isinstance(url, str) else None,
            )
    return known
