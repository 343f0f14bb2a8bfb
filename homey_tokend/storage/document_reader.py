"""The book as it was stored; a wrong type anywhere makes the whole of it damaged."""

import json
from datetime import timedelta
from typing import Any

from homey_tokend.core.account import AccountState, Rejection
from homey_tokend.core.errors import StateUnusable
from homey_tokend.core.failure import Failure
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.sink import SinkState
from homey_tokend.core.status import Trouble
from homey_tokend.core.tokens import Token
from homey_tokend.storage.document_contents import VERSION, StateDocument
from homey_tokend.storage.document_scalars import (
    flag,
    instant,
    mapping,
    maybe,
    number,
    secret,
    sequence,
    share,
    text,
)


def from_json(blob: bytes) -> StateDocument:
    """The book as it was stored.

    Raises:
        StateUnusable: damaged, or of another version; nothing of it is used.
    """
    try:
        document = json.loads(blob)
        if not isinstance(document, dict):
            raise _damaged("is no JSON object")
        version = document.get("version")
        if version != VERSION or isinstance(version, bool):
            raise _damaged(f"has version {version!r:.20}, not {VERSION}")
        return StateDocument(
            salt=text(document["salt"]),
            homeys={
                text(name): _homey(name, state)
                for name, state in mapping(document["homeys"]).items()
            },
            accounts={
                text(key): _account(state) for key, state in mapping(document["accounts"]).items()
            },
            refresh_tokens={
                text(name): secret(one) for name, one in mapping(document["refresh_tokens"]).items()
            },
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(f"is damaged ({type(error).__name__})") from None


def _damaged(what: str) -> StateUnusable:
    return StateUnusable(f"the state file {what}", remedy="It is set aside; a new one is begun.")


def _homey(name: str, value: Any) -> HomeyState:
    found = mapping(value)
    token = maybe(_token, found["token"])
    state = HomeyState(
        name=name,
        generation=number(found["generation"]),
        token=token,
        fraction=share(found["fraction"]),
        revoked=flag(found["revoked"]),
        url=maybe(text, found["url"]),
        account=text(found["account"]),
        cloudid=text(found.get("cloudid", "")),
        attempted_at=maybe(instant, found["attempted_at"]),
        failure=maybe(_failure, found["failure"]),
        refusal=maybe(_refusal, found["refusal"]),
        refreshes=number(found["refreshes"]),
        sinks={text(target): _sink(sink) for target, sink in mapping(found["sinks"]).items()},
    )
    given = [token.generation if token else None]
    for sink in state.sinks.values():
        given += [sink.generation, sink.failed_generation]
    if max(filter(None, given), default=0) > state.generation:
        raise ValueError
    return state


def _token(value: Any) -> Token:
    found = mapping(value)
    token = Token(
        value=secret(found["value"]),
        generation=number(found["generation"]),
        url=text(found["url"]),
        issued_at=instant(found["issued_at"]),
        expires_at=instant(found["expires_at"]),
        expiry_reported=flag(found["expiry_reported"]),
    )
    if token.life <= timedelta(0):
        raise ValueError
    return token


def _trouble(value: Any) -> Trouble:
    found = mapping(value)
    return Trouble(
        at=instant(found["at"]),
        kind=text(found["kind"]),
        step=text(found["step"]),
        message=text(found["message"]),
        remedy=text(found["remedy"]),
        status=maybe(number, found["status"]),
        count=max(1, number(found["count"])),
    )


def _failure(value: Any) -> Failure:
    found = mapping(value)
    return Failure(
        _trouble(found["trouble"]), share(found["draw"]), maybe(instant, found["not_before"])
    )


def _refusal(value: Any) -> Rejection:
    found = mapping(value)
    return Rejection(text(found["digest"]), _trouble(found["trouble"]))


def _sink(value: Any) -> SinkState:
    found = mapping(value)
    return SinkState(
        generation=maybe(number, found["generation"]),
        delivered_at=maybe(instant, found["delivered_at"]),
        failure=maybe(_failure, found["failure"]),
        failed_generation=maybe(number, found["failed_generation"]),
        rejected=flag(found["rejected"]),
        memory={text(key): text(one) for key, one in mapping(found["memory"]).items()},
        drifts=number(found["drifts"]),
    )


def _account(value: Any) -> AccountState:
    found = mapping(value)
    refusals = [_refusal(one) for one in sequence(found["refusals"])]
    return AccountState(
        refusals={one.digest: one for one in refusals},
        rejected_at=tuple(instant(at) for at in sequence(found["rejected_at"])),
        sign_ins=tuple(instant(at) for at in sequence(found["sign_ins"])),
        one_time_steps=tuple(number(step) for step in sequence(found["one_time_steps"])),
        forced=tuple(instant(at) for at in sequence(found["forced"])),
    )
