"""Header fields: those sent to the Homey, and those returned."""

import pytest
from multidict import CIMultiDict

from homey_tokend.proxy.headers import request_headers, response_headers
from homey_tokend.server.problems import Problem
from tests.support.provider import CANARY

HOPS = [
    ("Keep-Alive", "1"),
    ("Proxy-Authorization", "Basic x"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Trailer", "X"),
    ("Transfer-Encoding", "chunked"),
    ("Upgrade", "h2c"),
    ("HTTP2-Settings", "x"),
]


def test_request_headers() -> None:
    """The caller's own fields are passed on, in order and repeated; ours replace what is not theirs."""
    mine = [("Accept", "a"), ("X-Twice", "1"), ("x-twice", "2"), ("User-Agent", "curl")]
    theirs = [
        ("Host", "evil"),
        ("authorization", "Bearer mine"),
        ("Cookie", "a=b"),
        ("Content-Length", "5"),
        ("Expect", "100-continue"),
        ("Via", "1.1 x"),
        ("Connection", "close, X-Gone"),
        ("connection", "x-also"),
        ("X-Gone", "1"),
        ("X-Also", "1"),
    ]
    sent = request_headers(CIMultiDict(mine + theirs + HOPS), CANARY, 7)

    assert [
        *mine,
        ("Authorization", f"Bearer {CANARY}"),
        ("Via", "1.1 homey-tokend"),
        ("Content-Length", "7"),
    ] == list(sent.items())


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nY: b"), ("X", "a\nb"), ("X", "a\0"), ("X", "\udcff"), ("X Y", "a"), ("X", "\x7f")],
)
def test_values_that_could_end_early(name: str, value: str) -> None:
    """Control characters and bytes that are not text get 400, without the value in the message."""
    with pytest.raises(Problem) as caught:
        request_headers(CIMultiDict([(name, value)]), CANARY)

    assert (400, "bad-header") == (caught.value.status, caught.value.name)


def test_response_headers() -> None:
    """Fields of the connection and cookies are removed, and a length together with a coding."""
    passing = [("Content-Type", "a"), ("X", "1"), ("x", "2"), ("Location", "/y")]
    gone = [("Set-Cookie", "a=b"), ("Connection", "X-Gone"), ("X-Gone", "1"), *HOPS]
    returned, hidden = response_headers(
        CIMultiDict([*passing, *gone, ("Content-Length", "5")]), CANARY
    )

    assert (passing, 0) == (list(returned.items()), hidden)


def test_the_token_is_removed() -> None:
    """A header that contains the token, or is malformed, is removed and counted."""
    bad = [("Location", f"https://x/?t={CANARY}"), (f"X-{CANARY}", "1"), ("Y", "a\udcff")]
    returned, hidden = response_headers(CIMultiDict([("Content-Length", "5"), *bad]), CANARY)

    assert ([("Content-Length", "5")], 3) == (list(returned.items()), hidden)
