"""Responses in the format of Express and ``oauth2-server`` 2.x (docs/wire.md 0)."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import web

T = TypeVar("T")

#: Statuses of ``oauth2-server`` by error; any other error is 500.
_STATUSES = {
    "invalid_client": 400,
    "invalid_grant": 400,
    "invalid_request": 400,
    "invalid_token": 401,
    "server_error": 503,
}

#: Headers of a response that must not be cached (RFC 6749 section 5.1).
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class ErrorResponse(Exception):
    """End the handling of a request with a response other than success.

    Args:
        response: The response.
    """

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a JSON value as ``res.json`` writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return _response(text, "application/json", status)


def html_response(body: str, status: int = 200) -> web.Response:
    """Return a page."""
    return _response(body, "text/html", status)


def text_response(body: str, status: int = 200) -> web.Response:
    """Return plain text."""
    return _response(body, "text/plain", status)


def _response(body: str, media_type: str, status: int) -> web.Response:
    headers = {"Content-Type": f"{media_type}; charset=utf-8"}
    return web.Response(status=status, body=body.encode(), headers=headers)


def redirect(location: str, status: int = 302) -> web.Response:
    """Redirect as ``res.redirect`` does: blanks and the like are encoded, the rest is unchanged."""
    encoded = quote(location, safe="%/:?#[]@!$&'()*+,;=~-._")
    response = text_response(f"Found. Redirecting to {encoded}", status)
    response.headers.update({"Location": encoded, "Vary": "Accept"})
    return response


def express_error(status: int, text: str) -> web.Response:
    """Return an error page of Express."""
    return html_response(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Error</title>\n</head>\n<body>\n<pre>{escape(text)}</pre>\n</body>\n</html>\n",
        status,
    )


def error(status: int, id_: str, description: object = None) -> ErrorResponse:
    """Return an error with the three fields of the cloud's and the Homeys' errors."""
    fields = {"code": status, "error": id_, "error_description": description or id_}
    return ErrorResponse(json_response(fields, status))


def oauth_status(id_: str) -> int:
    """Return the status of an error of ``oauth2-server``."""
    return _STATUSES.get(id_, 500)


def oauth_error(id_: str, description: str) -> ErrorResponse:
    """Return an error of ``oauth2-server``: status by its id, never cached."""
    raised = error(oauth_status(id_), id_, description)
    raised.response.headers.update(NO_STORE)
    if id_ == "invalid_client":
        raised.response.headers["WWW-Authenticate"] = 'Basic realm="Service"'
    return raised


def find(items: Mapping[str, T], key: str, text: str = "Not found") -> T:
    """Return one of several items by its id.

    Raises:
        ErrorResponse: 404, there is none of that id.
    """
    if key not in items:
        raise error(404, "not_found", f"{text} [not_found]")
    return items[key]
