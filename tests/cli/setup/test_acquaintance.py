"""Getting to know an account: what is told, by whom, and what is asked for nobody's sake."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from homey_tokend.cli.setup.session import SetupSteps
from homey_tokend.core.errors import AccountRejected, SecretUnavailable
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.http.transport import HttpTransport
from homey_tokend.simulator import Settings, Simulator
from tests.support.clock import FakeClock

TOTP = "JBSWY3DPEHPK3PXP"
#: No request here is over TLS, and the authorities take 20 ms to read.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Visit:
    """A person's visit to an account with two Homeys."""

    def __init__(self, simulator: Simulator, clock: FakeClock) -> None:
        self.simulator, self.clock = simulator, clock
        self.hidden: list[str] = []
        told: dict[str, Any] = simulator.description()
        self.ids = [homey["cloudid"] for homey in told["homeys"]]
        self.transport = HttpTransport(
            clock, timeout=timedelta(seconds=30), environ={}, user_agent="test", ssl_context=TLS
        )
        self.steps = SetupSteps(
            transport=self.transport,
            endpoints=Endpoints(told["accounts"], told["api"], told["homey"]),
            lifetime=timedelta(hours=24),
            clock=clock,
            hide=lambda secret: self.hidden.append(secret.reveal()),
            heard=lambda *_: None,
        )
        self.who = Credentials(
            email=Secret(told["email"]),
            password=Secret(told["password"]),
            client_id=told["clientId"],
            client_secret=Secret(told["clientSecret"]),
            redirect_url=told["redirectUri"],
            cloudid="unknown",
        )


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async for made in visiting(Settings(homeys=2)):
        yield made


async def visiting(settings: Settings) -> AsyncIterator[Visit]:
    clock = FakeClock(instant=True)
    async with Simulator(settings, now=lambda: clock.now().timestamp()) as simulator:
        made = Visit(simulator, clock)
        yield made
        await made.transport.close()


async def test_the_account_tells_names(visit: Visit) -> None:
    """A consent for one of the offered Homeys is enough to hear the names of all."""
    user = await visit.steps.log_in(visit.who)
    found = await visit.steps.homeys(visit.who, user)

    assert dict(zip(visit.ids, ["Homey 1", "Homey 2"], strict=True)) == found
    assert ["login"] == [step for step in visit.simulator.steps() if step == "login"]
    assert f"resource.homey.{visit.ids[0]}" == visit.simulator.seen("consent")[0].form["resource"]


async def test_the_page_alone_tells_ids(visit: Visit) -> None:
    """Where the account is silent, what the page offers is told without names."""
    visit.simulator.add_fault(step="user", kind="status", status=503)
    user = await visit.steps.log_in(visit.who)

    assert dict.fromkeys(visit.ids, "") == await visit.steps.homeys(visit.who, user)


async def test_no_page(visit: Visit) -> None:
    """Where consent was given before, no page comes, and the account is asked."""
    visit.simulator.add_fault(step="authorise", kind="direct_code")
    user = await visit.steps.log_in(visit.who)

    assert visit.ids == list(await visit.steps.homeys(visit.who, user))
    assert [] == visit.simulator.seen("consent")


async def test_a_page_that_offers_none(visit: Visit) -> None:
    """Without a Homey to consent for, no consent is given."""
    visit.simulator.add_fault(step="authorise", kind="html")
    user = await visit.steps.log_in(visit.who)

    assert {} == await visit.steps.homeys(visit.who, user)
    assert [] == visit.simulator.seen("consent")


async def test_odd_ids_are_left_out(visit: Visit) -> None:
    """What cannot be a cloudid is not offered to a person."""
    homeys = [{"_id": "\x1b[2J", "name": "x"}, {"_id": "a" * 40, "name": "y"}, {"_id": "b-1"}]
    visit.simulator.add_fault(step="user", kind="json", body={"homeys": homeys}, status=200)
    user = await visit.steps.log_in(visit.who)

    assert [*visit.ids, "b-1"] == list(await visit.steps.homeys(visit.who, user))


async def test_every_secret_is_hidden(visit: Visit) -> None:
    """What is typed and what is got reaches the log's redaction before anything else."""
    user = await visit.steps.log_in(visit.who)
    bearer = await visit.steps.bearer(_at(visit), user)

    assert {user.value.reveal(), bearer.value.reveal(), visit.who.password.reveal()} <= set(
        visit.hidden
    )
    assert bearer.proved


async def test_variables(visit: Visit) -> None:
    """Names are told with whether they are texts; what cannot be shown is left out."""
    visit.simulator.add_variable("counter", "number", 1)
    visit.simulator.add_variable("odd\x07", "string", "")
    bearer = await visit.steps.bearer(_at(visit), await visit.steps.log_in(visit.who))

    found = await visit.steps.variables(bearer)

    assert (True, False) == (found["accesstoken"], found["counter"])
    assert all(name.isprintable() for name in found)


async def test_a_refusal(visit: Visit) -> None:
    """A refused password is sent once."""
    with pytest.raises(AccountRejected):
        await visit.steps.log_in(replace(visit.who, password=Secret("wrong")))

    assert ["login"] == visit.simulator.steps()


async def test_the_next_code() -> None:
    """A daemon that starts right afterwards has a code of its own."""
    async for visit in visiting(Settings(totp_secret=TOTP)):
        who = replace(visit.who, totp_secret=Secret(TOTP))
        user = await visit.steps.log_in(who)
        await visit.steps.past_the_code(user)
        again = await visit.steps.log_in(who)

        assert user.value != again.value


async def test_no_base32(visit: Visit) -> None:
    """A one-time secret that is none is told before anything is sent."""
    with pytest.raises(SecretUnavailable, match="totp_secret"):
        await visit.steps.log_in(replace(visit.who, totp_secret=Secret("!!!")))

    assert [] == visit.simulator.steps()


def _at(visit: Visit) -> Credentials:
    return replace(visit.who, cloudid=visit.ids[0])
