"""What the documents refer to exists: files of this repository, and headings."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT)
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *sorted(ROOT.glob("docs/*.md")),
    )
]
#: A file or directory of the repository in backticks, such as `bench/year.py`.
NAMED = re.compile(r"`((?:\.ci|bench|docs|examples|homey_tokend|systemd|tests)/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", (ROOT / page).read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_file_exists(page: Path) -> None:
    """Every path in backticks is one of this repository."""
    assert [] == [path for path in NAMED.findall(prose(page)) if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_link_has_its_target(page: Path) -> None:
    """Every link leads to a file, and to a heading in it if it names one."""
    broken = []
    for path, anchor in LINK.findall(prose(page)):
        target = (ROOT / page.parent / path).resolve() if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")

    assert [] == broken


def test_the_patterns_find_what_they_check() -> None:
    """They match paths and links as the documents write them."""
    assert NAMED.findall("`bench/year.py` and `.ci/run`, not `/run/x`") == [
        "bench/year.py",
        ".ci/run",
    ]
    assert LINK.findall("[a](docs/api.md#get-token) [b](https://x.org) [c](#d)") == [
        ("docs/api.md", "get-token"),
        ("", "d"),
    ]
    assert "get-token" in anchors(Path("docs/api.md"))
