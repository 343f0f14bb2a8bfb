"""Exit statuses follow from the kind of a failure, and kinds from its type."""

from collections.abc import Iterator

import pytest

from homey_tokend import exit_codes
from homey_tokend.core import errors


def subclasses(of: type[errors.TokendError]) -> Iterator[type[errors.TokendError]]:
    yield of
    for each in of.__subclasses__():
        yield from subclasses(each)


@pytest.mark.parametrize("error", [*subclasses(errors.TokendError)])
def test_the_type_of_a_failure_tells_whether_a_person_has_to_act(
    error: type[errors.TokendError],
) -> None:
    """Exactly the subclasses of Rejected need a person, and end with 77."""
    rejected = issubclass(error, errors.Rejected)

    assert rejected is (exit_codes.ACTION_NEEDED == exit_codes.for_kind(error.kind))
    assert rejected is errors.needs_action(error.kind)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ConfigurationInvalid, exit_codes.CONFIGURATION),
        (errors.SecretUnavailable, exit_codes.CONFIGURATION),
        (errors.AlreadyRunning, exit_codes.CANNOT_CREATE),
        (errors.CannotServe, exit_codes.CANNOT_CREATE),
        (errors.StateUnusable, exit_codes.CANNOT_CREATE),
        (errors.AccountRejected, exit_codes.ACTION_NEEDED),
        (errors.Unreachable, exit_codes.UNREACHABLE),
        (errors.HomeyOffline, exit_codes.UNREACHABLE),
        (errors.Throttled, exit_codes.TRY_LATER),
        (errors.ProtocolChanged, exit_codes.TRY_LATER),
    ],
)
def test_exit_statuses(error: type[errors.TokendError], status: int) -> None:
    """Each kind of failure has its exit status."""
    assert status == exit_codes.for_kind(error.kind)
