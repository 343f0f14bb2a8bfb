"""Attempts to get a new bearer for one Homey; each continues where an earlier one failed.

With a valid access token only the exchange is repeated, with a user token only the consent. A
password is only sent if there is neither. It is recorded on the disk first, and not sent while a
rejection, the budget or a used one-time step forbids it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog

from homey_tokend import athom
from homey_tokend.athom.flow import OnResponse, run_flow
from homey_tokend.athom.urls import HomeyTarget
from homey_tokend.core import policy, totp
from homey_tokend.core.account import Digests
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings, SignInProgress
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    HomeyRejected,
    ProtocolChanged,
    SecretUnavailable,
    SignInExpired,
    Throttled,
    Transient,
    UnreadableResponse,
)
from homey_tokend.core.events import Emit, SignInStarted, ignore_event
from homey_tokend.core.failure import last_error_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Endpoints, Flow, Request, Response
from homey_tokend.core.ports import CredentialSource, Transport
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Bearer, Grant, UserToken
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.storage.store import StateStore

log = structlog.get_logger()
T = TypeVar("T", UserToken, Grant, Bearer)
#: How long a user token is used again. Its lifetime is unknown (docs/wire.md, Open), so the first
#: response against it discards it.
USER_TOKEN_KEPT = timedelta(hours=1)
_ALWAYS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HomeySettings:
    """The configuration of one Homey for its sign-in.

    ``watched``: reading the credentials runs no command, so they can be read at each heartbeat.
    """

    name: str
    endpoints: Endpoints
    cloudid: str
    url: str | None
    lifetime: timedelta
    use_refresh_token: bool = False
    watched: bool = True

    def target(self, remembered_url: str | None = None) -> HomeyTarget:
        """Return the Homey as the exchange's target; ``remembered_url`` is its last known address."""
        return HomeyTarget(self.endpoints, self.cloudid, self.url, remembered_url, self.lifetime)


