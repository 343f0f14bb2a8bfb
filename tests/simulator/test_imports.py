"""The simulator is independent: it imports nothing of the daemon."""

import ast
from pathlib import Path

import homey_tokend.simulator

FOLDER = Path(homey_tokend.simulator.__file__).parent


def imported(source: str) -> set[str]:
    """The modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_simulator_imports_nothing_of_the_daemon() -> None:
    """A misreading of the protocol must show up as a disagreement, so no code is shared."""
    names = {name for path in FOLDER.rglob("*.py") for name in imported(path.read_text())}
    ours = {name for name in names if name.split(".")[0] == "homey_tokend"}

    assert ours
    assert {name for name in ours if not name.startswith("homey_tokend.simulator")} == set()
