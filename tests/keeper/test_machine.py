"""Whatever happens to a machine, the judge of the simulated year finds no broken rule.

The simulation is that of ``bench/year.py``: a cloud in memory, and a loop that skips all waiting.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bench.simyear.limits import REJECTED_A_DAY
from bench.simyear.machine import NAME
from bench.simyear.play import Year
from bench.simyear.values import ACCOUNTS, API, HOSTS, HUB, Fault
from homey_tokend.core.status import Health

MINUTE, HOUR = 60.0, 3600.0
SPANS = st.sampled_from([0.01, 0.5, 5.0, MINUTE, 20 * MINUTE, 2 * HOUR, 11 * HOUR, 25 * HOUR])
SHORT = st.sampled_from([0.01, 0.5, 30.0, 20 * MINUTE])


class Life(RuleBasedStateMachine):
    """A machine, its cloud and its users."""

    def __init__(self) -> None:
        super().__init__()
        self.year = Year(seed=1, days=1)
        self.machine, self.cloud, self.judge = self.year.machine, self.year.cloud, self.year.judge
        self.generation = 0
        asyncio.set_event_loop(self.year.loop)
        self.run(self.machine.start())

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        self.year.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.machine.kill())
        self.year.loop.close()
        asyncio.set_event_loop(None)

    async def _pass(self, seconds: float) -> None:
        """Let time pass; a reader checks again and again."""
        end = self.year.loop.time() + seconds
        while (left := end - self.year.loop.time()) > 0:
            await asyncio.sleep(min(left, self.year.seconds_to_next_observation()))
            self.judge.observe()
            if self.year.is_blocked():
                await self.machine.heartbeat()

    # --- what may happen ---

    @rule(seconds=SPANS)
    def time_passes(self, seconds: float) -> None:
        self.run(self._pass(seconds))

    @rule(
        hosts=st.sampled_from([HOSTS, (ACCOUNTS,), (API,), (HUB,)]),
        kind=st.sampled_from(["down", "hang", "reset", "portal", "offline", "503"]),
        seconds=SPANS,
    )
    def host_has_a_fault(self, hosts: tuple[str, ...], kind: str, seconds: float) -> None:
        until = self.cloud.clock.truth() + timedelta(seconds=seconds)
        for host in hosts:
            self.cloud.begin_fault(Fault(host, kind, until))

    @rule(host=st.sampled_from(HOSTS), wait=st.sampled_from(["", "30", "7200", "soon", "9" * 11]))
    def host_is_busy(self, host: str, wait: str) -> None:
        until = self.cloud.clock.truth() + timedelta(minutes=10)
        self.cloud.begin_fault(Fault(host, "busy", until, wait))

    @rule()
    def sessions_are_revoked(self) -> None:
        self.run(self.year.incidents.revoke())

    @rule(hours=st.sampled_from([-20, -5, 5, 20]))
    def clock_is_set(self, hours: int) -> None:
        self.machine.set_clock(timedelta(hours=hours))
        self.run(self.machine.heartbeat())

    @rule()
    def clock_is_right_again(self) -> None:
        self.machine.set_clock(timedelta(0))
        self.run(self.machine.heartbeat())

    @rule(hours=st.integers(1, 30))
    def machine_sleeps(self, hours: int) -> None:
        self.machine.suspend(timedelta(hours=hours))
        self.run(self.machine.heartbeat())

    @precondition(lambda self: self.cloud.clock.error == timedelta(0))
    @rule(seconds=SHORT)
    def process_is_killed(self, seconds: float) -> None:
        self.run(self.machine.kill())
        self.run(self._pass(seconds))
        self.run(self.machine.start())

    @rule()
    def password_is_changed(self) -> None:
        if self.machine.password == self.cloud.password:
            self.cloud.password = f"right-{self.year.loop.time()}"

    @rule()
    def password_is_corrected(self) -> None:
        self.machine.correct_password()
        self.run(self.machine.heartbeat())

    @rule(full=st.booleans())
    def disk_is_full(self, full: bool) -> None:
        self.machine.disk.full = full

    @rule()
    def person_changes_the_variable(self) -> None:
        self.run(self.year.incidents.variable_changed())

    @rule()
    def person_requests_a_refresh(self) -> None:
        self.run(self.year.incidents.refresh_by_person())

    @rule(hours=st.sampled_from([1, 12, 20, 30]), wait=st.integers(0, 30))
    def somebody_requests_a_token(self, hours: int, wait: int) -> None:
        assert self.machine.supervisor is not None
        asked = self.machine.supervisor.token_for(
            NAME, timedelta(hours=hours), timedelta(seconds=wait)
        )
        self.run(asked)

    # --- invariants ---

    @invariant()
    def nothing_is_broken(self) -> None:
        """No expired token, none withheld, none older than before, none missed."""
        self.judge.observe()

        assert [] == self.judge.broken + self.machine.bugs
        assert self.judge.limits.rejected_a_day() <= REJECTED_A_DAY

    @invariant()
    def generation_never_goes_back(self) -> None:
        assert self.machine.keeper is not None
        generation = self.machine.keeper.state.generation

        assert generation >= self.generation
        self.generation = generation

    @invariant()
    def view_agrees_with_itself(self) -> None:
        assert self.machine.keeper is not None
        view, state = self.machine.keeper.view, self.machine.keeper.state

        assert (view.token is None) == (view.health in {Health.STARTING, Health.DOWN})
        assert view.token is None or view.token.generation <= state.generation
        assert all((each.generation or 0) <= state.generation for each in view.sinks)
        assert view.refreshing == (view.next_at is None)

    @invariant()
    def at_rest_when_idle(self) -> None:
        """An idle keeper has a job scheduled, and does not spin until then."""
        keeper = self.machine.keeper
        assert keeper is not None
        if keeper.idle:
            assert NAME in self.machine.schedule.jobs


@pytest.mark.timeout(180)
def test_life() -> None:
    """Outages, renewals, restarts, set clocks, people and full disks in any order."""
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # At most twenty steps, since hypothesis takes minutes to shorten longer ones.
            phases=set(Phase) - {Phase.shrink},
        ),
    )


def test_a_suspend_during_a_refresh() -> None:
    """The judge ignores what the machine could not do during suspend."""
    life = Life()
    life.somebody_requests_a_token(hours=1, wait=2)
    life.machine_sleeps(hours=1)
    life.nothing_is_broken()
    life.time_passes(HOUR)
    life.nothing_is_broken()
    held = life.machine.served()
    life.teardown()

    assert held is not None
