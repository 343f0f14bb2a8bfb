"""``homey-tokend call``: output, confirmation and exit status."""

import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from homey_tokend import client, exit_codes
from homey_tokend.cli import main
from homey_tokend.client.transport import Response
from homey_tokend.core.status import View
from homey_tokend.hub import catalogue
from homey_tokend.hub.endpoint import PRO_2019
from homey_tokend.simulator import Settings, Switches
from tests.support.api_server import serve_responses
from tests.support.homeys import Home, running_home
from tests.support.provider import view

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _no_log_between() -> None:
    """The daemon of these tests is a thread, and would log into the command's output."""
    structlog.configure(processors=[_dropped])


def _dropped(_logger: object, _method: str, _event: object) -> str:
    raise structlog.DropEvent


@pytest.fixture
def socket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


@pytest.fixture
def home(socket: Path) -> Iterator[Home]:
    with running_home(socket) as made:
        yield made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["homey-tokend", *words])
        capsys.readouterr()
        status = main.main()
        output = capsys.readouterr()
        return status, output.out, output.err

    return ran


class Terminal(io.TextIOWrapper):
    """A terminal with what a person types."""

    def __init__(self, typed: str = "") -> None:
        super().__init__(io.BytesIO(typed.encode()), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode()


def test_devices(home: Home, run: Run) -> None:
    """By name or by method and path, the Homey's JSON is printed unchanged."""
    by_name = run("call", "devices")
    by_path = run("call", "get", "/api/manager/devices/device", "--homey", "home")
    names = [one["name"] for one in json.loads(by_name[1]).values()]

    assert (exit_codes.OK, "") == (by_name[0], by_name[2])
    assert by_name == by_path
    assert ["Lamp", "Thermometer"] == names
    assert [("GET", "/devices/device")] * 2 == home.asked


@pytest.mark.parametrize(
    "name",
    [one.name for one in catalogue.ENDPOINTS if not one.arguments and one.method == "GET"],
)
def test_every_list(socket: Path, run: Run, name: str) -> None:
    """A Homey answers every call without arguments that it has."""
    known = catalogue.find(name)
    assert known is not None
    version = 2 if PRO_2019 in known.homeys else 3
    with running_home(socket, Settings(switches=Switches(api_version=version))):
        status, out, _ = run("call", name)

    if known.homeys:
        assert exit_codes.OK == status
        json.loads(out)
    else:
        assert exit_codes.USAGE == status


def test_setting_a_capability(home: Home, run: Run) -> None:
    """A lamp is switched and dimmed, and the Homey's answer printed."""
    lamp = home.id_of("Lamp")
    found = [
        run("call", "set-capability", lamp, "onoff", "true"),
        run("call", "set-capability", lamp, "dim", "0.25"),
        run("call", "off", lamp),
    ]

    assert [(exit_codes.OK, "")] * 3 == [(one[0], one[2]) for one in found]
    assert [{"value": True}, {"value": 0.25}, {"value": False}] == [
        one.json for one in home.simulator.requests
    ]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("set-capability", "LAMP", "onoff", "on"), exit_codes.USAGE, "400: Invalid value"),
        (("set-capability", "LAMP", "dim", "7"), exit_codes.USAGE, "400: Value out of range"),
        (("set-capability", "LAMP", "colour", "1"), exit_codes.USAGE, "404: Capability not found"),
        (("set-capability", "none", "onoff", "true"), exit_codes.USAGE, "404: Device not found"),
        (("capability", "LAMP", "onoff"), exit_codes.USAGE, "missing_api_method"),
        (("GET", "/api/nothing"), exit_codes.USAGE, "homey-tokend call --list"),
        (("GET", "/api/../token"), exit_codes.USAGE, "must not contain"),
        (("GET", "/token"), exit_codes.USAGE, "begins with /api/"),
        (("GET", "/api/a b"), exit_codes.USAGE, "percent-encoded"),
        (("GET", "/api/x\r\nX: y"), exit_codes.USAGE, "percent-encoded"),
        (("GET",), exit_codes.USAGE, "takes one path"),
        (("GET", "/api/x", "y"), exit_codes.USAGE, "takes one path"),
        ((), exit_codes.USAGE, "call --list"),
        (("devicesx",), exit_codes.USAGE, "did you mean devices?"),
        (("xyzzy",), exit_codes.USAGE, "unknown: xyzzy"),
        (("device",), exit_codes.USAGE, "expected: device <id>"),
        (("devices", "-d", "1"), exit_codes.USAGE, "-d is for METHOD PATH"),
        (("PUT", "/api/x", "-d", "on"), exit_codes.USAGE, "not JSON"),
        (("PUT", "/api/x", "-d", "NaN"), exit_codes.USAGE, "not JSON"),
        (("PUT", "/api/x", "-d", '{"value": -Infinity}'), exit_codes.USAGE, "not JSON"),
        (("PUT", "/api/x", "-d", '{"value": 1e999}'), exit_codes.USAGE, "too large"),
        (("PUT", "/api/x", "-d", "[" * 60_000), exit_codes.USAGE, "too deep"),
        (("set-variable", "x", "1e999"), exit_codes.USAGE, "too large"),
        (("PUT", "/api/x", "-d", "@/nowhere"), exit_codes.USAGE, "cannot be read"),
        (("devices", "--homey", "nope"), exit_codes.USAGE, "known: home"),
        (("device", "2"), exit_codes.USAGE, "It takes an id: homey-tokend call devices"),
        (("set-variable", "x", "1"), exit_codes.USAGE, "an id: homey-tokend call variables"),
        (("reboot",), exit_codes.USAGE, "Pass --yes."),
        (("POST", "/api/manager/zwave/COMMAND/", "-d", "{}"), exit_codes.USAGE, "Pass --yes."),
    ],
)
def test_wrong_calls(
    home: Home, run: Run, words: tuple[str, ...], status: int, message: str
) -> None:
    """A wrong call is explained on stderr, by us or by the Homey, and stdout stays empty."""
    lamp = home.id_of("Lamp")
    got = run("call", *(lamp if word == "LAMP" else word for word in words))

    assert (status, "") == got[:2]
    assert message in got[2]
    assert home.provider.views["home"].token is not None
    assert all(bearer not in got[2] for bearer in _bearers(home))


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "status": 403}, exit_codes.ACTION_NEEDED),
        ({"kind": "missing_scopes"}, exit_codes.ACTION_NEEDED),
        ({"kind": "status", "status": 401}, exit_codes.ACTION_NEEDED),
        ({"kind": "too_many_requests", "retry_after": "60"}, exit_codes.TRY_LATER),
        ({"kind": "status", "status": 500}, exit_codes.UNREACHABLE),
        ({"kind": "status", "status": 422}, exit_codes.USAGE),
        ({"kind": "redirect"}, exit_codes.UNREACHABLE),
        ({"kind": "reset"}, exit_codes.UNREACHABLE),
        ({"kind": "mesh_node_offline", "status": 503}, exit_codes.UNREACHABLE),
        ({"kind": "cut"}, exit_codes.UNREACHABLE),
    ],
)
def test_exit_statuses(home: Home, run: Run, fault: dict[str, object], status: int) -> None:
    """The Homey's answer decides the exit status."""
    home.simulator.add_fault(step="devices", **fault)
    got = run("call", "devices")

    assert (status, "") == got[:2]
    assert got[2].startswith("homey-tokend: ")


