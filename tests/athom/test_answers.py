"""What all steps share: Retry-After, the server's clock, and foreign words made fit to show."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.athom import answers
from homey_tokend.core.errors import HomeyOffline, ServerError, Throttled
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret
from tests.athom.scenes import NOON, answer, as_json, dated


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("Sun, 01 Mar 2026 12:05:00 GMT", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 14:05:00 +0200", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 12:05:00 -0000", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("Sunday, 01-Mar-26 12:05:00 GMT", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("Sun Mar  1 12:05:00 2026", datetime(2026, 3, 1, 12, 5, tzinfo=UTC)),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("9999999999", None),
        ("9" * 5000, None),
        ("²", None),
        ("٣", None),
        ("soon", None),
        ("2026-03-01T12:05:00Z", None),
        ("Sun, 31 Feb 2026 12:05:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
    ],
)
def test_retry_after_is_a_span_or_an_instant(
    text: str, expected: timedelta | datetime | None
) -> None:
    """RFC 9110, 10.2.3 in all three spellings of a date; garbage is nothing."""
    assert expected == answers.retry_after(answer(429, b"", ("retry-after", text)))


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
        answers.raise_for_common_failures(step, answer(status, body, ("retry-after", "90")))

    assert timedelta(seconds=90) == raised.value.retry_after
    assert (step, status) == (raised.value.step, raised.value.status)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 410, 418, 451])
def test_other_answers_are_no_trouble(status: int) -> None:
    """They mean something of their own at each step."""
    answers.raise_for_common_failures(Step.LOGIN, answer(status, "{}"))


@pytest.mark.parametrize("body", ['{"x": {"name": "mesh_node_offline"}}', '["mesh_node_offline"]'])
def test_the_word_for_offline_may_stand_in_data(body: str) -> None:
    """A variable may be called like that: a success that is no error is let through."""
    answers.raise_for_common_failures(Step.VARIABLE, answer(200, body))


def test_the_word_for_offline_counts_only_near_the_front() -> None:
    """Behind 4 KiB of something else it is something else."""
    answers.raise_for_common_failures(Step.LOGIN, answer(404, " " * 4096 + "mesh_node_offline"))


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
    assert answers.clock_skew(response) is None


def test_the_last_second_of_all_time_is_no_trouble() -> None:
    """Nothing is added to a Date that nothing can be added to."""
    last = answer(200, b"", ("date", "Fri, 31 Dec 9999 23:59:59 GMT"), trusted=True)

    assert (answers.clock_skew(last) or timedelta(0)) > timedelta(days=365 * 7000)


def test_a_slow_answer_is_no_excuse_for_a_late_expiry() -> None:
    """A Date written 10 s after sending may mean a clock 10 s off: at most 1 s is left to it."""
    slow = answer(200, took=timedelta(seconds=12))

    assert timedelta(seconds=10) == answers.clock_skew(dated(slow, NOON + timedelta(seconds=10)))


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
    found = answers.clock_skew(dated(answer(took=there + back), NOON + there + skew))

    assert found is not None
    assert skew - found < timedelta(seconds=1)
    assert found - skew <= timedelta(seconds=1) + there + back


# --- foreign words ------------------------------------------------------------


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
    assert expected == answers.said(answer(400, body))


def test_what_a_server_says_is_short() -> None:
    """Two hundred characters are shown, eight fields are read."""
    many = {f"f{n}": "word" for n in range(20)}

    assert 200 == len(answers.said(as_json(400, {"error": "ab " * 5000})))
    assert 8 == answers.said(as_json(400, {"error_description": many})).count("word")


SECRET = 'pa&ss=wö "rd"%21'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"before{SECRET}after",
        "pa%26ss%3Dw%C3%B6%20%22rd%22%2521",
        "pa%26ss%3dw%c3%b6+%22rd%22%2521",
        "pa%2526ss%253Dw%25C3%25B6%2520%2522rd%2522%252521",
        "pa&amp;ss=w&ouml; &quot;rd&quot;%21",
        'pa\\u0026ss=w\\u00f6 \\"rd\\"%21',
        "pa\\u0026amp;ss=w\\u00F6 \\u0022rd\\u0022%21",
        "x " * 1993 + SECRET,
        "A" * 3990 + " " + SECRET,
    ],
    ids=[
        "as it is",
        "within words",
        "percent-encoded",
        "form-encoded",
        "percent-encoded twice",
        "HTML",
        "JSON",
        "HTML in JSON",
        "where reading ends",
        "behind what is left out",
    ],
)
def test_no_spelling_of_a_known_secret_is_shown(text: str) -> None:
    """Encoded it is still a secret; a half of it is, too."""
    shown = excerpt(text, [Secret("other"), Secret(SECRET), Secret("")])

    assert "pa" not in shown
    assert "rd" not in shown


def test_what_looks_like_a_token_is_not_shown() -> None:
    """Twenty characters in one piece may be one, known or not."""
    assert "the … is bad" == excerpt(f"the {'f0' * 20} is bad")
    assert "the 5a00000000 is bad" == excerpt("the 5a00000000 is bad")


def test_the_longer_of_two_secrets_goes_first() -> None:
    """Else the tail of the longer one would be left."""
    assert "…!" == excerpt("abcdef!", [Secret("abc"), Secret("abcdef")])


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_cleaned_text_is_bounded_printable_and_free_of_secrets(
    text: str, secrets: list[str]
) -> None:
    """For any text and any secrets."""
    shown = excerpt(text, map(Secret, secrets))

    assert len(shown) <= 200
    assert shown.isprintable()
    assert not [one for one in secrets if one in shown and "…" not in one and one.strip()]
