"""Every process that handles a password is hardened, and writes no keys of TLS."""

import signal
import subprocess
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import (
    PROGRAM,
    ROOT,
    Daemons,
    command,
    configuration,
    environment,
    write,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def core_limit(pid: int) -> list[str]:
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    return next(line for line in limits.splitlines() if line.startswith("Max core")).split()[4:6]


@pytest.mark.parametrize("words", [("once",), ("check", "--online"), ("init",)], ids="-".join)
def test_no_core(clouds: Clouds, daemons: Daemons, words: tuple[str, ...]) -> None:
    """While it reads the password, it may write no core any more; ``run`` has a test of its own."""
    folder = daemons.folder()
    homey = {"password": {"command": ["/bin/sh", "-c", f"touch {folder}/asked; exec sleep 300"]}}
    path = write(folder, configuration(clouds.start(), folder, homey=homey))
    if words == ("init",):
        path = folder / "new.yaml"
    with subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, *words, "-c", str(path)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        if words == ("init",):
            process.stderr.read(1)
        else:
            until((folder / "asked").exists, "the command runs")
        found = core_limit(process.pid)
        process.send_signal(signal.SIGINT)

    assert ["0", "0"] == found


@pytest.mark.parametrize("words", [("once",), ("check",), ("check", "--online")], ids="-".join)
@pytest.mark.parametrize("name", ["keys", "missing/keys"])
def test_no_keys(clouds: Clouds, daemons: Daemons, words: tuple[str, ...], name: str) -> None:
    """SSLKEYLOGFILE is ignored with a warning, whether the file could be written or not."""
    folder = daemons.folder()
    path = write(folder, configuration(clouds.start(), folder))
    environ = {"SSLKEYLOGFILE": str(folder / name)}
    done = command(*words, "-c", str(path), environ=environ)

    assert exit_codes.OK == done.status
    assert "SSLKEYLOGFILE: is ignored: with the keys in that file" in done.err
    assert not (folder / name).exists()


def test_no_keys_of_the_daemon(clouds: Clouds, daemons: Daemons) -> None:
    """The daemon and its commands neither."""
    folder = daemons.folder()
    write_it = f'echo "<$SSLKEYLOGFILE>" >{folder}/new; mv {folder}/new {folder}/reported'
    reported = ["/bin/sh", "-c", write_it]
    homey = {"sinks": [{"type": "exec", "command": reported}]}
    path = write(folder, configuration(clouds.start(), folder, homey=homey))
    daemon = daemons.run(
        folder, "-c", str(path), environ={"SSLKEYLOGFILE": str(folder / "keys")}
    ).up()
    until((folder / "reported").exists, "the sink was run")
    daemon.end()

    assert "SSLKEYLOGFILE: is ignored" in daemon.said()
    assert "<>\n" == (folder / "reported").read_text()
    assert not (folder / "keys").exists()
