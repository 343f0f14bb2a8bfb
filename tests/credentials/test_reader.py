"""The credentials are read from where the configuration says, and never shown."""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.config import HomeyConfig
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.ports import CredentialSource
from homey_tokend.core.secret import Credentials, Secret, SecretRef, SecretSource
from homey_tokend.credentials.reader import MOST_BYTES, SecretReader
from homey_tokend.runtime.workers import WorkerPool

CANARY = "canary-5f3a-Hunter2"
PLACE = "config.yaml:4:15 homeys.home.password"
BASE32 = "JBSWY3DPEHPK3PXP"

Build = Callable[..., SecretReader]


def plain(text: str) -> SecretRef:
    return SecretRef(SecretSource.PLAIN, plain=Secret(text))


def file(path: Path | str) -> SecretRef:
    return SecretRef(SecretSource.FILE, argument=str(path), place=PLACE)


def env(name: str) -> SecretRef:
    return SecretRef(SecretSource.ENV, argument=name, place=PLACE)


def credential(name: str) -> SecretRef:
    return SecretRef(SecretSource.CREDENTIAL, argument=name, place=PLACE)


def command(*argv: str) -> SecretRef:
    return SecretRef(SecretSource.COMMAND, argv=argv, place=PLACE)


def script(code: str) -> SecretRef:
    return command("/bin/sh", "-c", code)


def homey(**values: SecretRef) -> HomeyConfig:
    refs: dict[str, Any] = {
        "email": plain("you@example.com"),
        "password": plain("secret"),
        "client_id": plain("id"),
        "client_secret": plain("client-secret"),
    }
    return HomeyConfig(name="home", cloudid="cloudid", **{**refs, **values})


class ReceivedRequest(list[tuple[str, dict[str, object]]]):
    """Return the warnings of a reader."""

    def __call__(self, event: str, fields: Mapping[str, object]) -> None:
        self.append((event, dict(fields)))


@pytest.fixture
def heard() -> ReceivedRequest:
    return ReceivedRequest()


@pytest.fixture
def build(heard: ReceivedRequest) -> Iterator[Build]:
    """Build readers, and close them after the test."""
    built: list[SecretReader] = []

    def make(
        environ: Mapping[str, str] | None = None,
        *,
        workers: WorkerPool | None = None,
        deadline: float = 10,
        **values: SecretRef,
    ) -> SecretReader:
        reader = SecretReader(
            homey(**values),
            environ if environ is not None else {"PATH": os.environ["PATH"]},
            heard,
            workers=workers,
            deadline=timedelta(seconds=deadline),
        )
        built.append(reader)
        return reader

    yield make
    for reader in built:
        reader.close()


async def password(reader: SecretReader) -> str:
    return (await reader.read()).password.reveal()


async def refused(reader: SecretReader) -> str:
    """Return the message of the rejection, which must have key and place, and no canary."""
    with pytest.raises(SecretUnavailable) as raised:
        await reader.read()
    error = raised.value
    output = f"{error!r} {error} {error.remedy} {error.__context__!r} {error.__cause__!r}"
    assert CANARY not in output
    assert error.remedy.endswith(".")
    return error.message


async def test_plain(build: Build) -> None:
    """Plain values are returned as they are."""
    source: CredentialSource = build()
    read = await source.read()

    assert (
        Credentials(
            email=Secret("you@example.com"),
            password=Secret("secret"),
            client_id="id",
            client_secret=Secret("client-secret"),
            redirect_url="http://localhost",
            cloudid="cloudid",
        )
        == read
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("secret", "secret"),
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret\n\n", "secret"),
        ("\ufeffsecret\r", "secret"),
        (" sécret ", " sécret "),
    ],
    ids=["bare", "newline", "crlf", "two", "mark", "blanks"],
)
async def test_line_ends_are_dropped(
    build: Build, tmp_path: Path, written: str, expected: str
) -> None:
    """Of a file, a byte-order mark and line ends at the end are dropped, and nothing else."""
    path = tmp_path / "password"
    path.write_text(written, newline="")
    path.chmod(0o600)

    assert expected == await password(build(password=file(path)))


async def test_files_are_read_each_time(build: Build, tmp_path: Path) -> None:
    """A rotated file is read at the next sign-in."""
    path = tmp_path / "password"
    path.write_text("old")
    reader = build(password=file(path))
    first = await password(reader)
    path.write_text("new")

    assert (first, await password(reader)) == ("old", "new")


