"""A scheduler whose jobs run when the test moves a FakeClock."""

from collections.abc import Callable
from datetime import datetime

from homey_tokend.core.ports import Clock


class FakeSchedule:
    """``ports.Scheduler``: run jobs when the test says so, at the requested instants."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.appointments: dict[str, tuple[datetime, Callable[[], None]]] = {}

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        self.appointments[name] = (at, wake)

    def forget(self, name: str) -> None:
        self.appointments.pop(name, None)

    def next(self) -> datetime | None:
        """Return the time of the first job, if there is one."""
        return min((at for at, _ in self.appointments.values()), default=None)

    def run_due(self) -> int:
        """Run all jobs that are due, and return how many they were."""
        now = self.clock.now()
        due = [(name, wake) for name, (at, wake) in self.appointments.items() if at <= now]
        for name, wake in due:
            del self.appointments[name]
            wake()
        return len(due)
