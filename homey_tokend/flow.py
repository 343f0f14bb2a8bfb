"""The conversations with Athom's hosts and the Homey, as pure generators.

A conversation yields Requests, is sent Responses and returns a value; failures
of the transport are thrown into it. It reads no clock and carries its own
cookies, so a test drives it by hand. ``walk`` in ``conversation.py`` runs one
over a transport.

They are cut where something worth keeping has been gained, so that an outage in
the middle costs no password: only the next one is repeated.

* ``log_in``: e-mail and password to a user token (``docs/wire.md`` A1)
* ``consent``: authorise, consent, token: user token to a grant (A2 to A4)
* ``exchange``: delegation, Homey login, session: grant to a bearer (A5, A6, C)

``sign_in`` is the first two in one; ``renew_grant`` uses an OAuth refresh token.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from homey_tokend import answers
from homey_tokend.addresses import Site, acceptable, fallback_url
from homey_tokend.errors import BearerDiscarded, HomeyRefused, StaleSignIn, TokendError
from homey_tokend.model import (
    Bearer,
    Credentials,
    Endpoints,
    Grant,
    Repeat,
    Request,
    Response,
    Secret,
    Step,
    UserToken,
)
from homey_tokend.pages import cookies_of, csrf_of

T = TypeVar("T")
Conversation = Generator[Request, Response, T]

#: When is a new bearer asked about again after a 401? (``docs/wire.md``, sorting table)
_PROOF_PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(seconds=3))
#: A cloudid is 24 hex digits today; codes and access tokens, of 40, are not shown as one.
_CLOUDID = re.compile(r"[0-9A-Za-z-]{1,36}")
#: What is believed of a session's length: seconds to ten years.
_LONGEST_LIFE = timedelta(days=3660)


def sign_in(who: Credentials, at: Endpoints, *, one_time_code: str = "") -> Conversation[Grant]:
    """From e-mail and password to a grant, all steps of the sign-in in one."""
    user = yield from log_in(who, at, one_time_code=one_time_code)
    return (yield from consent(who, at, user))


def log_in(who: Credentials, at: Endpoints, *, one_time_code: str = "") -> Conversation[UserToken]:
    """POST /login, form-encoded (``docs/wire.md`` A1).

    Raises:
        AccountRefused, ProtocolChanged, Transient: see ``answers.user_token_of``.
    """
    response = yield Request(
        Step.LOGIN,
        "POST",
        f"{at.accounts}/login",
        form=(
            ("email", who.email.reveal()),
            ("password", who.password.reveal()),
            ("otptoken", one_time_code),
        ),
        repeat=Repeat.UNSENT,
    )
    return answers.user_token_of(response, (*known_secrets(who), Secret(one_time_code)))


def consent(who: Credentials, at: Endpoints, user: UserToken) -> Conversation[Grant]:
    """Authorise, consent and token: the code is used at once and never repeated (A2 to A4).

    Raises:
        StaleSignIn: the user token, the form or the code is no longer taken.
        ClientRefused, ConsentRefused: a person must change something.
        ProtocolChanged, Transient: see ``answers``.
    """
    code = yield from _code(who, at, user)
    response = yield _token_request(who, at, ("grant_type", "authorization_code"), ("code", code))
    return answers.grant_of(response, (*known_secrets(who), user.value, Secret(code)))


def renew_grant(who: Credentials, at: Endpoints, refresh_token: Secret) -> Conversation[Grant]:
    """A new grant by the OAuth refresh token (RFC 6749, 6; ``docs/wire.md`` A4).

    Returns:
        The grant; where the answer brings no new refresh token, the old one is in it.

    Raises:
        StaleSignIn: the refresh token is not taken: the full flow is needed.
        ClientRefused, ProtocolChanged, Transient: see ``answers.grant_of``.
    """
    response = yield _token_request(
        who,
        at,
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.reveal()),
    )
    grant = answers.grant_of(response, (*known_secrets(who), refresh_token))
    return grant if grant.refresh_token else replace(grant, refresh_token=refresh_token)


def exchange(grant: Grant, site: Site, hide: tuple[Secret, ...] = ()) -> Conversation[Bearer]:
    """From the grant to a proved bearer: no password goes out here (A5, A6, C).

    ``hide`` has what no error may quote: the hosts of the cloud know more than they are sent.

    With ``url: auto`` the account's ``/user/me`` is asked first where the Homey is.

    Raises:
        StaleSignIn: the access token is no longer taken.
        HomeyRefused: the Homey refuses the delegation token, twice.
        BearerDiscarded: the Homey does not take the bearer it gave.
        HomeyOffline, ProtocolChanged, Transient: see ``answers``.
    """
    hide = (*hide, grant.access_token)
    place = _Place(fallback_url(site)) if site.explicit_url else (yield from _find(grant, site))
    value, issued_at = yield from _log_in_at_homey(grant, site, place.url, hide)
    if value is None:
        value, issued_at = yield from _log_in_at_homey(grant, site, place.url, hide)
    if value is None:
        raise (yield from _not_covered(grant, site, place, hide))
    draft = Bearer(
        value=value,
        url=place.url,
        issued_at=issued_at,
        expires_at=issued_at + site.lifetime,
        expiry_told=False,
        proved=False,
        discovered_url=place.discovered,
        note=place.note,
    )
    return (yield from _proved(draft, grant.skew))


def ask_session(url: str, bearer: Secret, *, after: timedelta = timedelta(0)) -> Request:
    """GET sessions/session/me with the bearer: needs no scope (``docs/wire.md`` C)."""
    return Request(
        Step.SESSION,
        "GET",
        f"{url}/api/manager/sessions/session/me",
        bearer=bearer,
        after=after,
    )


def prove(
    url: str, bearer: Secret, *, issued_at: datetime, skew: timedelta | None = None
) -> Conversation[tuple[bool, datetime | None]]:
    """Ask the Homey whether it takes a bearer; a 401 is asked again after 1 s and 3 s.

    Args:
        url: The Homey's base URL.
        bearer: The bearer in question.
        issued_at: When it was issued, by our clock.
        skew: The server's clock minus ours as an earlier answer told it; this
            answer's own Date header counts first.

    Returns:
        Whether it does, and until when by our clock where the Homey tells that.

    Raises:
        ProtocolChanged, Transient: the question got no answer.
    """
    for pause in _PROOF_PAUSES:
        response = yield ask_session(url, bearer, after=pause)
        session = answers.session_of(response)
        if session is not None:
            own = answers.skew_of(response)
            return True, _expiry(response, *session, issued_at, skew if own is None else own)
    return False, None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the Homey is called, and how that was found out."""

    url: str
    discovered: str | None = None
    note: str = ""


