"""The address of a Homey: discovered, remembered, or configured."""

from typing import Any

import pytest

from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.keeper.test_reload import reloaded


def elsewhere(harness: Harness) -> str:
    """Return another address of the same simulator: localhost for 127.0.0.1."""
    url = harness.simulator.state.homey_url(harness.simulator.cloudids[0])
    return url.replace("127.0.0.1", "localhost")


def with_user_address(harness: Harness, url: object) -> dict[str, Any]:
    """Return a fault that makes /user/me return this address."""
    homey = {"_id": harness.simulator.cloudids[0], "name": "Homey", "remoteUrl": url}
    return {"step": "user", "kind": "json", "status": 200, "body": {"homeys": [homey]}}


def endpoint(harness: Harness) -> str:
    """Return the address from endpoints.homey and the cloudid."""
    return harness.simulator.state.homey_url(harness.simulator.cloudids[0])


async def test_the_address_is_discovered(harness: Harness) -> None:
    """With url auto the address from /user/me is called, and shown in the status."""
    harness.simulator.add_fault(**with_user_address(harness, elsewhere(harness) + "/"))
    await harness.start()

    assert elsewhere(harness) == harness.token().url == harness.view().url
    assert harness.simulator.seen("session")[0].headers["host"].startswith("localhost:")


async def test_a_discovered_address_survives_a_restart(harness: Harness) -> None:
    """If /user/me fails at the next renewal, after a restart, the remembered address is called."""
    harness.simulator.add_fault(**with_user_address(harness, elsewhere(harness)), times=1)
    await harness.start()
    await harness.restart()
    harness.simulator.add_fault(step="user", kind="status", status=503)
    await harness.until_renewal()

    assert harness.token().generation == 2
    assert elsewhere(harness) == harness.token().url


async def test_a_changed_address_is_used(harness: Harness) -> None:
    """If the account has another address at the next renewal, that one is called."""
    await harness.start()
    assert endpoint(harness) == harness.token().url

    harness.simulator.add_fault(**with_user_address(harness, elsewhere(harness)))
    await harness.until_renewal()

    assert elsewhere(harness) == harness.token().url


async def test_a_configured_address_takes_precedence(harness: Harness) -> None:
    """A configured url is called, and /user/me is not requested."""
    harness.simulator.add_fault(**with_user_address(harness, "https://elsewhere.example"))
    document = harness.document()
    document["homeys"]["home"]["url"] = elsewhere(harness) + "/"
    await harness.start(document)

    assert elsewhere(harness) == harness.token().url
    assert "user" not in harness.steps()


async def test_a_newly_configured_address_is_called_at_once(harness: Harness) -> None:
    """The current token goes to the new address, and is verified and delivered there; and back again."""
    sink = {"type": "file", "path": str(harness.folder / "home.token"), "format": "env"}
    document = harness.document(sink, verify_every="15m")
    await harness.start(document)
    document["homeys"]["home"]["url"] = elsewhere(harness)
    await reloaded(harness, document)
    harness.simulator.requests.clear()
    await harness.wait(HOUR)
    assert harness.token().url == harness.view().url == elsewhere(harness)
    assert harness.token().generation == 1
    assert harness.simulator.seen("session")[0].headers["host"].startswith("localhost:")
    assert elsewhere(harness) in (harness.folder / "home.token").read_text()

    del document["homeys"]["home"]["url"]
    await harness.restart(document)

    assert harness.token().url == endpoint(harness)
    assert harness.token().generation == 1


async def test_a_configured_address_takes_precedence_over_a_remembered_one(
    harness: Harness,
) -> None:
    """If it is configured after another was discovered, it is shown and called at once, even without a token."""
    harness.simulator.add_fault(**with_user_address(harness, elsewhere(harness)), times=1)
    await harness.start()
    document = harness.document()
    document["homeys"]["home"]["url"] = endpoint(harness)
    harness.simulator.revoke_sessions()
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.stop()
    harness.skip(harness.token().life)
    await harness.start(document)

    assert harness.view().token is None
    assert endpoint(harness) == harness.view().url

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert endpoint(harness) == harness.token().url


@pytest.mark.parametrize(
    "url", [None, "http://203.0.113.9", "https://user@evil.example", "ftp://x", 7]
)
async def test_an_unusable_address_is_ignored(harness: Harness, url: object) -> None:
    """No token is sent to an address without https or with userinfo; the endpoint is called instead."""
    if url == "http://203.0.113.9":
        url = "gopher://203.0.113.9"
    harness.simulator.add_fault(**with_user_address(harness, url))
    await harness.start()

    assert endpoint(harness) == harness.token().url


async def test_a_homey_that_is_not_listed_is_called_at_the_endpoint(harness: Harness) -> None:
    """If the account lists other Homeys only, the endpoint is called, and a note says why."""
    harness.simulator.add_fault(
        step="user", kind="json", status=200, body={"homeys": [{"_id": "f" * 24, "name": "B"}]}
    )
    await harness.start()

    assert endpoint(harness) == harness.token().url


async def test_an_address_of_an_account_without_the_scope(harness: Harness) -> None:
    """If /user/me is rejected for a missing scope, the endpoint is called."""
    harness.simulator.add_fault(step="user", kind="missing_scopes")
    await harness.start()

    assert endpoint(harness) == harness.token().url
