"""No secret in any byte that the daemon writes or answers, except where it belongs.

The simulated cloud repeats what it receives, as bad servers do: in error texts, in pages, in
headers. Each kind of fault occurs at each step, with a daemon that logs everything.
"""

import json
from functools import partial
from typing import Any

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, canaries, met, until
from tests.end_to_end.processes.daemons import Daemon, Daemons, command
from tests.end_to_end.processes.test_stopping import script

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = ("authorise", "consent", "token", "user", "delegation", "homey_login", "session")
FORMATS = ("json", "console", "journal")
TOTP = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

#: What a server may say that was sent every secret. Letters and digits that do
#: not look like a secret are caught by knowing the secret alone.
ECHO = "you sent {password} of {email} with {clientSecret} and {totpSecret}"
#: The second figure: how many Homeys meet it. A transient failure is followed by the next step;
#: a rejection stops one Homey at one step.
KINDS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"kind": "status", "status": 500, "description": ECHO}, 1),
    ({"kind": "status", "status": 400, "error": "invalid_client", "description": ECHO}, 7),
    ({"kind": "status", "status": 401, "error": ECHO, "description": ECHO}, 7),
    ({"kind": "json", "status": 403, "body": {"error": {"field": ECHO}, "code": ECHO}}, 7),
    ({"kind": "text", "body": ECHO, "status": 418}, 1),
    ({"kind": "html", "body": f"<title>{ECHO}</title>"}, 1),
    ({"kind": "too_many_requests", "retry_after": "0"}, 1),
    ({"kind": "error_redirect", "error": "server_error", "description": ECHO}, 1),
    ({"kind": "redirect", "location": "https://portal.invalid/?password={password}"}, 1),
    ({"kind": "reset", "carried_out": True}, 1),
    ({"kind": "cut"}, 1),
    ({"kind": "long_header"}, 1),
)


def filled(value: Any, description: dict[str, str]) -> Any:
    """Return a fault with the simulator's secrets put into its texts."""
    if isinstance(value, str):
        return value.format(**description)
    if isinstance(value, list):
        return [filled(each, description) for each in value]
    if isinstance(value, dict):
        return {key: filled(each, description) for key, each in value.items()}
    return value


def leaks(secrets: set[str], *said: bytes) -> list[str]:
    """Return the secrets found in the output."""
    everything = b"\n".join(said)
    spelled = {each: (each, json.dumps(each)[1:-1]) for each in secrets}
    return [
        each
        for each, spellings in spelled.items()
        if any(one.encode() in everything for one in spellings)
    ]


def documents(daemon: Daemon) -> bytes:
    """Return every document but the token's."""
    paths = ("/status", "/homeys/home", "/healthz", "/readyz", "/homeys", "/metrics", "/nope")
    return b"\n".join(daemon.get(path).body for path in paths)


def problem(daemon: Daemon) -> bytes:
    """Return the problem document, if there is no token."""
    answer = daemon.get("/token")
    return b"" if answer.status == 200 else answer.body


def begun(clouds: Clouds, daemons: Daemons, number: int) -> tuple[Simulator, Daemon]:
    """Start a daemon, and a simulator with a fault at each step."""
    fault, homeys = KINDS[number]
    cloud = clouds.start(homeys=homeys, session_lifetime=20)
    description = cloud.description() | {"totpSecret": TOTP}
    for step in (*STEPS, "variable"):
        cloud.add_fault(step=step, times=1, **filled(fault, description))
    sinks = {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}
    log = {"level": "debug", "format": FORMATS[number % len(FORMATS)]}
    return cloud, daemons.start(cloud, homey=sinks, log=log, refresh={"lifetime": "5s"})


def refresh_until_login(cloud: Simulator, daemon: Daemon, kind: str) -> None:
    """Ask for refreshes until a login met its fault."""
    names = list(daemon.get("/status").json["homeys"])

    def asked() -> bool:
        for name in names:
            daemon.post(f"/homeys/{name}/refresh?wait=0")
        return met(cloud, "login", kind)

    until(asked, f"a login meets {kind}")


@pytest.mark.parametrize("part", range(2))
def test_each_kind_at_each_step(clouds: Clouds, daemons: Daemons, part: int) -> None:
    """Whatever the cloud answers at any step, no secret is written or sent."""
    pairs = {number: begun(clouds, daemons, number) for number in range(part, len(KINDS), 2)}
    found: dict[str, list[str]] = {}
    for number, (cloud, daemon) in pairs.items():
        fault, _ = KINDS[number]
        kind = fault["kind"]
        daemon.up()
        until(partial(met, cloud, "authorise", kind), f"authorise meets {kind}")
        until(partial(all_met, cloud, kind, number), f"each step meets {kind}")
        seen = documents(daemon)
        # The login last: its rejection delays all Homeys of the account.
        description = cloud.description() | {"totpSecret": TOTP}
        cloud.add_fault(step="login", **filled(fault, description))
        refresh_until_login(cloud, daemon, kind)
        seen += documents(daemon) + problem(daemon)
        daemon.end()
        found[f"{number} {kind}"] = leaks(canaries(cloud) | {TOTP}, daemon.out, daemon.err, seen)

    assert {} == {name: leaked for name, leaked in found.items() if leaked}


def all_met(cloud: Simulator, kind: str, number: int) -> bool:
    """Return whether each step met it; a rejection may keep Homeys of the same account from some."""
    steps = STEPS if KINDS[number][1] == 1 else ("authorise", "token", "delegation")
    return all(met(cloud, step, kind) for step in steps)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_allowed_places(clouds: Clouds, daemons: Daemons, format_: str) -> None:
    """Token and refresh token are in state, file sink and /token; all else is nowhere."""
    cloud, folder = clouds.start(totp_secret=TOTP), daemons.folder()
    sinks = [
        {"type": "logic_variable", "name": "accesstoken"},
        {"type": "file", "path": str(folder / "token")},
        {"type": "exec", "command": [script(folder, "cat; cat >&2; env >&2; exit 3")]},
    ]
    daemon = daemons.start(
        cloud,
        folder=folder,
        homey={"sinks": sinks},
        refresh={"method": "refresh_token"},
        log={"level": "debug", "format": format_},
    ).up()
    token = daemon.token()
    until(lambda: daemon.status()["sinks"][2]["last_error"], "the command failed")
    at = ("--socket", str(daemon.socket))
    shown = command("status", *at).out + command("token", "nope", *at).err
    seen = documents(daemon)
    daemon.end()
    secrets = canaries(cloud)
    kept = leaks(secrets, daemon.state.read_bytes())
    refresh_token = next(iter(cloud.state.refresh_tokens))

    assert len(secrets) >= 11
    assert [] == leaks(secrets, daemon.out, daemon.err, seen, shown.encode())
    assert {token, refresh_token} == set(kept)
    assert token == (folder / "token").read_text(encoding="utf-8").strip()
