"""Prometheus: check files and rules with promtool, and scrape the daemon with a real one."""

import contextlib
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.end_to_end.examples.stage import (
    EXAMPLES,
    TIMEOUT,
    ExampleFailed,
    Stage,
    daemon,
    free_port,
    until,
)

RULES = "prometheus.rules.yml"
#: Alerts of a rejected password without a token.
REJECTED_ALERTS = {"HomeyTokenMissing", "HomeySignInRejected", "HomeyRefreshFails"}


def rules(on: Stage) -> None:
    """Check configuration and rules with their tests; every metric in them is the daemon's."""
    promtool = str(on.tools.prometheus("promtool"))
    on.run(promtool, "check", "config", str(EXAMPLES / "prometheus.yml"))
    on.run(promtool, "test", "rules", str(EXAMPLES / "prometheus.test.yml"))
    on.run("homey-tokend", "call", "devices")
    metrics = on.run("curl", "-fsS", on.url("http://127.0.0.1:9464/metrics"))
    named = set(re.findall(r"\bhomey_tokend_\w+", (EXAMPLES / RULES).read_text(encoding="utf-8")))
    if missing := sorted(name for name in named if f"\n{name}{{" not in metrics.replace(" ", "{")):
        raise ExampleFailed(f"the daemon has no metric {', '.join(missing)}")
    linted = subprocess.run(  # noqa: S603  fixed words
        [promtool, "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
    )
    if linted.returncode:
        raise ExampleFailed(f"promtool about the metrics: {linted.stderr}")


def scrape(on: Stage) -> None:
    """Check that Prometheus with the example's configuration has the daemon's metrics and no alert."""
    with prometheus(on) as address:
        until(lambda: values(address, "homey_tokend_token_valid") == [1.0])
        up = values(address, 'up{job="homey-tokend"}')
        left = values(address, "homey_tokend_token_remaining_seconds")
        alerts = request(address, "/api/v1/alerts")["alerts"]
        health = [
            (rule["name"], rule["lastError"])
            for group in request(address, "/api/v1/rules")["groups"]
            for rule in group["rules"]
            if rule["health"] == "err"
        ]
    if (up, alerts, health) != ([1.0], [], []) or not left[0] > 0:
        raise ExampleFailed(f"up {up}, seconds left {left}, alerts {alerts}, broken rules {health}")


def alerts(on: Stage) -> None:
    """Check that a rejected password raises its alerts, without their delays."""
    folder = on.folder / "refused"
    folder.mkdir()
    refused = Stage(folder, {**on.description, "password": "not-this-one"}, on.tools)
    with daemon(refused, folder / "run.log"), prometheus(refused, patient=False) as address:
        until(lambda: active_alerts(address) >= REJECTED_ALERTS)
        names = active_alerts(address)
        about = {
            alert["labels"].get("homey") for alert in request(address, "/api/v1/alerts")["alerts"]
        }
    if (names, about) != (REJECTED_ALERTS, {"home"}):
        raise ExampleFailed(f"alerts {names} about {about}")


def active_alerts(address: str) -> set[str]:
    """Return the names of all alerts; none while Prometheus is not up."""
    with contextlib.suppress(urllib.error.URLError):
        return {
            alert["labels"]["alertname"] for alert in request(address, "/api/v1/alerts")["alerts"]
        }
    return set()


@contextlib.contextmanager
def prometheus(on: Stage, *, patient: bool = True) -> Iterator[str]:
    """Run a Prometheus that scrapes the daemon twice a second, and yield its address.

    One that is not patient raises every alert at once, whatever its ``for``.
    """
    folder, port = on.folder / "prometheus", free_port()
    folder.mkdir()
    rules = (EXAMPLES / RULES).read_text(encoding="utf-8")
    if not patient:
        rules = re.sub(r"^( +for:) .*$", r"\1 0s", rules, flags=re.MULTILINE)
    (folder / RULES).write_text(rules, encoding="utf-8")
    command = [
        str(on.tools.prometheus("prometheus")),
        f"--config.file={quick(on, folder)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603  fixed words
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def quick(on: Stage, folder: Path) -> Path:
    """Return the example's configuration with this daemon's port and short intervals."""
    document = yaml.safe_load((EXAMPLES / "prometheus.yml").read_text(encoding="utf-8"))
    document["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    for targets in (
        static for job in document["scrape_configs"] for static in job["static_configs"]
    ):
        targets["targets"] = [on.url(target) for target in targets["targets"]]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def values(address: str, query: str) -> list[float]:
    """Return the values of a query; none while Prometheus is not up."""
    with contextlib.suppress(urllib.error.URLError):
        got = request(address, f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        return [float(one["value"][1]) for one in got["result"]]
    return []


def request(address: str, path: str) -> Any:
    """Return a response of Prometheus' API."""
    with urllib.request.urlopen(f"{address}{path}", timeout=TIMEOUT) as answer:
        return json.load(answer)["data"]
