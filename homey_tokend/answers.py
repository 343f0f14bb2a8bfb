"""The sorting table of ``docs/wire.md``: what each answer of each step means.

Status and shape choose the class; the text of an answer chooses only the
sentence shown to a person (sole exception: ``mesh_node_offline``). Nothing here
trusts a size, a type or a number that the wire brings.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, parse_qsl, unquote, unquote_plus, urlsplit

from homey_tokend.errors import (
    AccountRefused,
    ClientRefused,
    ConsentRefused,
    Garbled,
    HomeyOffline,
    ProtocolChanged,
    ServerTrouble,
    StaleSignIn,
    Throttled,
)
from homey_tokend.model import Grant, Response, Secret, Step, UserToken

_OFFLINE = b"mesh_node_offline"
_TROUBLE = frozenset({408, 425})
#: How long may a bearer be? docs/wire.md C: 114 today, and opaque.
_BEARER_LIMIT = 4096
#: A JWT signed with RS512 carries claims of unknown length (docs/wire.md A5).
_JWT_LIMIT = 16384
#: What is believed of expires_in: docs/wire.md A4 saw 3660; beyond a year it is nonsense.
_LIFE_LIMIT_S = 366 * 86400
_LIFE_ASSUMED = timedelta(minutes=30)
#: How much of a foreign text is looked at, and how much is shown? With both together below
#: 4,300, no run of digits in a character reference is too long for int().
_READ, _EXCERPT = 4000, 200
_OPAQUE = re.compile(r"[A-Za-z0-9_\-.+/=:%]{20,}")
#: JSON's escapes (RFC 8259, 7).
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([^u]))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_PORTAL_HINT = (
    "Look at what the host answers in a browser; a captive portal or proxy may be between."
)


def raise_for_trouble(step: Step, response: Response) -> None:
    """Raise for the answers that mean the same at every step.

    Raises:
        HomeyOffline: the cloud cannot reach the Homey (``docs/wire.md`` A6).
        Throttled: 429; ``retry_after`` as the header says (RFC 9110, 10.2.3).
        ServerTrouble: 408, 425 or 5xx.
    """
    status = response.status
    if _OFFLINE in response.body[:4096] and not _is_plain_success(response):
        raise HomeyOffline(
            "the Athom cloud cannot reach the Homey",
            step=step,
            status=status,
            retry_after=retry_after_of(response),
            remedy="Is the Homey switched on and online?",
        )
    if status == 429:
        raise Throttled(
            f"{step}: too many requests (429)",
            step=step,
            status=status,
            retry_after=retry_after_of(response),
        )
    if status in _TROUBLE or status >= 500:
        raise ServerTrouble(
            f"{step}: the server is in trouble ({status})",
            step=step,
            status=status,
            retry_after=retry_after_of(response),
        )


def _is_plain_success(response: Response) -> bool:
    """Whether the text may stand in the answer by right, as in a variable's name."""
    if not 200 <= response.status < 300:
        return False
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return False
    return not (isinstance(found, str) or (isinstance(found, dict) and "error" in found))