async def test_variables_and_credentials_are_snapshots(build: Build, tmp_path: Path) -> None:
    """Values from the environment and systemd stay as they were at the start."""
    (tmp_path / "totp").write_text(f"{BASE32[:4].lower()} {BASE32[4:]}\n")
    environ = {"PASSWORD": "old", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    reader = build(environ, password=env("PASSWORD"), totp_secret=credential("totp"))
    first = await reader.read()
    environ["PASSWORD"] = "new"
    (tmp_path / "totp").write_text("changed")
    second = await reader.read()

    assert first == second
    assert second.password.reveal() == "old"
    assert Secret(BASE32) == second.totp_secret


async def test_world_readable(build: Build, heard: ReceivedRequest, tmp_path: Path) -> None:
    """A file that everybody can read causes one warning, with its key and mode."""
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(0o644)
    reader = build(password=file(path))
    await reader.read()
    await reader.read()

    assert [
        (
            "secret.world_readable",
            {"key": "homeys.home.password", "path": str(path), "mode": "0644"},
        )
    ] == heard


@pytest.mark.parametrize("source", ["file", "env", "credential", "command"])
async def test_all_sources_behave_alike(
    build: Build, heard: ReceivedRequest, tmp_path: Path, source: str
) -> None:
    """A value is trimmed, rejected or warned of in the same way for each source."""

    def ref(name: str, value: str) -> SecretRef:
        path = tmp_path / name
        path.write_text(value, newline="")
        path.chmod(0o600)
        return {
            "file": file(path),
            "env": env(name),
            "credential": credential(name),
            "command": command("cat", str(path)),
        }[source]

    values = {
        "email": "\ufeffyou@example.com\r\n",
        "password": f'"{CANARY}"\n\n',
        "client_id": "id\n\n",
        "client_secret": "\ufeffsecret\r",
        "totp_secret": f"{BASE32}\r",
    }
    bad = {
        "email": ('"you@example.com"', "is in quotes"),
        "password": (f"{CANARY}\ufeff\n", "(zero width no-break space) as its last character"),
        "client_id": ("id ", "has a blank as its last character"),
        "client_secret": (
            "sec\u200bret",
            "has U+200B (zero width space) as its character number 4",
        ),
        "totp_secret": (f"'{BASE32}'", "is in quotes"),
    }
    environ = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(tmp_path)}
    reader = build(environ | values, **{key: ref(key, text) for key, text in values.items()})
    read = await reader.read()
    await reader.read()
    for key, (text, words) in bad.items():
        reader = build(environ | {f"bad_{key}": text}, **{key: ref(f"bad_{key}", text)})
        assert (await refused(reader)).endswith(words)

    assert ("you@example.com", f'"{CANARY}"', "id", "secret", BASE32) == (
        read.email.reveal(),
        read.password.reveal(),
        read.client_id,
        read.client_secret.reveal(),
        read.totp_secret and read.totp_secret.reveal(),
    )
    [(event, fields)] = heard
    assert ("secret.doubtful", "homeys.home.password") == (event, fields["key"])
    assert str(fields["reason"]).endswith(" is in quotes, which are sent with it")
    assert CANARY not in str(fields)


async def test_private_file(build: Build, heard: ReceivedRequest, tmp_path: Path) -> None:
    """A private file causes no warning."""
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(0o640)
    await build(password=file(path)).read()

    assert heard == []


async def test_bad_files(build: Build, tmp_path: Path) -> None:
    """Every failure of a file is reported with place and path, not content."""
    contents = {
        "empty": (b"", "is empty"),
        "newline": (b"\n", "is empty"),
        "binary": (CANARY.encode() + b"\0", "is binary"),
        "latin1": (CANARY.encode() + b"\xe9", "is not UTF-8"),
        "utf16": (CANARY.encode("utf-16"), "is UTF-16"),
        "lines": (b"a\n" + CANARY.encode(), "has a line break as its character number 2"),
        "huge": (CANARY.encode() * MOST_BYTES, "is larger than 64 KiB"),
    }
    for name, (content, words) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)

        assert f"{PLACE}: the file {path} {words}" == await refused(build(password=file(path)))


