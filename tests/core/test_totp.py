"""One-time codes: the vectors of the RFCs, and secrets as people type them."""

import base64
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core import totp
from homey_tokend.core.secret import Secret

KEY = Secret(base64.b32encode(b"12345678901234567890").decode())


@pytest.mark.parametrize(
    ("step", "expected"),
    list(
        enumerate(
            [
                "755224",
                "287082",
                "359152",
                "969429",
                "338314",
                "254676",
                "287922",
                "162583",
                "399871",
                "520489",
            ]
        )
    ),
)
def test_the_vectors_of_rfc_4226(step: int, expected: str) -> None:
    """RFC 4226, appendix D: counters 0 to 9."""
    assert expected == totp.code(KEY, step)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(second: int, expected: str) -> None:
    """RFC 6238, appendix B, SHA-1: the last six of eight digits, with leading zeros."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

    assert expected == totp.code(KEY, totp.time_step(now))


def test_a_step_is_thirty_seconds_of_any_zone() -> None:
    """A step starts at whole half minutes UTC."""
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    assert totp.time_step(now) == totp.time_step(now + timedelta(seconds=29.999))
    assert totp.time_step(now) + 1 == totp.time_step(now + timedelta(seconds=30))
    assert totp.time_step(now) - 1 == totp.time_step(now - timedelta(microseconds=1))
    assert totp.time_step(now) == totp.time_step(
        datetime.fromisoformat("2026-03-01T13:00:00+01:00")
    )


@pytest.mark.parametrize(
    "text",
    [
        "JBSWY3DPEHPK3PXP",
        "jbswy3dpehpk3pxp",
        "JBSW Y3DP EHPK 3PXP",
        " jbsw-y3dp-ehpk-3pxp\n",
        "JBSWY3DPEHPK3PXP======",
    ],
)
def test_a_secret_may_be_typed_in_any_way(text: str) -> None:
    """Lower case, blanks, dashes, padding or none are accepted; 80 bits are enough."""
    assert totp.code(Secret("JBSWY3DPEHPK3PXP"), 1) == totp.code(Secret(text), 1)


def test_missing_padding_is_added() -> None:
    """The padding may be missing."""
    assert totp.code(Secret("GEZDGNBVGY3TQOI="), 7) == totp.code(Secret("GEZDGNBVGY3TQOI"), 7)


@pytest.mark.parametrize(
    "text", ["", " - ", "===", "CANARY01", "CANARY!", "ÜCANARY", "A", "CANARYCAN", "CAN=ARY"]
)
def test_an_invalid_secret_is_rejected_without_showing_it(text: str) -> None:
    """An invalid secret is neither in the message nor in the traceback."""
    with pytest.raises(ValueError, match=r"^the one-time secret is not base32$") as raised:
        totp.code(Secret(text), 1)

    trace = "".join(traceback.format_exception(raised.value)).split("Error: ", 1)[1]
    assert "CANARY" not in trace


@settings(deadline=None)
@given(st.text(), st.integers(-(2**40), 2**40))
def test_any_text_gives_six_digits_or_a_valueerror(text: str, step: int) -> None:
    """Any text gives six digits or a ValueError."""
    try:
        code = totp.code(Secret(text), step)
    except ValueError:
        return

    assert (6, True) == (len(code), code.isdigit())
