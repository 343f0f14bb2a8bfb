"""The status as text for people."""

from homey_tokend.core.status_text import format_homey


def test_an_unknown_document() -> None:
    """Fields that an older or newer daemon omits or changes cause no error."""
    bare = format_homey({"name": "home", "token": 5, "sinks": "x", "renew_at": "soon"})
    timeless = format_homey({"name": "home", "renew_at": "2026-03-01T12:00:00Z"})

    assert "home: None  None\n  token    none\n" == bare
    assert "refresh  2026-" in timeless
