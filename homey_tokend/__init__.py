"""homey-tokend: keeps a valid Homey bearer token ready.

This file imports nothing: ``homey-tokend token`` and the client must start at
the speed of a bare Python.
"""

__version__ = "0.1.0"
