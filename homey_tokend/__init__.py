"""homey-tokend keeps a valid bearer token for each Homey.

This module imports nothing, because ``homey-tokend token`` and the client must start as fast as
Python itself.
"""

__version__ = "0.1.0"
