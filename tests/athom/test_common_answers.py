"""What all steps share: failures that mean the same everywhere, and the server's clock."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.athom.flow import (
    clock_skew,
    quoted_error,
    raise_for_common_failures,
    trusted_clock_skew,
)
from homey_tokend.core.errors import HomeyOffline, ServerError, Throttled
from homey_tokend.core.http_types import Response, Step
from tests.athom.scenes import NOON, answer, as_json, dated


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (408, b"", ServerError),
        (425, b"", ServerError),
        (503, b"", ServerError),
        (429, b"", Throttled),
        (404, b"mesh_node_offline", HomeyOffline),
    ],
)
def test_what_a_troubled_server_asks_for_is_handed_on(
    step: Step, status: int, body: bytes, expected: type[ServerError]
) -> None:
    """Retry-After counts with every answer that is tried again."""
    with pytest.raises(expected) as raised:
        raise_for_common_failures(step, answer(status, body, ("retry-after", "90")))

    assert timedelta(seconds=90) == raised.value.retry_after
    assert (step, status) == (raised.value.step, raised.value.status)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 410, 418, 451])
def test_other_answers_are_no_trouble(status: int) -> None:
    """They mean something of their own at each step."""
    raise_for_common_failures(Step.LOGIN, answer(status, "{}"))


@pytest.mark.parametrize("body", ['{"x": {"name": "mesh_node_offline"}}', '["mesh_node_offline"]'])
def test_the_word_for_offline_may_stand_in_data(body: str) -> None:
    """A variable may be called like that: a success that is no error is let through."""
    raise_for_common_failures(Step.VARIABLE, answer(200, body))


def test_the_word_for_offline_counts_only_near_the_front() -> None:
    """Behind 4 KiB of something else it is something else."""
    raise_for_common_failures(Step.LOGIN, answer(404, " " * 4096 + "mesh_node_offline"))


# --- the server's clock -------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        answer(200, b"", ("date", "Sun, 01 Mar 2026 12:00:00 GMT")),
        answer(200, b"", trusted=True),
        answer(200, b"", ("date", "noon"), trusted=True),
        answer(401, b"", ("date", "Sun, 01 Mar 2026 12:00:00 GMT"), trusted=True),
        answer(503, b"", ("date", "Sun, 01 Mar 2026 12:00:00 GMT"), trusted=True),
    ],
    ids=["plain text", "no header", "garbage", "refused", "in trouble"],
)
def test_only_an_accepted_answer_over_tls_tells_the_time(response: Response) -> None:
    """A captive portal lies about it."""
    assert trusted_clock_skew(response) is None


def test_the_last_second_of_all_time_is_no_trouble() -> None:
    """Nothing is added to a Date that nothing can be added to."""
    last = answer(200, b"", ("date", "Fri, 31 Dec 9999 23:59:59 GMT"), trusted=True)

    assert (clock_skew(last) or timedelta(0)) > timedelta(days=365 * 7000)


def test_a_slow_answer_is_no_excuse_for_a_late_expiry() -> None:
    """A Date written 10 s after sending may mean a clock 10 s off: at most 1 s is left to it."""
    slow = answer(200, took=timedelta(seconds=12))

    assert timedelta(seconds=10) == clock_skew(dated(slow, NOON + timedelta(seconds=10)))


@settings(deadline=None)
@given(
    skew=st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    there=st.timedeltas(timedelta(0), timedelta(seconds=30)),
    back=st.timedeltas(timedelta(0), timedelta(seconds=30)),
)
def test_the_skew_is_never_a_second_too_small(
    skew: timedelta, there: timedelta, back: timedelta
) -> None:
    """Too small, and a token expires too late; too large by the way and a second at most."""
    found = clock_skew(dated(answer(took=there + back), NOON + there + skew))

    assert found is not None
    assert skew - found < timedelta(seconds=1)
    assert found - skew <= timedelta(seconds=1) + there + back


# --- what a server says of an error ---


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error": "no", "error_description": "Not today"}', "no: Not today"),
        ('{"error_description": {"client_id": "Invalid value"}}', "client_id Invalid value"),
        ('{"error_description": {"a": "b", "c": 5, "d": "e"}}', "a b: d e"),
        ('{"error": 5, "error_description": ["x"]}', ""),
        ('{"error": ""}', ""),
        ('{"error": "a\\u001b[31mb\\nc\\ud800d"}', "a [31mb c d"),
        ('"text"', ""),
        ("[]", ""),
        ("<html>", ""),
        ("[" * 100_000, ""),
    ],
)
def test_what_a_server_says_is_its_error_and_description(body: str, expected: str) -> None:
    """Text or an object of field to text, printable; anything else is silence."""
    assert (expected and f" (“{expected}”)") == quoted_error(answer(400, body))


def test_what_a_server_says_is_short() -> None:
    """Two hundred characters are shown, eight fields are read."""
    many = {f"f{n}": "word" for n in range(20)}

    assert 205 == len(quoted_error(as_json(400, {"error": "ab " * 5000})))
    assert 8 == quoted_error(as_json(400, {"error_description": many})).count("word")
