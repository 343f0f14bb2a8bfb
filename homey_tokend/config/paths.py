"""A path of keys as people write it, with nothing of a secret in it."""

import re

KeyPath = tuple[str | int, ...]

#: The keys of a Homey that hold a secret.
SECRETS = ("email", "password", "client_id", "client_secret", "totp_secret")

#: What may stand below them; anything else there is most likely the secret itself.
SOURCES = frozenset({"file", "env", "credential", "command"})

#: A key that may be shown; a slip such as ``{password:hunter2}`` makes a secret part of a key.
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|<<")


def dotted(path: KeyPath) -> str:
    """A path of keys as people write it: ``homeys.home.sinks[0].path``.

    Args:
        path: Keys and indexes, from the top.
    """
    text = ""
    hidden = False
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        text += f".{part}" if showable(part) and (not hidden or part in SOURCES) else ".…"
        hidden = hidden or part in SECRETS
    return text.removeprefix(".")


def showable(key: str) -> bool:
    """Whether a key looks like one."""
    return _KEY.fullmatch(key) is not None
