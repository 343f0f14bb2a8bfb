"""All that is kept across restarts, as versioned JSON. Pure.

Which fields are kept is written out here once, by hand: what goes to the disk is
a decision, not an accident. Reading believes nothing: a wrong type anywhere makes
the whole file damaged, and the caller sets it aside.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from homey_tokend.account import AccountState, Refusal
from homey_tokend.errors import StateUnusable
from homey_tokend.model import Secret, Token, Trouble
from homey_tokend.setbacks import Failure
from homey_tokend.sink_state import SinkState
from homey_tokend.state import HomeyState

VERSION = 1
#: What a token is made of, wherever it comes from: nothing that breaks a header or a line.
_SENDABLE = re.compile("[!-~]+")
T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that is known: by Homey's name and by account key.

    ``salt`` (hex) goes into the digests of account keys and sign-in values.
    ``refresh_tokens`` is filled only with ``refresh.method: refresh_token``.
    """

    salt: str
    homeys: Mapping[str, HomeyState] = field(default_factory=dict)
    accounts: Mapping[str, AccountState] = field(default_factory=dict)
    refresh_tokens: Mapping[str, Secret] = field(default_factory=dict)


# --- writing -------------------------------------------------------------------


def to_json(book: Book) -> bytes:
    """The book as it is stored."""
    document = {
        "version": VERSION,
        "salt": book.salt,
        "homeys": {name: _homey(state) for name, state in book.homeys.items()},
        "accounts": {key: _account(state) for key, state in book.accounts.items()},
        "refresh_tokens": {name: one.reveal() for name, one in book.refresh_tokens.items()},
    }
    return (json.dumps(document) + "\n").encode()


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _homey(state: HomeyState) -> Json:
    return {
        "generation": state.generation,
        "token": _token(state.token) if state.token else None,
        "fraction": state.fraction,
        "revoked": state.revoked,
        "url": state.url,
        "account": state.account,
        "attempted_at": _instant(state.attempted_at),
        "failure": _failure(state.failure),
        "refusal": _refusal(state.refusal) if state.refusal else None,
        "refreshes": state.refreshes,
        "sinks": {target: _sink(sink) for target, sink in state.sinks.items()},
    }


def _token(token: Token) -> Json:
    return {
        "value": token.value.reveal(),
        "generation": token.generation,
        "url": token.url,
        "issued_at": _instant(token.issued_at),
        "expires_at": _instant(token.expires_at),
        "expiry_told": token.expiry_told,
    }


def _trouble(trouble: Trouble) -> Json:
    return {
        "at": _instant(trouble.at),
        "kind": trouble.kind,
        "step": trouble.step,
        "message": trouble.message,
        "remedy": trouble.remedy,
        "status": trouble.status,
        "count": trouble.count,
    }


