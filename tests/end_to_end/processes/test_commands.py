"""Each command with a running daemon, or alone: its output and its exit status."""

import json
import os
import stat
from typing import Any

import jsonschema
import pytest

from homey_tokend import exit_codes
from homey_tokend.cli import parser
from tests.end_to_end.processes.cloud import Clouds, sign_ins, until
from tests.end_to_end.processes.daemons import (
    Daemons,
    Done,
    ask,
    command,
    configuration,
    together,
    write,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

VARIABLE = {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}
REJECTING = {"step": "login", "kind": "json", "status": 401, "body": {"code": 401, "error": "no"}}


def test_beside_a_daemon(clouds: Clouds, daemons: Daemons) -> None:
    """``token``, ``status`` and ``refresh`` print what is requested, and nothing else."""
    cloud = clouds.start(session_lifetime=3600)
    daemon = daemons.start(cloud, homey=VARIABLE).up()
    token, at = daemon.token(), ("--socket", str(daemon.socket))
    plain = command("token", environ={"HOMEY_TOKEND_SOCKET": str(daemon.socket)})
    document = json.loads(command("token", "home", "--json", *at).out)
    status = command("status", *at)
    reported = json.loads(command("status", "home", "--json", *at).out)
    refreshed = command("refresh", *at)
    unknown = command("token", "nope", *at)

    assert Done(exit_codes.OK, f"{token}\n", "") == plain
    assert (token, "home") == (document["access_token"], document["homey"])
    assert cloud.accepts(token)
    assert (exit_codes.OK, "") == (status.status, status.err)
    assert token not in status.out
    assert ("ok", 1, True) == (
        reported["health"],
        reported["refreshes"],
        reported["token"]["valid"],
    )
    # A token younger than a minute is not replaced on request.
    assert (exit_codes.TRY_LATER, "") == (refreshed.status, refreshed.out)
    assert refreshed.err.startswith("homey-tokend: home: ")
    assert (exit_codes.USAGE, "") == (unknown.status, unknown.out)
    assert daemon.socket.lstat().st_mode & 0o777 == 0o660


def test_refresh(clouds: Clouds, daemons: Daemons) -> None:
    """``refresh`` gets a newer token unless the held one is very new."""
    daemon = daemons.start(clouds.start(session_lifetime=10), refresh={"at": 0.9}).up()
    old = daemon.token()
    until(lambda: daemon.post("/homeys/home/refresh?wait=0").status != 429, "it is young no more")
    done = command("refresh", "home", "--wait", "20s", "--socket", str(daemon.socket))
    new = daemon.token()

    assert done.status in {exit_codes.OK, exit_codes.TRY_LATER}
    assert old != new


def test_rejected(clouds: Clouds, daemons: Daemons) -> None:
    """With a rejected password every command exits with 77, and the daemon keeps running."""
    cloud = clouds.start()
    cloud.change_password("another one")
    daemon = daemons.start(cloud, homey={"password": "not this"}).up()
    at = ("--socket", str(daemon.socket))
    token = command("token", "--wait", "5s", *at)
    status = command("status", *at)
    problem = daemon.get("/token").json

    assert (exit_codes.ACTION_NEEDED, "") == (token.status, token.out)
    assert "password" in token.err
    assert exit_codes.ACTION_NEEDED == status.status
    assert (503, "account_rejected", "login") == (
        problem["status"],
        problem["kind"],
        problem["step"],
    )
    assert daemon.get("/healthz").status == 200
    assert sign_ins(cloud) == 1


def test_once(clouds: Clouds, daemons: Daemons) -> None:
    """``once`` signs in, writes the sinks and keeps the state; a second round finds nothing due."""
    cloud, folder = clouds.start(session_lifetime=3600), daemons.folder()
    sinks = [*VARIABLE["sinks"], {"type": "file", "path": str(folder / "token")}]
    at = str(write(folder, configuration(cloud, folder, homey={"sinks": sinks})))
    first, second = command("once", "-c", at), command("once", "-c", at)
    token = (folder / "token").read_text(encoding="utf-8").strip()

    assert [exit_codes.OK] * 2 == [first.status, second.status]
    assert ("", "") == (first.out, second.out)
    assert cloud.accepts(token)
    assert token == cloud.get_variable("accesstoken")
    assert sign_ins(cloud) == 1
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    assert not os.path.lexists(folder / "d.sock")


@pytest.mark.parametrize(
    ("fault", "once", "online"),
    [
        (REJECTING, exit_codes.ACTION_NEEDED, exit_codes.ACTION_NEEDED),
        (
            {"step": "consent", "kind": "access_denied"},
            exit_codes.ACTION_NEEDED,
            exit_codes.ACTION_NEEDED,
        ),
        ({"step": "homey_login", "kind": "mesh_node_offline"}, exit_codes.UNREACHABLE, 69),
        ({"kind": "reset"}, exit_codes.UNREACHABLE, exit_codes.UNREACHABLE),
        (
            {"step": "token", "kind": "status", "status": 503},
            exit_codes.TRY_LATER,
            exit_codes.TRY_LATER,
        ),
    ],
)
def test_statuses(
    clouds: Clouds, daemons: Daemons, fault: dict[str, Any], once: int, online: int
) -> None:
    """``once`` and ``check --online`` exit with the status of the failure."""
    cloud, folder = clouds.start(), daemons.folder()
    cloud.add_fault(**fault)
    at = str(write(folder, configuration(cloud, folder, state={"path": None})))
    ended, reported = together(("once", "-c", at), ("check", "--online", "-c", at))

    assert (once, "") == (ended.status, ended.out)
    assert online == reported.status
    assert "FAILED" in reported.out
    assert "Traceback" not in ended.err + reported.err


def test_check(clouds: Clouds, daemons: Daemons) -> None:
    """``check`` says valid; ``--online`` names and times each step, and keeps nothing."""
    cloud, folder = clouds.start(), daemons.folder()
    document = configuration(cloud, folder, homey=VARIABLE, log={"level": "warning"})
    at = str(write(folder, document))
    right, online = command("check", "-c", at), command("check", "--online", "-c", at)
    steps = [line.split()[0] for line in online.out.splitlines() if " ms" in line]

    assert Done(exit_codes.OK, f"{at}: valid; 1 Homey: home\n", "") == right
    assert (exit_codes.OK, "") == (online.status, online.err)
    assert steps[:6] == ["login", "authorise", "consent", "token", "user", "delegation"]
    assert steps[6:8] == ["homey_login", "session"]
    assert cloud.get_variable("accesstoken") == ""
    assert "access_token" not in (folder / "state.json").read_text(encoding="utf-8")
    assert online.out.isprintable() or "\n" in online.out


def test_schema(clouds: Clouds, daemons: Daemons) -> None:
    """``check --schema`` is a JSON Schema of draft 2020-12 that accepts a valid configuration."""
    done = command("check", "--schema")
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    right = configuration(clouds.start(), daemons.folder(), homey=VARIABLE)

    assert (exit_codes.OK, "") == (done.status, done.err)
    assert [] == list(jsonschema.Draft202012Validator(schema).iter_errors(right))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(right | {"sockets": {}}))


