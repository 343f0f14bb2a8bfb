"""The stored state as versioned JSON.

The stored fields are listed here by hand, because what is written to the disk is a decision.
Reading checks everything: if any value has a wrong type, the whole document counts as damaged,
and the caller sets it aside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from homey_tokend.core.account import AccountState, Rejection
from homey_tokend.core.errors import StateUnusable
from homey_tokend.core.failure import Failure, LastError
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.secret import Secret
from homey_tokend.core.sink import SinkState
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Token
from homey_tokend.storage.scalars import (
    Json,
    flag,
    instant,
    mapping,
    maybe,
    number,
    seconds,
    secret,
    sequence,
    share,
    text,
)

VERSION = 1


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The clocks at one moment; ``elapsed`` is the seconds since the boot."""

    boot_id: str
    wall: datetime
    elapsed: float


@dataclass(frozen=True, slots=True)
class StateDocument:
    """The stored state, by the Homey's name and by account key.

    ``salt`` (hexadecimal) is part of the digests of accounts and credentials.
    ``refresh_tokens`` is only used with ``refresh.method: refresh_token``. ``clock`` is the
    clocks' state when the document was stored.
    """

    salt: str
    homeys: Mapping[str, HomeyState] = field(default_factory=dict)
    accounts: Mapping[str, AccountState] = field(default_factory=dict)
    refresh_tokens: Mapping[str, Secret] = field(default_factory=dict)
    clock: ClockReading | None = None


def with_homey(document: StateDocument, state: HomeyState) -> StateDocument:
    """Return the document with one Homey's state replaced."""
    return replace(document, homeys={**document.homeys, state.name: state})


def without_homey(document: StateDocument, name: str) -> StateDocument:
    """Return the document without one Homey."""
    return replace(
        document,
        homeys={key: one for key, one in document.homeys.items() if key != name},
        refresh_tokens={key: one for key, one in document.refresh_tokens.items() if key != name},
    )


def with_accounts(document: StateDocument, states: Mapping[str, AccountState]) -> StateDocument:
    """Return the document with some accounts' states replaced."""
    return replace(document, accounts={**document.accounts, **states})


# --- writing ---


def to_json(document: StateDocument) -> bytes:
    """Return the document as JSON."""
    stored = {
        "version": VERSION,
        "salt": document.salt,
        "clock": _clock_json(document.clock) if document.clock else None,
        "homeys": {name: _homey_json(state) for name, state in document.homeys.items()},
        "accounts": {key: _account_json(state) for key, state in document.accounts.items()},
        "refresh_tokens": {name: one.reveal() for name, one in document.refresh_tokens.items()},
    }
    return (json.dumps(stored) + "\n").encode()


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at, "auto")


def _clock_json(clock: ClockReading) -> Json:
    return {"boot_id": clock.boot_id, "wall": _instant(clock.wall), "elapsed": clock.elapsed}


def _homey_json(state: HomeyState) -> Json:
    return {
        "generation": state.generation,
        "token": _token_json(state.token) if state.token else None,
        "fraction": state.fraction,
        "revoked": state.revoked,
        "url": state.url,
        "account": state.account,
        "cloudid": state.cloudid,
        "attempted_at": _instant(state.attempted_at),
        "failure": _failure_json(state.failure),
        "rejection": _rejection_json(state.rejection) if state.rejection else None,
        "refreshes": state.refreshes,
        "sinks": {target: _sink_json(sink) for target, sink in state.sinks.items()},
    }


def _token_json(token: Token) -> Json:
    return {
        "value": token.value.reveal(),
        "generation": token.generation,
        "url": token.url,
        "issued_at": _instant(token.issued_at),
        "expires_at": _instant(token.expires_at),
        "expiry_reported": token.expiry_reported,
    }


def _last_error_json(last_error: LastError) -> Json:
    return {
        "at": _instant(last_error.at),
        "kind": last_error.kind,
        "step": last_error.step,
        "message": last_error.message,
        "remedy": last_error.remedy,
        "status": last_error.status,
        "count": last_error.count,
    }


