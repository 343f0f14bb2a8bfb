"""Athom's protocol, as generators.

A flow (``core.http_types.Flow``) yields requests and is sent responses: it reads no clock, does
no I/O and carries its own cookies, so that a test drives it by hand; ``flow.run_flow`` runs one
over a transport. A flow ends where something worth keeping has been gained: an outage in the
middle costs no password, only the next flow is repeated.

* ``log_in``: e-mail and password to a user token (``docs/wire.md`` A1)
* ``consent``: authorise, consent, token: user token to a grant (A2 to A4)
* ``exchange``: delegation, Homey login, session: grant to a bearer (A5, A6, C)

``renew_grant`` uses an OAuth refresh token; ``verify_bearer`` asks a Homey whether it accepts a
bearer. ``offered_homeys`` and ``homeys`` list the Homeys there are.
"""

from homey_tokend.athom.exchange import exchange, homeys, verify_bearer
from homey_tokend.athom.sign_in import (
    consent,
    log_in,
    offered_homeys,
    one_time_code,
    renew_grant,
)

__all__ = [
    "consent",
    "exchange",
    "homeys",
    "log_in",
    "offered_homeys",
    "one_time_code",
    "renew_grant",
    "verify_bearer",
]
