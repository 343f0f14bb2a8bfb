"""From a grant to a verified bearer, without a password (``docs/wire.md`` A5, A6, C, E)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from homey_tokend.athom.flow import (
    ask,
    clock_skew,
    parse_bare_token,
    parse_object,
    protocol_changed,
)
from homey_tokend.athom.urls import HomeyTarget, fallback_url, is_cloudid, usable_url
from homey_tokend.core.errors import (
    BearerDiscarded,
    HomeyOffline,
    HomeyRejected,
    SignInExpired,
    TokendError,
)
from homey_tokend.core.http_types import Endpoints, Flow, Request, Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Bearer, Grant

#: The most Homeys of an account that are read.
_MAX_HOMEYS = 1000
#: The longest bearer that is accepted; today it has 114 characters, and is opaque (docs/wire.md C).
_BEARER_LIMIT = 4096
#: The waits before each request of a verification (``docs/wire.md``, classification of responses).
_PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(seconds=3))
#: The longest session that is believed.
_LONGEST_LIFE = timedelta(days=3660)
#: The Homeys of an account: cloudid to name and address.
Homeys = Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class _Address:
    """The address of the Homey, and how it was found.

    ``others`` is a remedy with the account's Homeys, if this one is not among them.
    """

    url: str
    discovered: str | None = None
    note: str = ""
    others: str = ""


def exchange(grant: Grant, target: HomeyTarget, hide: tuple[Secret, ...] = ()) -> Flow[Bearer]:
    """Exchange a grant for a verified bearer.

    With ``url: auto`` the Homey's address is first requested from ``/user/me``.

    Args:
        grant: The grant.
        target: The Homey.
        hide: Secrets that no error may quote, even if they are not sent in this flow: the cloud
            knows them.

    Raises:
        SignInExpired: The access token is no longer accepted.
        HomeyRejected: The Homey rejects two delegation tokens.
        BearerDiscarded: The Homey does not accept the bearer that it issued.
        HomeyOffline, ProtocolChanged, Transient: See ``athom.flow``.
    """
    hide = (*hide, grant.access_token)
    if target.explicit_url:
        address = _Address(fallback_url(target))
    else:
        address = yield from _find(grant, target, hide)
    try:
        value, issued_at = yield from _log_in_at_homey(grant, target, address.url, hide)
        if value is None:
            value, issued_at = yield from _log_in_at_homey(grant, target, address.url, hide)
    except HomeyOffline as error:
        # The cloud sends the same response for an unknown cloudid (docs/wire.md A6).
        if address.others:
            error.message = f"{error.message} ({address.note})"
            error.remedy = f"{address.others} Otherwise: {error.remedy}"
        raise
    if value is None:
        raise (yield from _rejection(grant, target, address, hide))
    bearer = Bearer(
        value=value,
        url=address.url,
        issued_at=issued_at,
        expires_at=issued_at + target.lifetime,
        expiry_reported=False,
        verified=False,
        discovered_url=address.discovered,
        note=address.note,
    )
    return (yield from _verified(bearer, grant.skew))


def homeys(
    grant: Grant, endpoints: Endpoints, hide: tuple[Secret, ...] = ()
) -> Flow[dict[str, tuple[str, str | None]]]:
    """Get the account's Homeys: cloudid to name and address (``docs/wire.md`` E).

    Raises:
        SignInExpired: The access token is no longer accepted.
        ProtocolChanged: There is no list; also for a client without the scope.
        Transient: The host is unreachable or reports an error, or another one responds instead.
    """
    step, hide = Step.USER, (*hide, grant.access_token)
    response = yield from ask(
        Request(step, "GET", f"{endpoints.api}/user/me", bearer=grant.access_token)
    )
    _raise_for_expired_grant(step, response)
    listed = parse_object(step, response, hide).get("homeys")
    if not isinstance(listed, list):
        raise protocol_changed(step, response, "no list of Homeys")
    known: dict[str, tuple[str, str | None]] = {}
    for homey in listed[:_MAX_HOMEYS]:
        key = homey.get("_id", homey.get("id")) if isinstance(homey, dict) else None
        if isinstance(key, str):
            name, url = homey.get("name"), homey.get("remoteUrl")
            known[key] = (
                excerpt(name, hide) if isinstance(name, str) else "",
                url if isinstance(url, str) else None,
            )
    return known


def verify_bearer(
    url: str, bearer: Secret, *, issued_at: datetime, skew: timedelta | None = None
) -> Flow[tuple[bool, datetime | None]]:
    """Ask the Homey whether it accepts a bearer; a 401 is retried after 1 s and 3 s.

    Args:
        url: The Homey's base URL.
        bearer: The bearer.
        issued_at: When it was issued, by our clock.
        skew: The server's clock minus ours according to an earlier response, if this one has no
            Date header.

    Returns:
        Whether the Homey accepts it, and its expiry by our clock if the Homey reports one.

    Raises:
        ProtocolChanged, Transient: There is no response, or an unknown one.
    """
    step, url = Step.SESSION, f"{url}/api/manager/sessions/session/me"
    for pause in _PAUSES:
        response = yield from ask(Request(step, "GET", url, bearer=bearer, after=pause))
        if response.status == 401:
            continue
        found = parse_object(step, response, (bearer,))
        own = clock_skew(response)
        return True, _expiry(response, found, issued_at, skew if own is None else own)
    return False, None


def _find(grant: Grant, target: HomeyTarget, hide: tuple[Secret, ...]) -> Flow[_Address]:
    known = _Address(fallback_url(target))
    try:
        found = yield from homeys(grant, target.endpoints, hide)
    except SignInExpired:
        raise
    except TokendError as error:
        return replace(known, note=f"the address could not be requested: {error.kind}")
    if target.cloudid not in found:
        others = _correct_cloudid(found, hide)
        return replace(known, note="the account does not list this cloudid", others=others)
    named = found[target.cloudid][1]
    url = usable_url(named, target.endpoints) if named else None
    if url is None:
        return replace(known, note="the account names no usable address")
    return _Address(url, discovered=url)


def _log_in_at_homey(
    grant: Grant, target: HomeyTarget, url: str, hide: tuple[Secret, ...]
) -> Flow[tuple[Secret | None, datetime]]:
    """Get the bearer and its time of issue; no bearer if the login is rejected (A5, A6)."""
    step = Step.DELEGATION
    request = Request(
        step,
        "POST",
        f"{target.endpoints.api}/delegation/token",
        query=(("audience", "homey"),),
        json={},
        bearer=grant.access_token,
    )
    response = yield from ask(request)
    _raise_for_expired_grant(step, response)
    delegation = parse_bare_token(step, response, hide, "delegation token")
    step = Step.HOMEY_LOGIN
    url = f"{url}/api/manager/users/login"
    response = yield from ask(Request(step, "POST", url, json={"token": delegation.reveal()}))
    # The session started between request and response; the earlier time is on the safe side.
    issued_at = response.sent_at
    if response.status in {401, 403}:
        return None, issued_at
    hide = (*hide, delegation)
    return parse_bare_token(step, response, hide, "bearer", _BEARER_LIMIT), issued_at


def _raise_for_expired_grant(step: Step, response: Response) -> None:
    if response.status == 401:
        message = f"{step}: the access token is not accepted (401)"
        raise SignInExpired(message, step=step, status=401)


def _rejection(
    grant: Grant, target: HomeyTarget, address: _Address, hide: tuple[Secret, ...]
) -> Flow[HomeyRejected]:
    try:
        found = yield from homeys(grant, target.endpoints, hide)
    except TokendError:
        found = {}
    note = f" ({address.note})" if address.note else ""
    return HomeyRejected(
        f"the Homey rejects the login: this consent does not cover it{note}",
        step=Step.HOMEY_LOGIN,
        remedy=_correct_cloudid(found, hide)
        or "Check cloudid, and that this account may use the Homey.",
    )


def _correct_cloudid(found: Homeys, hide: tuple[Secret, ...]) -> str:
    """Return a remedy with the account's Homeys, or "" if there are none."""
    named = [
        f"{key} ({name})"
        for key, (name, _) in found.items()
        if is_cloudid(key) and not any(one and one.reveal() in key for one in hide)
    ]
    if not named:
        return ""
    return f"The account's Homeys are: {', '.join(named[:8])}. Correct cloudid."


