"""docs/architecture.md names the packages, modules and functions as they are."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "homey_tokend"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
#: A module and names in it, such as `core/policy.py` (`decide`).
NAMED = re.compile(r"`([\w/]+\.py)`(?: \(|, )((?:`\w[\w.]*`(?:, )?)+)")


def rows() -> list[set[str]]:
    """The packages of each row of the table."""
    table = PAGE.partition("| package | duty |\n|---|---|\n")[2].partition("\n\n")[0]
    return [set(re.findall(r"`(\w+)`", line.split("|")[1])) for line in table.splitlines()]


def definitions(path: Path) -> set[str]:
    """The names that a module defines, with the members of its classes."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name, body=body):
                found.add(name)
                functions = (ast.FunctionDef, ast.AsyncFunctionDef)
                found |= {f"{name}.{one.name}" for one in body if isinstance(one, functions)}
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case _:
                pass
    return found


def test_the_rows_are_the_layers() -> None:
    """The table has the rows of the import contract, in the opposite order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [one["layers"] for one in contracts["contracts"] if one["type"] == "layers"]

    assert [set(re.findall(r"\w+", layer)) for layer in reversed(layers)] == rows()


def test_every_package_has_a_row() -> None:
    """Nothing in the package is left out."""
    entries = {path.stem for path in PACKAGE.iterdir() if path.name != "__pycache__"}

    assert entries - {"__init__", "py"} == set().union(*rows())


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+(?:\.py|\.md|\.toml|/))`", PAGE))))
def test_every_path_exists(path: str) -> None:
    """Each file or directory that the page names exists."""
    assert (PACKAGE / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize(("module", "names"), sorted(set(NAMED.findall(PAGE))))
def test_every_name_is_defined(module: str, names: str) -> None:
    """Each class or function is in the module that the page names."""
    named = set(re.findall(r"`([\w.]+)`", names))

    assert set() == {name for name in named if not name.endswith(".py")} - definitions(
        PACKAGE / module
    )


def test_one_refresh_names_its_functions() -> None:
    """The check above finds what it is to check."""
    assert {"core/policy.py", "core/outcomes.py", "keeper/jobs.py"} <= {
        module for module, _ in NAMED.findall(PAGE)
    }
