"""The address of a Homey: discovered, remembered, or configured."""

from typing import Any

import pytest

from tests.keeper.household import HOUR, MINUTE, Household
from tests.keeper.test_reload import reloaded


def elsewhere(household: Household) -> str:
    """Return another address of the same simulator: localhost for 127.0.0.1."""
    url = household.simulator.state.homey_url(household.simulator.cloudids[0])
    return url.replace("127.0.0.1", "localhost")


def told_by_user(household: Household, url: object) -> dict[str, Any]:
    """Return a fault that makes /user/me return this address."""
    homey = {"_id": household.simulator.cloudids[0], "name": "Homey", "remoteUrl": url}
    return {"step": "user", "kind": "json", "status": 200, "body": {"homeys": [homey]}}


def endpoint(household: Household) -> str:
    """Return the address from endpoints.homey and the cloudid."""
    return household.simulator.state.homey_url(household.simulator.cloudids[0])


async def test_the_address_is_discovered(household: Household) -> None:
    """url auto: the address in /user/me is called, and shown in the status."""
    household.simulator.add_fault(**told_by_user(household, elsewhere(household) + "/"))
    await household.start()

    assert elsewhere(household) == household.token().url == household.view().url
    assert household.simulator.seen("session")[0].headers["host"].startswith("localhost:")


async def test_a_discovered_address_outlives_a_restart(household: Household) -> None:
    """If /user/me fails at the next renewal, after a restart, the remembered address is called."""
    household.simulator.add_fault(**told_by_user(household, elsewhere(household)), times=1)
    await household.start()
    await household.restart()
    household.simulator.add_fault(step="user", kind="status", status=503)
    await household.until_renewal()

    assert household.token().generation == 2
    assert elsewhere(household) == household.token().url


async def test_an_address_that_changed_is_followed(household: Household) -> None:
    """If the account has another address at the next renewal, that one is called."""
    await household.start()
    assert endpoint(household) == household.token().url

    household.simulator.add_fault(**told_by_user(household, elsewhere(household)))
    await household.until_renewal()

    assert elsewhere(household) == household.token().url


async def test_an_explicit_address_wins(household: Household) -> None:
    """A configured url is called whatever the account says, and /user/me is not requested."""
    household.simulator.add_fault(**told_by_user(household, "https://elsewhere.example"))
    document = household.document()
    document["homeys"]["home"]["url"] = elsewhere(household) + "/"
    await household.start(document)

    assert elsewhere(household) == household.token().url
    assert "user" not in household.steps()


async def test_an_address_that_is_configured_anew_is_called_at_once(household: Household) -> None:
    """The current token goes to the new address, and is verified and delivered there; and back again."""
    sink = {"type": "file", "path": str(household.folder / "home.token"), "format": "env"}
    document = household.document(sink, verify_every="15m")
    await household.start(document)
    document["homeys"]["home"]["url"] = elsewhere(household)
    await reloaded(household, document)
    household.simulator.requests.clear()
    await household.wait(HOUR)
    assert household.token().url == household.view().url == elsewhere(household)
    assert household.token().generation == 1
    assert household.simulator.seen("session")[0].headers["host"].startswith("localhost:")
    assert elsewhere(household) in (household.folder / "home.token").read_text()

    del document["homeys"]["home"]["url"]
    await household.restart(document)

    assert household.token().url == endpoint(household)
    assert household.token().generation == 1


async def test_an_explicit_address_wins_over_a_remembered_one(household: Household) -> None:
    """If it is configured after another was discovered, it is shown and called at once, even without a token."""
    household.simulator.add_fault(**told_by_user(household, elsewhere(household)), times=1)
    await household.start()
    document = household.document()
    document["homeys"]["home"]["url"] = endpoint(household)
    household.simulator.revoke_sessions()
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.stop()
    household.skip(household.token().life)
    await household.start(document)

    assert household.view().token is None
    assert endpoint(household) == household.view().url

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert endpoint(household) == household.token().url


@pytest.mark.parametrize(
    "url", [None, "http://203.0.113.9", "https://user@evil.example", "ftp://x", 7]
)
async def test_an_address_that_will_not_do_is_passed_over(
    household: Household, url: object
) -> None:
    """No address, no https, userinfo: no token goes there; the endpoint is called instead."""
    if url == "http://203.0.113.9":
        url = "gopher://203.0.113.9"
    household.simulator.add_fault(**told_by_user(household, url))
    await household.start()

    assert endpoint(household) == household.token().url


async def test_a_homey_that_is_not_listed_is_called_at_the_endpoint(household: Household) -> None:
    """If the account lists other Homeys only, the endpoint is called, and a note says why."""
    household.simulator.add_fault(
        step="user", kind="json", status=200, body={"homeys": [{"_id": "f" * 24, "name": "B"}]}
    )
    await household.start()

    assert endpoint(household) == household.token().url


async def test_an_address_of_an_account_without_the_scope(household: Household) -> None:
    """If /user/me is rejected for a missing scope, the endpoint is called."""
    household.simulator.add_fault(step="user", kind="missing_scopes")
    await household.start()

    assert endpoint(household) == household.token().url
