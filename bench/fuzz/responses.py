"""Random answers of a server, from those that are nearly right to any bytes."""

import gzip
import json
import re
import zlib
from random import Random
from typing import Any

from bench.fuzz.cloud import REDIRECT, RIGHT, encoded
from bench.fuzz.mutate import CANARY, mutate
from homey_tokend.http.body import MAX_BODY_BYTES

_BODIES = [
    *(body for _, _, body in RIGHT.values()),
    json.dumps({"error": {"email": f"{CANARY}e is not {CANARY}p"}, "error_description": f"{CANARY}c"}).encode(),
    json.dumps({"error": "invalid_client", "code": 401}).encode(), b'{"error":"mesh_node_offline"}',
    f"<html><title>{CANARY}p</title><form>".encode(), b"[" * 100_000, b"9" * 5000, b"null", b"",
    b"0" * (MAX_BODY_BYTES + 1), b"\xff\xfe{\0}\0",
]  # fmt: skip
_HEADERS = (
    "Location: /elsewhere", f"Location: {REDIRECT}?error=access_denied&error_description={CANARY}p", "Location: http://[",
    "Location: //x", "Location: https://[]@", f"Location: {REDIRECT}?code=", "Location: /login?user_token=" + CANARY,
    "Set-Cookie: a=b; Path=/", "Set-Cookie: =", f"Set-Cookie: x={'y' * 5000}", "Retry-After: 120", "Retry-After: 99999999999",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "Retry-After: -1", "Date: Mon, 01 Jan 0001 00:00:00 GMT",
    "Date: Fri, 31 Dec 9999 23:59:59 -2359", "Date: Sun, 01 Mar 2026 12:00:00 GMT", "Date: x", "Content-Type: text/html; charset=none",
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Length: 5", "Content-Length: -1",
    "Content-Length: 999999999999", "Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: deflate", "Connection: upgrade",
    "Upgrade: websocket", "X-XSS-Protection=1; mode=block", f"{CANARY}: x", f"X-A: {CANARY}p", " folded: line", ": no name",
    "WWW-Authenticate: Basic", "Expect: 100-continue", "X-A: " + "b" * 20_000,
)  # fmt: skip
_ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, float("inf"), float("nan"), 10**400, "", " ", "x" * 20_000, f"{CANARY}p", "\ud800", "\0", "\x1b[31m",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-03-01T12:00:00", "http://[", "https://user@h.example", [], {}, [[]],
    {"error": f"{CANARY}p"}, "é", "a b", "mesh_node_offline", [None] * 2000,
)  # fmt: skip
_LOCATIONS = [each for each in _HEADERS if each.startswith("Location")]
_STATUSES = (
    200,
    200,
    200,
    201,
    204,
    302,
    304,
    400,
    401,
    403,
    404,
    408,
    418,
    429,
    500,
    503,
    100,
    101,
    199,
    0,
    999,
)
_TOKENS = [
    *(f"\r\n{each}\r\n".encode() for each in _HEADERS),
    b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/2.0 200", b"HTTP/0.9", b"0\r\n\r\n", b"ffffffffffffffff\r\n",
    b"5;x=y\r\n", b"\r\n\r\n", b"{", b"}", b'"', b"[", b"null", b"\\u0000", b"\\ud800", b"1e400", b"-0", b"NaN", b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59Z", b"expiresAt", b"access_token", b"homeys", b"https://h.example",
]  # fmt: skip


def draw_answer(rng: Random, path: str, sent: str) -> bytes:
    """Return an answer to a request.

    Args:
        rng: The randomness.
        path: The end of the request's path, to be close to the right answer.
        sent: The secrets that an answer may repeat, by their last letter.
    """
    if rng.random() < 0.05:
        return rng.randbytes(rng.choice((1, 30, 3000)))
    status, headers, body = _drawn(rng, path)
    body = re.sub(
        rf"(?<={CANARY})[a-z]".encode(),
        lambda found: found[0] if found[0].decode() in sent else sent[:1].encode(),
        body,
    )
    answer = _packed(rng, status, headers, body)
    return mutate(rng, answer, _TOKENS) if rng.random() < 0.4 else answer


def _drawn(rng: Random, path: str) -> tuple[int, list[str], bytes]:
    status, right, body = RIGHT.get(path, (200, [], rng.choice(_BODIES)))
    headers = [*right, *rng.sample(_HEADERS, rng.choice((0, 0, 0, 1, 1, 2)))]
    match rng.randrange(20):
        case 0 | 1 | 2:  # an error that repeats what was sent
            return rng.choice((400, 401, 403, 404)), headers, _odd_error(rng)
        case 3 | 4 | 5:
            return rng.choice((301, 302, 303, 307, 308)), [rng.choice(_LOCATIONS)], body
        case 6:
            headers *= 60
        case 7 | 8 | 9 | 10 | 11:
            status = rng.choice(_STATUSES)
        case _:
            pass
    return status, headers, _body(rng, body)


def _packed(rng: Random, status: int, headers: list[str], body: bytes) -> bytes:
    """Return the answer in one of the codings."""
    match rng.randrange(6):
        case 0:
            headers = [*headers, "Content-Encoding: gzip"]
            body = gzip.compress(body, mtime=0)
        case 1:
            headers = [*headers, "Content-Encoding: deflate"]
            body = zlib.compress(body)
        case _:
            pass
    match rng.randrange(5):
        case 0:
            headers = [*headers, "Transfer-Encoding: chunked"]
            half = len(body) // 2
            parts = [each for each in (body[:half], body[half:]) if each]
            body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in parts) + b"0\r\n\r\n"
        case 1:
            pass
        case _:
            headers = [*headers, f"Content-Length: {len(body)}"]
    return encoded(status, headers, body)


def _odd_json(rng: Random, value: Any) -> Any:
    """Return JSON with one value replaced."""
    if rng.random() < 0.4 or not isinstance(value, dict | list) or not value:
        return rng.choice(_ODD_VALUES)
    if isinstance(value, list):
        return [_odd_json(rng, value[0]), *value[1:]]
    key = rng.choice(list(value))
    return {**value, key: _odd_json(rng, value[key])}


def _odd_error(rng: Random) -> bytes:
    text = mutate(rng, f"{CANARY}p of {CANARY}e, {CANARY}c".encode(), _TOKENS)
    shown = text.decode(errors="replace")
    value = rng.choice((shown, {"field": shown, shown: shown}, [shown]))
    return json.dumps({"error": value, "error_description": shown, "code": 401}).encode()


def _body(rng: Random, right: bytes) -> bytes:
    body = right if rng.random() < 0.7 else rng.choice(_BODIES)
    if rng.random() < 0.4:
        return mutate(rng, body, _TOKENS, _BODIES)
    try:
        return json.dumps(_odd_json(rng, json.loads(body))).encode()
    except (ValueError, RecursionError):
        return body
