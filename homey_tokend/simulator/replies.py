"""Answers in the form that Express and ``oauth2-server`` 2.x give them (docs/wire.md 0)."""

import json
from html import escape
from typing import Any
from urllib.parse import quote

from aiohttp import web

_STATUS = {
    "invalid_client": 400,
    "invalid_grant": 400,
    "invalid_request": 400,
    "invalid_token": 401,
    "server_error": 503,
}


class Refusal(Exception):
    """Ends the handling of a request with an answer that is not a success.

    Args:
        response: The answer.
    """

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def as_json(value: Any, status: int = 200) -> web.Response:
    """Answer with a JSON value, as ``res.json`` writes it."""
    return web.Response(
        status=status,
        body=json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )


def as_html(body: str, status: int = 200) -> web.Response:
    """Answer with a page."""
    return web.Response(
        status=status, body=body.encode(), headers={"Content-Type": "text/html; charset=utf-8"}
    )


def as_text(body: str, status: int = 200) -> web.Response:
    """Answer with plain text."""
    return web.Response(
        status=status, body=body.encode(), headers={"Content-Type": "text/plain; charset=utf-8"}
    )


def express_error(status: int, text: str) -> web.Response:
    """Answer as Express does by itself: a small page with the text in it."""
    return as_html(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Error</title>\n</head>\n<body>\n<pre>{escape(text)}</pre>\n</body>\n</html>\n",
        status,
    )


def error_body(status: int, error: str, description: object) -> dict[str, object]:
    """Give the three fields that the cloud's and the Homeys' errors have."""
    return {"code": status, "error": error, "error_description": description}


def plain_error(status: int, error: str, description: object = None) -> Refusal:
    """Refuse with an error of the common form."""
    return Refusal(as_json(error_body(status, error, description or error), status))


def status_of(error: str) -> int:
    """Give the status that ``oauth2-server`` maps an error to; unknown ones to 500."""
    return _STATUS.get(error, 500)


def oauth_error(error: str, description: str) -> Refusal:
    """Refuse as ``oauth2-server`` does: status by error, and never cached."""
    refusal = plain_error(status_of(error), error, description)
    refusal.response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
    if error == "invalid_client":
        refusal.response.headers["WWW-Authenticate"] = 'Basic realm="Service"'
    return refusal


def redirect(location: str, status: int = 302) -> web.Response:
    """Redirect as ``res.redirect`` does: blanks and the like encoded, the rest left alone."""
    encoded = quote(location, safe="%/:?#[]@!$&'()*+,;=~-._")
    response = as_text(f"Found. Redirecting to {encoded}", status)
    response.headers.update({"Location": encoded, "Vary": "Accept"})
    return response
