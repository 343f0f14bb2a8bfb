"""What is counted: metrics of prometheus-client, and a table for the counters by Homey.

Names follow the practice of Prometheus (https://prometheus.io/docs/practices/naming/). Labels
are names of the configuration and of this program only: they are few, and no secret.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, Metric

from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    RefreshFailed,
    RefreshRecovered,
    SignInStarted,
    TokenDelivered,
    TokenRenewed,
    TokenRevoked,
)
from homey_tokend.core.http_types import Request, Response

NAMESPACE = "homey_tokend"
#: Upper bounds of the histograms in seconds: from a local Homey to a cloud that hangs.
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: The counters by Homey: description and labels.
_HOMEY_COUNTERS = {
    "refreshes": (
        "Refreshes that have ended, by outcome and, of those that failed, the step.",
        ("homey", "outcome", "step"),
    ),
    "recoveries": ("Refreshes that ended an outage.", ("homey",)),
    "revocations": ("Tokens that the Homey rejected before their end.", ("homey",)),
    "sign_ins": ("Passwords that were sent.", ("homey",)),
    "rejections": ("Refreshes that need a person.", ("homey", "kind")),
    "sink_deliveries": ("Tokens written to sinks, by outcome.", ("homey", "sink", "outcome")),
    "calls": ("Calls through the API proxy, by outcome.", ("homey", "outcome")),
}


class Metrics:
    """Everything that is counted in this run of the daemon."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        self._registry = CollectorRegistry(auto_describe=False)
        self._step_responses = Counter(
            "step_responses",
            "Responses to requests of the sign-in, by class of status.",
            ("step", "code"),
            namespace=NAMESPACE,
            registry=self._registry,
        )
        self._step_duration = Histogram(
            "step_duration_seconds",
            "Time to the response of a step.",
            ("step",),
            namespace=NAMESPACE,
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._call_duration = Histogram(
            "call_duration_seconds",
            "Duration of a call through the API proxy, its time in the queue included.",
            ("homey",),
            namespace=NAMESPACE,
            registry=self._registry,
            buckets=_SECONDS,
        )
        # Plain numbers until they are scraped: an object of the library for each would take 4 KB.
        self._homeys: dict[str, defaultdict[tuple[str, ...], int]] = {
            name: defaultdict(int) for name in _HOMEY_COUNTERS
        }
        #: When the last refresh of each Homey succeeded, as far as this run knows.
        self.last_success: dict[str, datetime] = {}

    def on_event(self, event: Event) -> None:
        """Count an event."""
        homey = event.homey
        match event:
            case SignInStarted():
                self._add("sign_ins", homey)
            case TokenRenewed(at=at):
                self.last_success[homey] = at
                self._add("refreshes", homey, "renewed", "")
            case RefreshFailed():
                self._on_failure(event)
            case RefreshRecovered():
                self._add("recoveries", homey)
            case TokenRevoked():
                self._add("revocations", homey)
            case TokenDelivered(sink=sink):
                self._add("sink_deliveries", homey, sink, "delivered")
            case DeliveryFailed(sink=sink, action_needed=action_needed):
                outcome = "rejected" if action_needed else "failed"
                self._add("sink_deliveries", homey, sink, outcome)

    def on_response(self, request: Request, response: Response) -> None:
        """Count a response of the sign-in and the time it took, by step."""
        duration = (response.received_at - response.sent_at).total_seconds()
        step = str(request.step)
        self._step_duration.labels(step).observe(max(0.0, duration))
        self._step_responses.labels(step, f"{response.status // 100}xx").inc()

    def on_call(self, homey: str, outcome: str, seconds: float) -> None:
        """Count a call through the API proxy."""
        self._add("calls", homey, outcome)
        self._call_duration.labels(homey).observe(max(0.0, seconds))

    def collect(self, homeys: Iterable[str]) -> Iterator[Metric]:
        """Yield all metrics.

        Args:
            homeys: The Homeys whose counters begin at 0, so that the first event is noticed.
        """
        for homey in homeys:
            self._homeys["refreshes"][homey, "renewed", ""] += 0
            self._homeys["calls"][homey, "2xx"] += 0
            for name in ("sign_ins", "recoveries", "revocations"):
                self._homeys[name][homey,] += 0
        for name, (about, labels) in _HOMEY_COUNTERS.items():
            family = CounterMetricFamily(f"{NAMESPACE}_{name}", about, labels=labels)
            for values, count in self._homeys[name].items():
                family.add_metric(values, count)
            yield family
        yield from self._registry.collect()

    def _add(self, name: str, *labels: str) -> None:
        self._homeys[name][labels] += 1

    def _on_failure(self, event: RefreshFailed) -> None:
        outcome = "rejected" if event.action_needed else "failed"
        self._add("refreshes", event.homey, outcome, event.step)
        if event.action_needed:
            self._add("rejections", event.homey, event.kind)