class SignIn:
    """Make attempts for one Homey; keep user token and grant in memory between them.

    Args:
        homey: The Homey's configuration.
        source: Reads its credentials.
        clock: Time.
        transport: Sends the requests.
        store: Keeps accounts and refresh tokens across restarts.
        digest: Returns the digests of credentials for an accounts endpoint and a salt.
        register_secret: Called with each secret before it can reach a log line.
        on_response: Called with each request and its response.
        emit: Called with each sign-in that starts.
    """

    def __init__(  # noqa: PLR0913  its dependencies, each by its name
        self,
        homey: HomeySettings,
        source: CredentialSource,
        *,
        clock: SteadyClock,
        transport: Transport,
        store: StateStore,
        digest: Callable[[Credentials, str, str], Awaitable[Digests]],
        register_secret: Callable[[Secret], None],
        on_response: Iterable[OnResponse] = (),
        emit: Emit = ignore_event,
    ) -> None:
        self.homey = homey
        self._source = source
        self._clock = clock
        self._transport = transport
        self._store = store
        self._digest = digest
        self._register_secret = register_secret
        self._on_response = tuple(on_response)
        self._emit = emit
        self._credentials: Credentials | None = None
        self._digests = Digests()
        self._user: UserToken | None = None
        self._grant: Grant | None = None

    @property
    def progress(self) -> SignInProgress:
        """Return the digests of the credentials, and until when an attempt needs no password."""
        until = [
            *([self._grant.expires_at] if self._grant else []),
            *([self._user.issued_at + USER_TOKEN_KEPT] if self._user else []),
            *([_ALWAYS] if self._refresh_token() else []),
        ]
        return SignInProgress(self._digests, max(until, default=None))

    async def read_values(self) -> bool:
        """Read the credentials again.

        Returns:
            Whether they have changed; False at the first reading.

        Raises:
            SecretUnavailable: One of them cannot be read.
        """
        credentials = await self._source.read()
        # Each time, because the log remembers only the latest secrets, and tokens come daily.
        for secret in credentials.secrets:
            self._register_secret(secret)
        if credentials == self._credentials:
            return False
        accounts = self.homey.endpoints.accounts
        self._digests = await self._digest(credentials, accounts, self._store.document.salt)
        first = self._credentials is None
        self._credentials, self._user, self._grant = credentials, None, None
        return not first

    async def attempt(
        self, state: HomeyState, activity: Activity, settings: RefreshSettings
    ) -> Bearer | Constraint:
        """Attempt to get a new bearer.

        Returns:
            The bearer, or what kept a password from being sent.

        Raises:
            SecretUnavailable: The credentials cannot be read.
            TokendError: A step failed.
        """
        await self.read_values()
        if state.account not in {"", self._digests.account}:
            await self._drop_refresh_token()  # it belongs to another account
        remembered = self._living_grant()
        if remembered is not None:
            try:
                return await self._exchange(remembered, state)
            except SignInExpired:
                self._grant = None
        grant = await self._sign_in(state, activity, settings)
        if isinstance(grant, Constraint):
            return grant
        try:
            return await self._exchange(grant, state)
        except (SignInExpired, HomeyRejected):
            # A grant from the refresh token does not suffice; a new consent is needed.
            await self._drop_refresh_token()
            raise

    # --- exchange ---

    async def _exchange(self, grant: Grant, state: HomeyState) -> Bearer:
        secrets = self._values().secrets
        try:
            bearer = await self._run(athom.exchange(grant, self.homey.target(state.url), secrets))
        except (SignInExpired, HomeyRejected):
            # A new consent may cover the Homey, so the next attempt starts with the login.
            self._grant = None
            raise
        self._user = self._grant = None
        return bearer

    # --- sign-in ---

    async def _sign_in(
        self, state: HomeyState, activity: Activity, settings: RefreshSettings
    ) -> Grant | Constraint:
        grant = await self._by_refresh_token() or await self._by_remembered_user()
        if grant is None:
            user = await self._log_in(state, activity, settings)
            if isinstance(user, Constraint):
                return user
            self._user = user
            grant = await self._run(athom.consent(self._values(), self.homey.endpoints, user))
        await self._keep(grant)
        return grant

    async def _by_refresh_token(self) -> Grant | None:
        token = self._refresh_token()
        if token is None:
            return None
        try:
            return await self._run(athom.renew_grant(self._values(), self.homey.endpoints, token))
        except (SignInExpired, ClientRejected, ProtocolChanged):
            # The client may only be rejected for this grant type; the full sign-in shows that.
            await self._drop_refresh_token()
            return None

    async def _by_remembered_user(self) -> Grant | None:
        user = self._user
        if user is None or self._clock.now() - user.issued_at >= USER_TOKEN_KEPT:
            return None
        try:
            return await self._run(athom.consent(self._values(), self.homey.endpoints, user))
        except (SignInExpired, ClientRejected, ProtocolChanged):
            # Only with a new user token is such a response conclusive.
            self._user = None
            return None

    async def _log_in(
        self, state: HomeyState, activity: Activity, settings: RefreshSettings
    ) -> UserToken | Constraint:
        key, credentials = self._digests.account, self._values()
        async with self._store.account_lock(key):
            now = self._clock.now()
            wall = self._clock.wall()
            activity = replace(activity, sign_in=self.progress, offset=wall - now)
            account = self._store.account(key)
            constraint = policy.sign_in_constraint(state, account, activity, now, settings)
            if constraint is not None:
                return constraint
            secret = credentials.totp_secret
            step = totp.time_step(wall) if secret else None
            code = self._one_time_code(secret, step)
            # On the disk before it is sent, so that it counts even after a crash.
            await self._store.record_sign_in(key, account.signing_in(now, step))
            self._emit(SignInStarted(self.homey.name, wall))
            return await self._send_password(key, code)

    async def _send_password(self, key: str, code: str) -> UserToken:
        """Send the password and record the result."""
        digest = self._digests.password
        try:
            user = await self._run(
                athom.log_in(self._values(), self.homey.endpoints, one_time_code=code)
            )
        except AccountRejected as error:
            last_error = last_error_of(error, self._clock.now())
            await self._store.keep_account(
                key, self._store.account(key).rejected(digest, last_error)
            )
            raise
        except (Throttled, UnreadableResponse):
            raise  # it may have been judged
        except Transient:
            await self._store.keep_account(key, self._store.account(key).not_judged())
            raise
        account = self._store.account(key)
        if account.accepted(digest) != account:
            await self._store.keep_account(key, account.accepted(digest))
        return user

    def _one_time_code(self, secret: Secret | None, step: int | None) -> str:
        if secret is None or step is None:
            return ""
        code = athom.one_time_code(secret, step)
        self._register_secret(code)
        return code.reveal()

    # --- what is kept ---

    async def _keep(self, grant: Grant) -> None:
        if grant.refresh_token is not None and self.homey.use_refresh_token:
            # The old one may be invalid now, so the new one goes to the disk first.
            await self._store.keep_refresh_token(self.homey.name, grant.refresh_token)
        self._grant = grant

    async def _drop_refresh_token(self) -> None:
        if self._refresh_token() is not None:
            log.warning("refresh_token.rejected", homey=self.homey.name)
            await self._store.keep_refresh_token(self.homey.name, None)

    def _living_grant(self) -> Grant | None:
        grant = self._grant
        return grant if grant is not None and self._clock.now() < grant.expires_at else None

    def _refresh_token(self) -> Secret | None:
        if not self.homey.use_refresh_token:
            return None
        return self._store.refresh_token(self.homey.name)

    def _values(self) -> Credentials:
        if self._credentials is None:  # pragma: no cover  -- attempt() reads them first
            raise SecretUnavailable("the credentials were not read")
        return self._credentials

    async def _run(self, flow: Flow[T]) -> T:
        result = await run_flow(flow, self._transport, self._handle_response)
        for secret in result.secrets:
            self._register_secret(secret)
        return result

    def _handle_response(self, request: Request, response: Response) -> None:
        for on_response in self._on_response:
            on_response(request, response)
        took = response.received_at - response.sent_at
        log.debug(
            "step.answered",
            homey=self.homey.name,
            step=str(request.step),
            status=response.status,
            ms=round(took.total_seconds() * 1000),
        )
