"""The status as text for people."""

import time
from collections.abc import Iterator

import pytest

from homey_tokend.core.status_text import format_homey

DUE = "2026-03-01T11:00:00Z"
LATER = "2026-03-01T12:13:00Z"


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in Central Europe."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1")
        time.tzset()
        yield
    time.tzset()


def refresh_line(**members: object) -> str:
    """Return the line of the refresh."""
    text = format_homey({"name": "home", "now": "2026-03-01T12:00:00Z", **members})
    return next((line for line in text.splitlines() if line.startswith("  refresh")), "")


@pytest.mark.parametrize(
    ("members", "line"),
    [
        pytest.param(
            {"renew_at": LATER, "next_at": LATER, "next_reason": "the token is due for renewal"},
            "2026-03-01 13:13:00 CET (in 13 min)",
            id="all is well: one time",
        ),
        pytest.param(
            {"renew_at": DUE, "next_at": LATER, "next_reason": "the account was rejected"},
            "due since 2026-03-01 12:00:00 CET; "
            "next try 2026-03-01 13:13:00 CET (in 13 min): the account was rejected",
            id="after a rejection",
        ),
        pytest.param(
            {"renew_at": "2026-03-01T13:00:00Z", "next_at": LATER, "next_reason": "a wait"},
            "next try 2026-03-01 13:13:00 CET (in 13 min): a wait",
            id="before it is due",
        ),
        pytest.param(
            {"renew_at": None, "next_at": LATER, "next_reason": "the account was rejected"},
            "next try 2026-03-01 13:13:00 CET (in 13 min): the account was rejected",
            id="without a token",
        ),
        pytest.param({"refreshing": True, "renew_at": DUE}, "in progress", id="in progress"),
    ],
)
def test_the_refresh_is_one_plan(members: dict[str, object], line: str) -> None:
    """The next attempt has one time, in the zone of this machine, and its reason if it waits."""
    assert f"  refresh  {line}" == refresh_line(**members)


def test_an_unknown_document() -> None:
    """Fields that an older or newer daemon omits or changes cause no error."""
    bare = format_homey({"name": "home", "token": 5, "sinks": "x", "renew_at": "soon"})
    timeless = format_homey({"name": "home", "renew_at": "2026-03-01T12:00:00Z"})
    reasonless = format_homey({"name": "home", "next_at": "2026-03-01T12:00:00Z"})

    assert "home: None  None\n  token    none\n" == bare
    assert "refresh  2026-" in timeless
    assert reasonless.endswith("next try 2026-03-01 13:00:00 CET\n")
