"""A small valid file, and helpers for texts."""

from collections.abc import Mapping

import pytest

from homey_tokend.config import Config, DefaultPaths, parse
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

#: A canary instead of a secret: no message may contain it.
CANARY = "canary-5f3a-Hunter2"

HOMEY = f"""\
homeys:
  home:
    email: you@example.com
    password: {CANARY}
    client_id: id
    client_secret: {CANARY}
    cloudid: cloudid
"""

#: The line that follows ``HOMEY``.
NEXT = 8


def read(text: str | bytes, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a text."""
    data = text if isinstance(text, bytes) else text.encode()
    return parse(data, "config.yaml", defaults=DefaultPaths(), environ=environ or {})


def faults(text: str | bytes) -> list[ConfigFault]:
    """Return the errors of a text; none may contain the canary, or pydantic's words or links."""
    with pytest.raises(ConfigurationInvalid) as raised:
        read(text)
    error = raised.value
    chain = f"{error!r} {error.__cause__!r}"
    for word in (CANARY, "Hunter2", "pydantic", "errors.pydantic.dev", "Input should"):
        assert word not in chain
    for fault in error.faults:
        assert "config.yaml" == fault.source
        assert fault.message
        assert not fault.message.endswith(".")
        assert fault.remedy.endswith((".", "?"))
    return list(error.faults)


def reported(text: str | bytes) -> list[tuple[int, int, str, str]]:
    """Return the errors of a text as line, column, key and message."""
    return [(fault.line, fault.column, fault.key, fault.message) for fault in faults(text)]


def below_home(*lines: str) -> str:
    """Return ``HOMEY`` with further keys of the Homey ``home``."""
    return HOMEY + "".join(f"    {line}\n" for line in lines)
