"""Running a flow with a transport."""

import asyncio
from collections.abc import Generator

import pytest

from homey_tokend.athom.flow import run_flow
from homey_tokend.core.errors import ServerError, TokendError, Unreachable
from homey_tokend.core.http_types import Request, Response, Step
from tests.athom.scenes import answer

FIRST = Request(Step.LOGIN, "POST", "https://one.example")
SECOND = Request(Step.TOKEN, "POST", "https://two.example")
LOST = Unreachable("no route", sent=False)


class Scripted:
    """A transport that gives scripted responses, and records the requests."""

    def __init__(self, *responses: Response | Exception | None) -> None:
        self.responses = list(responses)
        self.sent: list[Request] = []
        #: Set once a response is awaited that never comes.
        self.silent = asyncio.Event()

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        reply = self.responses.pop(0)
        if reply is None:
            self.silent.set()
            await asyncio.get_running_loop().create_future()
        if isinstance(reply, Exception):
            raise reply
        assert reply is not None
        return reply


class TwoRequests:
    """A flow of two requests; ``events`` records what happens to it."""

    def __init__(self, *, forgives: bool = False) -> None:
        self.events: list[object] = []
        self.forgives = forgives

    def __call__(self) -> Generator[Request, Response, str]:
        try:
            try:
                self.events.append((yield FIRST).status)
            except TokendError as error:
                self.events.append(error)
                if not self.forgives:
                    raise
            self.events.append((yield SECOND).status)
        except GeneratorExit:
            self.events.append("closed")
            raise
        return "done"


async def test_responses_are_sent_to_the_flow_and_its_value_is_returned() -> None:
    """Responses are reported in order, to every observer."""
    flow, transport = TwoRequests(), Scripted(answer(201), answer(202))
    heard: list[tuple[Request, int]] = []

    def listen(request: Request, response: Response) -> None:
        heard.append((request, response.status))

    assert "done" == await run_flow(flow(), transport, listen)
    assert [201, 202] == flow.events
    assert [FIRST, SECOND] == transport.sent
    assert [(FIRST, 201), (SECOND, 202)] == heard


async def test_a_callback_is_optional() -> None:
    """``on_response`` is optional."""
    assert "done" == await run_flow(TwoRequests()(), Scripted(answer(), answer()))


async def test_a_flow_can_continue_after_a_failure() -> None:
    """A flow may continue after a failure, for which nothing is reported."""
    flow = TwoRequests(forgives=True)
    heard: list[Request] = []
    value = await run_flow(flow(), Scripted(LOST, answer(202)), lambda sent, _: heard.append(sent))

    assert "done" == value
    assert [LOST, 202] == flow.events
    assert [SECOND] == heard


async def test_a_failure_that_a_flow_does_not_catch_is_raised() -> None:
    """A failure is raised unchanged."""
    with pytest.raises(Unreachable) as raised:
        await run_flow(TwoRequests()(), Scripted(LOST))

    assert LOST is raised.value


async def test_an_error_of_the_flow_is_raised() -> None:
    """An error of the flow itself is not the transport's."""

    def refuse() -> Generator[Request, Response, None]:
        yield FIRST
        raise ServerError("no", step="login")

    with pytest.raises(ServerError, match="no"):
        await run_flow(refuse(), Scripted(answer()))


async def test_a_flow_can_return_after_a_failure() -> None:
    """A flow may return a value after a failure."""

    def return_a_substitute() -> Generator[Request, Response, str]:
        try:
            yield FIRST
        except Unreachable:
            return "less"
        return "all"

    assert "less" == await run_flow(return_a_substitute(), Scripted(LOST))


async def test_cancelling_closes_the_flow() -> None:
    """The flow is closed at once, not by the garbage collector."""
    flow, transport = TwoRequests(), Scripted(None)
    walking = asyncio.create_task(run_flow(flow(), transport))
    await transport.silent.wait()
    walking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await walking

    assert ["closed"] == flow.events


async def test_a_bug_in_the_transport_closes_the_flow() -> None:
    """An unexpected error is not thrown into the flow."""
    flow = TwoRequests()

    with pytest.raises(ZeroDivisionError):
        await run_flow(flow(), Scripted(ZeroDivisionError()))

    assert ["closed"] == flow.events
