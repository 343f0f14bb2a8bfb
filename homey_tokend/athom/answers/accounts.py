"""What accounts.athom.com answers: login, authorise, consent (``docs/wire.md`` A1 to A3)."""

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, parse_qsl, urlsplit

from homey_tokend.athom.answers.common import (
    JWT_LIMIT,
    changed,
    is_json,
    is_json_object,
    opaque,
    parse_success_json,
    raise_for_common_failures,
)
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    ConsentRejected,
    ProtocolChanged,
    SignInExpired,
)
from homey_tokend.core.excerpt import quoted
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import UserToken

# --- login (docs/wire.md A1) -----------------------------------------------------


def parse_user_token(response: Response, hide: Iterable[Secret]) -> UserToken:
    """The answer of POST /login.

    Raises:
        AccountRejected: 4xx with JSON.
        ProtocolChanged: 4xx without JSON, or JSON without a text ``token``.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.LOGIN
    raise_for_common_failures(step, response)
    if 400 <= response.status < 500:
        raise (
            _account_refused(response, hide) if is_json(response) else _refused_unusually(response)
        )
    found = parse_success_json(step, response, "the login gave an unknown answer")
    value = found.get("token") if isinstance(found, dict) else None
    return UserToken(
        opaque(step, response, value, "user token", JWT_LIMIT), issued_at=response.received_at
    )


def _account_refused(response: Response, hide: Iterable[Secret]) -> AccountRejected:
    """Tell the cases apart by text, for the sentence alone: by status they are one (A1)."""
    message, remedy = _known_words(response) or (
        "Athom rejects the sign-in",
        "Check e-mail and password by signing in at my.homey.app.",
    )
    return AccountRejected(
        f"{message}{quoted(response, hide)}",
        step=Step.LOGIN,
        status=response.status,
        remedy=remedy,
    )


def _refused_unusually(response: Response) -> ProtocolChanged:
    """Not in the form that is known; where the words are known ones, a person is told them."""
    what = "the login gave an unknown answer"
    page = response.body.lstrip().startswith(b"<")
    words = None if page else _known_words(response)
    if words is None:
        return changed(Step.LOGIN, response, what)
    message, remedy = words
    return changed(Step.LOGIN, response, f"{what}; it seems to say: {message}", remedy)


def _known_words(response: Response) -> tuple[str, str] | None:
    """What a refused login says, and the remedy; None where its words are not known."""
    text = response.body[:4096].lower()
    one_time = re.search(rb"(?<![a-z])otp|one.time|two.?factor|2fa", text)
    if not one_time and b"password" in text and b"not correct" in text:
        return "Athom rejects the password", "Correct the password."
    if b"no resource exists" in text:
        return "Athom knows no such e-mail address", "Correct the e-mail address."
    if one_time or _json_code(response) == 401:
        return (
            "Athom wants a one-time code, or rejects the one it got",
            "Set totp_secret to the account's base32 secret; is this machine's clock right?",
        )
    return None


def _json_code(response: Response) -> object:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return found.get("code") if isinstance(found, dict) else None


# --- authorise and consent (docs/wire.md A2, A3) ---------------------------------


def parse_redirect(
    step: Step, response: Response, redirect_url: str, hide: Iterable[Secret]
) -> str | None:
    """The code of a redirect to ``redirect_url``; None where it leads elsewhere.

    ``error`` is looked at first: an error redirect carries a ``code=400`` of its
    own (``docs/wire.md`` 0).

    Raises:
        ConsentRejected: ``error=access_denied``.
        ProtocolChanged: another error, or no code.
    """
    try:
        location, wanted = urlsplit(response.header("location") or ""), urlsplit(redirect_url)
        # A redirect URL with a query of its own gets a second "?": section 0, last line.
        text = location.query.replace("?", "&")
        query = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return None
    if _place(location) != _place(wanted):
        return None
    if "error" in query:
        raise _consent_error(step, response, query, hide)
    code = query.get("code", "")
    if not re.fullmatch(r"[!-~]{1,4096}", code):
        raise changed(step, response, "the redirect carries no code")
    return code


def _place(url: SplitResult) -> tuple[str, str, str]:
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
    return changed(step, response, f"the consent page redirects with an error (“{words}”)")


def raise_for_consent(step: Step, response: Response, hide: Iterable[Secret]) -> None:
    """Sort what is no success of the two consent requests.

    Raises:
        SignInExpired: 401, or 403 for the form (csurf).
        ClientRejected: 400 with JSON.
        ProtocolChanged: any other 3xx or 4xx.
        Transient: the host is in trouble.
    """
    raise_for_common_failures(step, response)
    if response.status == 401 or (response.status == 403 and step is Step.CONSENT):
        raise SignInExpired(
            f"{step}: the sign-in is no longer taken ({response.status})",
            step=step,
            status=response.status,
        )
    if response.status == 400 and is_json_object(response):
        raise ClientRejected(
            f"Athom rejects the client{quoted(response, hide)}",
            step=step,
            status=response.status,
            remedy="Check client_id, and that redirect_url is registered exactly as configured.",
        )
    if response.status >= 300:
        raise changed(step, response, "unknown answer of the consent page")


def no_form(response: Response) -> ProtocolChanged:
    """The consent page came without its form."""
    return changed(Step.AUTHORISE, response, "the consent page has no _csrf field")


def no_redirect(step: Step, response: Response) -> ProtocolChanged:
    """A redirect that leads neither to the redirect URL nor to the same host."""
    return changed(step, response, "a redirect leads to an unknown place")
