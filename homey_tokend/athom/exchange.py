"""From a grant to a proved bearer: no password goes out here (``docs/wire.md`` A5, A6, E)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homey_tokend.athom import answers
from homey_tokend.athom.proof import verify_bearer
from homey_tokend.athom.urls import HomeyTarget, fallback_url, is_cloudid, usable_url
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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the Homey is called, and how that was found out.

    ``others``: the account's Homeys, where the account has told them and not this one.
    """

    url: str
    discovered: str | None = None
    note: str = ""
    others: str = ""


def exchange(grant: Grant, site: HomeyTarget, hide: tuple[Secret, ...] = ()) -> Flow[Bearer]:
    """From the grant to a proved bearer: no password goes out here (A5, A6, C).

    ``hide`` has what no error may quote: the hosts of the cloud know more than they are sent.

    With ``url: auto`` the account's ``/user/me`` is asked first where the Homey is.

    Raises:
        SignInExpired: the access token is no longer taken.
        HomeyRejected: the Homey refuses the delegation token, twice.
        BearerDiscarded: the Homey does not take the bearer it gave.
        HomeyOffline, ProtocolChanged, Transient: see ``answers``.
    """
    hide = (*hide, grant.access_token)
    if site.explicit_url:
        place = _Place(fallback_url(site))
    else:
        place = yield from _find(grant, site, hide)
    try:
        value, issued_at = yield from _log_in_at_homey(grant, site, place.url, hide)
        if value is None:
            value, issued_at = yield from _log_in_at_homey(grant, site, place.url, hide)
    except HomeyOffline as error:
        # So the cloud answers to a cloudid that it does not know, too (docs/wire.md A6).
        if place.others:
            error.message = f"{error.message} ({place.note})"
            error.remedy = f"{place.others} Else: {error.remedy}"
        raise
    if value is None:
        raise (yield from _not_covered(grant, site, place, hide))
    draft = Bearer(
        value=value,
        url=place.url,
        issued_at=issued_at,
        expires_at=issued_at + site.lifetime,
        expiry_reported=False,
        proved=False,
        discovered_url=place.discovered,
        note=place.note,
    )
    return (yield from _proved(draft, grant.skew))


def homeys(
    grant: Grant, at: Endpoints, hide: tuple[Secret, ...] = ()
) -> Flow[dict[str, tuple[str, str | None]]]:
    """The account's Homeys: cloudid to name and address (``docs/wire.md`` E).

    Raises:
        SignInExpired, ProtocolChanged, Transient: see ``answers.homeys_of``.
    """
    response = yield Request(Step.USER, "GET", f"{at.api}/user/me", bearer=grant.access_token)
    return answers.parse_homeys(response, hide)


def _find(grant: Grant, site: HomeyTarget, hide: tuple[Secret, ...]) -> Flow[_Place]:
    """Where ``/user/me`` says the Homey is; what is known otherwise where it does not say."""
    known = _Place(fallback_url(site))
    try:
        found = yield from homeys(grant, site.endpoints, hide)
    except SignInExpired:
        raise
    except TokendError as error:
        return replace(known, note=f"address not asked for: {error.kind}")
    if site.cloudid not in found:
        others = _correct_cloudid(found, hide)
        return replace(known, note="the account does not list this cloudid", others=others)
    named = found[site.cloudid][1]
    url = usable_url(named, site.endpoints) if named else None
    if url is None:
        return replace(known, note="the account names no usable address")
    return _Place(url, discovered=url)


def _log_in_at_homey(
    grant: Grant, site: HomeyTarget, url: str, hide: tuple[Secret, ...]
) -> Flow[tuple[Secret | None, datetime]]:
    response = yield Request(
        Step.DELEGATION,
        "POST",
        f"{site.endpoints.api}/delegation/token",
        query=(("audience", "homey"),),
        json={},
        bearer=grant.access_token,
    )
    delegation = answers.parse_delegation(response, hide)
    response = yield Request(
        Step.HOMEY_LOGIN,
        "POST",
        f"{url}/api/manager/users/login",
        json={"token": delegation.reveal()},
    )
    # The session began when the Homey answered, or up to a round trip before: take the earlier.
    return answers.parse_homey_login(response), response.sent_at


def _not_covered(
    grant: Grant, site: HomeyTarget, place: _Place, hide: tuple[Secret, ...]
) -> Flow[HomeyRejected]:
    """The refusal, naming the account's other Homeys where it tells them."""
    try:
        found = yield from homeys(grant, site.endpoints, hide)
    except TokendError:
        found = {}
    note = f" ({place.note})" if place.note else ""
    return HomeyRejected(
        f"the Homey rejects the login: this consent does not cover it{note}",
        step=Step.HOMEY_LOGIN,
        remedy=_correct_cloudid(found, hide) or "Check cloudid; may this account use the Homey?",
    )


def _correct_cloudid(found: Mapping[str, tuple[str, str | None]], hide: tuple[Secret, ...]) -> str:
    """The advice that names the account's Homeys, or ""."""
    named = [f"{key} ({name})" for key, (name, _) in found.items() if _is_cloudid(key, hide)]
    if not named:
        return ""
    return f"The account's Homeys are: {', '.join(named[:8])}. Correct cloudid."


def _is_cloudid(key: str, hide: tuple[Secret, ...]) -> bool:
    return is_cloudid(key) and not any(one and one.reveal() in key for one in hide)


def _proved(draft: Bearer, skew: timedelta | None) -> Flow[Bearer]:
    try:
        taken, expires_at = yield from verify_bearer(
            draft.url, draft.value, issued_at=draft.issued_at, skew=skew
        )
    except TokendError as error:
        # A Homey that cannot be asked does not hold the token back: proved later.
        return replace(draft, note=draft.note or f"not proved: {error.kind}")
    if not taken:
        raise BearerDiscarded(
            "the Homey does not take the bearer that it has just given", step=Step.SESSION
        )
    if expires_at is None:
        return replace(draft, proved=True)
    return replace(draft, proved=True, expires_at=expires_at, expiry_reported=True)
