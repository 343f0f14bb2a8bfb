"""homey-tokend: keeps a fresh Homey bearer token at hand.

This file imports nothing: ``homey-tokend token`` and the client must start at
the speed of a bare Python.
"""

__version__ = "0.1.0"
