"""Users who share the API proxy of a daemon: what they may see, and what they leave to each other."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import Daemon, Daemons, ask, configuration, write

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), ROOT_NEEDED]

READER, CALLER = 4711, 4712
VARIABLES = "/homeys/home/api/manager/logic/variable"
#: Becomes a user, sends the requests that its arguments name, and prints each status and body.
CLIENT = """
import http.client, json, os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(40)
        self.sock.connect(sys.argv[1])
answers = []
for method, path, body, headers in json.loads(sys.argv[3]):
    asking = Local("localhost")
    asking.request(method, path, body, headers)
    got = asking.getresponse()
    answers.append((got.status, got.read().decode("latin-1")))
print(json.dumps(answers))
"""

#: Becomes a user and begins uploads, of which a byte comes now and then, until it is killed.
DRIPPING = """
import os, socket, sys, time
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
head = b"PUT /homeys/home/api/manager/devices/device/x HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: %d\\r\\n\\r\\n"
wires = []
for _ in range(6):
    wires.append(socket.socket(socket.AF_UNIX))
    wires[-1].connect(sys.argv[1])
    wires[-1].sendall(head % 9_000_000 + b"a" * 200_000)
print("begun", flush=True)
while True:
    time.sleep(0.5)
    for wire in wires:
        wire.send(b"a")
"""


def asked(daemon: Daemon, uid: int, *requests: tuple[Any, ...]) -> list[tuple[int, str]]:
    """Return what a user gets; a request is method, path, body, header fields."""
    whole = [(*one, *(None, {})[len(one) - 2 :]) for one in requests]
    words = [sys.executable, "-I", "-S", "-c", CLIENT, str(daemon.socket), str(uid)]
    done = subprocess.run([*words, json.dumps(whole)], capture_output=True, text=True, check=True)  # noqa: S603  our own
    return [(status, body) for status, body in json.loads(done.stdout)]


def document(cloud: Any, folder: Path, *sinks: Any) -> dict[str, Any]:
    made = configuration(cloud, folder)
    made["homeys"]["home"]["sinks"] = list(sinks)
    # A second entry for the same Homey, whose sinks are others.
    made["homeys"]["again"] = made["homeys"]["home"] | {"sinks": []}
    made["socket"] |= {
        "mode": "0666",
        "allow": {"users": [str(READER)]},
        "allow_api": {"users": [str(READER), str(CALLER)]},
    }
    return made


def held_token(daemon: Daemon) -> str:
    answer = daemon.get("/homeys/home/token")
    return answer.text if answer.status == 200 else ""


def variables(daemon: Daemon) -> dict[str, Any]:
    """Return the variables by name, as the daemon's own user sees them."""
    found = ask(daemon.socket, VARIABLES).json
    return {one["name"]: one for one in found.values()} if isinstance(found, dict) else {}


def test_the_token_in_a_variable(clouds: Clouds, daemons: Daemons) -> None:
    """Who may not read the token gets it from no call; a sink that a reload adds counts at once."""
    cloud, folder = clouds.start(), daemons.folder()
    folder.chmod(0o755)
    write(folder, document(cloud, folder))
    daemon = daemons.run(folder, "--config", str(folder / "config.yaml")).up()
    token = until(lambda: held_token(daemon), "a token")
    ((before, _),) = asked(daemon, CALLER, ("GET", VARIABLES))

    sink = {"type": "logic_variable", "name": "accesstoken", "create": True}
    write(folder, document(cloud, folder, sink))
    daemon.send(signal.SIGHUP)
    until(lambda: variables(daemon).get("accesstoken", {}).get("value") == token, "the token")
    held = f"{VARIABLES}/{variables(daemon)['accesstoken']['id']}"
    attempts = [
        ("GET", "/homeys/home/token"),
        ("GET", VARIABLES),
        ("GET", VARIABLES.replace("/home/", "/again/")),
        ("GET", VARIABLES, None, {"Accept-Encoding": "gzip", "Range": "bytes=0-99"}),
        ("GET", held),
        ("GET", f"{held}/"),
        ("PUT", held, '{"name": "mine"}', {"Content-Type": "application/json"}),
        ("GET", "/homeys/home/api/manager/flowtoken/flowtoken"),
        ("GET", "/homeys/home/api/manager/insights/log"),
    ]
    caught = asked(daemon, CALLER, *attempts)
    ((allowed, devices),) = asked(
        daemon, CALLER, ("GET", "/homeys/home/api/manager/devices/device")
    )
    ((reading, read),) = asked(daemon, READER, ("GET", held))

    assert 200 == before
    assert [403] * len(attempts) == [status for status, _ in caught]
    assert not [body for _, body in caught if token in body]
    assert (200, True) == (allowed, bool(json.loads(devices)))
    assert (200, token) == (reading, json.loads(read)["value"])


def test_uploads_that_drip(clouds: Clouds, daemons: Daemons) -> None:
    """Uploads of one user that do not end leave the Homey open for another one."""
    cloud, folder = clouds.start(), daemons.folder()
    folder.chmod(0o755)
    write(folder, document(cloud, folder))
    daemon = daemons.run(folder, "--config", str(folder / "config.yaml")).up()
    until(lambda: held_token(daemon), "a token")
    words = [sys.executable, "-I", "-S", "-c", DRIPPING, str(daemon.socket), str(CALLER)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as dripping:  # noqa: S603  our own
        assert dripping.stdout is not None
        begun = dripping.stdout.readline()
        answers = [asked(daemon, READER, ("GET", VARIABLES)) for _ in range(5)]
        dripping.kill()

    assert b"begun\n" == begun
    assert [200] * 5 == [status for ((status, _),) in answers]
