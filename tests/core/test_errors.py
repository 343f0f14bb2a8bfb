"""The tree of errors: as shown in the docstring, with stable kinds."""

import importlib
import pkgutil
import re

import homey_tokend
from homey_tokend.core import errors
from homey_tokend.core.errors import (
    ConfigFault,
    ConfigurationInvalid,
    TokendError,
    Transient,
    Unreachable,
)

KINDS = {
    "AccountRejected": "account_rejected",
    "AlreadyRunning": "already_running",
    "BearerDiscarded": "bearer_discarded",
    "BearerRejected": "bearer_rejected",
    "CannotServe": "cannot_serve",
    "ClientRejected": "client_rejected",
    "ConfigurationInvalid": "configuration_invalid",
    "ConsentRejected": "consent_rejected",
    "InvalidResponse": "invalid_response",
    "UnreadableResponse": "unreadable_response",
    "HomeyOffline": "homey_offline",
    "HomeyRejected": "homey_rejected",
    "IllegalEvent": "illegal_event",
    "ProtocolChanged": "protocol_changed",
    "Rejected": "rejected",
    "SecretUnavailable": "secret_unavailable",
    "ServerError": "server_error",
    "SinkFailed": "sink_failed",
    "SinkRejected": "sink_rejected",
    "SignInExpired": "sign_in_expired",
    "StateUnusable": "state_unusable",
    "Throttled": "throttled",
    "TokendError": "failed",
    "Transient": "transient",
    "Unreachable": "unreachable",
}


def tree(cls: type[TokendError], parent: str = "") -> dict[str, str]:
    """Return each class of the tree with its parent."""
    found = {cls.__name__: parent}
    for sub in cls.__subclasses__():
        if sub.__module__ == errors.__name__:
            found |= tree(sub, cls.__name__)
    return found


def shown_tree(text: str) -> dict[str, str]:
    """Return each class of the tree in a docstring with its parent."""
    found: dict[str, str] = {}
    path: list[str] = []
    for branch, name in re.findall(r"^    ([│ ├└─]*)([A-Z]\w+)", text, re.MULTILINE):
        del path[len(branch) // 4 :]
        found[name] = path[-1] if path else ""
        path.append(name)
    return found


def test_the_docstring_shows_the_tree_of_errors() -> None:
    """The docstring shows each class below its parent, and nothing else."""
    assert tree(TokendError) == shown_tree(errors.__doc__ or "")


def test_kinds_are_unique_and_stay_as_they_are() -> None:
    """Kinds are stable: they are in logs, status documents, metrics and scripts of users."""
    kinds = {name: getattr(errors, name).kind for name in tree(TokendError)}

    assert KINDS == kinds
    assert len(set(kinds.values())) == len(kinds)


def test_no_other_module_adds_a_kind() -> None:
    """A subclass in another module is a variant of one in the tree, and has its kind."""
    for module in pkgutil.walk_packages(homey_tokend.__path__, "homey_tokend."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    strangers, ahead = [], [TokendError]
    while ahead:
        ahead += (found := ahead.pop()).__subclasses__()
        if found.__module__ != errors.__name__ and found.__module__.startswith("homey_tokend"):
            strangers.append(found)

    assert set() == {one.kind for one in strangers} - set(KINDS.values())


def test_an_error_has_message_step_remedy_and_status() -> None:
    """The text of an error is its message alone."""
    error = Transient("it broke", step="login", remedy="Mend it.", status=500)

    assert ("it broke", "it broke", "login", "Mend it.", 500, None) == (
        str(error),
        error.message,
        error.step,
        error.remedy,
        error.status,
        error.retry_after,
    )
    assert ("", "", None) == (
        TokendError("x").step,
        TokendError("x").remedy,
        TokendError("x").status,
    )
    assert Unreachable("x", sent=True).sent


def test_a_fault_shows_place_key_message_and_remedy() -> None:
    """Missing parts of a place are omitted."""
    whole = ConfigFault("a.yaml", 3, 7, "homeys.x", "unknown key", "Did you mean y?")

    assert "a.yaml:3:7: homeys.x: unknown key. Did you mean y?" == str(whole)
    assert "environment: HOMEY_X: bad." == str(
        ConfigFault("environment", 0, 0, "HOMEY_X", "bad", "")
    )
    assert "a.yaml:1:1: bad." == str(ConfigFault("a.yaml", 1, 1, "", "bad", ""))


def test_all_faults_of_a_configuration_are_shown_in_order() -> None:
    """Errors are sorted by place."""
    second, first = ConfigFault("a", 9, 1, "k", "m", ""), ConfigFault("a", 2, 1, "k", "m", "")
    error = ConfigurationInvalid([second, first])

    assert (first, second) == error.faults
    assert "a:2:1: k: m.\na:9:1: k: m." == str(error)
