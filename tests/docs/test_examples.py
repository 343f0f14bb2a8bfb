"""Every example is listed and run."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.name != "run")
PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
RUNNERS = "".join(
    path.read_text(encoding="utf-8")
    for path in (ROOT / "tests" / "end_to_end" / "examples").glob("*.py")
)


@pytest.mark.parametrize("name", FILES)
def test_each_file(name: str) -> None:
    """docs/scripts.md and the runner name every example."""
    assert f"`{name}`" in PAGE
    assert f'"{name}"' in RUNNERS
