"""Tells what happened to one Homey's token: to the log, and to whoever listens.

The log is for people who look for a cause; ``happenings`` are for events and
metrics. Both are told here, so that neither knows what the other does not.
"""

from datetime import datetime

import structlog

from homey_tokend.core import events
from homey_tokend.core.errors import Rejected, TokendError
from homey_tokend.core.status import View
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Bearer, DeliveryResult, Token

log = structlog.get_logger()


class Reporter:
    """One Homey's.

    Args:
        homey: Its name.
        tell: Who listens.
    """

    def __init__(self, homey: str, tell: events.Emit) -> None:
        self._homey = homey
        self._tell = tell

    def renewed(self, token: Token, bearer: Bearer, at: datetime) -> None:
        """A fresh token is held and served."""
        log.info(
            "token.renewed",
            homey=self._homey,
            generation=token.generation,
            fingerprint=token.fingerprint(),
            expires_at=stamp(token.expires_at),
            proved=bearer.proved,
            note=bearer.note,
        )
        self._tell(
            events.TokenRenewed(
                self._homey,
                at,
                generation=token.generation,
                fingerprint=token.fingerprint(),
                issued_at=token.issued_at,
                expires_at=token.expires_at,
                proved=bearer.proved,
            )
        )

    def recovered(self, failures: int, at: datetime) -> None:
        """A refresh went well after so many that failed."""
        log.info("refresh.recovered", homey=self._homey, failures=failures)
        self._tell(events.RefreshRecovered(self._homey, at, failures))

    def failed(self, error: TokendError, view: View, at: datetime, *, grave: bool) -> None:
        """A refresh failed; ``view`` shows what comes of it.

        Args:
            error: What went wrong.
            view: The Homey as it is now.
            at: Now.
            grave: A person is needed, or the held token is about to end.
        """
        failures = view.trouble.count if view.trouble else 1
        (log.error if grave else log.warning)(
            "refresh.failed",
            homey=self._homey,
            kind=error.kind,
            step=str(error.step),
            reason=error.message,
            remedy=error.remedy,
            failures=failures,
            next_try=stamp(view.next_at),
            outage_at=stamp(view.outage_at),
        )
        self._tell(
            events.RefreshFailed(
                self._homey,
                at,
                kind=error.kind,
                step=str(error.step),
                message=error.message,
                remedy=error.remedy,
                action_needed=isinstance(error, Rejected),
                failures=failures,
                next_try=view.next_at,
                outage_at=view.outage_at,
            )
        )

    def revoked(self, generation: int, at: datetime) -> None:
        """The Homey takes the token no longer."""
        log.warning("token.revoked", homey=self._homey, generation=generation)
        self._tell(events.TokenRevoked(self._homey, at, generation))

    def delivered(self, sink: str, generation: int, result: DeliveryResult, at: datetime) -> None:
        """A sink has the token."""
        log.info(
            "sink.delivered",
            homey=self._homey,
            sink=sink,
            generation=generation,
            detail=result.detail,
        )
        self._tell(events.TokenDelivered(self._homey, at, sink, generation))

    def undelivered(self, sink: str, generation: int, error: TokendError, at: datetime) -> None:
        """A sink did not take the token."""
        action_needed = isinstance(error, Rejected)
        (log.error if action_needed else log.warning)(
            "sink.failed",
            homey=self._homey,
            sink=sink,
            generation=generation,
            kind=error.kind,
            reason=error.message,
            remedy=error.remedy,
        )
        self._tell(
            events.DeliveryFailed(
                self._homey,
                at,
                sink,
                generation,
                kind=error.kind,
                message=error.message,
                remedy=error.remedy,
                action_needed=action_needed,
            )
        )


def stamp(at: datetime | None) -> str | None:
    """An instant as log lines show it."""
    return None if at is None else rfc3339(at)
