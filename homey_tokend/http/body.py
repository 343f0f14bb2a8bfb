"""Read a response's body within bounds, before and after decoding."""

import zlib

import aiohttp

from homey_tokend.core.errors import UnreadableResponse

#: How large may an answer be? The consent page is some tens of kilobytes, a Homey with
#: thousands of variables some hundreds; a captive portal or a bomb is cut off here.
MAX_BODY_BYTES = 1024 * 1024

#: zlib's "gzip or zlib, tell by the header", and "no header", which some servers call deflate.
_GZIP_OR_ZLIB, _RAW = 47, -15


async def read_body(response: aiohttp.ClientResponse, address: str, *, step: str) -> bytes:
    """Return the decoded body, at most ``MAX_BODY_BYTES``.

    We ask for ``identity``; gzip and deflate are undone where a server does not care.
    Of a larger answer that is no 2xx the beginning is kept: its status already tells what
    it means.

    Raises:
        UnreadableResponse: a 2xx that is too large, or in a coding that was not asked for.
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
            text = f"the answer of {address} cannot be decoded"
            raise UnreadableResponse(text, step=step, status=response.status)
        if not whole:
            text = f"the answer of {address} is larger than {MAX_BODY_BYTES} bytes"
            raise UnreadableResponse(text, step=step, status=response.status)
    return body or b""


async def _read(stream: aiohttp.StreamReader) -> tuple[bytes, bool]:
    """Return what was read, and whether it was all."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        part = await stream.read(MAX_BODY_BYTES + 1 - len(body))
        if not part:
            return bytes(body), True
        body += part
    return bytes(body[:MAX_BODY_BYTES]), False


def _inflate(raw: bytes) -> tuple[bytes | None, bool]:
    """Return what was decoded, and whether it was all; None for malformed data."""
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
