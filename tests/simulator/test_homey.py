"""The user, delegation, a Homey's login and sessions: ``docs/wire.md`` A5 to C and E."""

import base64
import json
import re
from typing import Any

import pytest

from tests.simulator.conftest import Client, Clock, StartClient, bearer


async def test_user(start_client: StartClient) -> None:
    """/user/me has every Homey with its own address on the simulator's port."""
    client = await start_client(homeys=2)
    me = (await client.ask("GET", "/user/me", headers=bearer(await client.access()))).json

    assert client.description["email"] == me["email"]
    assert me["devices"] == []
    assert [one["cloudid"] for one in client.description["homeys"]] == [
        one["_id"] for one in me["homeys"]
    ]
    assert (
        client.description["homey"].replace("{cloudid}", client.description["cloudid"])
        == (me["homeys"][0]["remoteUrl"])
    )


async def test_no_remote_url(start_client: StartClient) -> None:
    """By switch the address is null."""
    client = await start_client(remote_url=False, api_version=3)
    me = (await client.ask("GET", "/user/me", headers=bearer(await client.access()))).json

    assert tuple(me["homeys"][0][key] for key in ("remoteUrl", "apiVersion", "platform")) == (
        None,
        3,
        "local",
    )


async def test_delegation(client: Client) -> None:
    """A delegation token is a bare JSON string, a JWT that names RS512 and its audience."""
    token = (await client.delegation(await client.access())).json
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]
    )

    assert header["alg"] == "RS512"
    assert claims["aud"] == "homey"
    assert claims["exp"] - claims["iat"] == 300


async def test_delegation_is_verified(client: Client) -> None:
    """The cloud verifies delegation tokens."""
    token = (await client.delegation(await client.access())).json
    good = await client.ask("GET", "/delegation/verify", params={"token": token})
    bad = await client.ask("GET", "/delegation/verify", params={"token": "bad"})

    assert good.json["aud"] == "homey"
    assert bad.error == (401, "invalid_token", "The provided token is invalid.")


async def test_unknown_audience(client: Client) -> None:
    """An unknown audience is an error."""
    assert (await client.delegation(await client.access(), "nobody")).status == 400


async def test_bearer(client: Client) -> None:
    """The bearer has 114 characters: two UUIDs and 40 hex digits."""
    token = await client.bearer()

    assert len(token) == 114
    assert re.fullmatch(r"[0-9a-f-]{36}:[0-9a-f-]{36}:[0-9a-f]{40}", token)
    assert client.simulator.accepts(token)


async def test_steps(client: Client) -> None:
    """The request log has the requests of the sign-in by name and in order."""
    await client.bearer()

    assert (client.simulator.steps()) == [
        "login",
        "authorise",
        "consent",
        "token",
        "delegation",
        "homey_login",
    ]


@pytest.mark.parametrize("audience", ["apps", None])
async def test_wrong_delegation(client: Client, audience: str | None) -> None:
    """A Homey rejects a token for another audience, and one that was never issued."""
    token = (await client.delegation(await client.access(), audience)).json if audience else "a.b.c"

    assert (await client.homey("POST", "/users/login", json={"token": token})).status == 401


async def test_old_delegation(client: Client, clock: Clock) -> None:
    """A delegation token ends after some minutes."""
    token = (await client.delegation(await client.access())).json
    clock.time += 301

    assert (await client.homey("POST", "/users/login", json={"token": token})).status == 401


@pytest.mark.parametrize(("covers", "status"), [("all", 200), ("chosen", 403)])
async def test_covers(start_client: StartClient, covers: str, status: int) -> None:
    """By switch a consent opens the chosen Homey only."""
    client = await start_client(homeys=2, covers=covers)
    chosen, other = (one["cloudid"] for one in client.description["homeys"])
    token = {"token": (await client.delegation(await client.access(chosen))).json}
    at_chosen = await client.homey("POST", "/users/login", json=token)
    at_other = await client.homey("POST", "/users/login", json=token, at=other)

    assert [200, status] == [at_chosen.status, at_other.status]


async def test_session(client: Client) -> None:
    """session/me has scopes and an end 24 hours after its beginning."""
    session = (await client.homey("GET", "/sessions/session/me/", await client.bearer())).json

    assert session["scopes"] == ["resource", "account.homeys.readonly", "homey"]
    assert session["type"] == "OAUTH"
    assert session["createdAt"] == "2027-01-15T08:00:00.000Z"
    assert session["expiresAt"] == "2027-01-16T08:00:00.000Z"


async def test_no_expires_at(start_client: StartClient) -> None:
    """By switch session/me has no expiresAt."""
    client = await start_client(expires_at=False)
    session = (await client.homey("GET", "/sessions/session/me", await client.bearer())).json

    assert "expiresAt" not in session


async def test_session_ends(start_client: StartClient, clock: Clock) -> None:
    """After its lifetime a bearer is 401, and ``accepts`` agrees."""
    client = await start_client(session_lifetime=60)
    token = await client.bearer()
    clock.time += 60
    answer = await client.homey("GET", "/sessions/session/me", token)

    assert answer.error[:2] == (401, "session_expired")
    assert not client.simulator.accepts(token)