async def test_no_file(build: Build, tmp_path: Path) -> None:
    """Anything but a regular file is reported, and never waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        output = {
            name: await refused(build(password=file(tmp_path / name)))
            for name in ("missing", "pipe", "folder", "loop", "socket")
        }

    assert {
        name: f"{PLACE}: {words}".replace("@", str(tmp_path))
        for name, words in {
            "missing": "the file @/missing cannot be read: no such file or directory",
            "pipe": "@/pipe is a pipe or a device, not a file",
            "folder": "@/folder is a directory, not a file",
            "loop": "the file @/loop cannot be read: too many levels of symbolic links",
            "socket": "the file @/socket cannot be read: no such device or address",
        }.items()
    } == output


async def test_file_that_fails_while_it_is_read(build: Build) -> None:
    """A file that opens but cannot be read is reported: /proc/self/mem has nothing at 0."""
    output = await refused(build(password=file("/proc/self/mem")))

    assert f"{PLACE}: the file /proc/self/mem cannot be read: input/output error" == output


class Denied(WorkerPool):
    """Run the work as a user without permissions, because root may read everything."""

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(as_nobody(lambda: fn(*args, **kwargs)))
        except Exception as exc:  # noqa: BLE001  handed on, as executors do
            future.set_exception(exc)
        return future


def as_nobody(work: Callable[[], Any]) -> Any:
    """Call ``work`` as user 65534 if we are root, else as we are."""
    if os.geteuid() != 0:
        return work()
    os.seteuid(65534)
    try:
        return work()
    finally:
        os.seteuid(0)


def test_permission_denied(tmp_path: Path, heard: ReceivedRequest) -> None:
    """A file that the daemon's user may not read is reported, with a remedy about rights."""
    path = tmp_path / "password"
    path.write_text(CANARY)
    path.chmod(0)
    reader = SecretReader(homey(password=file(path)), {}, heard, workers=Denied())
    output = asyncio.run(refused_quietly(reader))

    assert f"{PLACE}: the file {path} cannot be read: permission denied" == output


async def refused_quietly(reader: SecretReader) -> str:
    """As ``refused``, with its own event loop, since ``Denied`` works on the loop's thread."""
    return await refused(reader)


async def test_bad_variables(build: Build) -> None:
    """A variable that is missing, empty or not UTF-8 is reported by its name."""
    environ = {"EMPTY": "", "LATIN1": f"{CANARY}\udce9"}

    assert f"{PLACE}: the environment variable NONE is not set" == await refused(
        build(environ, password=env("NONE"))
    )
    assert f"{PLACE}: the environment variable EMPTY is empty" == await refused(
        build(environ, password=env("EMPTY"))
    )
    assert f"{PLACE}: the environment variable LATIN1 is not UTF-8" == await refused(
        build(environ, password=env("LATIN1"))
    )


async def test_bad_credentials(build: Build, tmp_path: Path) -> None:
    """A missing credential is reported when it is read, not at the start."""
    nowhere = build({}, password=credential("password"))
    missing = build({"CREDENTIALS_DIRECTORY": str(tmp_path)}, password=credential("password"))

    assert (
        f"{PLACE}: the credential password does not exist: $CREDENTIALS_DIRECTORY is not set"
        == await refused(nowhere)
    )
    assert (
        f"{PLACE}: the file {tmp_path}/password cannot be read: no such file or directory"
        == await refused(missing)
    )
    assert (
        f"{PLACE}: the file {tmp_path}/password cannot be read: no such file or directory"
        == await refused(missing)
    )


async def test_command(build: Build) -> None:
    """A command's output is the value, and its standard error is discarded."""
    reader = build(password=script(f"echo {CANARY}; echo noise >&2"))

    assert await password(reader) == CANARY


