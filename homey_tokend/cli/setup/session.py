"""Gets to know an account and its Homeys, once, for a person who sets the daemon up (``init``).

One password goes out. Nothing is kept, served or written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from homey_tokend import athom
from homey_tokend.athom.run import OnResponse, run_flow
from homey_tokend.athom.urls import HomeyTarget, is_cloudid
from homey_tokend.core import totp
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Endpoints, Flow
from homey_tokend.core.ports import Clock, Transport
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Bearer, Token, UserToken
from homey_tokend.hub.variables import VariablesApi

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SetupSteps:
    """The steps that a person is asked in between.

    Args:
        transport: What sends the requests.
        endpoints: The three hosts.
        lifetime: A token's life where the Homey does not tell it.
        clock: Time; one-time codes go by it.
        hide: Told of every secret as soon as it is known.
        heard: Told of every answer.
    """

    transport: Transport
    endpoints: Endpoints
    lifetime: timedelta
    clock: Clock
    hide: Callable[[Secret], None]
    heard: OnResponse

    async def log_in(self, who: Credentials) -> UserToken:
        """Send the password.

        Raises:
            SecretUnavailable: ``totp_secret`` is no base32 text.
            AccountRejected, ProtocolChanged, Transient: see ``flow.log_in``.
        """
        for secret in athom.known_secrets(who):
            self.hide(secret)
        code = ""
        if who.totp_secret is not None:
            made = athom.one_time_code(who.totp_secret, totp.time_step(self.clock.now()))
            self.hide(made)
            code = made.reveal()
        user = await self._walk(athom.log_in(who, self.endpoints, one_time_code=code))
        self.hide(user.value)
        return user

    async def homeys(self, who: Credentials, user: UserToken) -> dict[str, str]:
        """The account's Homeys, cloudid to name ("": not told); none where nothing tells them.

        The consent page offers them to pick from (``docs/wire.md`` A2); with a consent for one
        of them the account tells the names of all.

        Raises:
            TokendError: what ``flow.offered`` and ``flow.consent`` raise.
        """
        offered = await self._walk(athom.offered_homeys(who, self.endpoints, user))
        if offered == ():
            return {}
        known = dict.fromkeys(offered or (), "")
        consented = replace(who, cloudid=next(iter(known), ""))
        grant = await self._walk(athom.consent(consented, self.endpoints, user))
        self.hide(grant.access_token)
        try:
            hide = (*athom.known_secrets(who), user.value, grant.access_token)
            found = await self._walk(athom.homeys(grant, self.endpoints, hide))
        except TokendError:
            return known
        return known | {key: name for key, (name, _) in found.items() if is_cloudid(key)}

    async def bearer(self, who: Credentials, user: UserToken) -> Bearer:
        """The rest of the way to a token for ``who.cloudid``, proved.

        Raises:
            TokendError: what ``flow.consent`` and ``flow.exchange`` raise.
        """
        grant = await self._walk(athom.consent(who, self.endpoints, user))
        self.hide(grant.access_token)
        site = HomeyTarget(self.endpoints, who.cloudid, None, None, self.lifetime)
        bearer = await self._walk(athom.exchange(grant, site, athom.known_secrets(who)))
        self.hide(bearer.value)
        return bearer

    async def variables(self, bearer: Bearer) -> dict[str, bool]:
        """The names of the Homey's logic variables, and whether each is a text.

        Raises:
            TokendError: what ``VariablesApi`` raises.
        """
        token = Token(bearer.value, 0, bearer.url, bearer.issued_at, bearer.expires_at)
        found = await VariablesApi(self.transport, token).variables()
        named = {one.name: one.type == "string" for one in found if isinstance(one.name, str)}
        return {name: named[name] for name in sorted(named) if name.isprintable()}

    async def past_the_code(self, user: UserToken) -> None:
        """Wait until the one-time code of this log-in is over: the daemon's first is another.

        Athom takes none twice, and who tries has a refusal to wait after.
        """
        over = (totp.time_step(user.issued_at) + 1) * totp.STEP_S
        await self.clock.sleep(max(0.0, over - self.clock.now().timestamp()))

    async def _walk(self, conversation: Flow[T]) -> T:
        return await run_flow(conversation, self.transport, self.heard)
