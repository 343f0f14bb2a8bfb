"""Pretend clouds and daemons, as the tests of processes have them."""

from tests.end_to_end.processes.conftest import _clouds, clouds, daemons

__all__ = ["_clouds", "clouds", "daemons"]
