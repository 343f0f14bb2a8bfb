"""``homey-tokend init`` from the first question to a daemon that serves what it set up."""

import contextlib
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import TIMEOUT_S, Clouds, canaries, sign_ins
from tests.end_to_end.processes.daemons import PROGRAM, ROOT, Daemons, Done, command, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def answers(cloud: Simulator, *more: str, one_time: str = "") -> list[str]:
    """Return what a person types who knows their values."""
    reported = cloud.description()
    return [
        reported["email"],
        reported["password"],
        one_time,
        reported["clientId"],
        reported["clientSecret"],
        "",
        *more,
    ]


def init(cloud: Simulator, config: Path, typed: list[str]) -> Done:
    return command("init", "-c", str(config), environ=endpoints(cloud), answers=typed)


def endpoints(cloud: Simulator) -> dict[str, str]:
    reported = cloud.description()
    keys = ("accounts", "api", "homey")
    return {f"HOMEY_TOKEND_ENDPOINT_{key.upper()}": reported[key] for key in keys}


def modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


def test_complete_setup(clouds: Clouds, daemons: Daemons) -> None:
    """Two Homeys: the second is chosen; ``once`` with the written files fills its variable."""
    cloud, folder = clouds.start(homeys=2), daemons.folder()
    config = folder / "new" / "config.yaml"
    done = init(cloud, config, answers(cloud, "2", "mine"))
    sent = sign_ins(cloud)
    once = command("once", "-c", str(config), environ={"STATE_DIRECTORY": str(folder)})
    second = cloud.description()["homeys"][1]["cloudid"]

    assert (exit_codes.OK, 1) == (done.status, sent)
    assert [f"Written: {config.parent / name}" for name in FILES] == [
        line for line in done.err.splitlines() if line.startswith("Written")
    ]
    assert dict.fromkeys(FILES, 0o600) == modes(config.parent)
    assert second in config.read_text()
    assert exit_codes.OK == once.status
    assert cloud.accepts(str(cloud.get_variable("mine", second)), second)
    assert "Homey 1" in done.err
    assert [] == [one for one in canaries(cloud) if one in done.err + done.out]


FILES = ["password", "client-secret", "config.yaml"]


