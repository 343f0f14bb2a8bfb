"""Run a flow of this package over a transport."""

from collections.abc import Callable
from typing import TypeVar

from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Flow, Request, Response
from homey_tokend.core.ports import Transport

T = TypeVar("T")
OnResponse = Callable[[Request, Response], None]


async def run_flow(flow: Flow[T], transport: Transport, on_response: OnResponse | None = None) -> T:
    """Send the requests that a flow yields, send it the responses, and return its value.

    A failure of the transport is thrown into the flow, which may know what to do without
    that answer.

    Raises:
        TokendError: what the flow raises or does not catch.
    """
    try:
        request = next(flow)
        while True:
            try:
                response = await transport.send(request)
            except TokendError as error:
                request = flow.throw(error)
            else:
                if on_response is not None:
                    on_response(request, response)
                request = flow.send(response)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        flow.close()
