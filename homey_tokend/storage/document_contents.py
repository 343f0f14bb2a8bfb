"""The book itself, and how its parts are replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from homey_tokend.core.account import AccountState
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.secret import Secret

VERSION = 1


@dataclass(frozen=True, slots=True)
class StateDocument:
    """Everything that is known: by Homey's name and by account key.

    ``salt`` (hex) goes into the digests of account keys and sign-in values.
    ``refresh_tokens`` is filled only with ``refresh.method: refresh_token``.
    """

    salt: str
    homeys: Mapping[str, HomeyState] = field(default_factory=dict)
    accounts: Mapping[str, AccountState] = field(default_factory=dict)
    refresh_tokens: Mapping[str, Secret] = field(default_factory=dict)


def with_homey(book: StateDocument, state: HomeyState) -> StateDocument:
    """The book with one Homey's state replaced."""
    return replace(book, homeys={**book.homeys, state.name: state})


def without_homey(book: StateDocument, name: str) -> StateDocument:
    """The book without one Homey."""
    return replace(
        book,
        homeys={key: one for key, one in book.homeys.items() if key != name},
        refresh_tokens={key: one for key, one in book.refresh_tokens.items() if key != name},
    )


def with_accounts(book: StateDocument, states: Mapping[str, AccountState]) -> StateDocument:
    """The book with some accounts' states replaced."""
    return replace(book, accounts={**book.accounts, **states})
