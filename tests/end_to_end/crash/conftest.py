"""Simulated clouds and daemons, as in the tests of processes."""

from tests.end_to_end.processes.conftest import _clouds, clouds, daemons

__all__ = ["_clouds", "clouds", "daemons"]