def retry_after_of(response: Response) -> timedelta | datetime | None:
    """Retry-After as a span or an instant; None where it is absent or garbage (RFC 9110)."""
    text = (response.header("retry-after") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    return _http_date(text)


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def skew_of(response: Response) -> timedelta | None:
    """The server's clock minus ours, as far as a trusted answer tells; else None.

    The Date header has whole seconds and was written some time between sending
    and receiving, so it tells an interval. Outside of zero its larger end is taken,
    which lets a token expire too early rather than too late. Zero inside it means
    that our clock may be right: then as much is taken as keeps a slow answer from
    letting a token expire more than a second too late; mostly that is zero.
    """
    date = _http_date(response.header("date") or "")
    if not response.trusted or date is None or not 200 <= response.status < 400:
        return None
    lowest, since_sent = date - response.received_at, date - response.sent_at
    highest = since_sent + timedelta(seconds=1)
    return max(timedelta(0), since_sent) if lowest <= timedelta(0) <= highest else highest


def json_of(step: Step, response: Response) -> object:
    """The JSON of an answer, whatever its content type says.

    Raises:
        Garbled: HTML, blanks or cut JSON (a captive portal, a broken proxy).
    """
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise Garbled(
            f"{step}: the answer ({response.status}) is not JSON",
            step=step,
            status=response.status,
            remedy=_PORTAL_HINT,
        ) from None


def said(response: Response, hide: Iterable[Secret] = ()) -> str:
    """What the server says of an error: printable, at most 200 characters, no secret.

    Looks at ``error`` and ``error_description``, which may be text or an object
    of field to text (``docs/wire.md`` A1). Known secrets and everything that is
    long and opaque enough to be one are left out.
    """
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    parts = [*_texts(found.get("error")), *_texts(found.get("error_description"))]
    return clean(": ".join(parts), hide)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [f"{key} {text}" for key, text in list(value.items())[:8] if isinstance(text, str)]
    return []


def clean(text: str, hide: Iterable[Secret] = ()) -> str:
    """Foreign text made fit to be shown: bounded, printable, without secrets.

    A secret that shows only once percent-encoding or escapes are undone leaves nothing
    of the text: who encodes it can cut it up as well.
    """
    known = {_printable(one.reveal()) for one in hide}
    secrets = sorted(filter(None, known), key=len, reverse=True)
    # Read further than shown: a secret that the cut halves would be met by no comparison.
    text = _printable(text[: _READ + _EXCERPT])
    for secret in secrets:
        text = text.replace(secret, "…")
    readings = {_printable(reading) for reading in _decoded(text)} if secrets else ()
    if any(secret in reading for reading in readings for secret in secrets):
        return "…"
    return _OPAQUE.sub("…", text[:_READ])[:_EXCERPT].strip()


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)


def _decoded(text: str) -> Iterator[str]:
    """The text as it reads once any two of its encodings are undone, in any order."""
    for once in _undone(text):
        yield once
        yield from _undone(once)


def _undone(text: str) -> tuple[str, ...]:
    """Without percent-encoding, a form's encoding, character references, JSON's escapes."""
    escapes = _ESCAPE.sub(_unescaped, text)
    return unquote(text), unquote_plus(text), html.unescape(text), escapes


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2])


def _is_json_object(response: Response) -> bool:
    try:
        return isinstance(json.loads(response.body), dict)
    except (ValueError, RecursionError):
        return False


def _json_of_success(step: Step, response: Response, what: str) -> object:
    """The JSON of a 200; ``what`` says what it means that there is none.

    Raises:
        Garbled: another 2xx counts as well, where it has no JSON.
        ProtocolChanged: any other status.
    """
    found = json_of(step, response) if 200 <= response.status < 300 else None
    if response.status != 200:
        raise _changed(step, response, what)
    return found


def _quoted(response: Response, hide: Iterable[Secret]) -> str:
    words = said(response, hide)
    return f" (“{words}”)" if words else ""


def _changed(step: Step, response: Response, what: str) -> ProtocolChanged:
    return ProtocolChanged(
        f"{step}: {what} (status {response.status})",
        step=step,
        status=response.status,
        remedy="Athom may have changed this step; look for a newer homey-tokend.",
    )


def _opaque(step: Step, response: Response, value: object, what: str, limit: int) -> Secret:
    """A token as it may be: 1 to ``limit`` printable ASCII characters without blanks."""
    if isinstance(value, str) and 1 <= len(value) <= limit and re.fullmatch(r"[!-~]+", value):
        return Secret(value)
    raise _changed(step, response, f"there is no {what} in the answer")


# --- login (docs/wire.md A1) -------------------------------------------------


