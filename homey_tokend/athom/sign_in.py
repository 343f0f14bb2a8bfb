"""From the credentials, or an OAuth refresh token, to a grant (``docs/wire.md`` A1 to A4)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import SplitResult, parse_qsl, urlsplit

from homey_tokend.athom.consent_page import find_csrf, find_offered_homeys
from homey_tokend.athom.flow import (
    ask,
    parse_object,
    parse_token,
    protocol_changed,
    quoted_error,
    trusted_clock_skew,
)
from homey_tokend.core import totp
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    ConsentRejected,
    ProtocolChanged,
    SecretUnavailable,
    SignInExpired,
)
from homey_tokend.core.http_types import (
    NO_JSON,
    Endpoints,
    Flow,
    Repeat,
    Request,
    Response,
    Step,
    cookie_header,
)
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Grant, UserToken

#: The longest ``expires_in`` that is believed, in seconds; usual is 3660 (docs/wire.md A4).
_LIFE_LIMIT_S = 366 * 86400
_LIFE_ASSUMED = timedelta(minutes=30)


def one_time_code(secret: Secret, step: int) -> Secret:
    """Return the one-time code of a time step, for ``log_in``.

    Raises:
        SecretUnavailable: The secret is not base32.
    """
    try:
        return Secret(totp.code(secret, step))
    except ValueError as error:
        raise SecretUnavailable(
            f"totp_secret: {error}", remedy="Copy the account's base32 secret again."
        ) from None


def log_in(
    credentials: Credentials, endpoints: Endpoints, *, one_time_code: str = ""
) -> Flow[UserToken]:
    """Log in with e-mail and password (``docs/wire.md`` A1).

    Raises:
        AccountRejected: The status is 4xx, with JSON.
        ProtocolChanged: The status is 4xx without JSON, or the JSON has no ``token``.
        Transient: The host is unreachable or reports an error, or another one responds instead.
    """
    step, hide = Step.LOGIN, (*credentials.secrets, Secret(one_time_code))
    request = Request(
        step,
        "POST",
        f"{endpoints.accounts}/login",
        form=(
            ("email", credentials.email.reveal()),
            ("password", credentials.password.reveal()),
            ("otptoken", one_time_code),
        ),
        repeat=Repeat.UNSENT,
    )
    response = yield from ask(request)
    if 400 <= response.status < 500:
        raise _login_error(response, hide)
    value = parse_object(step, response, hide).get("token")
    return UserToken(parse_token(step, response, value, "user token"), response.received_at)


def consent(credentials: Credentials, endpoints: Endpoints, user: UserToken) -> Flow[Grant]:
    """Give the consent, and exchange the code for a grant at once (``docs/wire.md`` A2 to A4).

    Raises:
        SignInExpired: The user token, the form or the code is no longer accepted.
        ClientRejected, ConsentRejected: A person has to act.
        ProtocolChanged, Transient: As for ``log_in``.
    """
    hide = (*credentials.secrets, user.value)
    page = yield from _authorise(credentials, endpoints, user, hide)
    if _is_redirect(page):
        code = parse_redirect(Step.AUTHORISE, page, credentials.redirect_url, hide)
    else:
        code = yield from _send_form(credentials, endpoints, user, page, hide)
    fields = ("grant_type", "authorization_code"), ("code", code)
    return (yield from _request_grant(credentials, endpoints, fields, (*hide, Secret(code))))


def offered_homeys(
    credentials: Credentials, endpoints: Endpoints, user: UserToken
) -> Flow[tuple[str, ...] | None]:
    """Get the Homeys to choose from on the consent page; ``credentials.cloudid`` is not used.

    Returns:
        Their cloudids; None if there is no choice (``docs/wire.md`` A2).

    Raises:
        SignInExpired, ClientRejected, ProtocolChanged, Transient: As for ``consent``.
    """
    page = yield from _authorise(credentials, endpoints, user, (*credentials.secrets, user.value))
    return None if _is_redirect(page) else find_offered_homeys(page.body)


def renew_grant(
    credentials: Credentials, endpoints: Endpoints, refresh_token: Secret
) -> Flow[Grant]:
    """Get a new grant with the OAuth refresh token (RFC 6749, 6; ``docs/wire.md`` A4).

    Returns:
        The grant, with the old refresh token if the response has no new one.

    Raises:
        SignInExpired: The refresh token is not accepted; the full sign-in is needed.
        ClientRejected, ProtocolChanged, Transient: As for ``consent``.
    """
    fields = ("grant_type", "refresh_token"), ("refresh_token", refresh_token.reveal())
    hide = (*credentials.secrets, refresh_token)
    grant = yield from _request_grant(credentials, endpoints, fields, hide)
    return grant if grant.refresh_token else replace(grant, refresh_token=refresh_token)


def _login_error(response: Response, hide: Iterable[Secret]) -> AccountRejected | ProtocolChanged:
    # All rejections have the same status; the text only selects the message (docs/wire.md A1).
    step, words = Step.LOGIN, _known_rejection(response)
    if response.json() is not NO_JSON:
        message, remedy = words or (
            "Athom rejects the sign-in",
            "Check e-mail and password by signing in at my.homey.app.",
        )
        message += quoted_error(response, hide)
        return AccountRejected(message, step=step, status=response.status, remedy=remedy)
    if words is None or response.body.lstrip().startswith(b"<"):
        return protocol_changed(step, response, "unknown response")
    message, remedy = words
    return protocol_changed(step, response, f"unknown response; it may mean: {message}", remedy)


def _known_rejection(response: Response) -> tuple[str, str] | None:
    """Return the message and remedy for a rejected login; None if its text is unknown."""
    text, found = response.body[:4096].lower(), response.json()
    one_time = re.search(rb"(?<![a-z])otp|one.time|two.?factor|2fa", text)
    if not one_time and b"password" in text and b"not correct" in text:
        return "Athom rejects the password", "Correct the password."
    if b"no resource exists" in text:
        return "Athom does not know the e-mail address", "Correct the e-mail address."
    if one_time or (isinstance(found, dict) and found.get("code") == 401):
        return (
            "Athom requires a one-time code, or rejects the one that was sent",
            "Set totp_secret to the account's base32 secret, and check this machine's clock.",
        )
    return None


def _authorise(
    credentials: Credentials, endpoints: Endpoints, user: UserToken, hide: tuple[Secret, ...]
) -> Flow[Response]:
    request = Request(
        Step.AUTHORISE,
        "GET",
        f"{endpoints.accounts}/oauth2/authorise",
        query=_consent_query(credentials, user),
        follow=True,
    )
    return (yield from _ask_for_consent(request, hide))


def _send_form(
    credentials: Credentials,
    endpoints: Endpoints,
    user: UserToken,
    page: Response,
    hide: tuple[Secret, ...],
) -> Flow[str]:
    csrf = find_csrf(page.body)
    if csrf is None:
        raise protocol_changed(Step.AUTHORISE, page, "the consent page has no _csrf field")
    cookies = cookie_header(page.all_headers("set-cookie"))
    request = Request(
        Step.CONSENT,
        "POST",
        f"{endpoints.accounts}/authorise",
        query=_consent_query(credentials, user),
        form=(
            ("resource", f"resource.homey.{credentials.cloudid}"),
            ("_csrf", csrf),
            ("allow", "Allow"),
        ),
        headers={"Cookie": cookies} if cookies else {},
        repeat=Repeat.UNSENT,
    )
    response = yield from _ask_for_consent(request, hide)
    return parse_redirect(Step.CONSENT, response, credentials.redirect_url, hide)


def _consent_query(credentials: Credentials, user: UserToken) -> tuple[tuple[str, str], ...]:
    return (
        ("client_id", credentials.client_id),
        ("redirect_uri", credentials.redirect_url),
        ("response_type", "code"),
        ("user_token", user.value.reveal()),
    )


def _ask_for_consent(request: Request, hide: Iterable[Secret]) -> Flow[Response]:
    """Return the response if it is a success or a redirect, else raise an error (A2, A3)."""
    response = yield from ask(request)
    step, status = request.step, response.status
    if status == 401 or (status == 403 and step is Step.CONSENT):
        message = f"{step}: the sign-in is no longer accepted ({status})"
        raise SignInExpired(message, step=step, status=status)
    if status == 400 and isinstance(response.json(), dict):
        raise ClientRejected(
            f"Athom rejects the client{quoted_error(response, hide)}",
            step=step,
            status=status,
            remedy="Check client_id, and that redirect_url is registered exactly as configured.",
        )
    if status >= 400:
        raise protocol_changed(step, response, "unknown response of the consent page")
    return response


def _is_redirect(response: Response) -> bool:
    return 300 <= response.status < 400


def parse_redirect(
    step: Step, response: Response, redirect_url: str, hide: Iterable[Secret]
) -> str:
    """Return the code of a redirect to ``redirect_url``.

    ``error`` comes first, because an error's redirect has a ``code=400`` (``docs/wire.md`` 0).

    Raises:
        ConsentRejected: The redirect has ``error=access_denied``.
        ProtocolChanged: It has another error or no code, or leads elsewhere.
    """
    try:
        location, wanted = urlsplit(response.header("location") or ""), urlsplit(redirect_url)
        # A redirect URL with a query gets a second "?" (docs/wire.md 0, last line).
        text = location.query.replace("?", "&")
        query = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
        leads_to_us = _without_query(location) == _without_query(wanted)
    except ValueError:
        leads_to_us, query = False, {}
    if not leads_to_us:
        raise protocol_changed(step, response, "the redirect does not lead to redirect_url")
    if "error" in query:
        raise _consent_error(step, response, query, hide)
    code = query.get("code", "")
    if not re.fullmatch(r"[!-~]{1,4096}", code):
        raise protocol_changed(step, response, "the redirect has no code")
    return code


def _without_query(url: SplitResult) -> tuple[str, str, str]:
    return url.scheme, url.netloc.lower(), url.path.rstrip("/")


def _consent_error(
    step: Step, response: Response, query: Mapping[str, str], hide: Iterable[Secret]
) -> ConsentRejected | ProtocolChanged:
    words = excerpt(f"{query['error']}: {query.get('error_description', '')}", hide)
    if query["error"] == "access_denied":
        return ConsentRejected(
            f"the consent was denied (“{words}”)",
            step=step,
            status=response.status,
            remedy="Check cloudid, and that this account may use the Homey.",
        )
    return protocol_changed(step, response, f"the redirect has an error (“{words}”)")


def _request_grant(
    credentials: Credentials,
    endpoints: Endpoints,
    fields: tuple[tuple[str, str], ...],
    hide: tuple[Secret, ...],
) -> Flow[Grant]:
    """Exchange a code or a refresh token for a grant (A4)."""
    step = Step.TOKEN
    request = Request(
        step,
        "POST",
        f"{endpoints.api}/oauth2/token",
        form=(
            ("client_id", credentials.client_id),
            ("client_secret", credentials.client_secret.reveal()),
            *fields,
        ),
        repeat=Repeat.UNSENT,
    )
    response = yield from ask(request)
    if 400 <= response.status < 500:
        raise _grant_error(response, hide)
    found = parse_object(step, response, hide)
    access, refresh = found.get("access_token"), found.get("refresh_token")
    return Grant(
        access_token=parse_token(step, response, access, "access token"),
        expires_at=response.received_at + _lifetime(found.get("expires_in")),
        refresh_token=parse_token(step, response, refresh, "refresh token") if refresh else None,
        skew=trusted_clock_skew(response),
    )


def _grant_error(
    response: Response, hide: Iterable[Secret]
) -> ClientRejected | SignInExpired | ProtocolChanged:
    step, status, found = Step.TOKEN, response.status, response.json()
    error = found.get("error") if isinstance(found, dict) else None
    if error == "invalid_client":
        return ClientRejected(
            f"Athom rejects the client{quoted_error(response, hide)}",
            step=step,
            status=status,
            remedy="Check client_id and client_secret, and that the client still exists.",
        )
    if error == "invalid_grant":
        message = "the code or refresh token is not accepted"
        return SignInExpired(message, step=step, status=status)
    return protocol_changed(step, response, f"unknown response{quoted_error(response, hide)}")


def _lifetime(value: object) -> timedelta:
    # A number or a text (docs/wire.md A4); if it is neither, a lifetime is assumed.
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return _LIFE_ASSUMED
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return _LIFE_ASSUMED
    return timedelta(seconds=seconds) if 0 <= seconds <= _LIFE_LIMIT_S else _LIFE_ASSUMED
