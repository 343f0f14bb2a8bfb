"""A simulated Athom cloud with simulated Homeys and scripted faults.

It shares no code with the daemon and imports nothing of it, so that a misreading of
the protocol shows up as a disagreement. The facts are those of ``docs/wire.md``;
``docs/simulator.md`` describes how to use it.
"""

from homey_tokend.simulator.fault_file import FaultsInvalid
from homey_tokend.simulator.faults import Fault
from homey_tokend.simulator.requests import ReceivedRequest
from homey_tokend.simulator.server import Simulator
from homey_tokend.simulator.settings import Settings, Switches

__all__ = ["Fault", "FaultsInvalid", "ReceivedRequest", "Settings", "Simulator", "Switches"]
