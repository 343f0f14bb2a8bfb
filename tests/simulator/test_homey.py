"""The user, delegation, a Homey's login and sessions: ``docs/wire.md`` A5 to C and E."""

import base64
import json
import re
from typing import Any

import pytest

from tests.simulator.conftest import Clock, Meet, Person, bearer


async def test_user(meet: Meet) -> None:
    """/user/me names every Homey with its own address on the simulator's port."""
    person = await meet(homeys=2)
    me = (await person.ask("GET", "/user/me", headers=bearer(await person.access()))).json

    assert person.told["email"] == me["email"]
    assert me["devices"] == []
    assert [one["cloudid"] for one in person.told["homeys"]] == [one["_id"] for one in me["homeys"]]
    assert (
        person.told["homey"].replace("{cloudid}", person.told["cloudid"])
        == (me["homeys"][0]["remoteUrl"])
    )


async def test_no_remote_url(meet: Meet) -> None:
    """By switch the address is null."""
    person = await meet(remote_url=False, api_version=3)
    me = (await person.ask("GET", "/user/me", headers=bearer(await person.access()))).json

    assert tuple(me["homeys"][0][key] for key in ("remoteUrl", "apiVersion", "platform")) == (
        None,
        3,
        "local",
    )


async def test_delegation(person: Person) -> None:
    """A delegation token is a bare JSON string, a JWT that names RS512 and its audience."""
    token = (await person.delegation(await person.access())).json
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]
    )

    assert header["alg"] == "RS512"
    assert claims["aud"] == "homey"
    assert claims["exp"] - claims["iat"] == 300


async def test_delegation_is_verified(person: Person) -> None:
    """The cloud tells whether a delegation token is good."""
    token = (await person.delegation(await person.access())).json
    good = await person.ask("GET", "/delegation/verify", params={"token": token})
    bad = await person.ask("GET", "/delegation/verify", params={"token": "bad"})

    assert good.json["aud"] == "homey"
    assert bad.error == (401, "invalid_token", "The provided token is invalid.")


async def test_unknown_audience(person: Person) -> None:
    """An unknown audience is refused."""
    assert (await person.delegation(await person.access(), "nobody")).status == 400


async def test_bearer(person: Person) -> None:
    """The bearer has 114 characters: two UUIDs and 40 hex digits."""
    token = await person.bearer()

    assert len(token) == 114
    assert re.fullmatch(r"[0-9a-f-]{36}:[0-9a-f-]{36}:[0-9a-f]{40}", token)
    assert person.simulator.accepts(token)


async def test_steps(person: Person) -> None:
    """The journal has the requests of the flow by their names and in order."""
    await person.bearer()

    assert (person.simulator.steps()) == [
        "login",
        "authorise",
        "consent",
        "token",
        "delegation",
        "homey_login",
    ]


@pytest.mark.parametrize("audience", ["apps", None])
async def test_wrong_delegation(person: Person, audience: str | None) -> None:
    """A Homey refuses a token for another audience, and one that nobody gave."""
    token = (await person.delegation(await person.access(), audience)).json if audience else "a.b.c"

    assert (await person.homey("POST", "/users/login", json={"token": token})).status == 401


async def test_old_delegation(person: Person, clock: Clock) -> None:
    """A delegation token ends after some minutes."""
    token = (await person.delegation(await person.access())).json
    clock.time += 301

    assert (await person.homey("POST", "/users/login", json={"token": token})).status == 401


@pytest.mark.parametrize(("covers", "status"), [("all", 200), ("chosen", 403)])
async def test_covers(meet: Meet, covers: str, status: int) -> None:
    """By switch a consent opens the chosen Homey only."""
    person = await meet(homeys=2, covers=covers)
    chosen, other = (one["cloudid"] for one in person.told["homeys"])
    token = {"token": (await person.delegation(await person.access(chosen))).json}
    at_chosen = await person.homey("POST", "/users/login", json=token)
    at_other = await person.homey("POST", "/users/login", json=token, at=other)

    assert [200, status] == [at_chosen.status, at_other.status]


async def test_session(person: Person) -> None:
    """session/me tells scopes and an end 24 hours after its beginning."""
    session = (await person.homey("GET", "/sessions/session/me/", await person.bearer())).json

    assert session["scopes"] == ["resource", "account.homeys.readonly", "homey"]
    assert session["type"] == "OAUTH"
    assert session["createdAt"] == "2027-01-15T08:00:00.000Z"
    assert session["expiresAt"] == "2027-01-16T08:00:00.000Z"


async def test_no_expires_at(meet: Meet) -> None:
    """By switch session/me does not tell expiresAt."""
    person = await meet(expires_at=False)
    session = (await person.homey("GET", "/sessions/session/me", await person.bearer())).json

    assert "expiresAt" not in session


