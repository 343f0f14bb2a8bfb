"""Every disabled check names its rule and the reason, on the same line."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("homey_tokend", "tests", "bench", "examples", ".ci")
#: What switches a check off, and how it must be written: rule, then reason.
FORMS = {
    "noqa": re.compile(r"noqa: [A-Z]+\d+(, [A-Z]+\d+)*(  | -- )\w.{3,}"),
    "type: ignore": re.compile(r"type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \w.{3,}"),
    "pragma: no": re.compile(r"pragma: no (cover|branch)  (-- )?\w.{3,}"),
}


def unexplained(source: str) -> list[str]:
    """Return the comments that disable a check without a reason."""
    comments = (
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    )
    return [
        comment
        for comment in comments
        for word, form in FORMS.items()
        if f"# {word}" in comment and not form.search(comment)
    ]


def test_each_has_its_reason() -> None:
    """All Python files give a reason."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]

    assert len(paths) > 200
    assert {} == {
        str(path.relative_to(ROOT)): found
        for path in paths
        if (found := unexplained(path.read_text(encoding="utf-8")))
    }


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: S603",
        "# noqa: S603 our program",
        "# type: ignore",
        "# type: ignore[misc]",
        "# pragma: no cover",
    ],
)
def test_a_missing_reason_is_found(comment: str) -> None:
    """A comment without a reason is found."""
    assert [comment] == unexplained(f"x = 1  {comment}\n")
