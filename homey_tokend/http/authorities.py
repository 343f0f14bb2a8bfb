"""Check ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, which replace the system's certificates.

OpenSSL reads them itself, and reports nothing if they name nothing that it can use. All
functions here block.
"""

import errno
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.value_text import defect

_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
#: Variables that other programs read, but neither OpenSSL nor this one.
_OTHERS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_WRITE = "Name a file of certificates in PEM format that the daemon's user may read."


def authority_warnings(environ: Mapping[str, str]) -> Iterator[ConfigFault]:
    """Yield a warning for each of the two variables that names nothing that OpenSSL can use."""
    for name, find in ((_FILE, _file_fault), (_FOLDER, _folder_fault)):
        path = environ.get(name)
        if path and (words := _unprintable(path) or find(path)):
            yield ConfigFault("environment", 0, 0, name, words, _WRITE)


def authority_remedy(environ: Mapping[str, str]) -> str:
    """Return the remedy for a certificate from an unknown authority."""
    for fault in authority_warnings(environ):
        return f"{fault.key} {fault.message}. {fault.remedy}"
    if environ.get(_FILE):
        return f"Add the authority that signs for your network to the file of {_FILE}."
    for name in _OTHERS:
        if environ.get(name):
            return f"{name} is set, but not used by this program: name the same file in {_FILE}."
    return (
        "If a firewall inspects TLS in your network, name a file with its authority in "
        f"{_FILE} (PEM format)."
    )


def _unprintable(path: str) -> str:
    words = defect(path)
    return words[0] if words else ""


def _file_fault(path: str) -> str:
    try:
        if not Path(path).is_file():
            Path(path).stat()  # raises the system's error, if there is one
            return f"names {path}, which is not a file"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return f"names {path}, which has no certificate in PEM format"
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO).lower()
        return f"names {path}, which cannot be read: {reason}"
    return ""


def _folder_fault(path: str) -> str:
    folders = path.split(os.pathsep)
    return "" if any(map(os.path.isdir, folders)) else f"names {path}, which is not a folder"
