"""What a year brings: a described mix, drawn from the seed and played on the machine.

A year has about: 60 short outages of one host (half of them amid a refresh or while the
variable is written), 3 of a day, 30 of the Homey alone, 30 storms of 429 with every kind of
Retry-After, 10 captive portals with a wrong clock, 10 times a slow host, 12 times a Homey that is
slow only with its variable while newer tokens come, 8 times unknown answers to the password, 12
times sessions that the Homey accepts late, 6 times sessions that it never accepts, 12 revoked
sessions, 3 changed passwords that are corrected days later, with kills, forced refreshes and other
wrong passwords meanwhile, 12 set clocks (half of them for days), 8 boots with a wrong clock before
a host asks to wait until a date, 3 boots in 1970, 20 suspends, 60 kills (40 within a refresh, at
any moment and between any two steps of any task), a crash loop, 4 full disks, 10 variables changed
and 6 deleted by a person, 50 refreshes by a person and 150 requests for a longer lifetime. Fewer
days bring fewer of each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random

import structlog

from bench.simyear.cloud import Cloud
from bench.simyear.loop import BEGIN
from bench.simyear.machine import NAME, Machine
from bench.simyear.values import ACCOUNTS, API, HOSTS, HUB, Fault
from homey_tokend.core.http_types import Step

log = structlog.get_logger()
YEAR_DAYS, DAY_S, HOUR = 365, 86400.0, 3600.0
#: About how many turns of the loop a refresh takes.
REFRESH_TURNS = 120
EPOCH = datetime(1970, 1, 1, tzinfo=BEGIN.tzinfo)
#: The interval of heartbeats (``runtime.scheduler.HEARTBEAT``).
HEARTBEAT_S = 30.0
Action = Callable[[], Awaitable[None]]


class Incidents:
    """Play the mix; each kind is a method that plays one incident from beginning to end."""

    def __init__(self, machine: Machine, cloud: Cloud, random: Random) -> None:
        self._machine = machine
        self._cloud = cloud
        self._random = random

    def plan(self, days: int) -> list[tuple[float, Action]]:
        """Return when (seconds from the start) each incident begins, in order."""
        mix: list[tuple[int, Action]] = [
            (60, self.short_outage),
            (3, self.day_outage),
            (30, self.hub_offline),
            (30, self.busy),
            (10, self.portal),
            (10, self.slow),
            (12, self.slow_variable),
            (8, self.unknown),
            (12, self.late_session),
            (6, self.dead_session),
            (12, self.revoke),
            (3, self.password_changed),
            (6, self.clock_set),
            (6, self.clock_wrong_for_days),
            (8, self.busy_with_a_wrong_clock),
            (3, self.boot_without_a_clock),
            (20, self.suspend),
            (20, self.kill),
            (20, self.kill_in_refresh),
            (20, self.kill_between_steps),
            (1, self.crash_loop),
            (4, self.disk_full),
            (10, self.variable_changed),
            (6, self.variable_deleted),
            (50, self.refresh_by_person),
            (150, self.request_longer_token),
        ]
        # Nothing new begins in the last three days, so that what has begun can end.
        last = (days - 3) * DAY_S
        drawn = [
            (self._random.uniform(HOUR, last), act)
            for count, act in mix
            for _ in range(max(1, round(count * days / YEAR_DAYS)))
        ]
        return sorted(drawn, key=lambda one: one[0])

    # --- hosts ---

    def _fault(self, host: str, kind: str, seconds: float, retry_after: str = "") -> None:
        until = self._machine.clock.truth() + timedelta(seconds=seconds)
        self._cloud.begin_fault(Fault(host, kind, until, retry_after))

    async def _wait_for_step(self, step: Step) -> None:
        """Wait until the cloud is next asked for this step."""
        begun = asyncio.Event()
        self._cloud.at_step.setdefault(step, []).append(begun.set)
        await begun.wait()

    async def _sometimes_wait_for_refresh(self) -> str:
        """Wait for a refresh in half of the cases: few faults of an hour would meet one by chance.

        Returns:
            The host that gets the fault.
        """
        if self._random.random() < 0.5:
            return self._random.choice(HOSTS)
        step, host = self._random.choice([
            (Step.LOGIN, ACCOUNTS),
            (Step.TOKEN, API),
            (Step.HOMEY_LOGIN, HUB),
            (Step.SESSION, HUB),
            (Step.VARIABLE, HUB),
        ])  # fmt: skip
        if host == HUB:  # during a refresh, not at a later verification
            await self._wait_for_step(Step.DELEGATION)
        await self._wait_for_step(step)
        if self._random.random() < 0.5:  # else the fault hits this very request
            await asyncio.sleep(self._random.uniform(0, 1))
        return host

    async def short_outage(self) -> None:
        kind = self._random.choice(["down", "503", "hang", "reset"])
        host = await self._sometimes_wait_for_refresh()
        self._fault(host, kind, self._random.uniform(60, 1800))

    async def day_outage(self) -> None:
        kind, seconds = self._random.choice(["down", "503"]), self._random.uniform(12, 30) * HOUR
        for host in self._random.choice([(ACCOUNTS,), (API,), (ACCOUNTS, API), HOSTS]):
            self._fault(host, kind, seconds)

    async def hub_offline(self) -> None:
        self._fault(HUB, "offline", self._random.uniform(600, 10 * HOUR))

    async def busy(self) -> None:
        if self._random.random() < 0.3:  # while no token is left
            await self.revoke()
        host, now = await self._sometimes_wait_for_refresh(), self._machine.clock.truth()
        asked = self._random.choice(
            ["", "30", "600", "soon", "-5", "99999999999", "7200", "86400", "999999999"]
            + 2 * ["on"]
        )
        if asked == "on":  # a date, in minutes or in days
            asked = format_datetime(
                (now + timedelta(hours=self._random.choice([0.1, 50]))).replace(microsecond=0),
                usegmt=True,
            )
        self._fault(host, "busy", self._random.uniform(300, HOUR), asked)

    async def slow(self) -> None:
        host = await self._sometimes_wait_for_refresh()
        self._fault(host, "slow", self._random.uniform(600, 3 * HOUR))

    async def slow_variable(self) -> None:
        """Renew while the Homey is still busy with the write before."""
        self._fault(HUB, "slow_variable", 600)
        for _ in range(3):
            await self.refresh_by_person()
            await asyncio.sleep(self._random.uniform(60, 70))

    async def unknown(self) -> None:
        await self._wait_for_step(Step.LOGIN)
        self._fault(ACCOUNTS, "unknown", self._random.uniform(1, 2 * HOUR))

    async def late_session(self) -> None:
        await self._wait_for_step(Step.DELEGATION)
        self._fault(HUB, "late_session", 60)

    async def dead_session(self) -> None:
        await self._wait_for_step(Step.DELEGATION)
        self._fault(HUB, "dead_session", self._random.uniform(10, HOUR))

    async def portal(self) -> None:
        seconds = self._random.uniform(300, 2 * HOUR)
        for host in HOSTS:
            self._fault(host, "portal", seconds)

    async def revoke(self) -> None:
        log.info("sessions.revoked")
        self._machine.before_change()
        for session in self._cloud.sessions.values():
            session.revoked_at = session.revoked_at or self._machine.clock.truth()

    # --- people ---

    async def password_changed(self) -> None:
        self._machine.before_change()
        log.info("password.changed")
        self._cloud.password = f"right-{self._random.random()}"
        if self._random.random() < 0.5:
            await self.revoke()  # a changed password may or may not do this
        for _ in range(self._random.randint(3, 12)):
            await asyncio.sleep(self._random.uniform(0.02, 0.4) * DAY_S)
            await self._random.choice([self.kill, self.force, self.wrong_password_written])()
        self._machine.correct_password()
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def wrong_password_written(self) -> None:
        """Write down another password that is wrong, too."""
        self._machine.correct_password(f"wrong-{self._random.random()}")
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def variable_changed(self) -> None:
        log.info("variable.changed")
        if self._cloud.variable is not None:
            self._cloud.variable = "what a person wrote"

    async def variable_deleted(self) -> None:
        log.info("variable.deleted")
        self._cloud.variable = None

    async def refresh_by_person(self) -> None:
        if self._machine.password == self._cloud.password:
            await self.force()

    async def force(self) -> None:
        """Ask for a refresh as a person does, whether the password is right or not."""
        keeper, supervisor = self._machine.keeper, self._machine.supervisor
        if keeper is None or supervisor is None:
            return
        log.info("refresh.forced")
        if not keeper.activity.refreshing:
            self._cloud.person_at = self._machine.clock.truth()
        await supervisor.refresh(NAME, timedelta(seconds=30))
        self._cloud.person_at = None

    async def request_longer_token(self) -> None:
        if self._machine.supervisor is not None:
            ttl = timedelta(hours=self._random.choice([1, 12, 20, 30]))
            await self._machine.supervisor.token_for(NAME, ttl, timedelta(seconds=30))

    # --- the machine ---

    async def clock_set(self) -> None:
        error = timedelta(minutes=self._random.uniform(-360, 360))
        await self._sometimes_wait_for_refresh()
        await asyncio.sleep(self._random.uniform(0, HOUR))
        self._machine.set_clock(error)
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()
        await asyncio.sleep(self._random.uniform(60, HOUR))
        self._machine.set_clock(timedelta(0))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def clock_wrong_for_days(self) -> None:
        """Leave the clock wrong for days, over several refreshes."""
        self._machine.set_clock(timedelta(hours=self._random.uniform(-72, 72)))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()
        await asyncio.sleep(self._random.uniform(0.2, 3) * DAY_S)
        self._machine.set_clock(timedelta(0))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def busy_with_a_wrong_clock(self) -> None:
        """Ask for a wait until a date after a boot with a clock that is two days ahead.

        Not after rejections or several sign-ins: such a clock hides how recent they are.
        """
        today = self._machine.clock.truth() - timedelta(days=1)
        recent = [one for one in self._cloud.logins[-3:] if one.at > today]
        if len(recent) == 3 or self._machine.password != self._cloud.password:
            return
        await self._machine.kill()
        await asyncio.sleep(self._random.uniform(10, 600))
        if self._machine.running:
            return
        self._machine.clock.reboot()
        self._machine.set_clock(timedelta(hours=50))
        await self._machine.start()
        await self._wait_for_step(Step.LOGIN)
        until = self._machine.clock.truth() + timedelta(minutes=self._random.uniform(3, 9))
        date = format_datetime(until.replace(microsecond=0), usegmt=True)
        self._fault(ACCOUNTS, "busy", self._random.uniform(300, HOUR), date)
        await asyncio.sleep(self._random.uniform(1, 3) * HOUR)
        self._machine.set_clock(timedelta(0))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def boot_without_a_clock(self) -> None:
        """Boot without a hardware clock: the time is in 1970 until it is set."""
        await self._machine.kill()
        await asyncio.sleep(self._random.uniform(10, 600))
        if self._machine.running:
            return
        self._machine.clock.reboot()
        self._machine.set_clock(EPOCH - self._machine.clock.truth())
        await self._machine.start()
        await asyncio.sleep(self._random.uniform(1, 600))
        self._machine.set_clock(timedelta(0))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def suspend(self) -> None:
        self._machine.suspend(timedelta(hours=self._random.uniform(1, 12)))
        await asyncio.sleep(self._random.uniform(0, HEARTBEAT_S))
        await self._machine.heartbeat()

    async def kill(self) -> None:
        await self._machine.kill()
        await asyncio.sleep(self._random.uniform(0.1, 600))
        if not self._machine.running:
            if int(self._machine.clock.elapsed()) % 2:
                self._machine.clock.reboot()
            await self._machine.start()

    async def kill_in_refresh(self) -> None:
        step, seconds = self._random.choice([(Step.LOGIN, 4.0), (Step.HOMEY_LOGIN, 1.0)])
        await self._wait_for_step(step)
        await asyncio.sleep(self._random.uniform(0, seconds))
        await self.kill()

    async def kill_between_steps(self) -> None:
        """Kill between any two steps of any task of a refresh, a write or a delivery."""
        await self._wait_for_step(Step.LOGIN)
        dies = asyncio.Event()
        self._machine.loop.call_after_turns(self._random.randint(1, REFRESH_TURNS), dies.set)
        await dies.wait()
        await self.kill()

    async def crash_loop(self) -> None:
        """Revoke the token and kill each process as soon as its password has gone out."""
        await self.revoke()
        async with asyncio.timeout(2 * HOUR):
            for _ in range(20):
                await self._wait_for_step(Step.AUTHORISE)
                await self._machine.kill()
                await self._machine.start()

    async def disk_full(self) -> None:
        log.info("disk.full")
        self._machine.disk.full = True
        await asyncio.sleep(self._random.uniform(1, 48) * HOUR)
        self._machine.disk.full = False
