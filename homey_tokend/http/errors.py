"""Map the errors of aiohttp, the operating system and TLS to our words.

Their texts are never used: they hold the whole URL, user token and code
included. A message has the address (host and port) and the cause. Errors are
sorted by class name along the class's ancestry, so that this file works with
every aiohttp that knows more or fewer classes; a test walks them all.
"""

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable

from yarl import URL

from homey_tokend.core.errors import Unreachable

_Explain = Callable[[BaseException, str], str]

_CLOCK = "check the clock of this machine"

#: OpenSSL's X509_V_ERR_*: what a person can do something about.
_CERTIFICATE = {
    9: f"its certificate is not yet valid; the clock of this machine may be wrong: {_CLOCK}",
    10: f"its certificate has expired, or the clock of this machine is wrong: {_CLOCK}",
    18: "its certificate is self-signed",
    19: "its certificate chain ends in an authority that this machine does not know",
    20: "its certificate is from an authority that this machine does not know",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


class NoAnswer(Unreachable):
    """``Unreachable`` as the transport raises it.

    ``cause`` is the name of the class that was raised below, for the log.
    """

    def __init__(self, message: str, *, cause: str, step: str = "", sent: bool) -> None:
        super().__init__(message, step=step, sent=sent)
        self.cause = cause


def host_and_port(url: str | URL) -> str:
    """Return host and port of a URL, the only parts that may be shown.

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
        if words := _WORDS.get(ancestor.__name__):
            return words(error, address)
    return f"the request to {address} failed"


def _os_cause(error: BaseException) -> str:
    # By its number: its text may hold anything.
    number = getattr(error, "errno", None)
    if number in _NUMBERS:
        return _NUMBERS[number]
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    # asyncio's own have no number, as when a handshake is cut short.
    return _NUMBERS[errno.ECONNABORTED]


_NUMBERS = {
    errno.ECONNREFUSED: "nobody listens there (connection refused)",
    errno.ECONNRESET: "the connection was reset",
    errno.ECONNABORTED: "the connection was broken off",
    errno.EPIPE: "the connection was closed while we sent",
    errno.ENETUNREACH: "there is no way to that network",
    errno.EHOSTUNREACH: "there is no way to that host",
    errno.ENETDOWN: "the network is down",
    errno.ETIMEDOUT: "the host does not respond",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
}


def _connection(error: BaseException, address: str) -> str:
    inner = getattr(error, "os_error", error)
    if isinstance(inner, socket.gaierror):
        return _name(inner, address)
    return f"no connection to {address}: {_os_cause(inner)}"


def _broken(error: BaseException, address: str) -> str:
    return f"the connection to {address} failed: {_os_cause(error)}"


def _name(error: BaseException, address: str) -> str:
    inner = getattr(error, "os_error", error)
    asked = getattr(error, "host", None)
    if isinstance(asked, str) and asked not in address:
        # aiohttp has one class for the host's name and the proxy's.
        return _proxy_connection(error, address)
    if getattr(inner, "errno", None) == socket.EAI_AGAIN:
        return f"the name of {address} could not be looked up now (DNS, temporary failure)"
    return f"the name of {address} was not found (DNS)"


def _proxy_connection(error: BaseException, address: str) -> str:
    return f"no connection to the proxy on the way to {address}: {_os_cause_of_inner(error)}"


def _os_cause_of_inner(error: BaseException) -> str:
    inner = getattr(error, "os_error", error)
    return "its name was not found" if isinstance(inner, socket.gaierror) else _os_cause(inner)


def _proxy_answer(error: BaseException, address: str) -> str:
    # ``status`` may be believed here: it is the proxy's answer to CONNECT.
    status = getattr(error, "status", 0)
    if status == 407:
        return f"the proxy asks for other credentials on the way to {address} (status 407)"
    return f"the proxy refuses the way to {address} (status {status})"


def _certificate(error: BaseException, address: str) -> str:
    inner = getattr(error, "certificate_error", error)
    code = getattr(inner, "verify_code", 0)
    reason = _CERTIFICATE.get(code, f"its certificate is not accepted (OpenSSL code {code})")
    return f"{address} could not be verified: {reason}"


def _tls(error: BaseException, address: str) -> str:
    inner = getattr(error, "os_error", error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return _certificate(inner, address)
    reason = str(getattr(inner, "reason", None) or "")
    # OpenSSL's reasons are its own constants (WRONG_VERSION_NUMBER); nothing else is shown.
    words = reason.lower().replace("_", " ") if re.fullmatch(r"[A-Z0-9_]{1,64}", reason) else ""
    return f"TLS with {address} failed" + (f": {words}" if words else "")


def _says(text: str) -> _Explain:
    return lambda _, address: text.format(address=address)


_TOO_LATE = _says("{address} did not answer in time")
_BAD_URL = _says("the URL of the request cannot be used ({address})")
_NOT_HTTP = _says("{address} answered with something that is not HTTP, or beyond its bounds")

_WORDS: dict[str, _Explain] = {
    # No connection could be made.
    "ClientConnectorDNSError": _name,
    "gaierror": _name,
    "ClientProxyConnectionError": _proxy_connection,
    "ClientConnectorCertificateError": _certificate,
    "SSLCertVerificationError": _certificate,
    "ServerFingerprintMismatch": _says("{address} showed another certificate than expected"),
    "ClientConnectorSSLError": _tls,
    "ClientSSLError": _tls,
    "SSLError": _tls,
    "ClientConnectorError": _connection,
    "ConnectionTimeoutError": _says("no connection to {address} in time"),
    "ClientHttpProxyError": _proxy_answer,
    "ServerTimeoutError": _TOO_LATE,
    # It broke.
    "ServerDisconnectedError": _says("{address} closed the connection without an answer"),
    "ServerConnectionError": _says("the connection to {address} failed"),
    "ClientConnectionResetError": _says("the connection to {address} was reset"),
    "ConnectionResetError": _says("the connection to {address} was reset"),
    "ClientOSError": _broken,
    "ClientConnectionError": _says("the connection to {address} failed"),
    "OSError": _broken,
    "UploadAbortedError": _says("{address} did not take the whole request"),
    "TimeoutError": _TOO_LATE,
    # An answer came, and is none.
    "ClientPayloadError": _says("the answer of {address} was cut off"),
    "TooManyRedirects": _says("{address} redirects without end"),
    "ClientResponseError": _NOT_HTTP,
    "HttpProcessingError": _NOT_HTTP,
    # The request was none.
    "InvalidURL": _BAD_URL,
    "NonHttpUrlClientError": _BAD_URL,
    "RedirectClientError": _BAD_URL,
    "ProxyUnusable": lambda error, _: str(error),
    "UnicodeError": _says("the request to {address} holds text that cannot be sent"),
    "ValueError": _says("the request to {address} cannot be formed"),
}
