"""Resolves the sign-in values of one Homey: from files, variables, credentials and commands.

``env`` and ``credential`` are read once, at the start: systemd's copy is a snapshot anyway,
and what changes needs a restart. ``file`` and ``command`` are read at each sign-in, so
that a rotated password is met without one. No message holds what was read, nor what a
command wrote to its standard error.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from homey_tokend.config import HomeyConfig
from homey_tokend.config.secrets import bare
from homey_tokend.core import totp
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.secret import Credentials, Secret, SecretRef, SecretSource
from homey_tokend.runtime.process import run_command

#: How long may reading all values of one Homey take? A person's password store that asks
#: back is not meant; a slow disk or a keyring is.
DEADLINE = timedelta(seconds=10)
#: How large may one value be? Far beyond any password, far below a wrongly named file.
MOST_BYTES = 64 * 1024
#: Why two threads of our own? The default pool can be full of DNS look-ups that hang.
_THREADS = 2

_KEYS = ("email", "password", "client_id", "client_secret", "totp_secret")
Warn = Callable[[str, Mapping[str, object]], None]


class _No(Exception):
    """A value cannot be had; whose it is, is for the reader to add."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file holds, and its mode without its type."""

    data: bytes = field(repr=False)
    mode: int


class SecretReader:
    """The ``CredentialSource`` of one Homey.

    Args:
        homey: Whose values they are.
        environ: The environment; copied.
        warn: Called with an event name (``secret.world_readable``) and its fields.
        executor: Where files are read; its own two threads if None.
        deadline: How long reading all values may take.
    """

    def __init__(
        self,
        homey: HomeyConfig,
        environ: Mapping[str, str],
        warn: Warn,
        *,
        executor: Executor | None = None,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self._homey = homey
        self._environ = dict(environ)
        self._warn = warn
        self._own = ThreadPoolExecutor(_THREADS, thread_name_prefix="secrets")
        self._executor = executor or self._own
        self._deadline = deadline
        self._warned: set[str] = set()
        self._folder = environ.get("CREDENTIALS_DIRECTORY", "")
        # Read on a thread: whoever builds this may stand on the loop, which must not wait.
        self._snapshots: dict[str, Future[_Content]] = {
            ref.argument: self._executor.submit(_content, f"{self._folder}/{ref.argument}")
            for ref in (getattr(homey, key) for key in _KEYS)
            if ref is not None and ref.source is SecretSource.CREDENTIAL and self._folder
        }

    async def read(self) -> Credentials:
        """All values, anew.

        Raises:
            SecretUnavailable: One of them cannot be had within the deadline. The message
                names its key, place and path.
        """
        values: dict[str, Secret] = {}
        key = _KEYS[0]
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                for key in _KEYS:
                    ref: SecretRef | None = getattr(self._homey, key)
                    if ref is not None:
                        values[key] = await self._value(key, ref)
        except TimeoutError:
            raise self._unavailable(
                key,
                f"could not be read within {self._deadline.total_seconds():g} s",
                "Check the disk, or what the command waits for.",
            ) from None
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
        """Lets its own threads go, without waiting for one that hangs."""
        self._own.shutdown(wait=False, cancel_futures=True)

    async def _value(self, key: str, ref: SecretRef) -> Secret:
        try:
            text = _text(await self._bytes(key, ref), _what(ref))
            if key == "totp_secret":
                text = _base32(text, _what(ref))
        except _No as exc:
            raise self._unavailable(key, exc.message, exc.remedy) from None
        return Secret(text)

    async def _bytes(self, key: str, ref: SecretRef) -> bytes:
        match ref.source:
            case SecretSource.PLAIN:
                return ref.plain.reveal().encode() if ref.plain is not None else b""
            case SecretSource.ENV:
                return self._variable(ref.argument)
            case SecretSource.CREDENTIAL:
                return await self._credential(ref.argument)
            case SecretSource.FILE:
                return await self._file(key, ref.argument)
            case SecretSource.COMMAND:
                return await self._command(ref.argv)

    def _variable(self, name: str) -> bytes:
        text = self._environ.get(name)
        if text is None:
            raise _No(
                f"the environment variable {name} is not set",
                "Set it where the daemon is started, then restart the daemon.",
            )
        return os.fsencode(text)

    async def _credential(self, name: str) -> bytes:
        future = self._snapshots.get(name)
        if future is None:
            raise _No(
                f"the credential {name} is named, and $CREDENTIALS_DIRECTORY is not set",
                "Credentials exist in a systemd unit with LoadCredential= only.",
            )
        return (await asyncio.shield(asyncio.wrap_future(future))).data

    async def _file(self, key: str, path: str) -> bytes:
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._executor, _content, path)
        if content.mode & stat.S_IROTH and path not in self._warned:
            self._warned.add(path)
            fields = {"key": f"homeys.{self._homey.name}.{key}", "path": path}
            self._warn("secret.world_readable", {**fields, "mode": f"{content.mode:04o}"})
        return content.data

    async def _command(self, argv: Sequence[str]) -> bytes:
        try:
            output = await run_command(argv, self._environ, MOST_BYTES)
        except OSError as exc:
            raise _No(
                f"the command {argv[0]} cannot be started: {_reason(exc)}",
                "Check its path, and that the daemon's user (and its sandbox) may run it.",
            ) from None
        if output.status != 0 and len(output.data) <= MOST_BYTES:
            raise _No(
                f"the command {argv[0]} {_ending(output.status)}",
                "Run it by hand as the daemon's user to see what it says.",
            )
        return output.data

    def _unavailable(self, key: str, message: str, remedy: str) -> SecretUnavailable:
        ref: SecretRef = getattr(self._homey, key)
        place = ref.place or f"homeys.{self._homey.name}.{key}"
        return SecretUnavailable(f"{place}: {message}", remedy=remedy)


