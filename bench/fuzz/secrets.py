"""Values of credentials, from a file, a variable, a credential and a command."""

import os
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.fuzz.mutate import CANARY, hides_canary, mutate, require
from homey_tokend.config import HomeyConfig
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.secret import Secret, SecretRef, SecretSource
from homey_tokend.credentials.reader import SecretReader
from homey_tokend.runtime.workers import WorkerPool

_BASE32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
_VALUES = [
    each.encode()
    for each in (
        CANARY, f"{CANARY}\n", f'"{CANARY}"', f"'{CANARY}'\r\n", f"\ufeff{CANARY}", f" {CANARY} ",
        f"password={CANARY}\n", f"{CANARY}\n{CANARY}\n", _BASE32, "GEZD GNBV GY3T QOJQ\n", "", "\n",
    )
]  # fmt: skip
_VALUES += [CANARY.encode("utf-16"), CANARY.encode("utf-16-le"), b"A" * 65_536, b"A" * 65_537]
_KEYS = ("email", "password", "client_id", "client_secret", "totp_secret")
_SOURCES = (SecretSource.FILE, SecretSource.ENV, SecretSource.CREDENTIAL, SecretSource.COMMAND)
#: A process takes longer than all else, so a command is run for one input of these.
_COMMAND_EVERY = 8


@dataclass(frozen=True)
class Given:
    """A value, its key, and whether a command is run as well."""

    key: str
    data: bytes
    command: bool


class Target:
    """The value, a named fault or a warning, the same from each source; never its text."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "value"
        self._workers = WorkerPool(2)

    def draw(self, rng: Random) -> Given:
        data = mutate(rng, rng.choice(_VALUES), [CANARY.encode()], _VALUES)
        if rng.random() < 0.1:
            data = rng.randbytes(rng.choice((1, 3, 20, 300)))
        return Given(rng.choice(_KEYS), data, rng.randrange(_COMMAND_EVERY) == 0)

    async def check(self, given: Given) -> None:
        self._file.write_bytes(given.data)
        sources = [each for each in _SOURCES if given.command or each is not SecretSource.COMMAND]
        if b"\0" in given.data:  # no variable of the system has one
            sources.remove(SecretSource.ENV)
        outcomes = {each: await self._outcome(given, each) for each in sources}
        require(
            len(set(outcomes.values())) == 1, f"the sources differ: {outcomes}".replace(CANARY, "…")
        )

    async def _outcome(self, given: Given, source: SecretSource) -> tuple[object, ...]:
        """Return the value or the fault, and the warnings, without the name of the source."""
        name, path = "VALUE", str(self._file)
        argv = ("/bin/cat", path) if source is SecretSource.COMMAND else ()
        argument = {SecretSource.FILE: path, SecretSource.ENV: name}.get(source, self._file.name)
        ref = SecretRef(source, argument=argument, argv=argv, place="file:1:1 key")
        environ = {"CREDENTIALS_DIRECTORY": str(self._file.parent)}
        if source is SecretSource.ENV:
            environ[name] = os.fsdecode(given.data)
        warned: list[str] = []

        def warn(event: str, fields: Mapping[str, object]) -> None:
            hides_canary(f"{event} {fields}", "a warning")
            if event == "secret.doubtful":
                warned.append(_nameless(str(fields["reason"]), path))

        homey = _homey(given.key, ref)
        reader = SecretReader(homey, environ, warn, workers=self._workers)
        try:
            found = await reader.read()
        except SecretUnavailable as error:
            text = "".join(traceback.format_exception(error)) + error.remedy
            hides_canary(text, "the fault")
            require(error.message.isprintable() and error.remedy, f"not a message: {error!r}")
            return _nameless(error.message, path), error.remedy, *warned
        value: Any = getattr(found, given.key)
        text = value.reveal() if isinstance(value, Secret) else value
        require(text and not re.search(r"[\0-\x1f\x7f]", text), f"is sent as it is: {text!r}")
        if given.key != "client_id":  # which is no secret once it is read
            hides_canary(repr(found), "the value")
        return text, *warned


def _homey(key: str, ref: SecretRef) -> HomeyConfig:
    plain = {
        each: SecretRef(SecretSource.PLAIN, plain=Secret("plain"))
        for each in _KEYS
        if each != "totp_secret"
    }
    return HomeyConfig(name="home", cloudid="cloudid", **{**plain, key: ref})


def _nameless(message: str, path: str) -> str:
    what = rf"the (file {re.escape(path)}|environment variable VALUE|credential value|output of /bin/cat)"
    return re.sub(what, "it", message)
