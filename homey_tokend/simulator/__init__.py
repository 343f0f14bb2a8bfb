"""A pretend Athom cloud and pretend Homeys, with scripted trouble.

It shares no code with the daemon and imports nothing of it: a misreading of the
protocol must show up as a disagreement. The facts are those of ``docs/wire.md``;
how to use it is told in ``docs/simulator.md``.
"""

from homey_tokend.simulator.faults import Fault
from homey_tokend.simulator.faultsfile import FaultsInvalid
from homey_tokend.simulator.journal import Entry
from homey_tokend.simulator.server import Simulator
from homey_tokend.simulator.settings import Settings, Switches
from homey_tokend.simulator.steps import STEPS

__all__ = ["STEPS", "Entry", "Fault", "FaultsInvalid", "Settings", "Simulator", "Switches"]