async def test_old_sessions_are_dropped(start_client: StartClient, clock: Clock) -> None:
    """The next login drops sessions a day past their end."""
    client = await start_client(session_lifetime=60)
    await client.bearer()
    clock.time += 90_000
    await client.bearer()
    (homey,) = client.simulator.state.homeys.values()

    assert len(homey.sessions) == 1


@pytest.mark.parametrize("token", ["", "unknown"])
async def test_no_bearer(client: Client, token: str) -> None:
    """Without a valid bearer a Homey answers 401."""
    assert (await client.homey("GET", "/logic/variable", token)).status == 401


async def test_sessions(client: Client) -> None:
    """Sessions are listed by id and can be ended, on version 2."""
    first, second = await client.bearer(), await client.bearer()
    mine = (await client.homey("GET", "/sessions/session/me", first)).json["id"]
    listed = (await client.homey("GET", "/sessions/session", second)).json
    ended = await client.homey("DELETE", f"/sessions/session/{mine}", second)
    again = await client.homey("DELETE", f"/sessions/session/{mine}", second)

    assert len(listed) == 2
    assert mine in listed
    assert [ended.status, again.status] == [200, 404]
    assert [client.simulator.accepts(one) for one in (first, second)] == [False, True]


async def test_no_session_list(start_client: StartClient) -> None:
    """Version 3 has no list of sessions."""
    client = await start_client(api_version=3)
    answer = await client.homey("GET", "/sessions/session", await client.bearer())

    assert answer.error[:2] == (500, "missing_api_method")


@pytest.mark.parametrize(
    ("query", "text"), [({}, "true"), ({"id": "mine"}, "true"), ({"id": "other"}, "false")]
)
async def test_ping(client: Client, query: dict[str, str], text: str) -> None:
    """A ping needs no bearer and answers whether it is this Homey."""
    asked = {
        key: client.description["cloudid"] if one == "mine" else one for key, one in query.items()
    }
    answer = await client.homey("GET", "/system/ping", params=asked)

    assert (text, client.description["cloudid"]) == (answer.text, answer.headers["X-Homey-ID"])


async def test_unknown_homey(client: Client) -> None:
    """An unknown cloudid is mesh_node_offline."""
    answer = await client.homey("POST", "/users/login", json={}, at="0" * 24)

    assert "mesh_node_offline" in answer.text


async def test_unplugged(client: Client) -> None:
    """An unplugged Homey is mesh_node_offline, with a bearer too, until it is plugged in."""
    token = await client.bearer()
    client.simulator.unplug()
    gone = await client.homey("GET", "/sessions/session/me", token)
    client.simulator.plug()
    back = await client.homey("GET", "/sessions/session/me", token)

    assert "mesh_node_offline" in gone.text
    assert back.status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/devices/device/", 200),
        ("/zones/zone", 200),
        ("/flow/flow", 200),
        ("/no/such", 500),
    ],
)
async def test_other_managers(client: Client, path: str, status: int) -> None:
    """Other managers have a few values; an unknown method is 500 as measured."""
    assert status == (await client.homey("GET", path, await client.bearer())).status


async def test_cannot_get(client: Client) -> None:
    """An unknown path of the cloud is Express's 404."""
    answer = await client.ask("GET", "/nothing")

    assert answer.status == 404
    assert "Cannot GET /nothing" in answer.text
    assert client.simulator.steps() == ["other"]


async def test_lamp(client: Client) -> None:
    """A lamp is switched on and stays on."""
    token = await client.bearer()
    devices: dict[str, Any] = (await client.homey("GET", "/devices/device", token)).json
    lamp = next(one["id"] for one in devices.values() if "onoff" in one["capabilities"])
    path = f"/devices/device/{lamp}"
    done = await client.homey("PUT", f"{path}/capability/onoff/", token, json={"value": True})
    after = (await client.homey("GET", path, token)).json

    assert done.status == 200
    assert after["capabilitiesObj"]["onoff"]["value"] is True


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/devices/device/none", 404),
        ("PUT", "/devices/device/none/capability/onoff", 404),
        ("PUT", "/devices/device/{}/capability/none", 404),
        ("PUT", "/devices/device/{}/capability/onoff", 400),
    ],
)
async def test_no_device(client: Client, method: str, path: str, status: int) -> None:
    """An unknown device or capability is 404, a PUT without a value 400."""
    (homey,) = client.simulator.state.homeys.values()
    path = path.format(next(iter(homey.devices)))

    assert status == (await client.homey(method, path, await client.bearer(), json={})).status


async def test_own_date(start_client: StartClient) -> None:
    """The Date header is the simulator's own, and can be wrong by a skew."""
    answer = await (await start_client(clock_skew=3600)).ask("GET", "/")

    assert answer.headers["Date"] == "Fri, 15 Jan 2027 09:00:00 GMT"
