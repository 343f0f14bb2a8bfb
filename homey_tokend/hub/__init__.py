"""The Homey's API as a catalogue: what can be called, by name.

Paths, parameters, scopes and the kinds of Homey are those of the vendor's
specification files, and ``tests/end_to_end/foreign/catalogue.py`` holds them against these.
``guide`` is how the well-known list of endpoints writes a path where that differs
by more than a slash at its end (``docs/calls.md``).
"""

from homey_tokend.hub.catalogue import find, groups, is_dangerous, nearest
from homey_tokend.hub.endpoint import CLOUD, PRO_2019, PRO_2023, Endpoint
from homey_tokend.hub.endpoints import ENDPOINTS

__all__ = [
    "CLOUD",
    "ENDPOINTS",
    "PRO_2019",
    "PRO_2023",
    "Endpoint",
    "find",
    "groups",
    "is_dangerous",
    "nearest",
]