def _verified(bearer: Bearer, skew: timedelta | None) -> Flow[Bearer]:
    try:
        accepted, expires_at = yield from verify_bearer(
            bearer.url, bearer.value, issued_at=bearer.issued_at, skew=skew
        )
    except TokendError as error:
        # A failed verification does not delay the token, which is verified again later.
        return replace(bearer, note=bearer.note or f"not verified: {error.kind}")
    if not accepted:
        raise BearerDiscarded(
            "the Homey does not accept the bearer that it has just issued", step=Step.SESSION
        )
    if expires_at is None:
        return replace(bearer, verified=True)
    return replace(bearer, verified=True, expires_at=expires_at, expiry_reported=True)


def _expiry(
    response: Response, session: Mapping[str, object], issued_at: datetime, skew: timedelta | None
) -> datetime | None:
    """Return the expiry by our clock, or None if the Homey reports no plausible one.

    There are two ways: our time of issue plus the reported length, and the reported expiry minus
    a known skew. The earlier one counts, because the Homey's clock need not be the one that the
    Date header is from.
    """
    created_at, expires_at = _instant(session.get("createdAt")), _instant(session.get("expiresAt"))
    if expires_at is None:
        return None
    try:
        ways = [expires_at - skew] if skew is not None else []
        ways += [issued_at + (expires_at - created_at)] if created_at is not None else []
        ours = min(ways, default=expires_at)
    except OverflowError:
        return None
    return ours if timedelta(0) < ours - response.received_at <= _LONGEST_LIFE else None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
