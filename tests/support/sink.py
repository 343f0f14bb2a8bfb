"""A sink that behaves as the test wants."""

import asyncio

from homey_tokend.core.tokens import Delivery, DeliveryResult


class FakeSink:
    """``ports.Sink``: record deliveries; fail or hang on request.

    Args:
        target: Its name.
    """

    def __init__(self, target: str = "fake") -> None:
        self.target = target
        self.reports_expiry = False
        #: The deliveries that have begun, and the generations that were accepted.
        self.begun: list[Delivery] = []
        self.taken: list[int] = []
        #: Raised by the next writes, in turn.
        self.failures: list[Exception] = []
        #: While it is not set, a write waits.
        self.free = asyncio.Event()
        self.free.set()
        self.memory: dict[str, str] = {}

    async def write(self, delivery: Delivery) -> DeliveryResult:
        self.begun.append(delivery)
        failure = self.failures.pop(0) if self.failures else None
        await self.free.wait()
        if failure is not None:
            raise failure
        self.taken.append(delivery.token.generation)
        return DeliveryResult("taken", {"writes": str(len(self.taken))})
