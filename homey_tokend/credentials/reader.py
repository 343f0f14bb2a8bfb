"""Read the credentials of one Homey from files, variables, systemd and commands.

``env`` and ``credential`` are read once, at the start: systemd's copy is a snapshot, so a change
requires a restart anyway. ``file`` and ``command`` are read for each sign-in, so a changed
password needs no restart. No message contains what was read, nor what a command wrote to its
standard error.
"""

import asyncio
import codecs
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta

from homey_tokend.config.files import read_bounded, reason_of
from homey_tokend.config.model import HomeyConfig
from homey_tokend.core.commands import program_name
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.secret import SECRET_KEYS, Credentials, Secret, SecretRef, SecretSource
from homey_tokend.core.totp import normalize_secret
from homey_tokend.core.value_text import defect, doubt, trim
from homey_tokend.runtime.process import child_environ, run_command
from homey_tokend.runtime.programs import program_fault
from homey_tokend.runtime.workers import WorkerPool

#: The longest time for reading all credentials of one Homey: enough for a slow disk or a keyring,
#: not for a password manager that waits for a person.
DEADLINE = timedelta(seconds=10)
#: The largest value that is accepted: more than any password, to detect a wrong file.
MOST_BYTES = 64 * 1024
#: The number of threads for files. The event loop's default pool may be full of work that hangs.
_THREADS = 2

_PLAIN = "Name a plain file, or use {command: …}."
_RIGHT_ONE = "Check that it is the right one."
Warn = Callable[[str, Mapping[str, object]], None]
#: The content of a file, and its ``st_mode``.
_Content = tuple[bytes, int]


class _Unavailable(Exception):
    """A value cannot be read; arguments are message and remedy. The reader adds the key."""