def user_token_of(response: Response, hide: Iterable[Secret]) -> UserToken:
    """The answer of POST /login.

    Raises:
        AccountRefused: 4xx with JSON.
        ProtocolChanged: 4xx without JSON, or JSON without a text ``token``.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.LOGIN
    raise_for_trouble(step, response)
    if 400 <= response.status < 500 and _is_json_object(response):
        raise _account_refused(response, hide)
    found = _json_of_success(step, response, "the login gave an unknown answer")
    value = found.get("token") if isinstance(found, dict) else None
    return UserToken(
        _opaque(step, response, value, "user token", _JWT_LIMIT), issued_at=response.received_at
    )


def _account_refused(response: Response, hide: Iterable[Secret]) -> AccountRefused:
    """Tell the cases apart by text, for the sentence alone: by status they are one (A1)."""
    text = response.body[:4096].lower()
    if b"password" in text and b"not correct" in text:
        message, remedy = "Athom refuses the password", "Correct the password."
    elif b"no resource exists" in text:
        message, remedy = "Athom knows no such e-mail address", "Correct the e-mail address."
    elif re.search(rb"\botp|two.?factor|2fa", text) or _json_code(response) == 401:
        message = "Athom wants a one-time code, or refuses the one it got"
        remedy = "Set totp_secret to the account's base32 secret; is this machine's clock right?"
    else:
        message = "Athom refuses the sign-in"
        remedy = "Check e-mail and password by signing in at my.homey.app."
    return AccountRefused(
        f"{message}{_quoted(response, hide)}",
        step=Step.LOGIN,
        status=response.status,
        remedy=remedy,
    )


def _json_code(response: Response) -> object:
    found = json.loads(response.body)
    return found.get("code") if isinstance(found, dict) else None


# --- authorise and consent (docs/wire.md A2, A3) -----------------------------


def redirected_code(
    step: Step, response: Response, redirect_url: str, hide: Iterable[Secret]
) -> str | None:
    """The code of a redirect to ``redirect_url``; None where it leads elsewhere.

    ``error`` is looked at first: an error redirect carries a ``code=400`` of its
    own (``docs/wire.md`` 0).

    Raises:
        ConsentRefused: ``error=access_denied``.
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
        raise _changed(step, response, "the redirect carries no code")
    return code


def _place(url: SplitResult) -> tuple[str, str, str]:
    return url.scheme, url.netloc.lower(), url.path.rstrip("/")


def _consent_error(
    step: Step, response: Response, query: Mapping[str, str], hide: Iterable[Secret]
) -> ConsentRefused | ProtocolChanged:
    words = clean(f"{query['error']}: {query.get('error_description', '')}", hide)
    if query["error"] == "access_denied":
        return ConsentRefused(
            f"the consent was denied (“{words}”)",
            step=step,
            status=response.status,
            remedy="Has this account access to the Homey with this cloudid?",
        )
    return _changed(step, response, f"the consent page redirects with an error (“{words}”)")


def raise_for_consent(step: Step, response: Response, hide: Iterable[Secret]) -> None:
    """Sort what is no success of the two consent requests.

    Raises:
        StaleSignIn: 401, or 403 for the form (csurf).
        ClientRefused: 400 with JSON.
        ProtocolChanged: any other 3xx or 4xx.
        Transient: the host is in trouble.
    """
    raise_for_trouble(step, response)
    if response.status == 401 or (response.status == 403 and step is Step.CONSENT):
        raise StaleSignIn(
            f"{step}: the sign-in is no longer taken ({response.status})",
            step=step,
            status=response.status,
        )
    if response.status == 400 and _is_json_object(response):
        raise ClientRefused(
            f"Athom refuses the client{_quoted(response, hide)}",
            step=step,
            status=response.status,
            remedy="Check client_id, and that redirect_url is registered exactly as configured.",
        )
    if response.status >= 300:
        raise _changed(step, response, "unknown answer of the consent page")


def no_form(response: Response) -> ProtocolChanged:
    """The consent page came without its form."""
    return _changed(Step.AUTHORISE, response, "the consent page has no _csrf field")


def no_redirect(step: Step, response: Response) -> ProtocolChanged:
    """A redirect that leads neither to the redirect URL nor to the same host."""
    return _changed(step, response, "a redirect leads to an unknown place")


# --- token (docs/wire.md A4) -------------------------------------------------


def grant_of(response: Response, hide: Iterable[Secret]) -> Grant:
    """The answer of POST /oauth2/token, for a code and for a refresh token alike.

    Raises:
        ClientRefused: ``invalid_client``.
        StaleSignIn: ``invalid_grant``: the code or refresh token is not taken.
        ProtocolChanged: anything else that is no success.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.TOKEN
    raise_for_trouble(step, response)
    if 400 <= response.status < 500:
        raise _token_error(response, hide)
    found = _json_of_success(step, response, "unknown answer of the token endpoint")
    if not isinstance(found, dict):
        raise _changed(step, response, "the answer is no JSON object")
    refresh = found.get("refresh_token")
    return Grant(
        access_token=_opaque(step, response, found.get("access_token"), "access token", _JWT_LIMIT),
        expires_at=response.received_at + _life(found.get("expires_in")),
        refresh_token=_opaque(step, response, refresh, "refresh token", _JWT_LIMIT)
        if refresh
        else None,
        skew=skew_of(response),
    )


def _token_error(
    response: Response, hide: Iterable[Secret]
) -> ClientRefused | StaleSignIn | ProtocolChanged:
    step, status = Step.TOKEN, response.status
    error = json.loads(response.body).get("error") if _is_json_object(response) else None
    if error == "invalid_client":
        return ClientRefused(
            f"Athom refuses the client{_quoted(response, hide)}",
            step=step,
            status=status,
            remedy="Check client_id and client_secret; was the client revoked?",
        )
    if error == "invalid_grant":
        return StaleSignIn("the code or refresh token is not taken", step=step, status=status)
    return _changed(
        step, response, f"unknown answer of the token endpoint{_quoted(response, hide)}"
    )


def _life(value: object) -> timedelta:
    """``expires_in``: a number or text (docs/wire.md A4); assumed where it is neither."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return _LIFE_ASSUMED
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return _LIFE_ASSUMED
    return timedelta(seconds=seconds) if 0 <= seconds <= _LIFE_LIMIT_S else _LIFE_ASSUMED