def _what(ref: SecretRef) -> str:
    """A reference in words, safe to show: of a command only the program."""
    match ref.source:
        case SecretSource.PLAIN:
            return "the text"
        case SecretSource.ENV:
            return f"the environment variable {ref.argument}"
        case SecretSource.COMMAND:
            return f"the output of {ref.argv[0]}"
        case SecretSource.FILE | SecretSource.CREDENTIAL:
            return f"the {ref.source} {ref.argument}"


def _text(data: bytes, what: str) -> str:
    """The one line of text that ``data`` must be."""
    if len(data) > MOST_BYTES:
        raise _No(f"{what} is larger than 64 KiB", "Check that it is the right one.")
    if b"\0" in data:
        raise _No(f"{what} is binary", "Check that it is the right one.")
    try:
        text = bare(data.decode())
    except UnicodeDecodeError:
        raise _No(f"{what} is not UTF-8", "Write it anew as UTF-8.") from None
    if not text:
        raise _No(f"{what} is empty", "Write the value into it.")
    return text


def _base32(text: str, what: str) -> str:
    found = totp.normalize_secret(text)
    if found is None:
        raise _No(
            f"{what} is not base32 of at least 16 characters",
            "Copy the key that the account showed when two-factor authentication was set up.",
        )
    return found


def _content(path: str) -> _Content:
    """What a file holds; runs on a thread."""
    try:
        # Not blocking: opening a pipe would wait for its writer.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise _failed(path, exc) from None
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise _No(f"{path} is {what}, not a file", "Name a plain file, or use {command: …}.")
        data = b""
        while len(data) <= MOST_BYTES and (more := os.read(opened, MOST_BYTES + 1)):
            data += more
    except OSError as exc:
        raise _failed(path, exc) from None
    finally:
        os.close(opened)
    return _Content(data, stat.S_IMODE(mode))


def _failed(path: str, exc: OSError) -> _No:
    return _No(
        f"the file {path} cannot be read: {_reason(exc)}",
        "Check the path, and that the daemon's user may read the file and enter its folders.",
    )


def _reason(exc: OSError) -> str:
    return (exc.strerror or "it failed").lower()


def _ending(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
