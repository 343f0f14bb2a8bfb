"""Common failures of all steps, and the server's clock."""

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
def test_retry_after_of_a_failing_server_is_kept(
    step: Step, status: int, body: bytes, expected: type[ServerError]
) -> None:
    """Retry-After counts for each transient failure."""
    with pytest.raises(expected) as raised:
        raise_for_common_failures(step, answer(status, body, ("retry-after", "90")))

    assert timedelta(seconds=90) == raised.value.retry_after
    assert (step, status) == (raised.value.step, raised.value.status)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 410, 418, 451])
def test_other_responses_are_not_common_failures(status: int) -> None:
    """Their meaning depends on the step."""
    raise_for_common_failures(Step.LOGIN, answer(status, "{}"))


@pytest.mark.parametrize("body", ['{"x": {"name": "mesh_node_offline"}}', '["mesh_node_offline"]'])
def test_the_word_for_offline_is_allowed_in_data(body: str) -> None:
    """A variable may have this name, so a success without an error is accepted."""
    raise_for_common_failures(Step.VARIABLE, answer(200, body))


def test_the_word_for_offline_only_counts_near_the_start() -> None:
    """After 4 KiB it is ignored."""
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
def test_only_an_accepted_response_over_tls_gives_a_skew(response: Response) -> None:
    """A captive portal's clock may be wrong."""
    assert trusted_clock_skew(response) is None


def test_the_last_representable_second_causes_no_error() -> None:
    """A Date at the end of the calendar causes no overflow."""
    last = answer(200, b"", ("date", "Fri, 31 Dec 9999 23:59:59 GMT"), trusted=True)

    assert (clock_skew(last) or timedelta(0)) > timedelta(days=365 * 7000)


def test_a_slow_response_makes_an_expiry_at_most_a_second_late() -> None:
    """A Date written 10 s after sending may mean a clock that is 10 s off, of which at most 1 s is tolerated."""
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
    """If it were too small, a token would expire too late; it is at most the round trip and a second too large."""
    found = clock_skew(dated(answer(took=there + back), NOON + there + skew))

    assert found is not None
    assert skew - found < timedelta(seconds=1)
    assert found - skew <= timedelta(seconds=1) + there + back


# --- quoted errors ---


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
def test_the_error_and_its_description_are_quoted(body: str, expected: str) -> None:
    """They are text or an object of field to text; anything else is ignored."""
    assert (expected and f" (“{expected}”)") == quoted_error(answer(400, body))


def test_quoted_errors_are_short() -> None:
    """Two hundred characters are shown, eight fields are read."""
    many = {f"f{n}": "word" for n in range(20)}

    assert 205 == len(quoted_error(as_json(400, {"error": "ab " * 5000})))
    assert 8 == quoted_error(as_json(400, {"error_description": many})).count("word")
