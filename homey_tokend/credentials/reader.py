"""Resolve the credentials of one Homey: from files, variables, systemd and commands.

``env`` and ``credential`` are read once, at the start: systemd's copy is a snapshot anyway,
and what changes needs a restart. ``file`` and ``command`` are read at each sign-in, so
that a rotated password is found without one. No message holds what was read, nor what a
command wrote to its standard error.
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
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.secret import SECRET_KEYS, Credentials, Secret, SecretRef, SecretSource
from homey_tokend.core.totp import normalize_secret
from homey_tokend.core.value_text import defect, doubt, trim
from homey_tokend.runtime.process import child_environ, run_command
from homey_tokend.runtime.programs import program_fault
from homey_tokend.runtime.workers import WorkerPool

#: How long may reading all values of one Homey take? A person's password store that asks
#: back is not meant; a slow disk or a keyring is.
DEADLINE = timedelta(seconds=10)
#: How large may one value be? Far beyond any password, far below a wrongly named file.
MOST_BYTES = 64 * 1024
#: Why two threads of our own? The default pool can be full of DNS look-ups that hang.
_THREADS = 2

_PLAIN = "Name a plain file, or use {command: …}."
_RIGHT_ONE = "Check that it is the right one."
Warn = Callable[[str, Mapping[str, object]], None]
#: What a file holds, and its type and mode.
_Content = tuple[bytes, int]


class _Unavailable(Exception):
    """A value cannot be read: message and remedy; the reader adds the key."""


class SecretReader:
    """The ``CredentialSource`` of one Homey.

    Args:
        homey: Whose values they are.
        environ: The environment; copied.
        warn: Called with an event name (``secret.world_readable``, ``secret.doubtful``) and its
            fields.
        workers: Where files are read; two threads of its own if None.
        deadline: How long reading all values may take.
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
        # Read on a thread: this may be called on the loop, which must not wait.
        self._snapshots: dict[str, Future[_Content]] = {
            ref.argument: self._workers.submit(_read_file, f"{folder}/{ref.argument}")
            for ref in (getattr(homey, key) for key in SECRET_KEYS)
            if ref is not None and ref.source is SecretSource.CREDENTIAL and folder
        }

    async def read(self) -> Credentials:
        """Read all values.

        Raises:
            SecretUnavailable: One of them cannot be had within the deadline. The message
                names its key, place and path.
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
                "Check the disk, or what the command waits for.",
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
        """Release the threads, without waiting for one that hangs."""
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
        """Warn once of what is most likely not meant in a password."""
        words = doubt(password)
        if words is not None and what not in self._warned:
            self._warned.add(what)
            fields = {"key": f"homeys.{self._homey.name}.password", "reason": f"{what} {words[0]}"}
            self._warn("secret.doubtful", {**fields, "remedy": words[1]})

    async def _bytes(self, key: str, ref: SecretRef) -> tuple[str, bytes]:
        """Return what is read, in words that are safe to show, and its content."""
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
                return f"the output of {ref.argv[0]}", await self._command(ref.argv)

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
                f"the credential {name} is named, and $CREDENTIALS_DIRECTORY is not set",
                "Credentials exist in a systemd unit with LoadCredential= only.",
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
                f"the command {argv[0]} cannot be started: {reason}",
                f"{remedy} The daemon's user (and its sandbox) must be allowed to run it.",
            ) from None
        status = output.status
        if status != 0 and len(output.stdout) <= MOST_BYTES:
            ending = (
                f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            )
            raise _Unavailable(
                f"the command {argv[0]} {ending}",
                "Run it by hand as the daemon's user to see what it says.",
            )
        return output.stdout


def _text(data: bytes, what: str) -> str:
    """Return ``data`` as the text that it must be."""
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
