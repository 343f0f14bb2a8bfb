"""What is counted, in plain numbers: the metrics library is loaded only when somebody scrapes.

Names follow the habits of Prometheus (https://prometheus.io/docs/practices/naming/),
without the prefix ``homey_tokend_`` and a counter's ``_total``. Labels hold names
of the configuration and of this program only: they are few, and no secret.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
from homey_tokend.core.status import View

#: Upper bounds of the latency histogram in seconds: a local Homey to a cloud that hangs.
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter by labels."""

    name: str
    about: str
    labels: tuple[str, ...]
    values: defaultdict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, *labels: str) -> None:
        """Count one more."""
        self.values[labels] += 1


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram by labels: how many values were at or below each bound, and their sum."""

    name: str
    about: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = _SECONDS
    values: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    sums: defaultdict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, value: float, *labels: str) -> None:
        """Count one value."""
        counts = self.values.get(labels)
        if counts is None:
            counts = self.values[labels] = [0] * (len(self.bounds) + 1)
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge without labels, read when it is scraped."""

    name: str
    about: str
    read: Callable[[], float]


class Metrics:
    """Everything that is counted; who counts more adds its own to one of the lists."""

    def __init__(self) -> None:
        self.refreshes = Counter(
            "refreshes",
            "Refreshes that have ended, by outcome and, of those that failed, the step.",
            ("homey", "outcome", "step"),
        )
        self.recoveries = Counter("recoveries", "Refreshes that ended an outage.", ("homey",))
        self.revocations = Counter(
            "revocations", "Tokens that the Homey no longer took before their end.", ("homey",)
        )
        self.sign_ins = Counter("sign_ins", "Passwords that went out.", ("homey",))
        self.refusals = Counter("rejections", "Refreshes that need a person.", ("homey", "kind"))
        self.deliveries = Counter(
            "sink_deliveries", "Tokens written to sinks, by outcome.", ("homey", "sink", "outcome")
        )
        self.turned_out = Counter(
            "connections_evicted", "Connections that were closed to make room.", ()
        )
        self.answers = Counter(
            "step_responses",
            "Answers to requests of the flow, by class of status.",
            ("step", "code"),
        )
        self.latency = Histogram(
            "step_duration_seconds", "How long the answer to a step took.", ("step",)
        )
        self.calls = Counter(
            "calls", "Calls through the forwarding door, by how they ended.", ("homey", "outcome")
        )
        self.call_latency = Histogram(
            "call_duration_seconds",
            "How long a call through the forwarding door took, its turn in line included.",
            ("homey",),
        )
        self.tallies = [
            self.refreshes,
            self.recoveries,
            self.revocations,
            self.sign_ins,
            self.refusals,
            self.deliveries,
            self.answers,
            self.calls,
            self.turned_out,
        ]
        self.spreads = [self.latency, self.call_latency]
        self.levels: list[Gauge] = []
        #: When the last refresh of each Homey went well, as far as this run knows.
        self.renewed_at: dict[str, datetime] = {}

    def meet(self, homeys: Iterable[str]) -> None:
        """Begin the counters of these Homeys at 0, so that the first event is seen as one."""
        for name in homeys:
            self.refreshes.values[name, "renewed", ""] += 0
            self.calls.values[name, "2xx"] += 0
            for tally in (self.sign_ins, self.recoveries, self.revocations):
                tally.values[name,] += 0
        self.turned_out.values[()] += 0

    def happened(self, happened: Event) -> None:
        """Count what happened to a token."""
        homey = happened.homey
        match happened:
            case SignInStarted():
                self.sign_ins.add(homey)
            case TokenRenewed(at=at):
                self.renewed_at[homey] = at
                self.refreshes.add(homey, "renewed", "")
            case RefreshFailed():
                self._failed(happened)
            case RefreshRecovered():
                self.recoveries.add(homey)
            case TokenRevoked():
                self.revocations.add(homey)
            case TokenDelivered(sink=sink):
                self.deliveries.add(homey, sink, "delivered")
            case DeliveryFailed(sink=sink, action_needed=action_needed):
                self.deliveries.add(homey, sink, "rejected" if action_needed else "failed")

    def heard(self, _homey: str, request: Request, response: Response) -> None:
        """Count an answer and the time it took, by step."""
        took = (response.received_at - response.sent_at).total_seconds()
        self.latency.add(max(0.0, took), str(request.step))
        self.answers.add(str(request.step), f"{response.status // 100}xx")

    def called(self, homey: str, outcome: str, seconds: float) -> None:
        """Count a call through the forwarding door."""
        self.calls.add(homey, outcome)
        self.call_latency.add(max(0.0, seconds), homey)

    def _failed(self, happened: RefreshFailed) -> None:
        outcome = "rejected" if happened.action_needed else "failed"
        self.refreshes.add(happened.homey, outcome, happened.step)
        if happened.action_needed:
            self.refusals.add(happened.homey, happened.kind)


@dataclass(frozen=True, slots=True)
class Scrape:
    """What is shown in one scrape.

    Args:
        views: The Homeys.
        now: The time.
        alive: Whether the daemon's loop and schedule turn.
        version: The program's version.
        counts: What was counted.
        visits: How often each user asked on the socket.
        refusals: How often each was refused.
    """

    views: Sequence[View]
    now: datetime
    alive: bool
    version: str
    counts: Metrics
    visits: Mapping[str, int]
    refusals: Mapping[str, int]