# --- delegation and Homey login (docs/wire.md A5, A6) ------------------------


def raise_for_stale_grant(step: Step, response: Response) -> None:
    """401 of the cloud API: the access token is old, the sign-in is needed anew.

    Raises:
        StaleSignIn: 401.
        Transient: the host is in trouble.
    """
    raise_for_trouble(step, response)
    if response.status == 401:
        raise StaleSignIn(f"{step}: the access token is not taken (401)", step=step, status=401)


def delegation_of(response: Response, hide: Iterable[Secret]) -> Secret:
    """The answer of POST /delegation/token: a bare JSON string, kept nowhere.

    Raises:
        StaleSignIn: 401.
        ProtocolChanged: no JSON string.
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.DELEGATION
    raise_for_stale_grant(step, response)
    what = "there is no delegation token"
    found = _json_of_success(step, response, f"{what}{_quoted(response, hide)}")
    return _opaque(step, response, found, "delegation token", _JWT_LIMIT)


def homey_login_of(response: Response) -> Secret | None:
    """The answer of POST users/login: the bearer, or None where it is refused (401, 403).

    Raises:
        ProtocolChanged: no JSON string.
        Transient: the Homey or the cloud before it is in trouble.
    """
    step = Step.HOMEY_LOGIN
    raise_for_trouble(step, response)
    if response.status in {401, 403}:
        return None
    found = _json_of_success(step, response, "unknown answer to the Homey login")
    return _opaque(step, response, found, "bearer", _BEARER_LIMIT)


# --- the session and the account's Homeys (docs/wire.md C, E) -----------------


def session_of(response: Response) -> tuple[datetime | None, datetime | None] | None:
    """``createdAt`` and ``expiresAt`` as the Homey tells them; None where it refuses the bearer.

    Either may be None: the V3 schema has neither (``docs/wire.md`` C).

    Raises:
        ProtocolChanged: neither an object nor a refusal.
        Transient: the Homey or the cloud before it is in trouble.
    """
    step = Step.SESSION
    raise_for_trouble(step, response)
    if response.status == 401:
        return None
    found = _json_of_success(step, response, "unknown answer about the session")
    if not isinstance(found, dict):
        raise _changed(step, response, "the answer is no JSON object")
    return _instant(found.get("createdAt")), _instant(found.get("expiresAt"))


def _instant(value: object) -> datetime | None:
    """An ISO 8601 instant with a zone, within what a session can have."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def homeys_of(response: Response, hide: Iterable[Secret]) -> dict[str, tuple[str, str | None]]:
    """The account's Homeys of GET /user/me: cloudid to name and ``remoteUrl``.

    Raises:
        StaleSignIn: 401.
        ProtocolChanged: no such list (a client without the scope gets one, too).
        Transient: the host is in trouble, or something else answers for it.
    """
    step = Step.USER
    raise_for_stale_grant(step, response)
    found = _json_of_success(step, response, "no list of Homeys")
    homeys = found.get("homeys") if isinstance(found, dict) else None
    if not isinstance(homeys, list):
        raise _changed(step, response, "no list of Homeys")
    known: dict[str, tuple[str, str | None]] = {}
    for homey in homeys[:1000]:
        key = homey.get("_id", homey.get("id")) if isinstance(homey, dict) else None
        if isinstance(key, str):
            name, url = homey.get("name"), homey.get("remoteUrl")
            known[key] = (
                clean(name, hide) if isinstance(name, str) else "",
                url if isinstance(url, str) else None,
            )
    return known
