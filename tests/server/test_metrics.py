"""/metrics: what is counted and shown, in Prometheus' format."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientSession
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text_format

from homey_tokend.core import events
from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.core.status import Health, SinkView
from homey_tokend.server.app import Api
from homey_tokend.server.metrics import Metrics
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
HOUR = timedelta(hours=1)
Samples = dict[tuple[str, ...], float]


def count_one_of_each(counts: Metrics) -> None:
    counts.on_event(events.SignInStarted("home", NOW))
    counts.on_event(events.TokenRenewed("home", NOW, 7, "9b1c64e0", NOW, NOW + HOUR, verified=True))
    for is_refused in (False, True):
        counts.on_event(
            events.RefreshFailed(
                "home", NOW, "kind_of_it", "login", CANARY, CANARY, is_refused, 1, NOW, None
            )
        )
        counts.on_event(
            events.DeliveryFailed("home", NOW, "file:/x", 7, "kind", CANARY, CANARY, is_refused)
        )
    counts.on_event(events.RefreshRecovered("home", NOW, 2))
    counts.on_event(events.TokenRevoked("home", NOW, 7))
    counts.on_event(events.TokenDelivered("home", NOW, "file:/x", 7))
    counts.on_call("home", "2xx", 0.2)
    counts.on_call("home", "busy", 30.0)
    for seconds in (0.01, 0.3, 40.0):
        asked = Request(Step.LOGIN, "POST", "https://x")
        answer = Response(200, (), b"", NOW, NOW + timedelta(seconds=seconds))
        counts.on_response(asked, answer)


@pytest.fixture
def provider() -> FakeProvider:
    sinks = (
        SinkView("file:/x", 7, NOW - HOUR / 2, None, None),
        SinkView('odd"\\\n', 6, NOW - 5 * HOUR, rejected(), NOW),
        SinkView("exec:new", None, None, None, None),
    )
    well = view("home", token(), sinks=sinks, renew_at=NOW + HOUR)
    return FakeProvider(well, view("cabin", last_error=rejected()))


@pytest.fixture
async def session(provider: FakeProvider, socket_path: Path) -> AsyncIterator[ClientSession]:
    monitoring = Monitoring(max_age=timedelta(0))
    await monitoring.scrape(provider, "1.2.3", "")
    count_one_of_each(monitoring.metrics)
    api = Api(provider, version="1.2.3", monitoring=monitoring)
    server = Server(api)
    await server.start(SocketOptions(socket_path))
    connector = aiohttp.UnixConnector(str(socket_path))
    async with ClientSession("http://localhost", connector=connector) as made:
        yield made
    await server.stop()


async def scrape(session: ClientSession) -> Samples:
    """Return all samples, by name and the values of the labels in the order of their names."""
    async with session.get("/metrics") as answer:
        text = await answer.text()
    return {
        (sample.name.removeprefix("homey_tokend_"), *_values(sample.labels)): sample.value
        for family in text_format(text)
        for sample in family.samples
    }


def _values(labels: dict[str, str]) -> list[str]:
    return [labels[name] for name in sorted(labels)]


async def test_the_token(session: ClientSession) -> None:
    """Remaining lifetime, expiry, validity and generation of each Homey's token; nothing without one."""
    samples = await scrape(session)

    assert 24 * 3600 == samples["token_remaining_seconds", "home"]
    assert 0 == samples["token_remaining_seconds", "cabin"]
    assert (NOW + 24 * HOUR).timestamp() == samples["token_expiry_timestamp_seconds", "home"]
    assert ("token_expiry_timestamp_seconds", "cabin") not in samples
    assert [1, 0] == [samples["token_valid", name] for name in ("home", "cabin")]
    assert 7 == samples["token_generation", "home"]


async def test_an_expired_token_has_no_lifetime(
    session: ClientSession, provider: FakeProvider
) -> None:
    """A token that has expired since the last view counts as none."""
    provider.time = NOW + timedelta(days=2)
    samples = await scrape(session)

    assert 0 == samples["token_remaining_seconds", "home"] == samples["token_valid", "home"]


async def test_health(session: ClientSession, provider: FakeProvider) -> None:
    """Exactly one state of each Homey is 1, and up shows whether the daemon runs."""
    provider.living = False
    samples = await scrape(session)

    assert 0 == samples["up",]
    assert 1 == samples["health", "home", "ok"] == samples["health", "cabin", "down"]
    assert 2 == sum(value for name, value in samples.items() if name[0] == "health")
    assert 3 == samples["consecutive_failures", "cabin"]
    assert any(name[0] == "build_info" and "1.2.3" in name for name in samples)


async def test_refreshes(session: ClientSession) -> None:
    """Refreshes by outcome and step, sign-ins, rejections, recoveries, revocations, and times."""
    samples = await scrape(session)
    ended = (("renewed", ""), ("failed", "login"), ("rejected", "login"))

    assert [1, 1, 1] == [samples["refreshes_total", "home", *how] for how in ended]
    assert 1 == samples["sign_ins_total", "home"]
    assert 1 == samples["rejections_total", "home", "kind_of_it"]
    assert 1 == samples["recoveries_total", "home"] == samples["revocations_total", "home"]
    assert NOW.timestamp() == samples["last_success_timestamp_seconds", "home"]


async def test_counters_begin_at_zero(session: ClientSession) -> None:
    """A Homey's counters exist before the first event, so that it is seen."""
    samples = await scrape(session)

    assert 0 == samples["refreshes_total", "cabin", "renewed", ""]
    assert 0 == samples["sign_ins_total", "cabin"] == samples["connections_evicted_total",]


