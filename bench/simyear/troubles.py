"""What a year brings: a described mix, drawn from the seed and played on the machine.

A year has about: 60 short outages of one host, 3 of a day, 30 of the Homey alone,
15 storms of 429, 10 captive portals, 12 revoked sessions, 2 changed passwords that
are corrected days later, 6 set clocks, 20 suspends, 40 kills (half of them within
a refresh), a crash loop, 4 full disks, 10 variables changed and 6 deleted by a person, 50
refreshes by a person and 150 askers for more life. Fewer days bring fewer of each.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

from bench.simyear.cloud import ACCOUNTS, API, HOSTS, HUB, Cloud, Trouble
from bench.simyear.machine import NAME, Machine
from homey_tokend.model import Step

YEAR_DAYS, DAY_S, HOUR = 365, 86400.0, 3600.0
#: How long may a heartbeat be away? (schedule.HEARTBEAT)
BEAT_S = 30.0
Act = Callable[[], Awaitable[None]]


class Troubles:
    """Plays the mix; every kind is a method that plays one case from its beginning to its end."""

    def __init__(self, machine: Machine, cloud: Cloud, chance: Random) -> None:
        self._machine = machine
        self._cloud = cloud
        self._chance = chance
        self.person_refreshes = 0

    def plan(self, days: int) -> list[tuple[float, Act]]:
        """Instants (seconds from the start) and what begins then, in order."""
        mix: list[tuple[int, Act]] = [
            (60, self.short_outage),
            (3, self.day_outage),
            (30, self.hub_offline),
            (15, self.busy),
            (10, self.portal),
            (12, self.revoke),
            (2, self.password_changed),
            (6, self.clock_set),
            (20, self.suspend),
            (20, self.kill),
            (20, self.kill_in_refresh),
            (1, self.crash_loop),
            (4, self.disk_full),
            (10, self.variable_changed),
            (6, self.variable_deleted),
            (50, self.person_refreshes_it),
            (150, self.asker),
        ]
        # Nothing new begins in the last three days, so that what has begun can end.
        last = (days - 3) * DAY_S
        drawn = [
            (self._chance.uniform(HOUR, last), act)
            for count, act in mix
            for _ in range(max(1, round(count * days / YEAR_DAYS)))
        ]
        return sorted(drawn, key=lambda one: one[0])

    # --- hosts ---

    def _trouble(self, host: str, kind: str, seconds: float, retry_after: str = "") -> None:
        until = self._machine.clock.truth() + timedelta(seconds=seconds)
        self._cloud.fall_ill(Trouble(host, kind, until, retry_after))

    async def _begun(self, step: Step) -> None:
        """When the cloud is next asked for this step."""
        begun = asyncio.Event()
        self._cloud.at_step.setdefault(step, []).append(begun.set)
        await begun.wait()

    async def _perhaps_amid_a_refresh(self) -> None:
        """Two refreshes a day are met by few troubles of an hour: half of them wait for one."""
        if self._chance.random() < 0.5:
            await self._begun(self._chance.choice([Step.LOGIN, Step.TOKEN, Step.HOMEY_LOGIN]))
            await asyncio.sleep(self._chance.uniform(0, 1))

    async def short_outage(self) -> None:
        kind = self._chance.choice(["down", "503", "hang", "reset"])
        await self._perhaps_amid_a_refresh()
        self._trouble(self._chance.choice(HOSTS), kind, self._chance.uniform(60, 1800))

    async def day_outage(self) -> None:
        kind, seconds = self._chance.choice(["down", "503"]), self._chance.uniform(12, 30) * HOUR
        for host in self._chance.choice([(ACCOUNTS,), (API,), (ACCOUNTS, API), HOSTS]):
            self._trouble(host, kind, seconds)

    async def hub_offline(self) -> None:
        self._trouble(HUB, "offline", self._chance.uniform(600, 10 * HOUR))

    async def busy(self) -> None:
        wait = self._chance.choice(["", "30", "120", "600", "soon", "-5", "99999999999"])
        await self._perhaps_amid_a_refresh()
        self._trouble(self._chance.choice(HOSTS), "busy", self._chance.uniform(300, HOUR), wait)

    async def portal(self) -> None:
        seconds = self._chance.uniform(300, 2 * HOUR)
        for host in HOSTS:
            self._trouble(host, "portal", seconds)

    async def revoke(self) -> None:
        self._machine.before()
        for session in self._cloud.sessions.values():
            session.revoked_at = session.revoked_at or self._machine.clock.truth()

    # --- people ---

    async def password_changed(self) -> None:
        self._machine.before()
        self._cloud.password = f"right-{self._chance.random()}"
        await asyncio.sleep(self._chance.uniform(1, 5) * DAY_S)
        self._machine.correct_password()
        await asyncio.sleep(self._chance.uniform(0, BEAT_S))
        await self._machine.beat()

    async def variable_changed(self) -> None:
        if self._cloud.variable is not None:
            self._cloud.variable = "what a person wrote"

    async def variable_deleted(self) -> None:
        self._cloud.variable = None

    async def person_refreshes_it(self) -> None:
        if self._machine.fleet is not None and self._machine.password == self._cloud.password:
            self.person_refreshes += 1
            await self._machine.fleet.refresh(NAME, timedelta(seconds=30))

    async def asker(self) -> None:
        if self._machine.fleet is not None:
            ttl = timedelta(hours=self._chance.choice([1, 12, 20, 30]))
            await self._machine.fleet.token_for(NAME, ttl, timedelta(seconds=30))

    # --- the machine ---

    async def clock_set(self) -> None:
        error = timedelta(minutes=self._chance.uniform(-360, 360))
        await self._perhaps_amid_a_refresh()
        await asyncio.sleep(self._chance.uniform(0, HOUR))
        self._machine.set_clock(error)
        await asyncio.sleep(self._chance.uniform(0, BEAT_S))
        await self._machine.beat()
        await asyncio.sleep(self._chance.uniform(60, HOUR))
        self._machine.set_clock(timedelta(0))
        await asyncio.sleep(self._chance.uniform(0, BEAT_S))
        await self._machine.beat()

    async def suspend(self) -> None:
        self._machine.suspend(timedelta(hours=self._chance.uniform(1, 12)))
        await asyncio.sleep(self._chance.uniform(0, BEAT_S))
        await self._machine.beat()

    async def kill(self) -> None:
        await self._machine.kill()
        await asyncio.sleep(self._chance.uniform(0.1, 600))
        if not self._machine.running:
            await self._machine.start()

    async def kill_in_refresh(self) -> None:
        step, seconds = self._chance.choice([(Step.LOGIN, 4.0), (Step.HOMEY_LOGIN, 1.0)])
        await self._begun(step)
        await asyncio.sleep(self._chance.uniform(0, seconds))
        await self.kill()

    async def crash_loop(self) -> None:
        """The token is void, and each process dies when its password has gone out."""
        await self.revoke()
        async with asyncio.timeout(2 * HOUR):
            for _ in range(20):
                await self._begun(Step.AUTHORISE)
                await self._machine.kill()
                await self._machine.start()

    async def disk_full(self) -> None:
        self._machine.disk.full = True
        await asyncio.sleep(self._chance.uniform(1, 48) * HOUR)
        self._machine.disk.full = False