def known_secrets(who: Credentials) -> tuple[Secret, ...]:
    """The secrets among the sign-in values."""
    one_time = (who.totp_secret,) if who.totp_secret else ()
    return (who.email, who.password, who.client_secret, *one_time)


def _code(who: Credentials, at: Endpoints, user: UserToken) -> Conversation[str]:
    hide = (*known_secrets(who), user.value)
    query = (
        ("client_id", who.client_id),
        ("redirect_uri", who.redirect_url),
        ("response_type", "code"),
        ("user_token", user.value.reveal()),
    )
    page = yield Request(
        Step.AUTHORISE, "GET", f"{at.accounts}/oauth2/authorise", query=query, follow=True
    )
    answers.raise_for_consent(Step.AUTHORISE, _unless_redirect(page), hide)
    if 300 <= page.status < 400:
        return _redirected(Step.AUTHORISE, page, who.redirect_url, hide)
    csrf = csrf_of(page.body)
    if csrf is None:
        raise answers.no_form(page)
    cookies = cookies_of(page.all_headers("set-cookie"))
    answer = yield Request(
        Step.CONSENT,
        "POST",
        f"{at.accounts}/authorise",
        query=query,
        form=(
            ("resource", f"resource.homey.{who.cloudid}"),
            ("_csrf", csrf),
            ("allow", "Allow"),
        ),
        headers={"Cookie": cookies} if cookies else {},
        repeat=Repeat.UNSENT,
    )
    answers.raise_for_consent(Step.CONSENT, _unless_redirect(answer), hide)
    return _redirected(Step.CONSENT, answer, who.redirect_url, hide)


def _unless_redirect(response: Response) -> Response:
    """A redirect is sorted by where it leads, not by its status."""
    return replace(response, status=200) if 300 <= response.status < 400 else response


