"""Words and thoughts are the same modules wherever they are held to more than the rest."""

import runpy
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]


def contract(name: str) -> dict[str, Any]:
    (found,) = [each for each in CONTRACTS if each["name"] == name]
    return found


def test_what_is_covered_whole_is_what_is_pure() -> None:
    """The contract's list is that of the coverage mark."""
    core = runpy.run_path(str(ROOT / ".ci" / "core.py"))["CORE"]

    assert [f"homey_tokend.{name}" for name in core] == (
        contract("words and thoughts are pure")["source_modules"]
    )


def test_no_floor_between_the_first_thought_and_the_last_word_is_left_out() -> None:
    """A module that is put on a floor among them is held to what they are held to."""
    core = set(runpy.run_path(str(ROOT / ".ci" / "core.py"))["CORE"])
    floors = [
        [name.strip() for name in floor.replace(":", "|").split("|")]
        for floor in contract("the floors")["layers"]
    ]
    first = next(at for at, floor in enumerate(floors) if "policy" in floor)
    last = next(at for at, floor in enumerate(floors) if "errors" in floor)
    among = {name for floor in floors[first : last + 1] for name in floor}

    assert set() == among - core
    assert {"views"} == core - among  # on a floor with what tells and digests
