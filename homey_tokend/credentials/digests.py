"""Digests of credentials, which distinguish them without revealing them.

scrypt (RFC 7914), since a password could be guessed from a fast digest in a
stolen state file. It takes some 50 ms: call it on a thread.
"""

import hashlib

from homey_tokend.core.account import Digests
from homey_tokend.core.secret import Credentials

#: scrypt's cost: 2**14 takes some 50 ms and 16 MiB.
COST = 2**14


def digests(who: Credentials, accounts_url: str, salt: str, *, cost: int = COST) -> Digests:
    """Return the three digests of one Homey's sign-in values, 32 hex digits each.

    Letters of an e-mail address that differ in case only name the same account: it must
    not get a budget for each way to write it.
    """
    account = f"{accounts_url}\0{who.email.reveal().casefold()}"
    one_time = who.totp_secret.reveal() if who.totp_secret else ""
    password = f"{account}\0{who.email.reveal()}\0{who.password.reveal()}\0{one_time}"
    site = (
        f"{password}\0{who.client_id}\0{who.client_secret.reveal()}"
        f"\0{who.redirect_url}\0{who.cloudid}"
    )
    return Digests(*(_scrypt(text, salt, cost) for text in (account, password, site)))


def _scrypt(text: str, salt: str, cost: int) -> str:
    return hashlib.scrypt(
        text.encode(), salt=salt.encode(), n=cost, r=8, p=1, dklen=16, maxmem=64 * 2**20
    ).hex()
