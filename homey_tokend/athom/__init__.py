"""Athom's protocol, as generators.

A flow (``core.http_types.Flow``) yields requests and is sent responses. It reads no clock, does
no I/O and handles its own cookies, so tests can run it step by step; ``flow.run_flow`` runs it
with a transport. Each flow ends with a result worth keeping, so that after an outage only the
failed flow is repeated, and no password is sent for it.

* ``log_in``: e-mail and password to a user token (``docs/wire.md`` A1)
* ``consent``: authorise, consent, token: user token to a grant (A2 to A4)
* ``exchange``: delegation, Homey login, session: grant to a bearer (A5, A6, C)

``renew_grant`` uses an OAuth refresh token; ``verify_bearer`` asks a Homey whether it accepts a
bearer. ``offered_homeys`` and ``homeys`` list the account's Homeys.
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
