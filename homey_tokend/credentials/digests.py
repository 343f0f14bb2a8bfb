"""Digests of credentials, which distinguish them without revealing them.

They use scrypt (RFC 7914), because a password could be guessed from a fast digest in a stolen
state file. It takes some 50 ms, so call it on a thread.
"""

import hashlib

from homey_tokend.core.account import Digests
from homey_tokend.core.secret import Credentials

#: The cost parameter of scrypt: 2**14 takes some 50 ms and 16 MiB.
COST = 2**14


def digests(credentials: Credentials, accounts_url: str, salt: str, *, cost: int = COST) -> Digests:
    """Return the three digests of one Homey's credentials, 32 hexadecimal digits each.

    The digest of the account ignores the case of the e-mail address, so that an account does not
    get a budget for each spelling.
    """
    account = f"{accounts_url}\0{credentials.email.reveal().casefold()}"
    one_time = credentials.totp_secret.reveal() if credentials.totp_secret else ""
    password = (
        f"{account}\0{credentials.email.reveal()}\0{credentials.password.reveal()}\0{one_time}"
    )
    site = (
        f"{password}\0{credentials.client_id}\0{credentials.client_secret.reveal()}"
        f"\0{credentials.redirect_url}\0{credentials.cloudid}"
    )
    return Digests(*(_scrypt(text, salt, cost) for text in (account, password, site)))


def _scrypt(text: str, salt: str, cost: int) -> str:
    return hashlib.scrypt(
        text.encode(), salt=salt.encode(), n=cost, r=8, p=1, dklen=16, maxmem=64 * 2**20
    ).hex()