def test_help() -> None:
    """``--help`` of each command ends with 0 and has an example."""
    done = together(*((name, "--help") for name in parser.COMMANDS))

    for name, each in zip(parser.COMMANDS, done, strict=True):
        assert (exit_codes.OK, "") == (each.status, each.err)
        assert "example" in each.out
        assert f"homey-tokend {name}" in each.out


def test_no_daemon(daemons: Daemons) -> None:
    """Without a daemon the client commands end with 69 and ask whether it runs."""
    folder = daemons.folder()
    done = command("status", environ={"HOMEY_TOKEND_SOCKET": str(folder / "d.sock")})

    assert (exit_codes.UNREACHABLE, "") == (done.status, done.out)
    assert "Is the daemon running?" in done.err


def test_from_the_environment(clouds: Clouds, daemons: Daemons) -> None:
    """Variables alone, secrets by ``_FILE``, make a daemon with health routes on TCP."""
    cloud, folder = clouds.start(), daemons.folder()
    reported, secrets = cloud.description(), {}
    for name, value in (
        ("PASSWORD", reported["password"]),
        ("CLIENT_SECRET", reported["clientSecret"]),
    ):
        (folder / name).write_text(value + "\n", encoding="utf-8")
        (folder / name).chmod(0o600)
        secrets[f"HOMEY_{name}_FILE"] = str(folder / name)
    daemon = daemons.run(
        folder,
        environ={
            "HOMEY_EMAIL": reported["email"],
            "HOMEY_CLIENT_ID": reported["clientId"],
            "HOMEY_CLOUDID": reported["cloudid"],
            "HOMEY_LOGIC_VARIABLE": "accesstoken",
            **secrets,
            "HOMEY_TOKEND_SOCKET": str(folder / "d.sock"),
            "HOMEY_TOKEND_SOCKET_MODE": "0600",
            "HOMEY_TOKEND_STATE": str(folder / "state.json"),
            "HOMEY_TOKEND_HTTP_LISTEN": "127.0.0.1:0",
            "HOMEY_TOKEND_ENDPOINT_ACCOUNTS": reported["accounts"],
            "HOMEY_TOKEND_ENDPOINT_API": reported["api"],
            "HOMEY_TOKEND_ENDPOINT_HOMEY": reported["homey"],
        },
    ).up()
    token = daemon.token()
    opened = next(event for event in daemon.events() if event["event"] == "http.opened")
    tcp = f"127.0.0.1:{opened['port']}"

    assert cloud.accepts(token)
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    assert [200, 200] == [ask(tcp, path).status for path in ("/healthz", "/readyz")]
    assert [404, 404] == [ask(tcp, path).status for path in ("/token", "/homeys/home/token")]
