"""Each mutation of ``bench/simyear/rules.py`` names a text that the package has."""

from pathlib import Path

import pytest

from bench.simyear.rules import MUTATIONS, Mutation

PACKAGE = Path(__file__).parents[2] / "homey_tokend"
SOURCES = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: str(mutation.name))
def test_its_text_is_in_the_package(mutation: Mutation) -> None:
    """A mutation whose text is gone breaks no rule, and must be written for the new code."""
    assert mutation.times == sum(source.count(mutation.old) for source in SOURCES)