def test_no_token_now(home: Home, run: Run) -> None:
    """Without a token the status is 75, as for `token`."""
    (bearer,) = _bearers(home)
    home.provider.views.clear()
    home.provider.views["home"] = home_without_token()
    got = run("call", "devices")

    assert (exit_codes.TRY_LATER, "") == got[:2]
    assert bearer not in got[2]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_error_of_the_daemon(home: Home, run: Run, method: str) -> None:
    """An error of the daemon is not attributed to the Homey, even without a body."""
    got = run("call", method, "/api//x")

    assert (exit_codes.USAGE, "", []) == (*got[:2], home.asked)
    assert "the Homey" not in got[2]


def test_several_homeys(home: Home, run: Run) -> None:
    """With several Homeys, --homey is required."""
    home.provider.views["hut"] = view("hut")
    got = run("call", "devices")

    assert exit_codes.USAGE == got[0]
    assert "several Homeys are configured: home, hut\nPass --homey NAME." in got[2]


def test_no_daemon(socket: Path, run: Run) -> None:
    """Without a daemon the status is 69, with a hint."""
    assert not socket.exists()
    got = run("call", "devices")

    assert exit_codes.UNREACHABLE == got[0]
    assert "Is the daemon running?" in got[2]


def test_bodies(home: Home, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-d takes JSON, a file, or standard input."""
    path = f"/api/manager/logic/variable/{home.id_of('visitors')}"
    (tmp_path / "body").write_text('{"value": 2}')
    stdin = Terminal('{"value": 3}')
    monkeypatch.setattr(sys, "stdin", stdin)
    got = [
        run("call", "PUT", path, "-d", body)
        for body in ('{"value": 1}', f"@{tmp_path / 'body'}", "-")
    ]

    assert [1, 2, 3] == [json.loads(one[1])["value"] for one in got]


def test_dangerous(home: Home, run: Run) -> None:
    """With --yes the call is made without confirmation."""
    got = [run("call", "reboot", "--yes")[0], run("call", "-y", "zwave-heal", "5")[0]]

    assert [exit_codes.OK] * 2 == got
    assert [("POST", "/system/reboot"), ("POST", "/zwave/command")] == home.asked
    assert {"command": "heal", "opts": {"nodeId": 5}} == home.simulator.requests[-1].json


@pytest.mark.parametrize(
    ("typed", "status", "asked"),
    [
        ("y\n", exit_codes.OK, 1),
        ("no\n", exit_codes.USAGE, 0),
        ("\n", exit_codes.USAGE, 0),
        ("", exit_codes.USAGE, 0),
    ],
)
def test_confirmation(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch, typed: str, status: int, asked: int
) -> None:
    """On a terminal the person must confirm with yes."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", shown)

    assert status == run("call", "reboot")[0]
    assert asked == len(home.asked)
    assert "POST /api/manager/system/reboot can disturb the whole home." in shown.shown


