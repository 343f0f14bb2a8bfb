"""The socket API: what clients ask over the unix socket, and how it listens.

``routes`` answers, ``documents`` and ``problems`` are what it answers with,
``asking`` reads what was asked, ``listen`` makes the socket, ``server`` runs it.
"""

from homey_tokend.api.listen import Listener, SocketPlace, raise_open_files
from homey_tokend.api.routes import Api
from homey_tokend.api.server import Server

__all__ = ["Api", "Listener", "Server", "SocketPlace", "raise_open_files"]
