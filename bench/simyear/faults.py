"""The faults of a host: each kind is a function that answers instead of it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from bench.simyear.cloud import Answer, Cloud, FaultAnswer
from bench.simyear.values import Fault
from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Request, Step

#: The gap between two passwords if the answer to the first did not judge it.
UNKNOWN_GAP = timedelta(minutes=15)


async def _down(_cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    raise Unreachable("refused", step=request.step, sent=False)


def _taken(cloud: Cloud, request: Request) -> None:
    """Use the one-time code up, whatever the answer."""
    if request.step is Step.LOGIN:
        cloud.use_code(request)


async def _hang(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    _taken(cloud, request)
    await asyncio.sleep(30)
    raise Unreachable("no answer in time", step=request.step, sent=True)


async def _reset(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    _taken(cloud, request)
    raise Unreachable("reset", step=request.step, sent=True)


async def _unavailable(_cloud: Cloud, _fault: Fault, _request: Request) -> Answer:
    return 503, b"<html>unavailable</html>", []


async def _portal(_cloud: Cloud, _fault: Fault, _request: Request) -> Answer:
    # A wrong Date, which must be ignored because the host is not authenticated.
    lie = ("date", "Fri, 01 Jan 2038 00:00:00 GMT")
    return 200, b"<html>Please sign in to the hotel's network</html>", [lie]


async def _busy(cloud: Cloud, fault: Fault, request: Request) -> Answer:
    cloud.record_pause(fault)
    if request.step is Step.LOGIN:
        cloud.passwords.append(cloud.clock.truth())
    header = [("retry-after", fault.retry_after)] if fault.retry_after else []
    return 429, b'{"error":"too_many_requests"}', header


async def _offline(_cloud: Cloud, _fault: Fault, _request: Request) -> Answer:
    return 404, b'{"error":"mesh_node_offline"}', []


async def _slow(cloud: Cloud, _fault: Fault, _request: Request) -> Answer:
    """Answer late."""
    await asyncio.sleep(cloud.random.uniform(5, 100))
    return None


async def _slow_variable(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    """Delay variable writes, so that the first one may arrive last."""
    if request.step is Step.VARIABLE:
        await asyncio.sleep(cloud.random.choice([1, 110]))
    return None


async def _late_session(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    """Issue sessions that the Homey accepts only seconds later."""
    if request.step is not Step.HOMEY_LOGIN:
        return None
    before, answer = cloud.newest, cloud.on_homey_login(request)
    if cloud.newest is not None and cloud.newest is not before:
        seconds = cloud.random.uniform(0.1, 3.5)
        cloud.newest.accepted_from = cloud.clock.truth() + timedelta(seconds=seconds)
    return answer


async def _dead_session(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    """Issue sessions that the Homey never accepts."""
    if request.step is not Step.HOMEY_LOGIN:
        return None
    before, answer = cloud.newest, cloud.on_homey_login(request)
    if cloud.newest is not None and cloud.newest is not before:
        cloud.newest.dead_session = True
    return answer


async def _unknown(cloud: Cloud, _fault: Fault, request: Request) -> Answer:
    """Answer the password in a way that no documentation describes."""
    if request.step is not Step.LOGIN:
        return None
    cloud.on_login(request)
    cloud.logins[-1].unknown = True
    # It may have been a rejection in an unknown form: the next password waits as after one.
    cloud.faulty_until = max(cloud.faulty_until, cloud.clock.truth() + UNKNOWN_GAP)
    return 200, b'{"status":"ok"}', []


FAULTS: Mapping[str, FaultAnswer] = {
    "down": _down,
    "hang": _hang,
    "reset": _reset,
    "503": _unavailable,
    "portal": _portal,
    "busy": _busy,
    "offline": _offline,
    "slow": _slow,
    "slow_variable": _slow_variable,
    "late_session": _late_session,
    "dead_session": _dead_session,
    "unknown": _unknown,
}
