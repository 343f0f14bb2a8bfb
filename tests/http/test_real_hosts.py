"""The default endpoints, with the names of the real hosts and responses from this process.

No server of the tests can have these names, so only here aiohttp's responses are
taken from aioresponses; everything above it is the daemon's.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from aioresponses import aioresponses

from homey_tokend import athom
from homey_tokend.athom.flow import run_flow
from homey_tokend.athom.urls import HomeyTarget
from homey_tokend.core.errors import HomeyRejected
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.tokens import Bearer
from homey_tokend.http.transport import HttpTransport
from tests.athom.scenes import (
    ACCESS,
    BEARER,
    CLOUDID,
    CODE,
    CREDENTIALS,
    REDIRECT,
    REFRESH,
    form,
    sign_in,
)

ACCOUNTS, API = "https://accounts.athom.com", "https://api.athom.com"
HOMEY = f"https://{CLOUDID}.connect.athom.com"
#: The address that the account lists for this Homey: that of a Homey Pro of 2023.
REMOTE = f"https://{CLOUDID}.homey.athom-prod-euwest1-001.homeypro.net"
CONSENT = f"client_id=client-id&redirect_uri={REDIRECT}&response_type=code&user_token=jwt"


@pytest.fixture
def web() -> Iterator[aioresponses]:
    with aioresponses() as made:
        yield made


def cloud(web: aioresponses, remote: str | None) -> None:
    """Regular responses, as in docs/wire.md."""
    page = {"Set-Cookie": "_csrf=s3cr3t; Path=/", "Content-Type": "text/html; charset=utf-8"}
    found = {"Location": f"{REDIRECT}?code={CODE}"}
    grant = {
        "token_type": "bearer",
        "access_token": ACCESS,
        "expires_in": "3660",
        "refresh_token": REFRESH,
    }
    web.post(f"{ACCOUNTS}/login", payload={"token": "jwt"})
    onwards = {"Location": f"/authorise?{CONSENT}"}
    web.get(f"{ACCOUNTS}/oauth2/authorise?{CONSENT}", status=302, headers=onwards)
    web.get(f"{ACCOUNTS}/authorise?{CONSENT}", body=form(), headers=page)
    web.post(f"{ACCOUNTS}/authorise?{CONSENT}", status=302, headers=found)
    web.post(f"{API}/oauth2/token", payload=grant)
    web.get(f"{API}/user/me", payload={"homeys": [{"_id": CLOUDID, "remoteUrl": remote}]})
    web.post(f"{API}/delegation/token?audience=homey", payload="delegation.jwt")


async def bearer(transport: HttpTransport) -> Bearer:
    grant = await run_flow(sign_in(CREDENTIALS, Endpoints()), transport)
    site = HomeyTarget(Endpoints(), CLOUDID, None, None, timedelta(hours=24))
    return await run_flow(athom.exchange(grant, site), transport)


def asked(web: aioresponses) -> list[tuple[str, str]]:
    """Return the requests in order, without their queries."""
    return [(method, str(url.with_query(None))) for method, url in web.requests]


@pytest.mark.parametrize(
    ("remote", "hub"),
    [(None, HOMEY), (REMOTE, REMOTE)],
    ids=["the usual address", "the account's address"],
)
async def test_the_whole_flow(
    transport: HttpTransport, web: aioresponses, remote: str | None, hub: str
) -> None:
    """Requests go to Athom's two hosts and the Homey's, over https, and to no others."""
    cloud(web, remote)
    web.post(f"{hub}/api/manager/users/login", payload=BEARER)
    web.get(f"{hub}/api/manager/sessions/session/me", payload={"type": "OAUTH"})
    got = await bearer(transport)

    assert (BEARER, hub, True) == (got.value.reveal(), got.url, got.verified)
    assert asked(web) == [
        ("POST", f"{ACCOUNTS}/login"),
        ("GET", f"{ACCOUNTS}/oauth2/authorise"),
        ("GET", f"{ACCOUNTS}/authorise"),
        ("POST", f"{ACCOUNTS}/authorise"),
        ("POST", f"{API}/oauth2/token"),
        ("GET", f"{API}/user/me"),
        ("POST", f"{API}/delegation/token"),
        ("POST", f"{hub}/api/manager/users/login"),
        ("GET", f"{hub}/api/manager/sessions/session/me"),
    ]
    assert all(
        call.kwargs["allow_redirects"] is False for calls in web.requests.values() for call in calls
    )


async def test_a_homey_that_rejects_the_delegation(
    transport: HttpTransport, web: aioresponses
) -> None:
    """The login is repeated with another delegation token, then rejected."""
    cloud(web, None)
    web.post(f"{API}/delegation/token?audience=homey", payload="delegation.jwt")
    web.post(f"{HOMEY}/api/manager/users/login", status=401, repeat=True)
    web.get(f"{API}/user/me", payload={"homeys": []})
    with pytest.raises(HomeyRejected) as caught:
        await bearer(transport)

    assert caught.value.remedy
    calls = {str(url.with_query(None)): len(made) for (_, url), made in web.requests.items()}
    assert 2 == calls[f"{HOMEY}/api/manager/users/login"]
    assert 1 == calls[f"{ACCOUNTS}/login"]
