"""The values everything speaks of: all frozen, none reads a clock or does I/O.

The arrows, from the ground up: ``secret``; ``wire`` and ``tokens``; ``shown``.
"""

from homey_tokend.model.secret import Credentials, Secret, SecretRef, SecretSource
from homey_tokend.model.shown import Health, Refreshed, SinkView, Trouble, View
from homey_tokend.model.tokens import Bearer, Delivered, Delivery, Grant, Token, UserToken
from homey_tokend.model.wire import Conversation, Endpoints, Repeat, Request, Response, Step

__all__ = [
    "Bearer",
    "Conversation",
    "Credentials",
    "Delivered",
    "Delivery",
    "Endpoints",
    "Grant",
    "Health",
    "Refreshed",
    "Repeat",
    "Request",
    "Response",
    "Secret",
    "SecretRef",
    "SecretSource",
    "SinkView",
    "Step",
    "Token",
    "Trouble",
    "UserToken",
    "View",
]
