"""Of a command only its program is shown."""

import pytest

from homey_tokend.core.commands import exec_target, program_name
from tests.support.provider import CANARY


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("/bin/on-token",), "/bin/on-token"),
        (("/bin/on-token", CANARY), "/bin/on-token"),
        ((f"/bin/on-token --password={CANARY}",), "/bin/on-token …"),
        ((f" /bin/on-token\t{CANARY} x", "y"), "/bin/on-token …"),
        ((" ",), " "),
    ],
)
def test_no_argument_is_shown(argv: tuple[str, ...], name: str) -> None:
    """Neither the name nor the target has an argument, even one in the program's own item."""
    assert name == program_name(argv)
    assert CANARY not in exec_target(argv)


def test_targets() -> None:
    """Other arguments are another target; those of a well-formed command are as they always were."""
    lines = [("/x",), ("/x", "a"), ("/x", "b"), ("/x a b",), ("/x a", "b")]

    assert len(lines) == len({exec_target(line) for line in lines})
    assert ["exec:/x", "exec:/x#0eb5b8d6"] == [exec_target(lines[0]), exec_target(lines[1])]