async def test_session_ends(meet: Meet, clock: Clock) -> None:
    """After its life a bearer is 401, at the Homey and for the test."""
    person = await meet(session_lifetime=60)
    token = await person.bearer()
    clock.time += 60
    answer = await person.homey("GET", "/sessions/session/me", token)

    assert answer.error[:2] == (401, "session_expired")
    assert not person.simulator.accepts(token)


async def test_old_sessions_leave(meet: Meet, clock: Clock) -> None:
    """Sessions a day past their end are swept away by the next login."""
    person = await meet(session_lifetime=60)
    await person.bearer()
    clock.time += 90_000
    await person.bearer()
    (homey,) = person.simulator.world.homeys.values()

    assert len(homey.sessions) == 1


@pytest.mark.parametrize("token", ["", "unknown"])
async def test_no_bearer(person: Person, token: str) -> None:
    """Without a good bearer a Homey is 401."""
    assert (await person.homey("GET", "/logic/variable", token)).status == 401


async def test_sessions(person: Person) -> None:
    """Sessions are listed by id and can be ended, on version 2."""
    first, second = await person.bearer(), await person.bearer()
    mine = (await person.homey("GET", "/sessions/session/me", first)).json["id"]
    listed = (await person.homey("GET", "/sessions/session", second)).json
    ended = await person.homey("DELETE", f"/sessions/session/{mine}", second)
    again = await person.homey("DELETE", f"/sessions/session/{mine}", second)

    assert len(listed) == 2
    assert mine in listed
    assert [ended.status, again.status] == [200, 404]
    assert [person.simulator.accepts(one) for one in (first, second)] == [False, True]


async def test_no_session_list(meet: Meet) -> None:
    """Version 3 has no list of sessions."""
    person = await meet(api_version=3)
    answer = await person.homey("GET", "/sessions/session", await person.bearer())

    assert answer.error[:2] == (500, "missing_api_method")


@pytest.mark.parametrize(
    ("query", "text"), [({}, "true"), ({"id": "mine"}, "true"), ({"id": "other"}, "false")]
)
async def test_ping(person: Person, query: dict[str, str], text: str) -> None:
    """A ping needs no bearer and tells whether it is this Homey."""
    asked = {key: person.told["cloudid"] if one == "mine" else one for key, one in query.items()}
    answer = await person.homey("GET", "/system/ping", params=asked)

    assert (text, person.told["cloudid"]) == (answer.text, answer.headers["X-Homey-ID"])


async def test_unknown_homey(person: Person) -> None:
    """A cloudid that nobody has is mesh_node_offline."""
    answer = await person.homey("POST", "/users/login", json={}, at="0" * 24)

    assert "mesh_node_offline" in answer.text


async def test_unplugged(person: Person) -> None:
    """An unplugged Homey is mesh_node_offline, also for who has a bearer, until plugged."""
    token = await person.bearer()
    person.simulator.unplug()
    gone = await person.homey("GET", "/sessions/session/me", token)
    person.simulator.plug()
    back = await person.homey("GET", "/sessions/session/me", token)

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
async def test_elsewhere(person: Person, path: str, status: int) -> None:
    """Other managers answer a little; an unknown method is 500 as measured."""
    assert status == (await person.homey("GET", path, await person.bearer())).status


async def test_cannot_get(person: Person) -> None:
    """An unknown path of the cloud is Express's 404."""
    answer = await person.ask("GET", "/nothing")

    assert answer.status == 404
    assert "Cannot GET /nothing" in answer.text
    assert person.simulator.steps() == ["other"]


async def test_lamp(person: Person) -> None:
    """A lamp is switched on, and stays so."""
    token = await person.bearer()
    devices: dict[str, Any] = (await person.homey("GET", "/devices/device", token)).json
    lamp = next(one["id"] for one in devices.values() if "onoff" in one["capabilities"])
    path = f"/devices/device/{lamp}"
    done = await person.homey("PUT", f"{path}/capability/onoff/", token, json={"value": True})
    after = (await person.homey("GET", path, token)).json

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
async def test_no_device(person: Person, method: str, path: str, status: int) -> None:
    """An unknown device or capability is 404, a PUT without a value 400."""
    (homey,) = person.simulator.world.homeys.values()
    path = path.format(next(iter(homey.devices)))

    assert status == (await person.homey(method, path, await person.bearer(), json={})).status


async def test_own_date(meet: Meet) -> None:
    """The Date header is the simulator's own, and can be wrong by a skew."""
    answer = await (await meet(clock_skew=3600)).ask("GET", "/")

    assert answer.headers["Date"] == "Fri, 15 Jan 2027 09:00:00 GMT"
