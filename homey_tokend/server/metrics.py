"""What is counted, as plain numbers: prometheus-client is loaded once the daemon has started.

Names follow the practice of Prometheus (https://prometheus.io/docs/practices/naming/). Labels
are names of the configuration and of this program only: they are few, and no secret.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from homey_tokend.server.histograms import Durations

#: The counters: description and labels.
COUNTERS = {
    "refreshes": (
        "Refreshes that have ended, by outcome and, of those that failed, the step.",
        ("homey", "outcome", "step"),
    ),
    "recoveries": ("Refreshes that succeeded after failed ones.", ("homey",)),
    "revocations": ("Tokens that the Homey stopped accepting before their expiry.", ("homey",)),
    "sign_ins": ("Passwords that were sent.", ("homey",)),
    "rejections": ("Refreshes that were rejected: a person is needed.", ("homey", "kind")),
    "sink_deliveries": ("Tokens written to sinks, by outcome.", ("homey", "sink", "outcome")),
    "step_responses": ("Responses in the sign-in, by class of status.", ("step", "code")),
    "calls": ("Calls through the API proxy, by outcome.", ("homey", "outcome")),
}


class Metrics:
    """Everything that is counted in this run of the daemon.

    ``counts`` has the counters by name and labels, ``last_success`` the instant of each Homey's
    last successful refresh. ``durations`` are measured as soon as the library is loaded.
    """

    def __init__(self) -> None:
        self.counts: dict[str, defaultdict[tuple[str, ...], int]] = {
            name: defaultdict(int) for name in COUNTERS
        }
        self.last_success: dict[str, datetime] = {}
        self.durations: Durations | None = None

    def snapshot(self, homeys: Iterable[str]) -> dict[str, dict[tuple[str, ...], int]]:
        """Return a copy of the counters; those of these Homeys start at zero.

        A counter that exists before the first event shows that event as an increase.
        """
        for homey in homeys:
            self.counts["refreshes"][homey, "renewed", ""] += 0
            self.counts["calls"][homey, "2xx"] += 0
            for name in ("sign_ins", "recoveries", "revocations"):
                self.counts[name][homey,] += 0
        return {name: dict(values) for name, values in self.counts.items()}

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
        step = str(request.step)
        self._add("step_responses", step, f"{response.status // 100}xx")
        if self.durations is not None:
            seconds = (response.received_at - response.sent_at).total_seconds()
            self.durations.step.labels(step).observe(max(0.0, seconds))

    def on_call(self, homey: str, outcome: str, seconds: float) -> None:
        """Count a call through the API proxy and the time it took."""
        self._add("calls", homey, outcome)
        if self.durations is not None:
            self.durations.call.labels(homey).observe(max(0.0, seconds))

    def _add(self, name: str, *labels: str) -> None:
        self.counts[name][labels] += 1

    def _on_failure(self, event: RefreshFailed) -> None:
        outcome = "rejected" if event.action_needed else "failed"
        self._add("refreshes", event.homey, outcome, event.step)
        if event.action_needed:
            self._add("rejections", event.homey, event.kind)
