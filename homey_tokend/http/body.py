"""Reads an answer's body within bounds, before and after decoding."""

import zlib

import aiohttp

from homey_tokend.core.errors import InvalidResponse

#: How large may an answer be? The consent page is some tens of kilobytes, a Homey with
#: thousands of variables some hundreds; a captive portal or a bomb is cut off here.
MAX_BODY_BYTES = 1024 * 1024

#: zlib's "gzip or zlib, tell by the header".
_GZIP_OR_ZLIB = 47

#: zlib's "no header", which some servers call deflate.
_RAW = -15


async def read_body(
    response: aiohttp.ClientResponse, address: str, *, step: str = "", most: int = MAX_BODY_BYTES
) -> bytes:
    """The body, decoded.

    We ask for ``identity``; gzip and deflate are undone where a server does not care.
    Beyond the bound, a 2xx is garbled (a captive portal), and of every other answer the
    first ``most`` bytes are kept: its status already tells what it means.

    Raises:
        Garbled: a 2xx that is too large, or in a coding that was not asked for.
    """
    raw, whole = await _read(response.content, most)
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    body: bytes | None = raw
    if coding in {"gzip", "x-gzip", "deflate"}:
        body, fits = _inflate(raw, most)
        whole = whole and fits
    elif coding not in {"identity", ""}:
        body = None
    if 200 <= response.status < 300:
        if body is None:
            text = f"the answer of {address} cannot be decoded"
            raise InvalidResponse(text, step=step, status=response.status)
        if not whole:
            text = f"the answer of {address} is larger than {most} bytes"
            raise InvalidResponse(text, step=step, status=response.status)
    return body or b""


async def _read(stream: aiohttp.StreamReader, most: int) -> tuple[bytes, bool]:
    """At most ``most`` bytes, and whether that was all."""
    parts: list[bytes] = []
    size = 0
    while size <= most:
        part = await stream.read(most + 1 - size)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
    return b"".join(parts)[:most], False


def _inflate(raw: bytes, most: int) -> tuple[bytes | None, bool]:
    """At most ``most`` decoded bytes, and whether that was all; None for nonsense."""
    if not raw:
        return b"", True
    for wbits in (_GZIP_OR_ZLIB, _RAW):
        decoder = zlib.decompressobj(wbits)
        try:
            body = decoder.decompress(raw, most + 1)
        except zlib.error:
            continue
        return body[:most], len(body) <= most and decoder.eof
    return None, False
