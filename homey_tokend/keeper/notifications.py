"""Tells listeners how refreshing goes: one at a time each, the newest only, in nobody's way.

A listener that fails or hangs is logged and told again with the next change. It
holds up neither another one nor the delivery of a token.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from homey_tokend.core.errors import Rejected, TokendError, Transient
from homey_tokend.core.ports import Notification, Notifier

log = structlog.get_logger()
#: How long may one listener take? An exec sink has a shorter time of its own.
DEADLINE_S = 120.0


@dataclass(slots=True)
class _Ear:
    """A listener with what it was told last, and what waits for it."""

    listener: Notifier
    told: str = ""
    waiting: Notification | None = None
    task: asyncio.Task[None] | None = None


class Notifications:
    """One Homey's listeners.

    Args:
        homey: Its name.
        listeners: Who is told, by target.
        done: Called each time a listener has been told, or has failed.
    """

    def __init__(
        self, homey: str, listeners: Mapping[str, Notifier], done: Callable[[], None]
    ) -> None:
        self._homey = homey
        self._ears = [_Ear(listener) for listener in listeners.values()]
        self._done = done

    @property
    def busy(self) -> bool:
        """Whether somebody is being told."""
        return any(ear.task is not None for ear in self._ears)

    def take(self, notice: Notification) -> None:
        """Tell everybody for whom this is news; come back at once."""
        for ear in self._ears:
            ear.waiting = notice
            self._go_on(ear)

    async def stop(self) -> None:
        """Tell nobody any more."""
        tasks = [ear.task for ear in self._ears if ear.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, ear: _Ear) -> None:
        if ear.task is not None or ear.waiting is None:
            return
        notice, ear.waiting = ear.waiting, None
        news = ear.listener.news(notice)
        if news and news != ear.told:
            name = f"{self._homey}:{ear.listener.target}"
            ear.task = asyncio.create_task(self._tell(ear, notice, news), name=name)
        elif not news:
            ear.told = ""

    async def _tell(self, ear: _Ear, notice: Notification, news: str) -> None:
        ear.told = ""
        try:
            async with asyncio.timeout(DEADLINE_S):
                await ear.listener.hear(notice)
            ear.told = news
            log.info("notification.delivered", homey=self._homey, sink=ear.listener.target)
        except TimeoutError:
            self._failed(ear, Transient(f"it took longer than {DEADLINE_S:.0f} s"))
        except TokendError as error:
            self._failed(ear, error)
        except Exception:
            log.exception("internal.error", homey=self._homey)
        finally:
            ear.task = None
        self._go_on(ear)
        self._done()

    def _failed(self, ear: _Ear, error: TokendError) -> None:
        (log.error if isinstance(error, Rejected) else log.warning)(
            "notification.failed",
            homey=self._homey,
            sink=ear.listener.target,
            kind=error.kind,
            reason=error.message,
            remedy=error.remedy,
        )
