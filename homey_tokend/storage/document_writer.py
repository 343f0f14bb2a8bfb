"""The book as versioned JSON: which fields are kept is written out here, by hand."""

import json
from datetime import datetime
from typing import Any

from homey_tokend.core.account import AccountState, Rejection
from homey_tokend.core.failure import Failure
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.sink import SinkState
from homey_tokend.core.status import Trouble
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Token
from homey_tokend.storage.document_contents import VERSION, StateDocument

Json = dict[str, Any]


def to_json(book: StateDocument) -> bytes:
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
    return None if at is None else rfc3339(at, "auto")


def _homey(state: HomeyState) -> Json:
    return {
        "generation": state.generation,
        "token": _token(state.token) if state.token else None,
        "fraction": state.fraction,
        "revoked": state.revoked,
        "url": state.url,
        "account": state.account,
        "cloudid": state.cloudid,
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
        "expiry_reported": token.expiry_reported,
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


def _refusal(refusal: Rejection) -> Json:
    return {"digest": refusal.digest, "trouble": _trouble(refusal.trouble)}


def _sink(sink: SinkState) -> Json:
    return {
        "generation": sink.generation,
        "delivered_at": _instant(sink.delivered_at),
        "failure": _failure(sink.failure),
        "failed_generation": sink.failed_generation,
        "rejected": sink.rejected,
        "memory": dict(sink.memory),
        "drifts": sink.drifts,
    }


def _account(state: AccountState) -> Json:
    return {
        "refusals": [_refusal(one) for one in state.refusals.values()],
        "rejected_at": [_instant(at) for at in state.rejected_at],
        "sign_ins": [_instant(at) for at in state.sign_ins],
        "one_time_steps": list(state.one_time_steps),
        "forced": [_instant(at) for at in state.forced],
    }
