"""What may be wrong with a host: each kind is a function that answers in its place."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Request, Step

if TYPE_CHECKING:
    from bench.simyear.cloud import Cloud

#: How long after an answer to a password that says nothing does the next one go out?
STRANGE = timedelta(minutes=15)
#: Status, body and headers; None: the host answers as ever.
Answer = tuple[int, bytes, list[tuple[str, str]]] | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a host does to a request while it lasts: ``kind`` is one of the table below."""

    host: str
    kind: str
    until: datetime
    retry_after: str = ""


async def _down(_cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    raise Unreachable("refused", step=request.step, sent=False)


def _taken(cloud: "Cloud", request: Request) -> None:
    """Whatever comes of it, the one-time code has been there."""
    if request.step is Step.LOGIN:
        cloud.use_code(request)


async def _hang(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    _taken(cloud, request)
    await asyncio.sleep(30)
    raise Unreachable("no answer in time", step=request.step, sent=True)


async def _reset(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    _taken(cloud, request)
    raise Unreachable("reset", step=request.step, sent=True)


async def _unwell(_cloud: "Cloud", _trouble: Trouble, _request: Request) -> Answer:
    return 503, b"<html>unwell</html>", []


async def _portal(_cloud: "Cloud", _trouble: Trouble, _request: Request) -> Answer:
    # Whatever its clock says: nobody has asked it for the time.
    lie = ("date", "Fri, 01 Jan 2038 00:00:00 GMT")
    return 200, b"<html>Please sign in to the hotel's network</html>", [lie]


async def _busy(cloud: "Cloud", trouble: Trouble, request: Request) -> Answer:
    cloud.remember_wait(trouble)
    if request.step is Step.LOGIN:
        cloud.passwords.append(cloud.clock.truth())
    header = [("retry-after", trouble.retry_after)] if trouble.retry_after else []
    return 429, b'{"error":"too_many_requests"}', header


async def _offline(_cloud: "Cloud", _trouble: Trouble, _request: Request) -> Answer:
    return 404, b'{"error":"mesh_node_offline"}', []


async def _slow(cloud: "Cloud", _trouble: Trouble, _request: Request) -> Answer:
    """The answer comes, and late."""
    await asyncio.sleep(cloud.chance.uniform(5, 100))
    return None


async def _thoughtful(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    """A variable takes its time, and one that was written first may be there last."""
    if request.step is Step.VARIABLE:
        await asyncio.sleep(cloud.chance.choice([1, 110]))
    return None


async def _sluggish(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    """The Homey gives sessions that it takes seconds later only."""
    if request.step is not Step.HOMEY_LOGIN:
        return None
    before, answer = cloud.newest, cloud.on_homey_login(request)
    if cloud.newest is not None and cloud.newest is not before:
        seconds = cloud.chance.uniform(0.1, 3.5)
        cloud.newest.good_from = cloud.clock.truth() + timedelta(seconds=seconds)
    return answer


async def _stillborn(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    """The Homey gives sessions that it never takes."""
    if request.step is not Step.HOMEY_LOGIN:
        return None
    before, answer = cloud.newest, cloud.on_homey_login(request)
    if cloud.newest is not None and cloud.newest is not before:
        cloud.newest.stillborn = True
    return answer


async def _strange(cloud: "Cloud", _trouble: Trouble, request: Request) -> Answer:
    """An answer to the password that is in no book."""
    if request.step is not Step.LOGIN:
        return None
    cloud.on_login(request)
    cloud.logins[-1].strange = True
    # It may have been a refusal in words nobody knows: spaced like the first of them.
    cloud.unwell_until = max(cloud.unwell_until, cloud.clock.truth() + STRANGE)
    return 200, b'{"status":"ok"}', []


AILMENTS: dict[str, Callable[["Cloud", Trouble, Request], Awaitable[Answer]]] = {
    "down": _down,
    "hang": _hang,
    "reset": _reset,
    "503": _unwell,
    "portal": _portal,
    "busy": _busy,
    "offline": _offline,
    "slow": _slow,
    "thoughtful": _thoughtful,
    "sluggish": _sluggish,
    "stillborn": _stillborn,
    "strange": _strange,
}
