"""What every handler is given: one request, its facts, the world, the faults it met."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from homey_tokend.simulator.household import Homey
from homey_tokend.simulator.journal import Entry
from homey_tokend.simulator.settings import Settings, Switches
from homey_tokend.simulator.world import World


@dataclass(slots=True)
class Call:
    """One request on its way through the simulator.

    Args:
        request: aiohttp's request.
        entry: Its facts.
        world: What it can change.
        bent: Kinds of the bending faults it met.
    """

    request: web.Request
    entry: Entry
    world: World
    bent: set[str] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        """What was told at the start."""
        return self.world.settings

    @property
    def switches(self) -> Switches:
        """The variations of the wire."""
        return self.world.settings.switches

    @property
    def homey(self) -> Homey | None:
        """The Homey in the path, None at the cloud's hosts or for an unknown one."""
        return self.world.homeys.get(self.entry.homey or "")


Handler = Callable[[Call], Awaitable[web.Response]]
