"""Any response leads to a value or to a failure of the tree."""

import contextlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend import athom
from homey_tokend.athom import flow
from homey_tokend.athom.sign_in import parse_redirect
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Flow, Response, Step
from homey_tokend.core.secret import Secret
from tests.athom.scenes import (
    AT,
    BEARER,
    CLOUDID,
    CODE_REDIRECT,
    CREDENTIALS,
    DELEGATED,
    GRANT,
    HOMEY_ACCEPTS,
    NOON,
    PAGE,
    REDIRECT,
    SITE,
    USER,
    form,
    shown,
)

WORDS = st.sampled_from(
    [
        "error",
        "error_description",
        "code",
        "token",
        "access_token",
        "refresh_token",
        "expires_in",
        "homeys",
        "_id",
        "id",
        "name",
        "remoteUrl",
        "createdAt",
        "expiresAt",
        "invalid_grant",
        "invalid_client",
        "access_denied",
        "mesh_node_offline",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-03-02T12:00:00Z",
        "https://h.example",
    ]
) | st.sampled_from([CLOUDID, BEARER])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner, max_size=6)
    ),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=300),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda text: form(text).encode(errors="replace"), st.text()),
    st.sampled_from(
        [b"[" * 100_000, b"mesh_node_offline" + b"[" * 100_000, b"9" * 5000, b"<![x[", b"\xff\xfe"]
    ),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["location", "retry-after", "date", "set-cookie"]),
        st.text()
        | st.sampled_from(
            [
                "Fri, 31 Dec 9999 23:59:59 GMT",
                "Mon, 01 Jan 0001 00:00:00 GMT",
                "Sun, 01 Mar 2026 12:00:00 GMT",
                f"{REDIRECT}?code=abc",
                f"{REDIRECT}?error=access_denied&error_description=%FF%00",
                "http://[",
                "_csrf=x",
            ]
        )
        | st.builds(f"{REDIRECT}?{{}}".format, st.text()),
    ),
    max_size=4,
).map(tuple)
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 429, 500]) | st.integers(
    100, 999
)
STAMPS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001  aware here
    lambda at: at.replace(tzinfo=NOON.tzinfo)
)
ANSWERS = st.builds(
    lambda status, headers, body, at, took, trusted: Response(
        status, headers, body, at, at + took, trusted
    ),
    STATUSES,
    HEADERS,
    BODIES,
    STAMPS,
    st.timedeltas(timedelta(seconds=-5), timedelta(seconds=60)),
    st.booleans(),
)
HIDE = (Secret("hunter2"),)


def after(*replies: Response) -> Callable[[Response], object]:
    """Return a function that sends a response to a flow after the steps before it."""

    def sort(response: Response) -> object:
        begun = (
            athom.exchange(GRANT, SITE)
            if DELEGATED in replies
            else athom.consent(CREDENTIALS, AT, USER)
        )
        next(begun)
        for reply in replies:
            begun.send(reply)
        return begun.send(response)

    return sort


SORTERS: dict[str, Callable[[Response], object]] = {
    "redirect": lambda response: parse_redirect(Step.CONSENT, response, REDIRECT, HIDE),
    "consent": after(PAGE),
    "token": after(CODE_REDIRECT),
    "homey_login": after(DELEGATED),
    "session": after(DELEGATED, HOMEY_ACCEPTS),
    "error": lambda response: flow.quoted_error(response, HIDE),
    "skew": flow.clock_skew,
    "retry-after": Response.retry_after,
}
FLOWS: dict[str, Callable[[], Flow[Any]]] = {
    "log_in": lambda: athom.log_in(CREDENTIALS, AT, one_time_code="123456"),
    "consent": lambda: athom.consent(CREDENTIALS, AT, USER),
    "offered": lambda: athom.offered_homeys(CREDENTIALS, AT, USER),
    "homeys": lambda: athom.homeys(GRANT, AT),
    "renew_grant": lambda: athom.renew_grant(CREDENTIALS, AT, Secret("old")),
    "exchange": lambda: athom.exchange(GRANT, SITE),
    "prove": lambda: athom.verify_bearer("https://h.example", Secret("x"), issued_at=NOON),
}


@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("sorter", SORTERS)
@given(response=ANSWERS)
def test_any_response_is_classified(sorter: str, response: Response) -> None:
    """This applies to each step, and the message is short and printable."""
    try:
        with contextlib.suppress(StopIteration):
            SORTERS[sorter](response)
    except TokendError as error:
        text = shown(error).replace("\n", "")

        assert text.isprintable()
        assert len(text) < 2000


@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("name", FLOWS)
@given(responses=st.lists(ANSWERS, min_size=1, max_size=8))
def test_any_flow_ends(name: str, responses: list[Response]) -> None:
    """It ends with a value or a failure of the tree, after a few requests."""
    begun = FLOWS[name]()
    next(begun)
    ended = False
    with contextlib.suppress(StopIteration, TokendError):
        for count in range(12):
            ended = True
            begun.send(responses[count % len(responses)])
            ended = False

    assert ended
