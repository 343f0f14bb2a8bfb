"""A fake TokenProvider: it has views, returns what a test set, and can hang."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homey_tokend.core.failure import LastError
from homey_tokend.core.secret import Secret
from homey_tokend.core.status import Health, RefreshResult, View
from homey_tokend.core.tokens import Token

#: No response but that of a token may contain this.
CANARY = "canary-4f7d2b91"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def token(
    life: timedelta = timedelta(hours=24), *, generation: int = 7, value: str = CANARY
) -> Token:
    """Return a token issued an hour ago, valid for ``life`` from now on."""
    return Token(
        Secret(value),
        generation,
        "https://abc.connect.athom.com",
        NOW - timedelta(hours=1),
        NOW + life,
    )


def view(name: str = "home", held: Token | None = None, **more: object) -> View:
    """Return a view that is healthy with a token, and down without one."""
    plain = View(
        name=name,
        health=Health.DOWN if held is None else Health.OK,
        url="https://abc.connect.athom.com",
        token=held,
        verified_at=None,
        refreshing=False,
        renew_at=None,
        next_at=None,
        next_reason="",
        last_error=None,
        outage_at=None,
        sign_in_blocked_until=None,
        refreshes=1,
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # any field of the view


def rejected() -> LastError:
    """Return the failure after a wrong password."""
    return LastError(
        NOW, "account_rejected", "login", "the account rejects the password", "Correct it.", 401, 3
    )


class FakeProvider:
    """Store views; ``renewed`` are those that appear when somebody waits for a token."""

    def __init__(self, *views: View) -> None:
        self.views = {one.name: one for one in views}
        self.time = NOW
        self.living = True
        self.renewed: dict[str, View] = {}
        self.refreshed: RefreshResult | None = None
        self.asked: list[tuple[str, timedelta, timedelta]] = []
        self.token_rejections: list[tuple[str, int, timedelta]] = []
        self.called = asyncio.Event()
        self.hang: asyncio.Event | None = None
        self.fault: Exception | None = None

    def names(self) -> Sequence[str]:
        return list(self.views)

    def view(self, name: str) -> View:
        if self.fault is not None:
            raise self.fault
        return self.views[name]

    def now(self) -> datetime:
        return self.time

    def alive(self) -> bool:
        return self.living

    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View:
        self.asked.append((name, min_ttl, wait))
        self.called.set()
        if self.hang is not None:
            await self.hang.wait()
        self.views.update(self.renewed)
        return self.views[name]

    async def refresh(self, name: str, wait: timedelta) -> RefreshResult:
        self.asked.append((name, timedelta(0), wait))
        if self.refreshed is not None:
            return self.refreshed
        self.views.update(self.renewed)
        return RefreshResult(self.views[name], done=name in self.renewed)

    async def token_rejected(self, name: str, generation: int, wait: timedelta) -> View:
        self.token_rejections.append((name, generation, wait))
        self.called.set()
        if self.hang is not None:
            await self.hang.wait()
        self.views.update(self.renewed)
        return self.views[name]

    async def asked_for(self, count: int) -> None:
        """Wait until so many have requested a token, or reported that theirs is rejected."""
        while len(self.asked) + len(self.token_rejections) < count:
            self.called.clear()
            await self.called.wait()
