"""From a grant to a verified bearer: no password goes out here (``docs/wire.md`` A5, A6, C, E)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homey_tokend.athom.answers.cloud import parse_delegation, parse_homeys
from homey_tokend.athom.answers.homey import parse_homey_login
from homey_tokend.athom.urls import HomeyTarget, fallback_url, is_cloudid, usable_url
from homey_tokend.athom.verification import verify_bearer
from homey_tokend.core.errors import (
    BearerDiscarded,
    HomeyOffline,
    HomeyRejected,
    SignInExpired,
    TokendError,
)
from homey_tokend.core.http_types import Endpoints, Flow, Request, Step
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Bearer, Grant

Homeys = Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the Homey is called, and how that was found out.

    ``others`` is the remedy that names the account's Homeys, where this one is not among them.
    """

    url: str
    discovered: str | None = None
    note: str = ""
    others: str = ""


def exchange(grant: Grant, target: HomeyTarget, hide: tuple[Secret, ...] = ()) -> Flow[Bearer]:
    """Exchange a grant for a verified bearer.

    With ``url: auto`` the account's ``/user/me`` is asked first where the Homey is.

    Args:
        grant: The grant.
        target: The Homey.
        hide: What no error may quote: the hosts of the cloud know more than they are sent.

    Raises:
        SignInExpired: the access token is no longer accepted.
        HomeyRejected: the Homey rejects the delegation token, twice.
        BearerDiscarded: the Homey does not accept the bearer it gave.
        HomeyOffline, ProtocolChanged, Transient: see ``athom.answers``.
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
        # The cloud answers so to a cloudid that it does not know, too (docs/wire.md A6).
        if address.others:
            error.message = f"{error.message} ({address.note})"
            error.remedy = f"{address.others} Else: {error.remedy}"
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
    grant: Grant, at: Endpoints, hide: tuple[Secret, ...] = ()
) -> Flow[dict[str, tuple[str, str | None]]]:
    """Get the account's Homeys: cloudid to name and address (``docs/wire.md`` E).

    Raises:
        SignInExpired, ProtocolChanged, Transient: see ``parse_homeys``.
    """
    response = yield Request(Step.USER, "GET", f"{at.api}/user/me", bearer=grant.access_token)
    return parse_homeys(response, hide)


def _find(grant: Grant, target: HomeyTarget, hide: tuple[Secret, ...]) -> Flow[_Address]:
    known = _Address(fallback_url(target))
    try:
        found = yield from homeys(grant, target.endpoints, hide)
    except SignInExpired:
        raise
    except TokendError as error:
        return replace(known, note=f"address not asked for: {error.kind}")
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
    response = yield Request(
        Step.DELEGATION,
        "POST",
        f"{target.endpoints.api}/delegation/token",
        query=(("audience", "homey"),),
        json={},
        bearer=grant.access_token,
    )
    delegation = parse_delegation(response, hide)
    response = yield Request(
        Step.HOMEY_LOGIN,
        "POST",
        f"{url}/api/manager/users/login",
        json={"token": delegation.reveal()},
    )
    # The session began when the Homey answered, or up to a round trip before: take the earlier.
    return parse_homey_login(response), response.sent_at


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
        remedy=_correct_cloudid(found, hide) or "Check cloudid; may this account use the Homey?",
    )


def _correct_cloudid(found: Homeys, hide: tuple[Secret, ...]) -> str:
    """Return the remedy that names the account's Homeys, or ""."""
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
        # A Homey that cannot be asked does not hold the token back: verified later.
        return replace(bearer, note=bearer.note or f"not verified: {error.kind}")
    if not accepted:
        raise BearerDiscarded(
            "the Homey does not accept the bearer that it has just given", step=Step.SESSION
        )
    if expires_at is None:
        return replace(bearer, verified=True)
    return replace(bearer, verified=True, expires_at=expires_at, expiry_reported=True)