def _failure_json(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {
        "last_error": _last_error_json(failure.last_error),
        "random": failure.random,
        "not_before": _instant(failure.not_before),
    }


def _rejection_json(rejection: Rejection) -> Json:
    return {"digest": rejection.digest, "last_error": _last_error_json(rejection.last_error)}


def _sink_json(sink: SinkState) -> Json:
    return {
        "generation": sink.generation,
        "delivered_at": _instant(sink.delivered_at),
        "failure": _failure_json(sink.failure),
        "failed_generation": sink.failed_generation,
        "memory": dict(sink.memory),
        "drifts": sink.drifts,
    }


def _account_json(state: AccountState) -> Json:
    return {
        "rejections": [_rejection_json(one) for one in state.rejections.values()],
        "rejected_at": [_instant(at) for at in state.rejected_at],
        "sign_ins": [_instant(at) for at in state.sign_ins],
        "one_time_steps": list(state.one_time_steps),
        "forced": [_instant(at) for at in state.forced],
    }


# --- reading ---


def from_json(blob: bytes) -> StateDocument:
    """Parse a stored document.

    Raises:
        StateUnusable: It is damaged or has another version; nothing of it is used.
    """
    try:
        document = json.loads(blob)
        if not isinstance(document, dict):
            raise _damaged("is not a JSON object")
        version = document.get("version")
        if version != VERSION or isinstance(version, bool):
            raise _damaged(f"has version {version!r:.20}, not {VERSION}")
        return StateDocument(
            salt=text(document["salt"]),
            clock=maybe(_read_clock, document.get("clock")),
            homeys={
                text(name): _read_homey(name, state)
                for name, state in mapping(document["homeys"]).items()
            },
            accounts={
                text(key): _read_account(state)
                for key, state in mapping(document["accounts"]).items()
            },
            refresh_tokens={
                text(name): secret(one) for name, one in mapping(document["refresh_tokens"]).items()
            },
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(f"is damaged ({type(error).__name__})") from None


def _damaged(what: str) -> StateUnusable:
    return StateUnusable(f"the state file {what}", remedy="It is set aside; a new one is started.")


def _read_clock(value: Any) -> ClockReading:
    found = mapping(value)
    return ClockReading(text(found["boot_id"]), instant(found["wall"]), seconds(found["elapsed"]))


def _read_homey(name: str, value: Any) -> HomeyState:
    found = mapping(value)
    token = maybe(_read_token, found["token"])
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
        failure=maybe(_read_failure, found["failure"]),
        rejection=maybe(_read_rejection, found["rejection"]),
        refreshes=number(found["refreshes"]),
        sinks={text(target): _read_sink(sink) for target, sink in mapping(found["sinks"]).items()},
    )
    given = [token.generation if token else None]
    for sink in state.sinks.values():
        given += [sink.generation, sink.failed_generation]
    if max(filter(None, given), default=0) > state.generation:
        raise ValueError
    return state


def _read_token(value: Any) -> Token:
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


def _read_last_error(value: Any) -> LastError:
    found = mapping(value)
    return LastError(
        at=instant(found["at"]),
        kind=text(found["kind"]),
        step=text(found["step"]),
        message=text(found["message"]),
        remedy=text(found["remedy"]),
        status=maybe(number, found["status"]),
        count=max(1, number(found["count"])),
    )


def _read_failure(value: Any) -> Failure:
    found = mapping(value)
    return Failure(
        _read_last_error(found["last_error"]),
        share(found["random"]),
        maybe(instant, found["not_before"]),
    )


def _read_rejection(value: Any) -> Rejection:
    found = mapping(value)
    return Rejection(text(found["digest"]), _read_last_error(found["last_error"]))


def _read_sink(value: Any) -> SinkState:
    found = mapping(value)
    return SinkState(
        generation=maybe(number, found["generation"]),
        delivered_at=maybe(instant, found["delivered_at"]),
        failure=maybe(_read_failure, found["failure"]),
        failed_generation=maybe(number, found["failed_generation"]),
        memory={text(key): text(one) for key, one in mapping(found["memory"]).items()},
        drifts=number(found["drifts"]),
    )


def _read_account(value: Any) -> AccountState:
    found = mapping(value)
    rejections = [_read_rejection(one) for one in sequence(found["rejections"])]
    return AccountState(
        rejections={one.digest: one for one in rejections},
        rejected_at=tuple(instant(at) for at in sequence(found["rejected_at"])),
        sign_ins=tuple(instant(at) for at in sequence(found["sign_ins"])),
        one_time_steps=tuple(number(step) for step in sequence(found["one_time_steps"])),
        forced=tuple(instant(at) for at in sequence(found["forced"])),
    )
