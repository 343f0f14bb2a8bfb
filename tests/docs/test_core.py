"""All lists of the pure packages agree."""

import runpy
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


def contract(name: str) -> dict[str, Any]:
    (found,) = [each for each in CONTRACTS if each["name"] == name]
    return found


def test_what_is_covered_whole_is_what_is_pure() -> None:
    """The contract and the coverage list agree."""
    core = runpy.run_path(str(ROOT / ".ci" / "core.py"))["CORE"]

    assert [f"homey_tokend.{name}" for name in core] == (
        contract("the core is pure")["source_modules"]
    )
