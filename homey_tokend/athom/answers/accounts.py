"""Responses of accounts.athom.com: login, authorise, consent (``docs/wire.md`` A1 to A3)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import SplitResult, parse_qsl, urlsplit

from homey_tokend.athom.answers.common import (
    JWT_LIMIT,
    parse_success_json,
    parse_token,
    protocol_changed,
    quoted_error,
    raise_for_common_failures,
)
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    ConsentRejected,
    ProtocolChanged,
    SignInExpired,
)
from homey_tokend.core.http_types import NO_JSON, Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import UserToken

# --- login (docs/wire.md A1) ---


def parse_user_token(response: Response, hide: Iterable[Secret]) -> UserToken:
    """Return the user token of POST /login.

    Raises:
        AccountRejected: 4xx with JSON.
        ProtocolChanged: 4xx without JSON, or JSON without a text ``token``.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.LOGIN
    raise_for_common_failures(step, response)
    if 400 <= response.status < 500:
        if response.json() is NO_JSON:
            raise _unknown_rejection(response)
        # By status all rejections are one: the text chooses the sentence alone (A1).
        message, remedy = _known_rejection(response) or (
            "Athom rejects the sign-in",
            "Check e-mail and password by signing in at my.homey.app.",
        )
        message += quoted_error(response, hide)
        raise AccountRejected(message, step=step, status=response.status, remedy=remedy)
    found = parse_success_json(step, response, "the login gave an unknown answer")
    value = found.get("token") if isinstance(found, dict) else None
    token = parse_token(step, response, value, "user token", JWT_LIMIT)
    return UserToken(token, issued_at=response.received_at)


def _unknown_rejection(response: Response) -> ProtocolChanged:
    what = "the login gave an unknown answer"
    page = response.body.lstrip().startswith(b"<")
    words = None if page else _known_rejection(response)
    if words is None:
        return protocol_changed(Step.LOGIN, response, what)
    message, remedy = words
    return protocol_changed(Step.LOGIN, response, f"{what}; it seems to say: {message}", remedy)


def _known_rejection(response: Response) -> tuple[str, str] | None:
    """Return the message and remedy for a rejected login; None if its text is unknown."""
    text, found = response.body[:4096].lower(), response.json()
    one_time = re.search(rb"(?<![a-z])otp|one.time|two.?factor|2fa", text)
    if not one_time and b"password" in text and b"not correct" in text:
        return "Athom rejects the password", "Correct the password."
    if b"no resource exists" in text:
        return "Athom knows no such e-mail address", "Correct the e-mail address."
    if one_time or (isinstance(found, dict) and found.get("code") == 401):
        return (
            "Athom wants a one-time code, or rejects the one it got",
            "Set totp_secret to the account's base32 secret; is this machine's clock right?",
        )
    return None


# --- authorise and consent (docs/wire.md A2, A3) ---


def parse_redirect(
    step: Step, response: Response, redirect_url: str, hide: Iterable[Secret]
) -> str:
    """Return the code of a redirect to ``redirect_url``.

    ``error`` is looked at first: an error redirect carries a ``code=400`` of its
    own (``docs/wire.md`` 0).

    Raises:
        ConsentRejected: ``error=access_denied``.
        ProtocolChanged: another error, no code, or a redirect to another place.
    """
    try:
        location, wanted = urlsplit(response.header("location") or ""), urlsplit(redirect_url)
        # A redirect URL with a query of its own gets a second "?": section 0, last line.
        text = location.query.replace("?", "&")
        query = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
        leads_to_us = _without_query(location) == _without_query(wanted)
    except ValueError:
        leads_to_us, query = False, {}
    if not leads_to_us:
        raise protocol_changed(step, response, "a redirect leads to an unknown place")
    if "error" in query:
        raise _consent_error(step, response, query, hide)
    code = query.get("code", "")
    if not re.fullmatch(r"[!-~]{1,4096}", code):
        raise protocol_changed(step, response, "the redirect carries no code")
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
            remedy="Has this account access to the Homey with this cloudid?",
        )
    what = f"the consent page redirects with an error (“{words}”)"
    return protocol_changed(step, response, what)


def raise_for_consent(step: Step, response: Response, hide: Iterable[Secret]) -> None:
    """Raise for a consent response that is neither a success nor a redirect.

    Raises:
        SignInExpired: 401, or 403 for the form (csurf).
        ClientRejected: 400 with JSON.
        ProtocolChanged: any other 4xx.
        Transient: the host is in trouble.
    """
    if 300 <= response.status < 400:
        response = replace(response, status=200)  # sorted by where it leads
    raise_for_common_failures(step, response)
    status = response.status
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
    if status >= 300:
        raise protocol_changed(step, response, "unknown answer of the consent page")
