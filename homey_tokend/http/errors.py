"""Map the errors of aiohttp, the operating system and TLS to messages of our own.

Their texts are never used, because they contain the whole URL with user token and code. A
message has the address (host and port) and the cause. It is chosen by the names of the error's
class and its base classes, so that this works with versions of aiohttp that have more or fewer
classes; a test checks all of them.
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable

from yarl import URL

from homey_tokend.core.errors import Unreachable

_CLOCK = "check the clock of this machine"

#: The message for those of OpenSSL's X509_V_ERR_* that a person can do something about.
_CERTIFICATE = {
    9: f"its certificate is not yet valid; the clock of this machine may be wrong: {_CLOCK}",
    10: f"its certificate has expired, or the clock of this machine is wrong: {_CLOCK}",
    18: "its certificate is self-signed",
    19: "its certificate chain ends in an authority that this machine does not know",
    20: "its certificate is from an authority that this machine does not know",
    21: "its certificate is from an authority that this machine does not know",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})


class NoAnswer(Unreachable):
    """``Unreachable`` as the transport raises it; ``cause`` is the class of the original error."""

    def __init__(
        self, message: str, *, cause: str, step: str = "", remedy: str = "", sent: bool
    ) -> None:
        super().__init__(message, step=step, remedy=remedy, sent=sent)
        self.cause = cause


def host_and_port(url: str | URL) -> str:
    """Return host and port of a URL, the only parts that a message may contain.

    >>> host_and_port("https://accounts.example.com/login?user_token=t")
    'accounts.example.com:443'
    """
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
    except ValueError:
        return "the address"
    if not host:
        return "the address"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def describe_error(error: BaseException, address: str) -> str:
    """Return what happened, in plain words; the most specific known class decides."""
    for ancestor in type(error).__mro__:
        if words := WORDS.get(ancestor.__name__):
            if callable(words):
                return words(error, address)
            return words.format(address=address, cause=_cause(error))
    return f"the request to {address} failed"


def is_unknown_authority(error: BaseException) -> bool:
    """Return whether the host's certificate is not signed by an authority that is trusted here."""
    inner = getattr(error, "certificate_error", getattr(error, "os_error", error))
    return getattr(inner, "verify_code", 0) in _UNKNOWN_AUTHORITY


def _cause(error: BaseException) -> str:
    """Return the cause of an OSError by its number, because its text may contain anything."""
    inner = getattr(error, "os_error", error)
    number = getattr(inner, "errno", None)
    if isinstance(inner, socket.gaierror):
        return _TRY_AGAIN if number == socket.EAI_AGAIN else "its name was not found (DNS)"
    # asyncio's own errors have no number, such as after an incomplete TLS handshake.
    number = number if isinstance(number, int) and number > 0 else errno.ECONNABORTED
    return _NUMBERS.get(number) or os.strerror(number)


REBINDING_REMEDY = (
    "Exempt homeylocal.com from the DNS rebinding protection of the router or DNS server, "
    "or leave url at auto."
)
_TRY_AGAIN = "its name cannot be looked up at the moment (DNS, temporary failure)"
_NUMBERS = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.ECONNRESET: "the connection was reset",
    errno.ECONNABORTED: "the connection was aborted",
    errno.EPIPE: "the connection was closed while the request was sent",
    errno.ENETUNREACH: "that network is unreachable",
    errno.EHOSTUNREACH: "that host is unreachable",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: "the host does not respond",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
}
_NO_PROXY = "no connection to the proxy on the way to {address}: {cause}"


def is_hidden_by_router(error: BaseException, address: str) -> bool:
    """Return whether Athom's name for a local address was not found.

    Routers with DNS rebinding protection drop responses with private addresses.
    """
    unknown = isinstance(getattr(error, "os_error", error), socket.gaierror)
    return unknown and not _is_of_proxy(error, address) and ".homeylocal.com:" in address


def _no_connection(error: BaseException, address: str) -> str:
    template = _NO_PROXY if _is_of_proxy(error, address) else "no connection to {address}: {cause}"
    words = template.format(address=address, cause=_cause(error))
    hidden = is_hidden_by_router(error, address)
    return f"{words}; the router's DNS rebinding protection may hide it" if hidden else words


def _is_of_proxy(error: BaseException, address: str) -> bool:
    # aiohttp has one class for an unknown host and an unknown proxy.
    asked = getattr(error, "host", None)
    return isinstance(asked, str) and asked not in address


def _proxy_answer(error: BaseException, address: str) -> str:
    # Here ``status`` is reliable: it is the proxy's response to CONNECT.
    status = getattr(error, "status", 0)
    if status == 407:
        return f"the proxy asks for other credentials on the way to {address} (status 407)"
    return f"the proxy rejects the connection to {address} (status {status})"


def _tls(error: BaseException, address: str) -> str:
    inner = getattr(error, "certificate_error", getattr(error, "os_error", error))
    if isinstance(inner, ssl.SSLCertVerificationError):
        code = getattr(inner, "verify_code", 0)
        reason = _CERTIFICATE.get(code, f"its certificate is not accepted (OpenSSL code {code})")
        return f"{address} could not be verified: {reason}"
    reason = str(getattr(inner, "reason", None) or "")
    # OpenSSL's reasons are constants (WRONG_VERSION_NUMBER); anything else is not shown.
    words = reason.lower().replace("_", " ") if re.fullmatch(r"[A-Z0-9_]{1,64}", reason) else ""
    return f"TLS with {address} failed" + (f": {words}" if words else "")


_TOO_LATE = "{address} did not answer in time"
_BAD_URL = "the URL of the request cannot be used ({address})"
_NOT_HTTP = "the response of {address} is not valid HTTP, or too large"
_BROKEN = "the connection to {address} failed: {cause}"

#: The message by the name of the class, with {address} and {cause}; by name, because not every
#: version of aiohttp has every class.
WORDS: dict[str, str | Callable[[BaseException, str], str]] = {
    # There was no connection.
    "gaierror": _no_connection,
    "ClientConnectorError": _no_connection,
    "ClientProxyConnectionError": _NO_PROXY,
    "ClientConnectorCertificateError": _tls,
    "ClientSSLError": _tls,
    "SSLError": _tls,
    "ConnectionTimeoutError": "no connection to {address} in time",
    "ClientHttpProxyError": _proxy_answer,
    # The connection broke.
    "ServerDisconnectedError": "{address} closed the connection without a response",
    "ClientConnectionResetError": "the connection to {address} was reset",
    "ConnectionResetError": "the connection to {address} was reset",
    "ClientOSError": _BROKEN,
    "ClientConnectionError": "the connection to {address} failed",
    "OSError": _BROKEN,
    "ServerTimeoutError": _TOO_LATE,
    "TimeoutError": _TOO_LATE,
    "UploadAbortedError": "{address} did not accept the whole request",
    # The response is not valid.
    "ClientPayloadError": "the response of {address} was cut off",
    "ClientResponseError": _NOT_HTTP,
    "HttpProcessingError": _NOT_HTTP,
    # The request is not valid.
    "InvalidURL": _BAD_URL,
    "NonHttpUrlClientError": _BAD_URL,
    "RedirectClientError": _BAD_URL,
    "ProxyUnusable": lambda error, _: str(error),
    "UnicodeError": "the request to {address} contains text that cannot be sent",
    "ValueError": "the request to {address} cannot be formed",
}