class SecretReader:
    """The ``CredentialSource`` of one Homey.

    Args:
        homey: The Homey's configuration.
        environ: The environment, which is copied.
        warn: Called with the name of an event (``secret.world_readable``, ``secret.doubtful``)
            and its fields.
        workers: The threads that read files; by default two of its own.
        deadline: The longest time for reading all values.
    """

    def __init__(
        self,
        homey: HomeyConfig,
        environ: Mapping[str, str],
        warn: Warn,
        *,
        workers: WorkerPool | None = None,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._homey = homey
        self._environ = dict(environ)
        self._warn = warn
        self._workers = workers or WorkerPool(_THREADS)
        self._deadline = deadline
        self._warned: set[str] = set()
        folder = environ.get("CREDENTIALS_DIRECTORY", "")
        # On a thread, because this may be called on the event loop.
        self._snapshots: dict[str, Future[_Content]] = {
            ref.argument: self._workers.submit(_read_file, f"{folder}/{ref.argument}")
            for ref in (getattr(homey, key) for key in SECRET_KEYS)
            if ref is not None and ref.source is SecretSource.CREDENTIAL and folder
        }

    async def read(self) -> Credentials:
        """Read all values.

        Raises:
            SecretUnavailable: One of them cannot be read within the deadline. The message has
                its place and path.
        """
        values: dict[str, Secret] = {}
        key = SECRET_KEYS[0]
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                for key in SECRET_KEYS:
                    ref: SecretRef | None = getattr(self._homey, key)
                    if ref is not None:
                        values[key] = await self._value(key, ref)
        except (TimeoutError, _Unavailable) as exc:
            late = (
                f"could not be read within {self._deadline.total_seconds():g} s",
                "Check the disk, or find out what the command waits for.",
            )
            message, remedy = late if isinstance(exc, TimeoutError) else exc.args
            place = getattr(self._homey, key).place or f"homeys.{self._homey.name}.{key}"
            raise SecretUnavailable(f"{place}: {message}", remedy=remedy) from None
        return Credentials(
            email=values["email"],
            password=values["password"],
            client_id=values["client_id"].reveal(),
            client_secret=values["client_secret"],
            redirect_url=self._homey.redirect_url,
            cloudid=self._homey.cloudid,
            totp_secret=values.get("totp_secret"),
        )

    def close(self) -> None:
        """Close the threads, without waiting for one that hangs."""
        self._workers.close()

    async def _value(self, key: str, ref: SecretRef) -> Secret:
        what, data = await self._bytes(key, ref)
        text = _text(data, what)
        if words := defect(text, key):
            raise _Unavailable(f"{what} {words[0]}", words[1])
        if key == "totp_secret":
            text = _base32(text, what)
        elif key == "password" and ref.source is not SecretSource.PLAIN:
            self._doubt(text, what)
        return Secret(text)

    def _doubt(self, password: str, what: str) -> None:
        """Warn once of what is probably not intended in a password."""
        words = doubt(password)
        if words is not None and what not in self._warned:
            self._warned.add(what)
            fields = {"key": f"homeys.{self._homey.name}.password", "reason": f"{what} {words[0]}"}
            self._warn("secret.doubtful", {**fields, "remedy": words[1]})

    async def _bytes(self, key: str, ref: SecretRef) -> tuple[str, bytes]:
        """Return a description of the source that contains no secret, and the value."""
        match ref.source:
            case SecretSource.PLAIN:
                return "the text", ref.plain.reveal().encode() if ref.plain is not None else b""
            case SecretSource.ENV:
                return f"the environment variable {ref.argument}", self._variable(ref.argument)
            case SecretSource.CREDENTIAL:
                return f"the credential {ref.argument}", await self._credential(ref.argument)
            case SecretSource.FILE:
                return f"the file {ref.argument}", await self._file(key, ref.argument)
            case SecretSource.COMMAND:
                return f"the output of {program_name(ref.argv)}", await self._command(ref.argv)

    def _variable(self, name: str) -> bytes:
        text = self._environ.get(name)
        if text is None:
            raise _Unavailable(
                f"the environment variable {name} is not set",
                "Set it in the daemon's environment, then restart the daemon.",
            )
        return os.fsencode(text)

    async def _credential(self, name: str) -> bytes:
        future = self._snapshots.get(name)
        if future is None:
            raise _Unavailable(
                f"the credential {name} does not exist: $CREDENTIALS_DIRECTORY is not set",
                "Run the daemon in a systemd unit with LoadCredential=, or use another source.",
            )
        return (await asyncio.shield(asyncio.wrap_future(future)))[0]

    async def _file(self, key: str, path: str) -> bytes:
        data, mode = await self._workers.run(_read_file, path)
        if mode & stat.S_IROTH and path not in self._warned:
            self._warned.add(path)
            fields = {"key": f"homeys.{self._homey.name}.{key}", "path": path}
            self._warn("secret.world_readable", {**fields, "mode": f"{stat.S_IMODE(mode):04o}"})
        return data

    async def _command(self, argv: Sequence[str]) -> bytes:
        environ = child_environ(self._environ)
        try:
            output = await run_command(argv, environ, limit=MOST_BYTES)
        except OSError as exc:
            words = await self._workers.run(program_fault, argv, environ)
            reason = f"it {words[0]}" if words else reason_of(exc)
            remedy = words[1] if words else "Check its path."
            raise _Unavailable(
                f"the command {program_name(argv)} cannot be started: {reason}",
                f"{remedy} The daemon's user and its sandbox must be allowed to run it.",
            ) from None
        status = output.status
        if status != 0 and len(output.stdout) <= MOST_BYTES:
            ending = (
                f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            )
            raise _Unavailable(
                f"the command {program_name(argv)} {ending}",
                "Run it by hand as the daemon's user to see what it says.",
            )
        return output.stdout


def _text(data: bytes, what: str) -> str:
    """Return ``data`` as text, without what ``trim`` removes."""
    if len(data) > MOST_BYTES:
        raise _Unavailable(f"{what} is larger than 64 KiB", _RIGHT_ONE)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _Unavailable(f"{what} is UTF-16", "Save it as UTF-8.")
    if b"\0" in data:
        raise _Unavailable(f"{what} is binary", _RIGHT_ONE)
    try:
        text = trim(data.decode())
    except UnicodeDecodeError:
        raise _Unavailable(f"{what} is not UTF-8", "Write it as UTF-8.") from None
    if not text:
        raise _Unavailable(f"{what} is empty", "Write the value into it.")
    return text


def _base32(text: str, what: str) -> str:
    found = normalize_secret(text)
    if found is None:
        raise _Unavailable(
            f"{what} is not base32 of at least 16 characters",
            "Copy the key that the account showed when two-factor authentication was set up.",
        )
    return found


def _read_file(path: str) -> _Content:
    """Read a regular file; runs on a thread."""
    try:
        data, mode = read_bounded(path, MOST_BYTES, plain_only=True)
    except IsADirectoryError:
        raise _Unavailable(f"{path} is a directory, not a file", _PLAIN) from None
    except OSError as exc:
        raise _Unavailable(
            f"the file {path} cannot be read: {reason_of(exc)}",
            "Check the path, and that the daemon's user may read the file and access its directories.",
        ) from None
    if not stat.S_ISREG(mode):
        raise _Unavailable(f"{path} is a pipe or a device, not a file", _PLAIN)
    return data, mode
