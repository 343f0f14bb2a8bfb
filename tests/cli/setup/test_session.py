"""The sign-in of ``init``: what it finds out, and what it sends."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from homey_tokend.cli.setup.session import SetupSession
from homey_tokend.core.errors import AccountRejected, SecretUnavailable
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.http.transport import HttpTransport
from homey_tokend.simulator import Settings, Simulator
from tests.support.clock import FakeClock

TOTP = "JBSWY3DPEHPK3PXP"
#: No request here uses TLS, and loading the certificates takes 20 ms.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Account:
    """An account with Homeys at a simulator."""

    def __init__(self, simulator: Simulator, clock: FakeClock) -> None:
        self.simulator, self.clock = simulator, clock
        self.secrets: list[str] = []
        self.description: dict[str, Any] = simulator.description()
        self.ids = [homey["cloudid"] for homey in self.description["homeys"]]
        self.transport = HttpTransport(
            clock, timeout=timedelta(seconds=30), environ={}, user_agent="test", ssl_context=TLS
        )

    def session(self, **values: Any) -> SetupSession:
        described = self.description
        credentials = Credentials(
            email=Secret(described["email"]),
            password=Secret(described["password"]),
            client_id=described["clientId"],
            client_secret=Secret(described["clientSecret"]),
            redirect_url=described["redirectUri"],
            cloudid="unknown",
        )
        return SetupSession(
            replace(credentials, **values),
            self.transport,
            endpoints=Endpoints(described["accounts"], described["api"], described["homey"]),
            lifetime=timedelta(hours=24),
            clock=self.clock,
            register_secret=lambda secret: self.secrets.append(secret.reveal()),
            on_response=lambda *_: None,
        )

    async def homeys(self) -> dict[str, str]:
        session = self.session()
        await session.log_in()
        return await session.homeys()


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async for made in simulated(Settings(homeys=2)):
        yield made


async def simulated(settings: Settings) -> AsyncIterator[Account]:
    clock = FakeClock(instant=True)
    async with Simulator(settings, now=lambda: clock.now().timestamp()) as simulator:
        made = Account(simulator, clock)
        yield made
        await made.transport.close()


async def test_the_account_names_its_homeys(account: Account) -> None:
    """A consent for one of the offered Homeys is enough to get the names of all."""
    found = await account.homeys()

    assert dict(zip(account.ids, ["Homey 1", "Homey 2"], strict=True)) == found
    assert ["login"] == [step for step in account.simulator.steps() if step == "login"]
    assert (
        f"resource.homey.{account.ids[0]}" == account.simulator.seen("consent")[0].form["resource"]
    )


async def test_the_consent_page_lists_cloudids(account: Account) -> None:
    """If the account cannot be read, the Homeys of the consent page are returned unnamed."""
    account.simulator.add_fault(step="user", kind="status", status=503)

    assert dict.fromkeys(account.ids, "") == await account.homeys()


async def test_no_consent_page(account: Account) -> None:
    """After an earlier consent there is no page, and the account is asked."""
    account.simulator.add_fault(step="authorise", kind="direct_code")

    assert account.ids == list(await account.homeys())
    assert [] == account.simulator.seen("consent")


async def test_a_consent_page_without_homeys(account: Account) -> None:
    """Without a Homey to consent to, no consent is given."""
    account.simulator.add_fault(step="authorise", kind="html")

    assert {} == await account.homeys()
    assert [] == account.simulator.seen("consent")


async def test_invalid_cloudids_are_left_out(account: Account) -> None:
    """What cannot be a cloudid is not offered to a person."""
    homeys = [{"_id": "\x1b[2J", "name": "x"}, {"_id": "a" * 40, "name": "y"}, {"_id": "b-1"}]
    account.simulator.add_fault(step="user", kind="json", body={"homeys": homeys}, status=200)

    assert [*account.ids, "b-1"] == list(await account.homeys())


async def test_every_secret_is_registered(account: Account) -> None:
    """What is typed and what is received is known to the log's redaction."""
    session = account.session(cloudid=account.ids[0])
    await session.log_in()
    bearer = await session.bearer()

    assert {bearer.value.reveal(), account.description["password"]} <= set(account.secrets)
    assert any(map(account.simulator.state.user_tokens.find, account.secrets))
    assert bearer.verified


async def test_variables(account: Account) -> None:
    """Variables come with whether they are texts; unprintable names are left out."""
    account.simulator.add_variable("counter", "number", 1)
    account.simulator.add_variable("odd\x07", "string", "")
    session = account.session()
    await session.log_in()
    session.pick(account.ids[0])

    found = await session.variables(await session.bearer())

    assert (True, False) == (found["accesstoken"], found["counter"])
    assert all(name.isprintable() for name in found)


async def test_a_rejected_password_is_sent_once(account: Account) -> None:
    """The person gets the error at once."""
    with pytest.raises(AccountRejected):
        await account.session(password=Secret("wrong")).log_in()

    assert ["login"] == account.simulator.steps()


@pytest.mark.parametrize("totp_secret", [None, TOTP])
async def test_an_expired_sign_in_is_repeated(totp_secret: str | None) -> None:
    """A person who thinks for long is signed in again, with another one-time code."""
    async for account in simulated(Settings(totp_secret=totp_secret)):
        secret = Secret(totp_secret) if totp_secret else None
        session = account.session(cloudid=account.ids[0], totp_secret=secret)
        await session.log_in()
        account.simulator.add_fault(step="authorise", kind="status", status=401, times=1)

        assert (await session.bearer()).verified
        assert 2 == account.simulator.steps().count("login")


async def test_the_next_code() -> None:
    """A daemon that starts right afterwards gets another one-time code."""
    async for account in simulated(Settings(totp_secret=TOTP)):
        session = account.session(totp_secret=Secret(TOTP))
        await session.log_in()
        await session.wait_for_next_code()
        await session.log_in()

        assert 2 == account.simulator.steps().count("login")


async def test_a_totp_secret_that_is_not_base32(account: Account) -> None:
    """It is reported before anything is sent."""
    with pytest.raises(SecretUnavailable, match="totp_secret"):
        await account.session(totp_secret=Secret("!!!")).log_in()

    assert [] == account.simulator.steps()
