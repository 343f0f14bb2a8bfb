"""The jobs of a keeper: each runs in a task of its own and returns a message.

A job makes no decisions and changes no state. A failure is part of its message; an unexpected
exception is, too, and is logged, so that it does not end the keeper.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from homey_tokend.athom.exchange import verify_bearer
from homey_tokend.athom.flow import run_flow
from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.errors import TokendError, Transient
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.messages import (
    CheckFinished,
    CredentialsRead,
    DeliveryFinished,
    RefreshFinished,
    VerificationFinished,
)
from homey_tokend.core.ports import CheckableSink, ProbedSink, Sink, Transport
from homey_tokend.core.tokens import Delivery, Token
from homey_tokend.keeper.sign_in import SignIn

log = structlog.get_logger()
#: The longest time in seconds for one delivery, in case a sink's own limit does not work.
DEADLINE_S = 120.0
T = TypeVar("T")


async def refresh(
    sign_in: SignIn, state: HomeyState, activity: Activity, settings: RefreshSettings
) -> RefreshFinished:
    """Attempt to get a new bearer."""
    result = await _result(state.name, sign_in.attempt(state, activity, settings))
    return RefreshFinished(state.generation, result, sign_in.progress)


async def read_credentials(homey: str, sign_in: SignIn) -> CredentialsRead:
    """Read the credentials again."""
    result = await _result(homey, sign_in.read_values())
    if isinstance(result, TokendError):
        log.debug("credentials.unreadable", homey=homey, reason=result.message)
    return CredentialsRead(changed=result is True, sign_in=sign_in.progress)


async def verify(homey: str, transport: Transport, token: Token) -> VerificationFinished:
    """Ask the Homey whether it accepts the token."""
    flow = verify_bearer(token.url, token.value, issued_at=token.issued_at)
    result = await _result(homey, run_flow(flow, transport))
    return VerificationFinished(token.generation, result)


async def deliver(sink: Sink, delivery: Delivery, deadline_s: float) -> DeliveryFinished:
    """Deliver the token to a sink."""
    late = f"the sink took longer than {deadline_s:.0f} s"
    work = _within(deadline_s, sink.write(delivery), late)
    result = await _result(delivery.homey, work)
    return DeliveryFinished(sink.target, delivery.token.generation, result)


async def check(sink: CheckableSink, delivery: Delivery, deadline_s: float) -> CheckFinished:
    """Check whether a sink still has the token."""
    work = _within(deadline_s, sink.check(delivery), "the sink could not be checked in time")
    result = await _result(delivery.homey, work)
    return CheckFinished(sink.target, delivery.token.generation, result)


async def probe(homey: str, sink: ProbedSink) -> None:
    """Log if a sink cannot be written, at the start and not only at the first delivery."""
    try:
        await sink.probe()
    except TokendError as error:
        log.error(
            "sink.unusable",
            homey=homey,
            sink=sink.target,
            reason=error.message,
            remedy=error.remedy,
        )


async def _within(deadline_s: float, work: Awaitable[T], late: str) -> T:
    try:
        async with asyncio.timeout(deadline_s):
            return await work
    except TimeoutError:
        raise Transient(late) from None


async def _result(homey: str, work: Awaitable[T]) -> T | TokendError:
    try:
        return await work
    except TokendError as error:
        return error
    except Exception:
        # A message is returned even if logging fails, otherwise the keeper waits for ever.
        with contextlib.suppress(Exception):
            log.exception("internal.error", homey=homey)
        return TokendError(
            "an internal error; the log has its traceback", remedy="Please report it."
        )