async def test_command_environment(build: Build) -> None:
    """A command gets the environment without the daemon's own variables, and no input."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "KEPT": "kept",
        "HOMEY_PASSWORD": CANARY,
        "HOMEY_TOKEND_SOCKET": "/x",
        "CREDENTIALS_DIRECTORY": "/x",
        "NOTIFY_SOCKET": "/x",
    }
    seen = await password(
        build(environ, password=script("cat; env | sort | grep -v ^_= | tr '\\n' ,"))
    )

    assert [
        line for line in seen.rstrip(",").split(",") if not line.startswith(("OLDPWD", "SHLVL"))
    ] == [
        "KEPT=kept",
        "PATH=/usr/bin:/bin",
        "PWD=/",
    ]


async def test_bad_commands(build: Build, tmp_path: Path) -> None:
    """Every failure of a command is reported by its program, never by its output."""
    denied = tmp_path / "denied"
    denied.write_text("#!/bin/sh\n")
    start = f"{PLACE}: the command"
    sh = f"{PLACE}: the output of /bin/sh"

    assert f"{start} /no/such cannot be started: it does not exist" == await refused(
        build(password=command("/no/such", CANARY))
    )
    assert f"{start} {denied} cannot be started: it is not executable" == await refused(
        build(password=command(str(denied)))
    )
    assert f"{start} /bin/sh ended with status 3" == await refused(
        build(password=script(f"echo {CANARY}; echo {CANARY} >&2; exit 3"))
    )
    assert f"{start} /bin/sh was killed by signal 9" == await refused(
        build(password=script("kill -9 $$"))
    )
    assert f"{sh} is empty" == await refused(build(password=script("true")))
    assert f"{sh} is binary" == await refused(build(password=script("printf 'a\\000b'")))
    assert f"{sh} is larger than 64 KiB" == await refused(
        build(password=script(f"while :; do echo {CANARY}; done"))
    )


async def test_command_killed_with_its_group(build: Build, tmp_path: Path) -> None:
    """A hanging command and its children are killed at the deadline."""
    pids = tmp_path / "pids"
    code = f"sleep 60 & echo $! $$ > {pids}; echo {CANARY}; wait"
    output = await refused(build(password=script(code), deadline=1.5))
    numbers = [int(pid) for pid in (await asyncio.to_thread(pids.read_text)).split()]

    assert f"{PLACE}: could not be read within 1.5 s" == output
    assert await asyncio.to_thread(have_ended, numbers)


def have_ended(pids: list[int]) -> bool:
    """Return whether none runs any more, after a moment: a signal may take time on a busy machine."""
    end = time.monotonic() + 40
    while any(map(running, pids)) and time.monotonic() < end:
        time.sleep(0.01)
    return not any(map(running, pids))


def running(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


async def test_agent_in_the_background(build: Build) -> None:
    """A command that leaves an agent with its output open is not waited for."""
    code = (
        "import os, sys, time\n"
        "print('secret', flush=True)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    time.sleep(20)\n"
    )
    reader = build(password=command(sys.executable, "-I", "-c", code), deadline=10)

    assert await password(reader) == "secret"


async def test_cancelled_while_it_starts(build: Build, tmp_path: Path) -> None:
    """A cancelled sign-in leaves no command behind, at any time."""
    for turns in range(6):
        mark = tmp_path / f"mark{turns}"
        task = asyncio.ensure_future(build(password=script(f"echo $$ > {mark}; sleep 60")).read())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        text = mark.read_text() if mark.exists() else ""

        assert [pid for pid in text.split() if running(int(pid))] == []


async def test_deadline_of_a_thread(build: Build, tmp_path: Path) -> None:
    """The wait for a hanging disk ends at the deadline, and the key is reported."""
    path = tmp_path / "password"
    path.write_text("secret")
    workers, release = WorkerPool(), threading.Event()
    hanging = workers.submit(release.wait, 40)
    output = await refused(build(workers=workers, client_secret=file(path), deadline=0.1))
    release.set()
    await asyncio.wrap_future(hanging)

    assert f"{PLACE}: could not be read within 0.1 s" == output


@pytest.mark.parametrize(
    "text", ["no base32!", "JBSWY3DP", CANARY], ids=["chars", "short", "canary"]
)
async def test_totp_is_checked(build: Build, text: str) -> None:
    """A one-time secret that is not base32 of 80 bits is reported before it is used."""
    reader = build({"TOTP": text}, totp_secret=env("TOTP"))

    assert (
        f"{PLACE}: the environment variable TOTP is not base32 of at least 16 characters"
        == await refused(reader)
    )


async def test_without_a_place_the_key_is_reported(build: Build) -> None:
    """Without a place in a file, only the key is reported."""
    bare = SecretRef(SecretSource.ENV, argument="NONE")

    assert (
        await refused(build(email=bare))
        == "homeys.home.email: the environment variable NONE is not set"
    )
    assert (
        await refused(build(email=SecretRef(SecretSource.PLAIN)))
        == "homeys.home.email: the text is empty"
    )
