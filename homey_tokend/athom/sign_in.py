"""From the sign-in values, or an OAuth refresh token, to a grant (``docs/wire.md`` A1 to A4)."""

from dataclasses import replace

from homey_tokend.athom import answers
from homey_tokend.athom.consent_page import cookie_header, find_csrf, find_offered_homeys
from homey_tokend.core import totp
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.http_types import Endpoints, Flow, Repeat, Request, Response, Step
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Grant, UserToken


def sign_in(who: Credentials, at: Endpoints, *, one_time_code: str = "") -> Flow[Grant]:
    """From e-mail and password to a grant, all steps of the sign-in in one."""
    user = yield from log_in(who, at, one_time_code=one_time_code)
    return (yield from consent(who, at, user))


def one_time_code(secret: Secret, step: int) -> Secret:
    """The code of a step, for ``log_in``.

    Raises:
        SecretUnavailable: the secret is no base32.
    """
    try:
        return Secret(totp.code(secret, step))
    except ValueError as error:
        raise SecretUnavailable(
            f"totp_secret: {error}", remedy="Copy the base32 secret of the account anew."
        ) from None


def log_in(who: Credentials, at: Endpoints, *, one_time_code: str = "") -> Flow[UserToken]:
    """POST /login, form-encoded (``docs/wire.md`` A1).

    Raises:
        AccountRejected, ProtocolChanged, Transient: see ``answers.user_token_of``.
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
    return answers.parse_user_token(response, (*known_secrets(who), Secret(one_time_code)))


def consent(who: Credentials, at: Endpoints, user: UserToken) -> Flow[Grant]:
    """Authorise, consent and token: the code is used at once and never repeated (A2 to A4).

    Raises:
        SignInExpired: the user token, the form or the code is no longer taken.
        ClientRejected, ConsentRejected: a person must change something.
        ProtocolChanged, Transient: see ``answers``.
    """
    code = yield from _code(who, at, user)
    response = yield _token_request(who, at, ("grant_type", "authorization_code"), ("code", code))
    return answers.parse_grant(response, (*known_secrets(who), user.value, Secret(code)))


def offered_homeys(
    who: Credentials, at: Endpoints, user: UserToken
) -> Flow[tuple[str, ...] | None]:
    """The Homeys that the consent page offers to pick from; ``who.cloudid`` is not looked at.

    Returns:
        Their cloudids; None where nothing is to be picked (``docs/wire.md`` A2).

    Raises:
        SignInExpired, ClientRejected, ConsentRejected, ProtocolChanged, Transient: as ``consent``.
    """
    hide = (*known_secrets(who), user.value)
    page = yield _page_request(at, _consent_query(who, user))
    answers.raise_for_consent(Step.AUTHORISE, _unless_redirect(page), hide)
    return None if 300 <= page.status < 400 else find_offered_homeys(page.body)


def renew_grant(who: Credentials, at: Endpoints, refresh_token: Secret) -> Flow[Grant]:
    """A new grant by the OAuth refresh token (RFC 6749, 6; ``docs/wire.md`` A4).

    Returns:
        The grant; where the answer brings no new refresh token, the old one is in it.

    Raises:
        SignInExpired: the refresh token is not taken: the full flow is needed.
        ClientRejected, ProtocolChanged, Transient: see ``answers.grant_of``.
    """
    response = yield _token_request(
        who,
        at,
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.reveal()),
    )
    grant = answers.parse_grant(response, (*known_secrets(who), refresh_token))
    return grant if grant.refresh_token else replace(grant, refresh_token=refresh_token)


def known_secrets(who: Credentials) -> tuple[Secret, ...]:
    """The secrets among the sign-in values."""
    one_time = (who.totp_secret,) if who.totp_secret else ()
    return (who.email, who.password, who.client_secret, *one_time)


def _code(who: Credentials, at: Endpoints, user: UserToken) -> Flow[str]:
    hide = (*known_secrets(who), user.value)
    query = _consent_query(who, user)
    page = yield _page_request(at, query)
    answers.raise_for_consent(Step.AUTHORISE, _unless_redirect(page), hide)
    if 300 <= page.status < 400:
        return _redirected(Step.AUTHORISE, page, who.redirect_url, hide)
    csrf = find_csrf(page.body)
    if csrf is None:
        raise answers.no_form(page)
    cookies = cookie_header(page.all_headers("set-cookie"))
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


def _consent_query(who: Credentials, user: UserToken) -> tuple[tuple[str, str], ...]:
    return (
        ("client_id", who.client_id),
        ("redirect_uri", who.redirect_url),
        ("response_type", "code"),
        ("user_token", user.value.reveal()),
    )


def _page_request(at: Endpoints, query: tuple[tuple[str, str], ...]) -> Request:
    return Request(
        Step.AUTHORISE, "GET", f"{at.accounts}/oauth2/authorise", query=query, follow=True
    )


def _unless_redirect(response: Response) -> Response:
    """A redirect is sorted by where it leads, not by its status."""
    return replace(response, status=200) if 300 <= response.status < 400 else response


def _redirected(step: Step, response: Response, redirect_url: str, hide: tuple[Secret, ...]) -> str:
    code = answers.parse_redirect(step, response, redirect_url, hide)
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
