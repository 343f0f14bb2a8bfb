"""docs/glossary.md is in order."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")


def test_entries_are_sorted_and_unique() -> None:
    """Each section has its terms in alphabetical order, and no term has two entries."""
    sections = [re.findall(r"^\*\*(.+?)\*\*: ", part, re.MULTILINE) for part in PAGE.split("\n## ")]
    terms = [term for section in sections for term in section]

    assert [sorted(section, key=str.lower) for section in sections] == sections
    assert len(terms) == len(set(terms)) > 0
