"""The metrics in Prometheus' text format, or in OpenMetrics where that is asked for.

The only file that imports prometheus-client, and itself imported at the first
scrape: who does not scrape does not pay for it. Nothing here counts; ``Counts``
does, and views tell the rest.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from homey_tokend.core.status import Health, SinkView, View
from homey_tokend.core.tokens import Token
from homey_tokend.server.metrics import Counter, Histogram, Scrape

_PREFIX = "homey_tokend_"


class _Collector(Collector):
    """Makes metrics of a scrape."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        scrape = self._scrape
        yield _one("up", "Whether the daemon's loop and schedule turn.", float(scrape.alive))
        build = InfoMetricFamily(f"{_PREFIX}build", "The program's version, and Python's.")
        python = platform.python_version()
        build.add_metric((), {"version": scrape.version, "python": python})
        yield build
        yield from _tokens(scrape.views, scrape.now)
        yield from _refreshes(scrape.views, scrape.now, scrape.counts.renewed_at)
        yield from _sinks(scrape.views, scrape.now)
        scrape.counts.meet(view.name for view in scrape.views)
        yield from map(_tally, scrape.counts.tallies)
        yield from map(_spread, scrape.counts.spreads)
        for level in scrape.counts.levels:
            yield _one(level.name, level.about, level.read())
        yield _by_uid("socket_requests", "Requests on the socket, by user.", scrape.visits)
        yield _by_uid("socket_denials", "Requests refused by socket.allow.", scrape.refusals)


def render(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """Write a scrape down.

    Args:
        scrape: What is shown.
        accept: The request's Accept header, or "".

    Returns:
        The body, and its Content-Type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(scrape))
    try:
        encode, content_type = choose_encoder(accept)
        content_type.encode("ascii")  # the version asked for is in it
        return encode(registry), content_type
    except (TypeError, ValueError):  # a version that is none: the library takes it as it is
        encode, content_type = choose_encoder("")
        return encode(registry), content_type


def _tokens(views: Sequence[View], now: datetime) -> Iterator[Metric]:
    left = _gauge("token_remaining_seconds", "Life left in the held token; 0 where none is held.")
    expiry = _gauge("token_expiry_timestamp_seconds", "When the held token ends.")
    valid = _gauge("token_valid", "Whether a valid token is held.")
    generation = _gauge("token_generation", "The number of the held token; it only ever grows.")
    for view in views:
        token = _valid(view, now)
        valid.add_metric((view.name,), float(token is not None))
        left.add_metric((view.name,), token.left(now).total_seconds() if token else 0.0)
        if token is not None:
            expiry.add_metric((view.name,), token.expires_at.timestamp())
            generation.add_metric((view.name,), token.generation)
    yield from (left, expiry, valid, generation)


def _refreshes(
    views: Sequence[View], now: datetime, renewed_at: Mapping[str, datetime]
) -> Iterator[Metric]:
    health = _gauge("health", "1 for the state that a Homey's keeping is in.", "state")
    success = _gauge("last_success_timestamp_seconds", "When the last refresh went well.")
    due = _gauge("next_refresh_timestamp_seconds", "When the held token is to be refreshed.")
    failures = _gauge(
        "consecutive_failures", "Refreshes that failed since the last that went well."
    )
    person = _gauge("action_needed", "Whether the last refresh failed so that a person is needed.")
    for view in views:
        for state in Health:
            health.add_metric((view.name, str(state)), float(view.health is state))
        token = _valid(view, now)
        last = renewed_at.get(view.name) or (token.issued_at if token else None)
        if last is not None:
            success.add_metric((view.name,), last.timestamp())
        if view.renew_at is not None:
            due.add_metric((view.name,), view.renew_at.timestamp())
        trouble = view.trouble
        failures.add_metric((view.name,), trouble.count if trouble else 0)
        person.add_metric((view.name,), float(trouble is not None and needs_person(trouble.kind)))
    yield from (health, success, due, failures, person)


def needs_person(kind: str) -> bool:
    """Whether a failure does not pass by itself, by the rule of docs/api.md for kinds."""
    return kind.endswith("_rejected")


def _sinks(views: Sequence[View], now: datetime) -> Iterator[Metric]:
    lag = _gauge(
        "sink_lag_seconds",
        "From a token's issue to its delivery, or to now while it lacks.",
        "sink",
    )
    success = _gauge("sink_last_success_timestamp_seconds", "When a sink last took one.", "sink")
    behind = _gauge("sink_behind", "Whether a sink lacks the token that is held.", "sink")
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
    return GaugeMetricFamily(_PREFIX + name, about, labels=("homey", *labels))


def _one(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, about, value=value)


def _by_uid(name: str, about: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, about, labels=("uid",))
    for uid, count in values.items():
        family.add_metric((uid,), count)
    return family


def _tally(tally: Counter) -> Metric:
    family = CounterMetricFamily(_PREFIX + tally.name, tally.about, labels=tally.labels)
    for labels, count in tally.values.items():
        family.add_metric(labels, count)
    return family


def _spread(spread: Histogram) -> Metric:
    family = HistogramMetricFamily(_PREFIX + spread.name, spread.about, labels=spread.labels)
    for labels, counts in spread.values.items():
        family.add_metric(labels, _buckets(spread.bounds, counts), spread.sums[labels])
    return family


def _buckets(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """Each bound with how many values are at or below it."""
    names = [*map(str, bounds), "+Inf"]
    return list(zip(names, map(float, accumulate(counts)), strict=True))
