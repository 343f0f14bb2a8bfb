"""From the credentials, or an OAuth refresh token, to a grant (``docs/wire.md`` A1 to A4)."""

from dataclasses import replace

from homey_tokend.athom.answers.accounts import (
    parse_redirect,
    parse_user_token,
    raise_for_consent,
)
from homey_tokend.athom.answers.cloud import parse_grant
from homey_tokend.athom.answers.common import protocol_changed
from homey_tokend.athom.consent_page import find_csrf, find_offered_homeys
from homey_tokend.core import totp
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.http_types import (
    Endpoints,
    Flow,
    Repeat,
    Request,
    Response,
    Step,
    cookie_header,
)
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Grant, UserToken


def one_time_code(secret: Secret, step: int) -> Secret:
    """Return the one-time code of a time step, for ``log_in``.

    Raises:
        SecretUnavailable: the secret is no base32.
    """
    try:
        return Secret(totp.code(secret, step))
    except ValueError as error:
        raise SecretUnavailable(
            f"totp_secret: {error}", remedy="Copy the base32 secret of the account again."
        ) from None


def log_in(who: Credentials, at: Endpoints, *, one_time_code: str = "") -> Flow[UserToken]:
    """POST /login, form-encoded (``docs/wire.md`` A1).

    Raises:
        AccountRejected, ProtocolChanged, Transient: see ``parse_user_token``.
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
    return parse_user_token(response, (*known_secrets(who), Secret(one_time_code)))


def consent(who: Credentials, at: Endpoints, user: UserToken) -> Flow[Grant]:
    """Authorise, consent and token: the code is used at once and never sent again (A2 to A4).

    Raises:
        SignInExpired: the user token, the form or the code is no longer accepted.
        ClientRejected, ConsentRejected: a person must change something.
        ProtocolChanged, Transient: see ``athom.answers``.
    """
    hide = (*known_secrets(who), user.value)
    page = yield from _authorise(who, at, user, hide)
    if _is_redirect(page):
        code = parse_redirect(Step.AUTHORISE, page, who.redirect_url, hide)
    else:
        code = yield from _send_form(who, at, user, page, hide)
    response = yield _token_request(who, at, ("grant_type", "authorization_code"), ("code", code))
    return parse_grant(response, (*hide, Secret(code)))


def offered_homeys(
    who: Credentials, at: Endpoints, user: UserToken
) -> Flow[tuple[str, ...] | None]:
    """Get the Homeys to choose from on the consent page; ``who.cloudid`` is not used.

    Returns:
        Their cloudids; None if nothing is to be picked (``docs/wire.md`` A2).

    Raises:
        SignInExpired, ClientRejected, ProtocolChanged, Transient: as ``consent``.
    """
    page = yield from _authorise(who, at, user, (*known_secrets(who), user.value))
    return None if _is_redirect(page) else find_offered_homeys(page.body)


def renew_grant(who: Credentials, at: Endpoints, refresh_token: Secret) -> Flow[Grant]:
    """Get a new grant with the OAuth refresh token (RFC 6749, 6; ``docs/wire.md`` A4).

    Returns:
        The grant; where the answer brings no new refresh token, the old one is in it.

    Raises:
        SignInExpired: the refresh token is not accepted: the full sign-in is needed.
        ClientRejected, ProtocolChanged, Transient: see ``parse_grant``.
    """
    response = yield _token_request(
        who, at, ("grant_type", "refresh_token"), ("refresh_token", refresh_token.reveal())
    )
    grant = parse_grant(response, (*known_secrets(who), refresh_token))
    return grant if grant.refresh_token else replace(grant, refresh_token=refresh_token)


def known_secrets(who: Credentials) -> tuple[Secret, ...]:
    """Return the secrets among the credentials."""
    one_time = (who.totp_secret,) if who.totp_secret else ()
    return (who.email, who.password, who.client_secret, *one_time)


def _authorise(
    who: Credentials, at: Endpoints, user: UserToken, hide: tuple[Secret, ...]
) -> Flow[Response]:
    page = yield Request(
        Step.AUTHORISE,
        "GET",
        f"{at.accounts}/oauth2/authorise",
        query=_consent_query(who, user),
        follow=True,
    )
    raise_for_consent(Step.AUTHORISE, page, hide)
    return page


def _send_form(
    who: Credentials, at: Endpoints, user: UserToken, page: Response, hide: tuple[Secret, ...]
) -> Flow[str]:
    csrf = find_csrf(page.body)
    if csrf is None:
        raise protocol_changed(Step.AUTHORISE, page, "the consent page has no _csrf field")
    cookies = cookie_header(page.all_headers("set-cookie"))
    answer = yield Request(
        Step.CONSENT,
        "POST",
        f"{at.accounts}/authorise",
        query=_consent_query(who, user),
        form=(
            ("resource", f"resource.homey.{who.cloudid}"),
            ("_csrf", csrf),
            ("allow", "Allow"),
        ),
        headers={"Cookie": cookies} if cookies else {},
        repeat=Repeat.UNSENT,
    )
    raise_for_consent(Step.CONSENT, answer, hide)
    return parse_redirect(Step.CONSENT, answer, who.redirect_url, hide)


def _consent_query(who: Credentials, user: UserToken) -> tuple[tuple[str, str], ...]:
    return (
        ("client_id", who.client_id),
        ("redirect_uri", who.redirect_url),
        ("response_type", "code"),
        ("user_token", user.value.reveal()),
    )


def _is_redirect(response: Response) -> bool:
    return 300 <= response.status < 400


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