def _failure(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {
        "trouble": _trouble(failure.trouble),
        "draw": failure.draw,
        "not_before": _instant(failure.not_before),
    }


def _refusal(refusal: Refusal) -> Json:
    return {"digest": refusal.digest, "trouble": _trouble(refusal.trouble)}


def _sink(sink: SinkState) -> Json:
    return {
        "generation": sink.generation,
        "delivered_at": _instant(sink.delivered_at),
        "failure": _failure(sink.failure),
        "failed_generation": sink.failed_generation,
        "refused": sink.refused,
        "memory": dict(sink.memory),
        "drifts": sink.drifts,
    }


def _account(state: AccountState) -> Json:
    return {
        "refusals": [_refusal(one) for one in state.refusals.values()],
        "sign_ins": [_instant(at) for at in state.sign_ins],
        "one_time_steps": list(state.one_time_steps),
        "forced": [_instant(at) for at in state.forced],
    }


# --- reading -------------------------------------------------------------------


def from_json(blob: bytes) -> Book:
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
        return Book(
            salt=_text(document["salt"]),
            homeys={
                _text(name): _read_homey(name, state)
                for name, state in _object(document["homeys"]).items()
            },
            accounts={
                _text(key): _read_account(state)
                for key, state in _object(document["accounts"]).items()
            },
            refresh_tokens={
                _text(name): _secret(one)
                for name, one in _object(document["refresh_tokens"]).items()
            },
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(f"is damaged ({type(error).__name__})") from None


def _damaged(what: str) -> StateUnusable:
    return StateUnusable(f"the state file {what}", remedy="It is set aside; a new one is begun.")


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    # Half a surrogate pair, as JSON may hold it, can be neither shown nor hashed.
    return value.encode(errors="replace").decode()


def _secret(value: Any) -> Secret:
    if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
        raise TypeError
    return Secret(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise TypeError
    return float(value)


def _when(value: Any) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None or not _EARLIEST <= at.year <= _LATEST:
        raise ValueError
    return at


#: Instants further off cannot be moved by a clock's correction without overflow.
_EARLIEST, _LATEST = 1900, 9000


def _maybe(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > 1000:
        raise TypeError
    return value


def _read_homey(name: str, value: Any) -> HomeyState:
    found = _object(value)
    token = _maybe(_read_token, found["token"])
    state = HomeyState(
        name=name,
        generation=_number(found["generation"]),
        token=token,
        fraction=_share(found["fraction"]),
        revoked=_flag(found["revoked"]),
        url=_maybe(_text, found["url"]),
        account=_text(found["account"]),
        attempted_at=_maybe(_when, found["attempted_at"]),
        failure=_maybe(_read_failure, found["failure"]),
        refusal=_maybe(_read_refusal, found["refusal"]),
        refreshes=_number(found["refreshes"]),
        sinks={_text(target): _read_sink(sink) for target, sink in _object(found["sinks"]).items()},
    )
    given = [token.generation if token else None]
    for sink in state.sinks.values():
        given += [sink.generation, sink.failed_generation]
    if max(filter(None, given), default=0) > state.generation:
        raise ValueError
    return state


def _read_token(value: Any) -> Token:
    found = _object(value)
    token = Token(
        value=_secret(found["value"]),
        generation=_number(found["generation"]),
        url=_text(found["url"]),
        issued_at=_when(found["issued_at"]),
        expires_at=_when(found["expires_at"]),
        expiry_told=_flag(found["expiry_told"]),
    )
    if token.life <= timedelta(0):
        raise ValueError
    return token


def _read_trouble(value: Any) -> Trouble:
    found = _object(value)
    return Trouble(
        at=_when(found["at"]),
        kind=_text(found["kind"]),
        step=_text(found["step"]),
        message=_text(found["message"]),
        remedy=_text(found["remedy"]),
        status=_maybe(_number, found["status"]),
        count=max(1, _number(found["count"])),
    )


def _read_failure(value: Any) -> Failure:
    found = _object(value)
    return Failure(
        _read_trouble(found["trouble"]), _share(found["draw"]), _maybe(_when, found["not_before"])
    )


def _read_refusal(value: Any) -> Refusal:
    found = _object(value)
    return Refusal(_text(found["digest"]), _read_trouble(found["trouble"]))


def _read_sink(value: Any) -> SinkState:
    found = _object(value)
    return SinkState(
        generation=_maybe(_number, found["generation"]),
        delivered_at=_maybe(_when, found["delivered_at"]),
        failure=_maybe(_read_failure, found["failure"]),
        failed_generation=_maybe(_number, found["failed_generation"]),
        refused=_flag(found["refused"]),
        memory={_text(key): _text(one) for key, one in _object(found["memory"]).items()},
        drifts=_number(found["drifts"]),
    )


def _read_account(value: Any) -> AccountState:
    found = _object(value)
    refusals = [_read_refusal(one) for one in _list(found["refusals"])]
    return AccountState(
        refusals={one.digest: one for one in refusals},
        sign_ins=tuple(_when(at) for at in _list(found["sign_ins"])),
        one_time_steps=tuple(_number(step) for step in _list(found["one_time_steps"])),
        forced=tuple(_when(at) for at in _list(found["forced"])),
    )


def with_homey(book: Book, state: HomeyState) -> Book:
    """The book with one Homey's state replaced."""
    return replace(book, homeys={**book.homeys, state.name: state})


def without_homey(book: Book, name: str) -> Book:
    """The book without one Homey."""
    return replace(
        book,
        homeys={key: one for key, one in book.homeys.items() if key != name},
        refresh_tokens={key: one for key, one in book.refresh_tokens.items() if key != name},
    )


def with_accounts(book: Book, states: Mapping[str, AccountState]) -> Book:
    """The book with some accounts' states replaced."""
    return replace(book, accounts={**book.accounts, **states})