def test_on_a_terminal(home: Home, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows a list as a table and an object indented; --json prints it unchanged."""
    shown = []
    for words in (("variables",), ("variable", home.id_of("visitors")), ("variables", "--json")):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        run("call", *words)
        shown.append(terminal.shown)

    assert shown[0].startswith("id ")
    assert "  accesstoken  string" in shown[0]
    assert '{\n  "id": ' in shown[1]
    assert shown[2].startswith('{"')


def test_an_answer_that_is_not_json(home: Home, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are not JSON are printed unchanged, but not on a terminal."""
    home.simulator.add_fault(step="devices", kind="text", status=200, body="\x1b[2Jno")
    plain = run("call", "devices")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    got = run("call", "devices")

    assert (exit_codes.OK, "\x1b[2Jno") == plain[:2]
    assert (exit_codes.OK, "") == (got[0], terminal.shown)
    assert "not JSON: 6 bytes" in got[2]


def test_the_list(run: Run) -> None:
    """--list prints every name, without a daemon."""
    status, out, _ = run("call", "--list")

    assert exit_codes.OK == status
    assert all(one.usage in out for one in catalogue.ENDPOINTS)
    assert "  ! reboot" in out
    assert "all alarms (2016 to 2019, 2023 and later)\n" in out
    assert "one value of a device (2023 and later, cloud)\n" in out
    assert "all reminders (none known)\n" in out
    assert "all devices, with their values\n" in out


def test_an_impostor(socket: Path, run: Run) -> None:
    """An error from another server is made printable."""
    body = b'{"error": {"a": "b\\u001b"}}'
    answer = b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with serve_responses(socket, answer):
        got = run("call", "devices", "--homey", "home")

    assert exit_codes.USAGE == got[0]
    assert '{"a": "b\\u001b"}' in got[2]


def test_from_python(home: Home) -> None:
    """The same call from Python returns the Homey's status."""
    got = client.forward("PUT", "/api/manager/logic/variable/none", b'{"value": 1}', homey="home")

    assert isinstance(got, Response)
    assert 404 == got.status
    assert 1 == len(home.asked)


def _bearers(home: Home) -> list[str]:
    (homey,) = home.simulator.state.homeys.values()
    return list(homey.sessions)


def home_without_token() -> View:
    return view("home")
