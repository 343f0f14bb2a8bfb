"""One Homey's way to a new bearer, and what an earlier attempt left to go on from.

An attempt goes as far back as it must and no further: with a living access token
only the exchange is repeated, with a living user token only the consent. A
password goes out only when nothing else is left, is written down before it does,
and never while a refusal, the budget or a used one-time step stands against it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from homey_tokend import athom
from homey_tokend.athom.run import run_flow
from homey_tokend.athom.urls import HomeyTarget
from homey_tokend.core import attempts, events, totp
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    HomeyRejected,
    ProtocolChanged,
    SecretUnavailable,
    SignInExpired,
    Throttled,
    Transient,
)
from homey_tokend.core.failure import trouble_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Endpoints, Flow, Request, Response
from homey_tokend.core.ports import Clock, CredentialSource, Transport
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Bearer, Grant, UserToken
from homey_tokend.credentials.digests import Digests, digests
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.storage.store import StateStore

log = structlog.get_logger()
T = TypeVar("T")
#: How long is a user token tried again? Its life is unknown (docs/wire.md, Open); it is only
#: ever a shortcut: the first answer against it drops it.
USER_TOKEN_KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HomeySettings:
    """What the configuration says of one Homey to the flow.

    ``watched``: its sign-in values may be read again and again (no command runs for them).
    """

    name: str
    endpoints: Endpoints
    cloudid: str
    url: str | None
    lifetime: timedelta
    use_refresh_token: bool = False
    watched: bool = True


@dataclass(frozen=True, slots=True)
class SignInDependencies:
    """The hands that an attempt uses.

    ``run_blocking`` runs a slow function on a thread; ``hide`` is told of every
    secret as soon as it is known, before it can reach a log line; ``heard`` is
    told of every answer, with the Homey's name; ``tell`` of what happens.
    ``wall`` is what one-time codes go by, where ``clock`` is behind a setting.
    """

    clock: Clock
    transport: Transport
    accounts: Accounts
    ledger: StateStore
    run_blocking: Callable[..., Awaitable[Digests]]
    hide: Callable[[Secret], None]
    heard: Callable[[str, Request, Response], None] = lambda _name, _request, _response: None
    tell: events.Emit = events.ignore_event
    wall: Callable[[], datetime] | None = None


class Refresher:
    """Makes attempts for one Homey; keeps user token and grant in memory between them."""

    def __init__(
        self, homey: HomeySettings, source: CredentialSource, tools: SignInDependencies
    ) -> None:
        self._homey = homey
        self._source = source
        self._tools = tools
        self._who: Credentials | None = None
        self._user: UserToken | None = None
        self._grant: Grant | None = None
        self.digests = Digests("", "", "")

    @property
    def watched(self) -> bool:
        """Whether the sign-in values may be read again and again."""
        return self._homey.watched

    @property
    def cloudid(self) -> str:
        """Which Homey the configuration names."""
        return self._homey.cloudid

    @property
    def configured_url(self) -> str | None:
        """The address that the configuration names; None: it is found out."""
        return self._homey.url

    def facts(self, now: datetime, facts: Activity) -> Activity:
        """The facts with what only this class knows filled in."""
        return replace(
            facts,
            password_needed=not (
                self._living_grant(now) or self._living_user(now) or self._refresh_token()
            ),
            account_digest=self.digests.password,
            site_digest=self.digests.site,
        )

    async def read_values(self) -> bool:
        """Read the sign-in values anew.

        Returns:
            Whether they are others than they were at the last reading; there is none before
            the first.

        Raises:
            SecretUnavailable: one of them cannot be had.
        """
        who = await self._source.read()
        # Told each time: who hides them knows the newest some hundred, and tokens come daily.
        for secret in athom.known_secrets(who):
            self._tools.hide(secret)
        if who == self._who:
            return False
        salt = self._tools.ledger.book.salt
        self.digests = await self._tools.run_blocking(
            digests, who, self._homey.endpoints.accounts, salt
        )
        first = self._who is None
        self._who, self._user, self._grant = who, None, None
        return not first

    async def attempt(
        self, state: HomeyState, facts: Activity, plan: RefreshSettings
    ) -> Bearer | Constraint:
        """One attempt to get a new bearer.

        Returns:
            The bearer, or the gate that kept a password from going out.

        Raises:
            TokendError: what the flow raises; SecretUnavailable before it begins.
        """
        await self.read_values()
        if state.account not in {"", self.digests.account}:
            await self._strike_out_refresh_token()  # it is another account's
        remembered = self._living_grant(self._tools.clock.now())
        if remembered is not None:
            try:
                return await self._exchange(remembered, state)
            except SignInExpired:
                self._grant = None
        grant = await self._sign_in(state, facts, plan)
        if isinstance(grant, Constraint):
            return grant
        try:
            return await self._exchange(grant, state)
        except (SignInExpired, HomeyRejected):
            # What it was renewed by opens nothing: only a consent given anew can.
            await self._strike_out_refresh_token()
            raise

    # --- exchange ---

    async def _exchange(self, grant: Grant, state: HomeyState) -> Bearer:
        homey = self._homey
        site = HomeyTarget(homey.endpoints, homey.cloudid, homey.url, state.url, homey.lifetime)
        try:
            hide = athom.known_secrets(self._values())
            bearer = await self._walk(athom.exchange(grant, site, hide))
        except (SignInExpired, HomeyRejected):
            # A consent given anew may cover the Homey: the next try begins at the login.
            self._grant = None
            raise
        self._tools.hide(bearer.value)
        self._user = self._grant = None
        return bearer

    # --- sign-in ---

    async def _sign_in(
        self, state: HomeyState, facts: Activity, plan: RefreshSettings
    ) -> Grant | Constraint:
        grant = await self._by_refresh_token()
        if grant is None:
            grant = await self._by_remembered_user()
        if grant is None:
            user = await self._log_in(state, facts, plan)
            if isinstance(user, Constraint):
                return user
            self._user = user
            grant = await self._walk(athom.consent(self._values(), self._homey.endpoints, user))
        await self._keep(grant)
        return grant

    async def _by_refresh_token(self) -> Grant | None:
        token = self._refresh_token()
        if token is None:
            return None
        try:
            return await self._walk(athom.renew_grant(self._values(), self._homey.endpoints, token))
        except (SignInExpired, ClientRejected, ProtocolChanged):
            # A client may be rejected for this grant alone: the full flow tells what is meant.
            await self._strike_out_refresh_token()
            return None

    async def _by_remembered_user(self) -> Grant | None:
        user = self._living_user(self._tools.clock.now())
        if user is None:
            return None
        try:
            return await self._walk(athom.consent(self._values(), self._homey.endpoints, user))
        except (SignInExpired, ClientRejected, ProtocolChanged):
            # Only a fresh user token makes such an answer mean what it says.
            self._user = None
            return None

    async def _log_in(
        self, state: HomeyState, facts: Activity, plan: RefreshSettings
    ) -> UserToken | Constraint:
        accounts, key = self._tools.accounts, self.digests.account
        async with accounts.lock(key):
            now = self._tools.clock.now()
            gate = attempts.sign_in_constraint(
                state, accounts.state(key), self.facts(now, facts), now, plan
            )
            if gate is not None:
                return gate
            who = self._values()
            wall = self._tools.wall() if self._tools.wall else now
            step = totp.time_step(wall) if who.totp_secret else None
            code = self._one_time_code(who.totp_secret, step)
            await accounts.signing_in(key, now, step)
            self._tools.tell(events.SignInStarted(self._homey.name, now))
            return await self._judged(key, code)

    async def _judged(self, key: str, code: str) -> UserToken:
        """Send the password and write down what came of it."""
        accounts, digest = self._tools.accounts, self.digests.password
        try:
            user = await self._walk(
                athom.log_in(self._values(), self._homey.endpoints, one_time_code=code)
            )
        except AccountRejected as error:
            trouble = trouble_of(error, self._tools.clock.now())
            await accounts.rejected(key, digest, trouble)
            raise
        except Throttled:
            raise
        except Transient:
            await accounts.not_judged(key)
            raise
        self._tools.hide(user.value)
        await accounts.accepted(key, digest)
        return user

    def _one_time_code(self, secret: Secret | None, step: int | None) -> str:
        if secret is None or step is None:
            return ""
        code = athom.one_time_code(secret, step)
        self._tools.hide(code)
        return code.reveal()

    # --- what is kept ---

    async def _keep(self, grant: Grant) -> None:
        self._tools.hide(grant.access_token)
        if grant.refresh_token is not None:
            self._tools.hide(grant.refresh_token)
            if self._homey.use_refresh_token:
                # It may have been rotated: on the disk before anything else is tried.
                await self._tools.ledger.keep_refresh_token(self._homey.name, grant.refresh_token)
        self._grant = grant

    async def _strike_out_refresh_token(self) -> None:
        """The full flow is needed; so it is, too, where no refresh token is kept."""
        if self._refresh_token() is not None:
            log.warning("refresh_token.rejected", homey=self._homey.name)
            await self._tools.ledger.keep_refresh_token(self._homey.name, None)

    def _living_grant(self, now: datetime) -> Grant | None:
        grant = self._grant
        return grant if grant is not None and now < grant.expires_at else None

    def _living_user(self, now: datetime) -> UserToken | None:
        user = self._user
        return user if user is not None and now - user.issued_at < USER_TOKEN_KEPT else None

    def _refresh_token(self) -> Secret | None:
        if not self._homey.use_refresh_token:
            return None
        return self._tools.ledger.refresh_token(self._homey.name)

    def _values(self) -> Credentials:
        if self._who is None:  # pragma: no cover  -- attempt() reads them first
            raise SecretUnavailable("the sign-in values were not read")
        return self._who

    async def _walk(self, conversation: Flow[T]) -> T:
        return await run_flow(conversation, self._tools.transport, self._heard)

    def _heard(self, request: Request, response: Response) -> None:
        self._tools.heard(self._homey.name, request, response)
        took = response.received_at - response.sent_at
        log.debug(
            "step.answered",
            homey=self._homey.name,
            step=str(request.step),
            status=response.status,
            ms=round(took.total_seconds() * 1000),
        )
