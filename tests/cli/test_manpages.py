"""The manual pages agree with --help and the configuration."""

import re
import shutil
import subprocess

import pytest

from homey_tokend.cli import parser
from homey_tokend.config.model import SECTIONS
from tests.support.man_pages import FOLDER, pages


@pytest.mark.parametrize("name", ["homey-tokend.1", "homey-tokend.yaml.5"])
def test_the_pages_are_as_generated(name: str) -> None:
    """They are up to date; otherwise run python -m tests.support.man_pages."""
    assert pages()[name] == (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", ["20", "400"])
def test_the_terminal_changes_nothing(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help and pages do not depend on the width of the terminal."""
    monkeypatch.setenv("COLUMNS", "88")
    before = pages(), parser.command_parser("token").format_help()
    monkeypatch.setenv("COLUMNS", columns)

    assert before == (pages(), parser.command_parser("token").format_help())


def test_nothing_is_left_out() -> None:
    """They contain each command, option, section and key."""
    made = pages()
    first = made["homey-tokend.1"].replace("\\-", "-")
    fifth = made["homey-tokend.yaml.5"].replace("\\-", "-")
    options = {
        option
        for name in parser.COMMANDS
        for option in re.findall(
            r"(?<![\w-])--?[a-z][a-z-]*", parser.command_parser(name).format_usage()
        )
        if option not in {"-h", "--help"}
    }

    assert [] == [name for name in parser.COMMANDS if f".SS {name}\n" not in first]
    assert [] == sorted(option for option in options if option not in first)
    assert [] == [
        key
        for model in SECTIONS.values()
        for key in model.model_fields
        if key != "type" and f".B {key}\n" not in fifth
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["homey-tokend.1", "homey-tokend.yaml.5"])
def test_roff_has_no_complaint(name: str) -> None:
    """If groff is installed, it formats the page without a warning."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff here")
    ended = subprocess.run(  # noqa: S603  a program of the machine on our own file
        [groff, "-man", "-Tutf8", "-ww", FOLDER / name], capture_output=True, text=True, check=True
    )

    assert ended.stderr == ""
