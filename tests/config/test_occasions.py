"""When a command sink runs."""

from homey_tokend.config import ExecSinkConfig


def test_without_a_word_a_command_runs_for_each_token() -> None:
    """The default of ``on`` is the token alone, and passes the check that a list passes."""
    assert ("token",) == ExecSinkConfig.model_validate(
        {"command": ("/bin/true",), "on": ("token",)}
    ).on
