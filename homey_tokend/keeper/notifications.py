"""Send notifications about refreshes: one at a time for each notifier, and only the latest.

If a notifier fails or hangs, this is logged, and the next change is sent to it. It delays
neither other notifiers nor the delivery of tokens.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from homey_tokend.core.errors import Rejected, TokendError, Transient
from homey_tokend.core.events import Event, LogEntry, RefreshFailed, RefreshRecovered, TokenRenewed
from homey_tokend.core.ports import Notification, Notifier
from homey_tokend.core.tokens import Token

log = structlog.get_logger()


@dataclass(slots=True)
class _Recipient:
    """A notifier, the summary of its last notification, and the notification that is waiting."""

    notifier: Notifier
    reported: str = ""
    waiting: Notification | None = None
    task: asyncio.Task[None] | None = None


class Notifications:
    """One Homey's notifiers.

    Args:
        homey: Its name.
        notifiers: The notifiers.
        done: Called after each notification, successful or not.
        deadline_s: The longest time in seconds for one notification.
    """

    def __init__(
        self,
        homey: str,
        notifiers: Iterable[Notifier],
        done: Callable[[], None],
        deadline_s: float,
    ) -> None:
        self._homey = homey
        self._recipients = [_Recipient(notifier) for notifier in notifiers]
        self._done = done
        self._deadline_s = deadline_s

    @property
    def busy(self) -> bool:
        """Return whether a notification is being sent."""
        return any(one.task is not None for one in self._recipients)

    def post(self, event: Event | LogEntry, token: Token | None) -> None:
        """Notify all notifiers of an event about refreshing; do not wait for them.

        Args:
            event: The event.
            token: The current token if it is valid.
        """
        if isinstance(event, TokenRenewed | RefreshFailed | RefreshRecovered):
            for recipient in self._recipients:
                recipient.waiting = Notification(event, token)
                self._next(recipient)

    async def stop(self) -> None:
        """Cancel running notifications."""
        tasks = [one.task for one in self._recipients if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _next(self, recipient: _Recipient) -> None:
        if recipient.task is not None or recipient.waiting is None:
            return
        notification, recipient.waiting = recipient.waiting, None
        summary = recipient.notifier.summary(notification)
        if summary and summary != recipient.reported:
            name = f"{self._homey}:{recipient.notifier.target}"
            recipient.task = asyncio.create_task(
                self._notify(recipient, notification, summary), name=name
            )
        elif not summary:
            recipient.reported = ""

    async def _notify(
        self, recipient: _Recipient, notification: Notification, summary: str
    ) -> None:
        recipient.reported = ""
        target = recipient.notifier.target
        try:
            async with asyncio.timeout(self._deadline_s):
                await recipient.notifier.notify(notification)
            recipient.reported = summary
            log.info("notification.delivered", homey=self._homey, sink=target)
        except TimeoutError:
            self._failed(target, Transient(f"no success within {self._deadline_s:.0f} s"))
        except TokendError as error:
            self._failed(target, error)
        except Exception:
            log.exception("internal.error", homey=self._homey)
        finally:
            recipient.task = None
        self._next(recipient)
        self._done()

    def _failed(self, target: str, error: TokendError) -> None:
        (log.error if isinstance(error, Rejected) else log.warning)(
            "notification.failed",
            homey=self._homey,
            sink=target,
            kind=error.kind,
            reason=error.message,
            remedy=error.remedy,
        )