def test_one_time_codes(clouds: Clouds, daemons: Daemons) -> None:
    """After writing, ``init`` waits until the one-time code has expired."""
    cloud, folder = clouds.start(totp_secret=TOTP), daemons.folder()
    typed = answers(cloud, "", "", one_time=TOTP)
    with subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, "init", "-c", f"{folder}/config.yaml"],
        cwd=ROOT,
        env=environment(endpoints(cloud)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as waiting:
        assert waiting.stdin is not None
        assert waiting.stderr is not None
        waiting.stdin.write("".join(f"{line}\n" for line in typed).encode())
        waiting.stdin.close()
        said = b""
        while b"Waiting for the next one-time code" not in said:
            said += os.read(waiting.stderr.fileno(), 65536) or pytest.fail("it ended")
        waiting.send_signal(signal.SIGINT)
        said += waiting.stderr.read()
        status = waiting.wait(TIMEOUT_S)

    assert "Traceback" not in said.decode()
    assert exit_codes.INTERRUPTED == status
    assert f"{TOTP}\n" == (folder / "totp-secret").read_text()
    assert "totp-secret" in (folder / "config.yaml").read_text()
    assert 1 == sign_ins(cloud)


TOTP = "JBSWY3DPEHPK3PXP"


def test_on_a_terminal(clouds: Clouds, daemons: Daemons) -> None:
    """What is secret is not shown as it is typed; the rest is."""
    cloud, folder = clouds.start(), daemons.folder()
    ours, theirs = os.openpty()
    with subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, "init", "-c", f"{folder}/config.yaml"],
        cwd=ROOT,
        env=environment(endpoints(cloud)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as asking:
        os.close(theirs)
        shown = b""
        for number, line in enumerate(answers(cloud, "", ""), 1):
            while shown.count(b": ") < number:
                shown += os.read(ours, 65536)
            os.write(ours, line.encode() + b"\n")
        with contextlib.suppress(OSError):  # the other side is closed
            while more := os.read(ours, 65536):
                shown += more
    os.close(ours)
    reported = cloud.description()

    assert exit_codes.OK == asking.returncode
    assert reported["email"].encode() in shown
    assert reported["password"].encode() not in shown
    assert reported["clientSecret"].encode() not in shown


def test_no_variable(clouds: Clouds, daemons: Daemons) -> None:
    """A person can choose no variable."""
    cloud, config = clouds.start(), daemons.folder() / "config.yaml"
    done = init(cloud, config, answers(cloud, "", "-"))

    assert exit_codes.OK == done.status
    assert "sinks" not in config.read_text()


def test_without_a_list_of_homeys(clouds: Clouds, daemons: Daemons) -> None:
    """If the consent page offers no Homey, the cloudid is asked for."""
    cloud, config = clouds.start(), daemons.folder() / "config.yaml"
    cloud.add_fault(step="authorise", kind="html", times=1)
    cloudid = cloud.description()["cloudid"]
    done = init(cloud, config, answers(cloud, cloudid, ""))

    assert exit_codes.OK == done.status
    assert "Athom does not list the Homeys of this account" in done.err
    assert cloudid in config.read_text()


def test_without_a_scope(clouds: Clouds, daemons: Daemons) -> None:
    """If the client may not read variables, this is reported, and the rest is set up."""
    cloud, config = clouds.start(), daemons.folder() / "config.yaml"
    cloud.add_fault(step="variable", kind="missing_scopes")
    done = init(cloud, config, answers(cloud, ""))

    assert exit_codes.OK == done.status
    assert "needs the scope homey.logic" in done.err
    assert "sinks" not in config.read_text()


@pytest.mark.parametrize(
    ("line", "typed", "status", "reported"),
    [
        (1, "wrong", exit_codes.ACTION_NEEDED, "Correct the password."),
        (4, "wrong", exit_codes.ACTION_NEEDED, "Check client_id and client_secret"),
        (2, "short", exit_codes.USAGE, "It must be base32 text"),
        (3, "\x1b", exit_codes.USAGE, "unprintable characters"),
        (5, "no url", exit_codes.USAGE, "Write it exactly as it is registered"),
        (6, "2", exit_codes.USAGE, "Enter a number from 1 to 1"),
        (7, "counter", exit_codes.USAGE, "counter is not a text variable"),
        (7, "x" * 129, exit_codes.USAGE, "is not a variable's name"),
    ],
    ids=["password", "secret", "one-time", "client", "url", "Homey", "number", "long name"],
)
def test_wrong_values(
    clouds: Clouds, daemons: Daemons, line: int, typed: str, status: int, reported: str
) -> None:
    """Wrong values are reported with a remedy, the password is sent once, nothing is written."""
    cloud, folder = clouds.start(), daemons.folder()
    cloud.add_variable("counter", "number", 1)
    lines = answers(cloud, "", "")
    lines[line] = typed
    done = init(cloud, folder / "new" / "config.yaml", lines)

    assert status == done.status
    assert reported in done.err
    assert "othing was written" in done.err
    assert "Traceback" not in done.err
    assert sign_ins(cloud) <= 1
    assert [] == list(folder.iterdir())


def test_a_homey_that_is_off(clouds: Clouds, daemons: Daemons) -> None:
    """If the Homey is off, the answers can be written all the same."""
    cloud, folder = clouds.start(), daemons.folder()
    cloud.unplug()
    refused = init(cloud, folder / "a" / "config.yaml", answers(cloud, "", ""))
    done = init(cloud, folder / "b" / "config.yaml", answers(cloud, "", "y", "mine"))

    assert exit_codes.UNREACHABLE == refused.status
    assert not (folder / "a").exists()
    assert exit_codes.OK == done.status
    assert "'mine'" in (folder / "b" / "config.yaml").read_text()


def test_no_connection(clouds: Clouds, daemons: Daemons) -> None:
    """Without a connection the person learns what to check, and that nothing was written."""
    cloud, folder = clouds.start(), daemons.folder()
    environ = dict.fromkeys(endpoints(cloud), "http://127.0.0.1:9")
    typed = answers(cloud, "", "")
    done = command("init", "-c", f"{folder}/config.yaml", environ=environ, answers=typed)

    assert exit_codes.UNREACHABLE == done.status
    assert "Check the network and DNS, then run homey-tokend init again" in done.err
    assert [] == list(folder.iterdir())


def test_a_number_as_the_variable(clouds: Clouds, daemons: Daemons) -> None:
    """A number that is no variable's name is confirmed: most likely it is a place in the list."""
    cloud, config = clouds.start(), daemons.folder() / "config.yaml"
    declined = init(cloud, config, answers(cloud, "", "2", "n", "mine"))
    written = config.read_text()
    cloud.add_variable("7", "string", "")
    known = init(cloud, config.parent / "b" / "config.yaml", answers(cloud, "", "7"))

    assert exit_codes.OK == declined.status == known.status
    assert "No variable is named '2'; create it?" in declined.err
    assert "'mine'" in written
    assert "create it?" not in known.err


def test_a_slow_person(clouds: Clouds, daemons: Daemons) -> None:
    """A sign-in that has expired meanwhile is repeated."""
    cloud, folder = clouds.start(), daemons.folder()
    cloud.add_fault(step="authorise", kind="status", status=401, after=4, times=1)
    done = init(cloud, folder / "config.yaml", answers(cloud, "", ""))

    assert exit_codes.OK == done.status
    assert 2 == sign_ins(cloud)


def test_invalid_endpoints(daemons: Daemons) -> None:
    """They are reported before the first question."""
    environ = {"HOMEY_TOKEND_ENDPOINT_API": "http://example.com"}
    done = command("init", "-c", f"{daemons.folder()}/config.yaml", environ=environ)

    assert exit_codes.CONFIGURATION == done.status
    assert "plain http" in done.err
    assert "E-mail" not in done.err


@pytest.mark.parametrize("lines", [0, 1, 4, 6, 7])
def test_an_input_that_ends(clouds: Clouds, daemons: Daemons, lines: int) -> None:
    """Whenever the answers end, nothing is written."""
    cloud, folder = clouds.start(), daemons.folder()
    done = init(cloud, folder / "config.yaml", answers(cloud, "", "")[:lines])

    assert exit_codes.USAGE == done.status
    assert "nothing was written" in done.err
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("there", ["config.yaml", "client-secret"])
def test_existing_files_stay(clouds: Clouds, daemons: Daemons, there: str) -> None:
    """Nothing is overwritten, and no question is asked before."""
    cloud, folder = clouds.start(), daemons.folder()
    (folder / there).write_text("mine")
    done = init(cloud, folder / "config.yaml", answers(cloud, "", ""))

    assert exit_codes.CANNOT_CREATE == done.status
    assert f"{folder / there} already exists" in done.err
    assert "mine" == (folder / there).read_text()
    assert 0 == sign_ins(cloud)
