"""The metrics in Prometheus' text format, or in OpenMetrics if requested."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from homey_tokend.core.status import Health, SinkView, View
from homey_tokend.core.tokens import Token
from homey_tokend.server.metrics import COUNTERS

if TYPE_CHECKING:
    from homey_tokend.server.histograms import Durations

_NAMESPACE = "homey_tokend"


def content_type(accept: str) -> str:
    """Return the Content-Type that an Accept header asks for: OpenMetrics, or the text format.

    There are no more than these two: a client cannot have further ones rendered by asking for
    other versions.
    """
    try:
        open_metrics = choose_encoder(accept)[1].startswith("application/openmetrics-text")
    except (TypeError, ValueError):  # a version that is none
        open_metrics = False
    return choose_encoder("application/openmetrics-text" if open_metrics else "")[1]


@dataclass(frozen=True, eq=False)  # a registry wants a hash
class Scrape(Collector):
    """A copy of the state of the daemon at one scrape, to be rendered on a thread."""

    counts: Mapping[str, Mapping[tuple[str, ...], int]]
    last_success: Mapping[str, datetime]
    durations: "Durations | None"
    views: Sequence[View]
    now: datetime
    alive: bool
    version: str
    requests_by_user: Mapping[str, int]
    denials_by_user: Mapping[str, int]
    connections: int
    evicted: int

    def render(self, content_type: str) -> bytes:
        """Return the text."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        encode, _ = choose_encoder(content_type)
        return encode(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield _one("up", "Whether the daemon's event loop and scheduler run.", float(self.alive))
        build = InfoMetricFamily(f"{_NAMESPACE}_build", "The program's version, and Python's.")
        python = platform.python_version()
        build.add_metric((), {"version": self.version, "python": python})
        yield build
        yield from _tokens(self.views, self.now)
        yield from _refreshes(self.views, self.now, self.last_success)
        yield from _sinks(self.views, self.now)
        for name, (about, labels) in COUNTERS.items():
            yield _counter(name, about, labels, self.counts[name])
        if self.durations is not None:
            yield from self.durations.registry.collect()
        yield _one("connections", "Open connections, of all sockets.", self.connections)
        evicted = "Connections that were closed to make room."
        yield _counter("connections_evicted", evicted, (), {(): self.evicted})
        for name, about, users in (
            ("socket_requests", "Requests on the socket, by user.", self.requests_by_user),
            (
                "socket_denials",
                "Requests denied by socket.allow or socket.allow_api.",
                self.denials_by_user,
            ),
        ):
            yield _counter(name, about, ("uid",), {(uid,): users[uid] for uid in users})


def _tokens(views: Sequence[View], now: datetime) -> Iterator[Metric]:
    left = _gauge(
        "token_remaining_seconds", "Remaining lifetime of the current token; 0 without one."
    )
    expiry = _gauge("token_expiry_timestamp_seconds", "When the current token expires.")
    valid = _gauge("token_valid", "Whether there is a valid token.")
    generation = _gauge("token_generation", "The number of the current token; it only increases.")
    for view in views:
        token = _valid(view, now)
        valid.add_metric((view.name,), float(token is not None))
        left.add_metric((view.name,), token.left(now).total_seconds() if token else 0.0)
        if token is not None:
            expiry.add_metric((view.name,), token.expires_at.timestamp())
            generation.add_metric((view.name,), token.generation)
    yield from (left, expiry, valid, generation)


def _refreshes(
    views: Sequence[View], now: datetime, last_success: Mapping[str, datetime]
) -> Iterator[Metric]:
    health = _gauge("health", "1 for the state of a Homey, 0 for the others.", "state")
    success = _gauge("last_success_timestamp_seconds", "When the last refresh succeeded.")
    due = _gauge("next_refresh_timestamp_seconds", "When the current token will be refreshed.")
    failures = _gauge("consecutive_failures", "Failed refreshes since the last successful one.")
    action = _gauge("action_needed", "Whether the last refresh failed and a person is needed.")
    for view in views:
        for state in Health:
            health.add_metric((view.name, str(state)), float(view.health is state))
        token = _valid(view, now)
        last = last_success.get(view.name) or (token.issued_at if token else None)
        if last is not None:
            success.add_metric((view.name,), last.timestamp())
        if view.renew_at is not None:
            due.add_metric((view.name,), view.renew_at.timestamp())
        error = view.last_error
        failures.add_metric((view.name,), error.count if error else 0)
        action.add_metric((view.name,), float(error is not None and error.action_needed))
    yield from (health, success, due, failures, action)


def _sinks(views: Sequence[View], now: datetime) -> Iterator[Metric]:
    lag = _gauge(
        "sink_lag_seconds",
        "From a token's issue to its delivery, or to now while it is missing.",
        "sink",
    )
    success = _gauge(
        "sink_last_success_timestamp_seconds", "When a token was last written.", "sink"
    )
    behind = _gauge("sink_behind", "Whether a sink does not have the current token.", "sink")
    for view in views:
        for sink in view.sinks:
            labels = (view.name, sink.target)
            seconds = _lag(view.token, sink, now)
            if seconds is not None:
                lag.add_metric(labels, seconds)
            behind.add_metric(labels, float(view.token is not None and not _has(sink, view.token)))
            if sink.delivered_at is not None:
                success.add_metric(labels, sink.delivered_at.timestamp())
    yield from (lag, success, behind)


def _has(sink: SinkView, token: Token) -> bool:
    return sink.generation == token.generation and sink.delivered_at is not None


def _lag(token: Token | None, sink: SinkView, now: datetime) -> float | None:
    if token is None:
        return None
    until = sink.delivered_at if _has(sink, token) and sink.delivered_at is not None else now
    return max(0.0, (until - token.issued_at).total_seconds())


def _valid(view: View, now: datetime) -> Token | None:
    token = view.token
    return token if token is not None and token.valid(now) else None


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_NAMESPACE}_{name}", about, labels=("homey", *labels))


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_NAMESPACE}_{name}", about, value=value)


def _counter(
    name: str, about: str, labels: Sequence[str], counts: Mapping[tuple[str, ...], int]
) -> Metric:
    family = CounterMetricFamily(f"{_NAMESPACE}_{name}", about, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
