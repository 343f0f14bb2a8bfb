"""Runs a conversation of ``flow`` over a transport."""

from collections.abc import Callable
from typing import TypeVar

from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Flow, Request, Response
from homey_tokend.core.ports import Transport

T = TypeVar("T")
OnResponse = Callable[[Request, Response], None]


def _unheard(_request: Request, _response: Response) -> None:
    """Nobody listens."""


async def run_flow(conversation: Flow[T], transport: Transport, heard: OnResponse = _unheard) -> T:
    """Send what the conversation yields, hand it the answers, return its value.

    A failure of the transport is thrown into the conversation, which may know
    what to do without that answer. ``heard`` is told of every answer.

    Raises:
        TokendError: whatever the conversation raises or does not catch.
    """
    try:
        request = next(conversation)
        while True:
            try:
                response = await transport.send(request)
            except TokendError as error:
                request = conversation.throw(error)
            else:
                heard(request, response)
                request = conversation.send(response)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        conversation.close()
