"""Read a response's body within bounds, before and after decoding."""

import zlib

import aiohttp

from homey_tokend.core.errors import UnreadableResponse

#: The largest response that is read. The consent page has some tens of kilobytes, a Homey with
#: thousands of variables some hundreds.
MAX_BODY_BYTES = 1024 * 1024

#: zlib's ``wbits`` for gzip or zlib, by the header, and for no header (some servers' deflate).
_GZIP_OR_ZLIB, _RAW = 47, -15


async def read_body(response: aiohttp.ClientResponse, address: str, *, step: str) -> bytes:
    """Return the decoded body, at most ``MAX_BODY_BYTES``.

    Requests ask for ``identity``, but gzip and deflate are decoded in case a server ignores that.
    A larger body is truncated unless the status is 2xx, since any other status is enough to tell
    what the response means.

    Raises:
        UnreadableResponse: A 2xx response is too large, or in another content coding.
    """
    raw, whole = await _read(response.content)
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    body: bytes | None = raw
    if coding in {"gzip", "x-gzip", "deflate"}:
        body, fits = _inflate(raw)
        whole = whole and fits
    elif coding not in {"identity", ""}:
        body = None
    if 200 <= response.status < 300:
        if body is None:
            text = f"the response of {address} cannot be decoded"
            raise UnreadableResponse(text, step=step, status=response.status)
        if not whole:
            text = f"the response of {address} is larger than {MAX_BODY_BYTES} bytes"
            raise UnreadableResponse(text, step=step, status=response.status)
    return body or b""


async def _read(stream: aiohttp.StreamReader) -> tuple[bytes, bool]:
    """Return the body, and whether it is complete."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        part = await stream.read(MAX_BODY_BYTES + 1 - len(body))
        if not part:
            return bytes(body), True
        body += part
    return bytes(body[:MAX_BODY_BYTES]), False


def _inflate(raw: bytes) -> tuple[bytes | None, bool]:
    """Return the decoded body, and whether it is complete; None for malformed data."""
    if not raw:
        return b"", True
    for wbits in (_GZIP_OR_ZLIB, _RAW):
        decoder = zlib.decompressobj(wbits)
        try:
            body = decoder.decompress(raw, MAX_BODY_BYTES + 1)
        except zlib.error:
            continue
        return body[:MAX_BODY_BYTES], len(body) <= MAX_BODY_BYTES and decoder.eof
    return None, False
