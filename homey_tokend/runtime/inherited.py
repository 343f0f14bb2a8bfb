"""What a process of ours inherits: the environment without what the daemon alone was told."""

from collections.abc import Mapping

#: What no child must see or act upon.
_OURS = (
    "HOMEY_",
    "LISTEN_",
    "WATCHDOG_",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
)


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a child may have."""
    return {name: value for name, value in environ.items() if not name.startswith(_OURS)}