def _redirected(step: Step, response: Response, redirect_url: str, hide: tuple[Secret, ...]) -> str:
    code = answers.redirected_code(step, response, redirect_url, hide)
    if code is None:
        raise answers.no_redirect(step, response)
    return code


def _token_request(who: Credentials, at: Endpoints, *fields: tuple[str, str]) -> Request:
    return Request(
        Step.TOKEN,
        "POST",
        f"{at.api}/oauth2/token",
        form=(
            ("client_id", who.client_id),
            ("client_secret", who.client_secret.reveal()),
            *fields,
        ),
        repeat=Repeat.UNSENT,
    )


def _homeys(
    grant: Grant, site: Site, hide: tuple[Secret, ...] = ()
) -> Conversation[dict[str, tuple[str, str | None]]]:
    response = yield Request(
        Step.USER, "GET", f"{site.endpoints.api}/user/me", bearer=grant.access_token
    )
    return answers.homeys_of(response, hide)


def _find(grant: Grant, site: Site) -> Conversation[_Place]:
    """Where ``/user/me`` says the Homey is; what is known otherwise where it does not say."""
    known = _Place(fallback_url(site))
    try:
        homeys = yield from _homeys(grant, site)
    except StaleSignIn:
        raise
    except TokendError as error:
        return replace(known, note=f"address not asked for: {error.kind}")
    if site.cloudid not in homeys:
        return replace(known, note="the account does not list this cloudid")
    named = homeys[site.cloudid][1]
    url = acceptable(named, site.endpoints) if named else None
    if url is None:
        return replace(known, note="the account names no usable address")
    return _Place(url, discovered=url)


def _log_in_at_homey(
    grant: Grant, site: Site, url: str, hide: tuple[Secret, ...]
) -> Conversation[tuple[Secret | None, datetime]]:
    response = yield Request(
        Step.DELEGATION,
        "POST",
        f"{site.endpoints.api}/delegation/token",
        query=(("audience", "homey"),),
        json={},
        bearer=grant.access_token,
    )
    delegation = answers.delegation_of(response, hide)
    response = yield Request(
        Step.HOMEY_LOGIN,
        "POST",
        f"{url}/api/manager/users/login",
        json={"token": delegation.reveal()},
    )
    # The session began when the Homey answered, or up to a round trip before: take the earlier.
    return answers.homey_login_of(response), response.sent_at


def _not_covered(
    grant: Grant, site: Site, place: _Place, hide: tuple[Secret, ...]
) -> Conversation[HomeyRefused]:
    """The refusal, naming the account's other Homeys where it tells them."""
    remedy = "Check cloudid; may this account use the Homey?"
    try:
        homeys = yield from _homeys(grant, site, hide)
    except TokendError:
        homeys = {}
    named = [f"{key} ({name})" for key, (name, _) in homeys.items() if _is_cloudid(key, hide)]
    if named:
        listed = ", ".join(named[:8])
        remedy = f"The account's Homeys are: {listed}. Correct cloudid."
    note = f" ({place.note})" if place.note else ""
    return HomeyRefused(
        f"the Homey refuses the login: this consent does not cover it{note}",
        step=Step.HOMEY_LOGIN,
        remedy=remedy,
    )


def _is_cloudid(key: str, hide: tuple[Secret, ...]) -> bool:
    return bool(_CLOUDID.fullmatch(key)) and not any(one and one.reveal() in key for one in hide)


def _proved(draft: Bearer, skew: timedelta | None) -> Conversation[Bearer]:
    try:
        taken, expires_at = yield from prove(
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
    return replace(draft, proved=True, expires_at=expires_at, expiry_told=True)


def _expiry(
    response: Response,
    created_at: datetime | None,
    expires_at: datetime | None,
    issued_at: datetime,
    skew: timedelta | None,
) -> datetime | None:
    """The expiry by our clock, or None where Homey tells none that can be.

    The told length counts from our own instant of issue, which needs no clock but
    ours; the told instant is moved by a known skew. Where both can be had the
    earlier counts: the Homey's clock need not be the one that wrote the Date header.
    """
    if expires_at is None:
        return None
    try:
        ways = [expires_at - skew] if skew is not None else []
        ways += [issued_at + (expires_at - created_at)] if created_at is not None else []
        ours = min(ways, default=expires_at)
    except OverflowError:
        return None
    return ours if timedelta(0) < ours - response.received_at <= _LONGEST_LIFE else None
