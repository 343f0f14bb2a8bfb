"""The state document: what is stored, and that it is read back unchanged."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from homey_tokend.core.account import AccountState
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import DeliveryResult
from homey_tokend.storage.document import (
    ClockReading,
    StateDocument,
    from_json,
    to_json,
    with_accounts,
    with_homey,
)
from tests.core.samples import (
    DOWN,
    MINUTE,
    SITE,
    WRONG_CLIENT,
    failing,
    holding,
    rejected_account,
    signed_in,
)
from tests.core.strategies import documents
from tests.support.clock import NOON

STATE = (
    failing(
        holding().rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.25),
        DOWN,
    )
    .delivery_failed("exec", 1, DOWN, at=NOON, random=0.5)
    .delivered("file", 1, DeliveryResult(memory={"id": "7"}), NOON)
    .with_account("key")
)
ACCOUNT = rejected_account(state=signed_in(NOON)).signing_in(NOON, 7).was_forced(NOON)
#: A document with each kind of stored value.
DOCUMENT = StateDocument(
    "5a17",
    {"home": STATE.loaded(NOON, None)},
    {"key": ACCOUNT},
    {"home": Secret("refresh")},
    ClockReading("boot 1", NOON, 1000.25),
)

LAST_ERROR = {"at", "kind", "step", "message", "remedy", "status", "count"}
FAILURE = {"last_error", "random", "not_before"} | {f"last_error.{name}" for name in LAST_ERROR}
REJECTION = {"digest", "last_error"} | {f"last_error.{name}" for name in LAST_ERROR}
#: The fields that are written to the disk, by path: an addition is a decision.
STORED = {
    "": {"version", "salt", "clock", "homeys", "accounts", "refresh_tokens"},
    "clock": {"boot_id", "wall", "elapsed"},
    "homeys": {
        "generation",
        "token",
        "fraction",
        "revoked",
        "url",
        "account",
        "cloudid",
        "attempted_at",
        "failure",
        "rejection",
        "refreshes",
        "sinks",
    },
    "homeys.token": {"value", "generation", "url", "issued_at", "expires_at", "expiry_reported"},
    "homeys.failure": FAILURE,
    "homeys.rejection": REJECTION,
    "homeys.sinks": {
        "generation",
        "delivered_at",
        "failure",
        "failed_generation",
        "memory",
        "drifts",
    },
    "homeys.sinks.failure": FAILURE,
    "accounts": {"rejections", "rejected_at", "sign_ins", "one_time_steps", "forced"},
    "accounts.rejections": REJECTION,
}
#: The fields of a Homey that are in memory only.
IN_MEMORY = {
    "name",
    "loaded_offset",
    "verified_at",
    "last_verification_at",
    "failed_verifications",
    "request",
}


def names(value: dict[str, Any]) -> set[str]:
    """The keys of an object, including those of its last error."""
    return set(value) | {f"last_error.{name}" for name in value.get("last_error", ())}


@settings(max_examples=50)
@given(documents())
def test_a_stored_document_is_read_back_unchanged(book: StateDocument) -> None:
    assert book == from_json(to_json(book))


def test_fields_in_memory_only_are_not_stored() -> None:
    busy = STATE.requested(NOON + MINUTE, forced=True, at=NOON).verification_failed(1, NOON)

    assert replace(DOCUMENT, homeys={"home": STATE.loaded(NOON, None)}) == from_json(
        to_json(with_homey(DOCUMENT, busy))
    )


def test_exactly_these_fields_are_stored() -> None:
    document = json.loads(to_json(DOCUMENT))
    homey, account = document["homeys"]["home"], document["accounts"]["key"]
    sink = homey["sinks"]["exec"]

    assert STORED == {
        "": names(document),
        "clock": names(document["clock"]),
        "homeys": names(homey),
        "homeys.token": names(homey["token"]),
        "homeys.failure": names(homey["failure"]),
        "homeys.rejection": names(homey["rejection"]),
        "homeys.sinks": names(sink),
        "homeys.sinks.failure": names(sink["failure"]),
        "accounts": names(account),
        "accounts.rejections": names(account["rejections"][0]),
    }


def test_each_field_is_either_stored_or_listed_as_in_memory_only() -> None:
    assert set(HomeyState.__dataclass_fields__) == STORED["homeys"] | IN_MEMORY
    assert set(AccountState.__dataclass_fields__) == STORED["accounts"]


def test_the_document_is_readable_text() -> None:
    text = to_json(DOCUMENT).decode("ascii")

    assert '"issued_at": "2026-03-01T12:00:00Z"' in text
    assert text.endswith("}\n")


def test_one_state_is_replaced_and_the_others_stay() -> None:
    other = HomeyState("other")
    book = with_accounts(with_homey(DOCUMENT, other), {"another key": AccountState()})

    assert {"home": STATE.loaded(NOON, None), "other": other} == book.homeys
    assert {"key": ACCOUNT, "another key": AccountState()} == book.accounts
    assert DOCUMENT == with_accounts(
        with_homey(DOCUMENT, DOCUMENT.homeys["home"]), {"key": ACCOUNT}
    )
