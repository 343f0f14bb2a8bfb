"""The command of an exec sink: its input, its environment, and its end."""

import asyncio
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.sinks.exec import ExecSink
from tests.sinks.deliveries import CANARY, URL, delivery

pytestmark = pytest.mark.slow

LONG = timedelta(seconds=40)
SHORT = timedelta(milliseconds=700)
ENVIRON = {"PATH": os.environ["PATH"]}


def inherited() -> Mapping[str, str]:
    return ENVIRON


def sh(
    script: str,
    *arguments: object,
    timeout: timedelta = LONG,
    environ: Mapping[str, str] = ENVIRON,
) -> ExecSink:
    """Return a sink that runs a line of shell; ``$1`` and so on are the arguments."""
    return ExecSink(["/bin/sh", "-c", script, "sh", *map(str, arguments)], timeout, lambda: environ)


def shown(error: BaseException) -> str:
    """Return all that a log could show of an error."""
    return repr(error) + str(error) + "".join(traceback.format_exception(error))


async def gone(pid: int) -> bool:
    """Return whether a process ends within some seconds."""
    for _ in range(4000):
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        await asyncio.sleep(0.01)
    return False


def handles() -> int:
    """Return how many files and pipes this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def filled(path: Path) -> str:
    """Return the text of a file as soon as a command has written a whole line into it."""
    for _ in range(4000):
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text().strip()
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} stays empty")


# --- its input ------------------------------------------------------------


async def test_the_command_gets_one_json_document_on_its_standard_input(tmp_path: Path) -> None:
    """The input is the document of the file sink with the event; then it ends."""
    done = await sh('cat > "$1"', tmp_path / "got").write(delivery())

    assert json.loads((tmp_path / "got").read_bytes()) == {
        "event": "token",
        "access_token": CANARY,
        "token_type": "Bearer",
        "expires_at": "2026-01-03T03:04:05Z",
        "issued_at": "2026-01-02T03:04:05Z",
        "generation": 7,
        "homey": "home",
        "url": URL,
    }
    assert done.detail == "ended with exit status 0"


async def test_the_token_is_neither_in_the_arguments_nor_in_the_environment(
    tmp_path: Path,
) -> None:
    """``ps e`` shows no token."""
    script = 'cat /proc/$$/cmdline /proc/$$/environ > "$1"; cat > /dev/null'

    await sh(script, tmp_path / "seen").write(delivery())

    assert CANARY.encode() not in (tmp_path / "seen").read_bytes()


async def test_the_command_runs_in_the_root_folder_in_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    """It runs in ``/``, and a Ctrl-C for the daemon does not reach it."""
    script = "import os, sys; print(os.getcwd(), os.getsid(0) == os.getpid(), file=open(sys.argv[1], 'w'))"

    await ExecSink([sys.executable, "-c", script, str(tmp_path / "seen")], LONG, inherited).write(
        delivery()
    )

    assert (tmp_path / "seen").read_text() == "/ True\n"


async def test_the_daemons_own_variables_are_removed(tmp_path: Path) -> None:
    """A child gets all other variables."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "MQTT_HOST": "broker",
        "HOMEY_PASSWORD": "pw",
        "HOMEY_TOKEND_SOCKET": "/run/x",
        "CREDENTIALS_DIRECTORY": "/run/credentials/x",
        "NOTIFY_SOCKET": "/run/notify",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "WATCHDOG_USEC": "1",
        "INVOCATION_ID": "1",
        "JOURNAL_STREAM": "1:2",
    }

    await sh('env > "$1"', tmp_path / "env", environ=environ).write(delivery())

    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    for name in ("PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"):  # the shell's own
        seen.pop(name, None)
    assert seen == {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/", "MQTT_HOST": "broker"}


async def test_existing_variables_take_precedence_over_defaults(tmp_path: Path) -> None:
    """Defaults are only set if a variable is missing."""
    environ = {"PATH": "/bin", "HOME": "/b", "LANG": "nl_NL.UTF-8"}

    await sh('echo "$PATH $HOME $LANG" > "$1"', tmp_path / "seen", environ=environ).write(
        delivery()
    )

    assert (tmp_path / "seen").read_text() == "/bin /b nl_NL.UTF-8\n"


@pytest.mark.parametrize(
    "script", ["exit 0", "exec <&-; exit 0", "head -c 1 > /dev/null"], ids=["not", "closed", "part"]
)
async def test_a_command_need_not_read_its_input(script: str) -> None:
    """Only the exit status decides."""
    done = await sh(script).write(delivery("x" * 4096))

    assert done.detail == "ended with exit status 0"


# --- its end -------------------------------------------------------------


@pytest.mark.parametrize("status", [1, 75, 78, 255])
async def test_another_status_than_0_is_a_transient_failure(status: int) -> None:
    """No status has a special meaning; standard error says why."""
    with pytest.raises(SinkFailed) as caught:
        await sh(f"echo 'broker away' >&2; exit {status}").write(delivery())

    assert caught.value.message == f"/bin/sh ended with exit status {status}: broker away"


async def test_without_standard_error_standard_output_is_shown() -> None:
    """Some programs write errors to standard output."""
    with pytest.raises(SinkFailed, match="exit status 3: on stdout"):
        await sh("echo on stdout; exit 3").write(delivery())


async def test_the_signal_of_a_killed_command_is_named() -> None:
    """A signal is named, as after out of memory; a real-time signal has no name."""
    with pytest.raises(SinkFailed, match=r"was killed by SIGKILL$"):
        await sh("kill -9 $$").write(delivery())
    with pytest.raises(SinkFailed, match=r"was killed by signal 40$"):
        await sh("kill -40 $$").write(delivery())


async def test_a_command_that_runs_too_long_is_stopped_with_its_group(tmp_path: Path) -> None:
    """On a timeout it is killed with its children, and its output is shown."""
    script = 'sleep 60 & echo $! > "$1"; echo waiting >&2; wait'

    with pytest.raises(SinkFailed, match=r"was stopped after 0\.7 s: waiting"):
        await sh(script, tmp_path / "child", timeout=SHORT).write(delivery())

    assert await gone(int(await filled(tmp_path / "child")))


async def test_a_command_that_runs_too_long_gets_sigterm_first(tmp_path: Path) -> None:
    """SIGTERM lets it clean up."""
    script = "trap 'echo tidy > \"$1\"; exit 0' TERM; while :; do sleep 0.02; done"

    with pytest.raises(SinkFailed, match="was stopped"):
        await sh(script, tmp_path / "said", timeout=SHORT).write(delivery())

    assert await filled(tmp_path / "said") == "tidy"


async def test_output_just_after_the_end_is_shown() -> None:
    """Its end may be reported before the last output."""
    with pytest.raises(SinkFailed, match="exit status 1: late"):
        await sh("(sleep 0.05; echo late >&2) & exit 1").write(delivery())


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """The command ends at SIGTERM, a child of its group does not: SIGKILL ends that."""
    script = '(trap "" TERM; while :; do sleep 60; done) & echo $! > "$1"; wait'

    with pytest.raises(SinkFailed):
        await sh(script, tmp_path / "child", timeout=SHORT).write(delivery())

    assert await gone(int(await filled(tmp_path / "child")))


async def test_a_command_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace period comes SIGKILL."""
    script = 'trap "" TERM; echo $$ > "$1"; while :; do sleep 60; done'
    command = ["/bin/sh", "-c", script, "sh", str(tmp_path / "pid")]

    with pytest.raises(SinkFailed):
        await ExecSink(command, SHORT, inherited, grace=SHORT).write(delivery())

    assert await gone(int(await filled(tmp_path / "pid")))


async def test_a_cancelled_delivery_leaves_no_process(tmp_path: Path) -> None:
    """If the daemon stops while it runs, the command is ended and reaped."""
    task = asyncio.create_task(sh('echo $$ > "$1"; sleep 60', tmp_path / "pid").write(delivery()))
    pid = int(await filled(tmp_path / "pid"))
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("cancels", [1, 2], ids=["once", "twice"])
async def test_a_delivery_cancelled_while_its_command_starts_leaves_nothing(
    tmp_path: Path, turns: int, cancels: int
) -> None:
    """The same if it is cancelled while it starts, whether or not it can start."""
    before = handles()
    for sink in (sh("sleep 60"), ExecSink([str(tmp_path / "absent")], LONG, inherited)):
        task = asyncio.create_task(sink.write(delivery()))
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)

        with pytest.raises((asyncio.CancelledError, SinkRejected)):
            await asyncio.wait_for(task, 40)

    await asyncio.sleep(0.01)
    gc.collect()
    assert handles() <= before + 2  # the loop's own


async def test_a_second_cancel_shortens_the_grace(tmp_path: Path) -> None:
    """A second cancellation does not wait for a command that ignores SIGTERM."""
    script = 'trap "" TERM; echo $$ > "$1"; while :; do sleep 60; done'
    command = ["/bin/sh", "-c", script, "sh", str(tmp_path / "pid")]
    sink = ExecSink(command, LONG, inherited, grace=timedelta(minutes=5))
    task = asyncio.create_task(sink.write(delivery()))
    pid = int(await filled(tmp_path / "pid"))
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 40)

    assert await gone(pid)


async def test_a_background_job_delays_nothing(tmp_path: Path) -> None:
    """A background child that keeps the pipes open lives on; the command's own end counts."""
    script = 'sleep 60 & echo $! > "$1"; exit 0'

    done = await asyncio.wait_for(sh(script, tmp_path / "child").write(delivery()), 40)
    child = int((tmp_path / "child").read_text())
    os.kill(child, signal.SIGKILL)

    assert done.detail == "ended with exit status 0"


async def test_no_file_descriptor_leaks() -> None:
    """Pipes are closed however a run ends."""
    await sh("exit 0").write(delivery())
    before = handles()

    for script in ("exit 0", "exit 1", "sleep 60"):
        try:
            await sh(script, timeout=SHORT).write(delivery())
        except SinkFailed:
            continue
    await asyncio.sleep(0.01)
    gc.collect()

    assert handles() <= before


# --- programs that cannot be executed ------------------------------------------------------


def commands(folder: Path) -> dict[str, Path]:
    """Files that cannot be executed are errors."""
    for name, text, mode in (
        ("closed", "#!/bin/sh\n", 0o600),
        ("no-format", "\x00\x01", 0o700),
        ("no-interpreter", "#!/no/such/interpreter\n", 0o700),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    return {
        "absent": folder / "absent",
        "closed": folder / "closed",
        "folder": folder,
        "no-format": folder / "no-format",
        "no-interpreter": folder / "no-interpreter",
        "nul": folder / "a\0b",
        "through-a-file": folder / "closed" / "x",
    }


@pytest.mark.parametrize(
    "place",
    ["absent", "closed", "folder", "no-format", "no-interpreter", "nul", "through-a-file"],
)
async def test_a_command_that_cannot_be_executed_is_rejected(tmp_path: Path, place: str) -> None:
    """The error mentions the usual reason under systemd: the sandbox."""
    program = commands(tmp_path)[place]

    with pytest.raises(SinkRejected, match="cannot be run") as caught:
        await ExecSink([str(program)], LONG, inherited).write(delivery())

    assert "docs/sinks.md" in caught.value.remedy
    assert CANARY not in shown(caught.value)


async def test_a_script_with_windows_line_ends_is_reported(tmp_path: Path) -> None:
    """Its error and the check at the start say what the system's "no such file" means."""
    program = tmp_path / "on-token"
    program.write_text("#!/bin/sh\r\n")
    program.chmod(0o700)
    sink = ExecSink([str(program)], LONG, inherited)

    for run in (sink.write(delivery()), sink.probe()):
        with pytest.raises(SinkRejected, match="it has Windows line ends") as caught:
            await run
        assert "sed -i" in caught.value.remedy
    await sh("exit 0").probe()


async def test_a_command_that_is_just_being_replaced_is_a_transient_failure(tmp_path: Path) -> None:
    """A program that is being replaced (ETXTBSY) may succeed later."""
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/sh").read_bytes())
    program.chmod(0o700)

    with program.open("ab"), pytest.raises(SinkFailed, match="text file busy"):
        await ExecSink([str(program)], LONG, inherited).write(delivery())


# --- no token in messages ---------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "cat >&2",
        "cat; cat >&2",
        "cat | tr -d '\\n' | head -c 200 >&2",
        "cat | head -c 60 >&2",
        "x=$(cat); for i in 1 2 3 4 5 6 7 8 9; do echo $i $x; done >&2",
        "x=$(cat); printf '%0460d' 0 >&2; echo $x >&2",
    ],
    ids=["whole", "stdout", "cut", "cut-early", "often", "straddling"],
)
@pytest.mark.parametrize("token", [CANARY, 'q"uo\\te&d/' * 9], ids=["usual", "escaped"])
async def test_a_command_that_prints_the_token_does_not_get_it_into_a_message(
    script: str, token: str
) -> None:
    """The message does not contain the token, neither complete nor truncated, nor as in JSON."""
    with pytest.raises(SinkFailed) as caught:
        await sh(script + "; exit 1").write(delivery(token))

    seen = shown(caught.value)
    escaped = json.dumps(token)[1:-1]
    for form in (token, escaped):
        assert not [
            form[at : at + 12] for at in range(len(form) - 11) if form[at : at + 12] in seen
        ]


async def test_last_words_are_short_and_on_one_line() -> None:
    """The message has the last 500 characters of the output, printable."""
    script = "head -c 3000000 /dev/zero | tr '\\0' x >&2; printf '\\033[31m\\377 two\\nlines' >&2; exit 1"

    with pytest.raises(SinkFailed) as caught:
        await sh(script).write(delivery())

    assert caught.value.message.endswith("x [31m� two lines")
    assert len(caught.value.message) < 550


def test_a_target_names_the_program_and_only_a_digest_of_its_arguments() -> None:
    """Two commands of one program are two targets; a password in an argument is not shown."""
    one = ExecSink(["/bin/on-token"], LONG, dict)
    two = ExecSink(["/bin/on-token", "--password=pw"], LONG, dict)
    three = ExecSink(["/bin/on-token", "--password=other"], LONG, dict)

    assert one.target == "exec:/bin/on-token"
    assert two.target.startswith("exec:/bin/on-token#")
    assert "pw" not in two.target
    assert len({one.target, two.target, three.target}) == 3
