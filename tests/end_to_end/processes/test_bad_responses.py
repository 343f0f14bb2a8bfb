"""Bad responses of the cloud: the daemon keeps running, stays small and names the reason."""

from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, met, until
from tests.end_to_end.processes.daemons import PROGRAM, Daemon, Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = (
    "login",
    "authorise",
    "consent",
    "token",
    "user",
    "delegation",
    "homey_login",
    "session",
    "variable",
)
VARIABLE = {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}
#: The most memory of a daemon whatever it receives, including two concurrent digests (32 MB) and
#: their parts (60 MB); and the most that it may keep of that.
MOST_MB, KEPT_MB = 128, 80
#: Where a bad answer ends an attempt in any case. With a remembered user token the sign-in
#: begins again at once; a user's or session's answer can be done without.
STOPPING = {"login", "delegation", "homey_login", "sink.failed"}
BAD: dict[str, dict[str, Any]] = {
    "10 MB": {"kind": "huge", "bytes": 10 << 20},
    "bomb": {"kind": "gzip_bomb", "bytes": 10 << 20},
    "another type": {"kind": "json", "body": [[{"token": 7}]]},
    "foreign host": {"kind": "redirect", "location": "https://portal.invalid/?x=1"},
}


def memory_mb(daemon: Daemon, name: str) -> float:
    """Return the memory that is resident (VmRSS), or was at its peak (VmHWM)."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def reasons(daemon: Daemon) -> dict[str, str]:
    """Return the failures in the log, by step."""
    events = [each for each in daemon.events() if each["event"].endswith((".failed", "_verified"))]
    return {str(each.get("step", each["event"])): each["reason"] for each in events}


@pytest.mark.parametrize("name", BAD)
def test_at_each_step(clouds: Clouds, daemons: Daemons, name: str) -> None:
    """One Homey for each step gets it: the socket answers, memory is limited, the reason is plain."""
    cloud = clouds.start(homeys=len(STEPS), session_lifetime=3600)
    for step in STEPS:
        cloud.add_fault(step=step, times=1, **BAD[name])
    folder = daemons.folder()
    words = ("--config", str(write(folder, configuration(cloud, folder, homey=VARIABLE))))
    # Not forked: its memory is that of its own imports.
    daemon = daemons.run(folder, *words, program=PROGRAM).up()
    until(lambda: all(met(cloud, step, BAD[name]["kind"]) for step in STEPS), "each step met it")
    until(lambda: daemon.get("/status").json["health"] != "starting", "all have begun")
    status = daemon.get("/status").text
    reported = until(
        lambda: STOPPING <= set(reasons(daemon)) and reasons(daemon), "each is reported"
    )

    assert daemon.get("/healthz").status == 200
    assert memory_mb(daemon, "VmHWM") < MOST_MB
    until(lambda: memory_mb(daemon, "VmRSS") < KEPT_MB, "what was large goes back to the system")
    assert [] == [event for event in daemon.events() if event["event"] == "internal.error"]
    assert "Traceback" not in daemon.said()
    for foreign in ("portal.invalid", "0" * 20, "7}]]"):
        assert foreign not in daemon.said() + status
    for reason in reported.values():
        assert reason.isprintable()
        assert 10 < len(reason) < 300


def test_no_token_yet(clouds: Clouds, daemons: Daemons) -> None:
    """Without a token: /token is a problem with Retry-After, not ready, and alive."""
    cloud = clouds.start()
    cloud.add_fault(step="login", kind="status", status=503, retry_after=120)
    daemon = daemons.start(cloud).up()
    until(lambda: daemon.status()["last_error"], "it failed")
    answer, ready, health = (daemon.get(path) for path in ("/token", "/readyz", "/healthz"))

    assert (503, "application/problem+json") == (answer.status, answer.headers["content-type"])
    assert 100 <= int(answer.headers["retry-after"]) <= 120
    assert ("server_error", "login") == (answer.json["kind"], answer.json["step"])
    assert (
        "there is no valid token for home: login: the server reports an error (503)"
        == (answer.json["detail"])
    )
    assert (503, ["home"]) == (ready.status, ready.json["homeys"])
    assert health.status == 200


def test_outage_and_recovery(clouds: Clouds, daemons: Daemons) -> None:
    """While the cloud is gone the old token is served; when it is back, a new one comes."""
    cloud: Simulator = clouds.start(session_lifetime=4)
    daemon = daemons.start(cloud).up()
    old = daemon.token()
    cloud.add_fault(step="login", kind="reset")
    until(lambda: daemon.status()["last_error"], "the refresh failed")
    served = daemon.get("/token")
    until(lambda: daemon.get("/token").status == 503, "the old token has ended")
    cloud.clear_faults()
    new = daemon.token()

    assert (200, old) == (served.status, served.text)
    assert old != new
    assert cloud.accepts(new)
    assert daemon.status()["last_error"] is None