async def test_latency(session: ClientSession) -> None:
    """Responses of a step are counted in buckets, with their sum and number."""
    samples = await scrape(session)
    buckets = [
        value for name, value in samples.items() if name[0] == "step_duration_seconds_bucket"
    ]

    assert [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3] == buckets
    assert 40.31 == pytest.approx(samples["step_duration_seconds_sum", "login"])
    assert 3 == samples["step_responses_total", "2xx", "login"]


async def test_sinks(session: ClientSession) -> None:
    """Outcomes by sink, and the lag: until the delivery, or until now while the sink is behind."""
    samples = await scrape(session)
    outcomes = [
        samples["sink_deliveries_total", "home", outcome, "file:/x"]
        for outcome in ("delivered", "failed", "rejected")
    ]

    assert [1, 1, 1] == outcomes
    assert 1800 == samples["sink_lag_seconds", "home", "file:/x"]
    assert 3600 == samples["sink_lag_seconds", "home", 'odd"\\\n']
    assert 3600 == samples["sink_lag_seconds", "home", "exec:new"]
    assert ("sink_last_success_timestamp_seconds", "home", "exec:new") not in samples


async def test_sinks_that_lack_the_token(session: ClientSession, provider: FakeProvider) -> None:
    """A sink is behind until it has the current token; without a token none is."""
    samples = await scrape(session)
    provider.views["home"] = replace(provider.views["home"], token=None)
    without = await scrape(session)
    sinks = ("file:/x", 'odd"\\\n', "exec:new")

    assert [0, 1, 1] == [samples["sink_behind", "home", sink] for sink in sinks]
    assert [0, 0, 0] == [without["sink_behind", "home", sink] for sink in sinks]


async def test_a_person(session: ClientSession, provider: FakeProvider) -> None:
    """A rejection needs a person; a transient failure and a healthy Homey do not."""
    failure = replace(rejected(), kind="unreachable")
    provider.views["hut"] = view("hut", last_error=failure)
    samples = await scrape(session)

    assert [0, 1, 0] == [samples["action_needed", name] for name in ("home", "cabin", "hut")]


async def test_calls(session: ClientSession) -> None:
    """Calls through the API proxy are counted by outcome and duration."""
    samples = await scrape(session)

    assert [1, 1] == [samples["calls_total", "home", how] for how in ("2xx", "busy")]
    assert 2 == samples["call_duration_seconds_count", "home"]
    assert 0 == samples["calls_total", "cabin", "2xx"]


async def test_readers(session: ClientSession) -> None:
    """Every request on the socket is counted by user."""
    await scrape(session)
    samples = await scrape(session)
    counted = {
        name[1]: value for name, value in samples.items() if name[0] == "socket_requests_total"
    }
    async with session.get("/status") as answer:
        status = await answer.json()

    assert [2] == list(counted.values())
    assert dict.fromkeys(counted, 3) == status["requests_by_user"]


async def test_measured_between_two_loads() -> None:
    """The start and the first scrape load at the same time, and lose no measurement."""
    monitoring, provider = Monitoring(), FakeProvider(view("home", token()))

    async def call() -> None:
        await monitoring.load()
        monitoring.metrics.on_call("home", "2xx", 0.2)

    await asyncio.gather(call(), call())
    text, _ = await monitoring.scrape(provider, "1", "")

    assert b'homey_tokend_call_duration_seconds_count{homey="home"} 2.0' in text


async def test_open_metrics(session: ClientSession) -> None:
    """A client that asks for OpenMetrics gets it; all others get the text format."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with session.get("/metrics", headers=accept) as answer:
        families = open_metrics(await answer.text())  # type: ignore[no-untyped-call]  # theirs
        names, kind = {family.name for family in families}, answer.content_type
    async with session.get("/metrics") as answer:
        plain = answer.headers["Content-Type"]

    assert "application/openmetrics-text" == kind
    assert "homey_tokend_refreshes" in names
    assert plain.startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("version", ["x", "", "1..0", "2.0.x", "2.0é", "2.0\udcff", "9" * 5000])
async def test_an_unsupported_version(session: ClientSession, version: str) -> None:
    """Whatever version Accept asks for, the metrics come in a supported one."""
    accept = {"Accept": f"application/openmetrics-text; version={version}"}
    async with session.get("/metrics", headers=accept) as answer:
        text = await answer.text()

    assert 200 == answer.status
    assert answer.content_type in {"text/plain", "application/openmetrics-text"}
    assert "homey_tokend_up 1.0" in text


async def test_no_secret(session: ClientSession) -> None:
    """Neither a token nor a message is in the metrics."""
    async with session.get("/metrics") as answer:
        assert CANARY not in await answer.text()


async def test_the_page_has_every_metric(session: ClientSession, provider: FakeProvider) -> None:
    """docs/metrics.md lists exactly the existing metrics, with type and labels."""
    provider.views["home"] = replace(provider.views["home"], health=Health.OK)
    async with session.get("/metrics") as answer:
        families = list(text_format(await answer.text()))
    shown = {}
    for family in families:
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        shown[name] = (family.type, labels)
    rows = re.findall(r"^\| `(homey_\w+)` \| (\w+) \| ([^|]*)\|", PAGE, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    listed["homey_tokend_socket_denials_total"] = ("counter", set())  # nobody was refused here

    assert listed == shown
