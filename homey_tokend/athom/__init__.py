"""The conversations with Athom's hosts and the Homey, as pure generators.

A conversation (``model.Conversation``) reads no clock and carries its own
cookies, so a test drives it by hand. ``walk`` in ``conversation.py`` runs one
over a transport.

They are cut where something worth keeping has been gained, so that an outage in
the middle costs no password: only the next one is repeated.

* ``log_in``: e-mail and password to a user token (``docs/wire.md`` A1)
* ``consent``: authorise, consent, token: user token to a grant (A2 to A4)
* ``exchange``: delegation, Homey login, session: grant to a bearer (A5, A6, C)

``sign_in`` is the first two in one; ``renew_grant`` uses an OAuth refresh token;
``prove`` asks a Homey whether it takes a bearer. ``offered`` and ``homeys`` tell which
Homeys there are, for a person who has not named one yet.
"""

from homey_tokend.athom.exchange import exchange, homeys
from homey_tokend.athom.proof import verify_bearer
from homey_tokend.athom.sign_in import (
    consent,
    known_secrets,
    log_in,
    offered_homeys,
    one_time_code,
    renew_grant,
    sign_in,
)

__all__ = [
    "consent",
    "exchange",
    "homeys",
    "known_secrets",
    "log_in",
    "offered_homeys",
    "one_time_code",
    "renew_grant",
    "sign_in",
    "verify_bearer",
]
