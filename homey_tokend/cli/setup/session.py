"""The sign-in that ``init`` makes with a person present. Nothing is kept, served or written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from homey_tokend import athom
from homey_tokend.athom.flow import OnResponse, run_flow
from homey_tokend.athom.urls import HomeyTarget, is_cloudid
from homey_tokend.core import totp
from homey_tokend.core.errors import SignInExpired, TokendError
from homey_tokend.core.http_types import Endpoints, Flow
from homey_tokend.core.ports import Clock, Transport
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Bearer, Token, UserToken
from homey_tokend.hub.variables import VariablesApi

T = TypeVar("T")


class SetupSession:
    """One sign-in, step by step, with questions to the person in between.

    Args:
        credentials: The credentials; ``pick`` sets the Homey later.
        transport: Sends the requests.
        endpoints: The three hosts.
        lifetime: A token's life where the Homey does not report its end.
        clock: Time; one-time codes depend on it.
        register_secret: Called with every secret as soon as it is known.
        on_response: Called with every answer.
    """

    def __init__(
        self,
        credentials: Credentials,
        transport: Transport,
        *,
        endpoints: Endpoints,
        lifetime: timedelta,
        clock: Clock,
        register_secret: Callable[[Secret], None],
        on_response: OnResponse,
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._endpoints = endpoints
        self._lifetime = lifetime
        self._clock = clock
        self._register = register_secret
        self._on_response = on_response
        self._user: UserToken

    async def log_in(self) -> None:
        """Send the password.

        Raises:
            SecretUnavailable: ``totp_secret`` is not base32 text.
            AccountRejected, ProtocolChanged, Transient: See ``athom.log_in``.
        """
        for secret in self._credentials.secrets:
            self._register(secret)
        code = ""
        if self._credentials.totp_secret is not None:
            made = athom.one_time_code(
                self._credentials.totp_secret, totp.time_step(self._clock.now())
            )
            self._register(made)
            code = made.reveal()
        self._user = await self._run(
            athom.log_in(self._credentials, self._endpoints, one_time_code=code)
        )
        self._register(self._user.value)

    async def homeys(self) -> dict[str, str]:
        """Return the account's Homeys as cloudid to name ("" where unknown); empty if not known.

        The consent page lists the cloudids (``docs/wire.md`` A2); with a consent for one of
        them the account returns the names of all.

        Raises:
            TokendError: See ``athom.offered_homeys`` and ``athom.consent``.
        """
        offered = await self._run(
            athom.offered_homeys(self._credentials, self._endpoints, self._user)
        )
        if offered == ():
            return {}
        known = dict.fromkeys(offered or (), "")
        consented = replace(self._credentials, cloudid=next(iter(known), ""))
        grant = await self._run(athom.consent(consented, self._endpoints, self._user))
        self._register(grant.access_token)
        secrets = (
            *self._credentials.secrets,
            self._user.value,
            grant.access_token,
        )
        try:
            found = await self._run(athom.homeys(grant, self._endpoints, secrets))
        except TokendError:
            return known
        return known | {key: name for key, (name, _) in found.items() if is_cloudid(key)}

    def pick(self, cloudid: str) -> None:
        """Choose the Homey."""
        self._credentials = replace(self._credentials, cloudid=cloudid)

    async def bearer(self) -> Bearer:
        """Get a verified bearer; log in once more if the sign-in has expired meanwhile.

        Raises:
            TokendError: See ``athom.consent`` and ``athom.exchange``.
        """
        try:
            return await self._bearer()
        except SignInExpired:  # the person took longer than a sign-in lives
            if self._credentials.totp_secret is not None:
                await self.wait_for_next_code()
            await self.log_in()
            return await self._bearer()

    async def _bearer(self) -> Bearer:
        grant = await self._run(athom.consent(self._credentials, self._endpoints, self._user))
        self._register(grant.access_token)
        target = HomeyTarget(self._endpoints, self._credentials.cloudid, None, None, self._lifetime)
        bearer = await self._run(athom.exchange(grant, target, self._credentials.secrets))
        self._register(bearer.value)
        return bearer

    async def variables(self, bearer: Bearer) -> dict[str, bool]:
        """Return the Homey's logic variables by name, and whether each is a text.

        Raises:
            TokendError: See ``hub.variables``.
        """
        token = Token(bearer.value, 0, bearer.url, bearer.issued_at, bearer.expires_at)
        found = await VariablesApi(self._transport, token).variables()
        is_text = {one.name: one.type == "string" for one in found if isinstance(one.name, str)}
        return {name: is_text[name] for name in sorted(is_text) if name.isprintable()}

    async def wait_for_next_code(self) -> None:
        """Wait until the one-time code of this log-in has expired.

        Athom accepts each code once, and the daemon's first sign-in needs another one.
        """
        end = (totp.time_step(self._user.issued_at) + 1) * totp.STEP_S
        await self._clock.sleep(max(0.0, end - self._clock.now().timestamp()))

    async def _run(self, flow: Flow[T]) -> T:
        return await run_flow(flow, self._transport, self._on_response)
