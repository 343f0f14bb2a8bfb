"""Each command of docs/install.md is run by one of the runners in tests/end_to_end/real/.

A runner records each block that it has completed, and fails if one of its part is missing; these
tests check that every command is in such a block.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
RUNNERS = ("systemd", "container", "package")
_BLOCK = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_each_block_is_of_a_runners_part() -> None:
    """Every block has a unique name that starts with the prefix of one runner."""
    heads = [head for head, _ in _BLOCK.findall(PAGE)]
    names = [name for head in heads for name in re.findall(r"^(?:sh|yaml) (\S+)$", head)]
    parts = [part for name in RUNNERS for part in _parts(name)]

    assert len(heads) == len(names) == len(set(names)) > 0
    assert sorted(set(parts)) == sorted({name.partition("-")[0] for name in names})


def test_each_runner_ends_with_its_whole_part() -> None:
    """Each runner checks at the end that it ran all of its blocks."""
    assert [] == [name for name in RUNNERS if not _parts(name)]


def test_no_command_stands_outside_of_the_blocks() -> None:
    """A command in the text, with its arguments, is part of a block."""
    blocks = "\n".join(text for _, text in _BLOCK.findall(PAGE))
    amid = re.findall(r"`([a-z~/][^`\n]* [^`\n]*)`", _BLOCK.sub("", PAGE))

    assert amid
    assert [] == [command for command in amid if command not in blocks]


def test_the_units_share_one_sandbox() -> None:
    """Both services have the same text below the mark."""
    daemon, once = (
        (ROOT / "systemd" / name).read_text(encoding="utf-8").split("# From here on the same")[1]
        for name in ("homey-tokend.service", "homey-tokend-once.service")
    )

    assert daemon.partition("\n")[2].split("\n[Install]")[0] == once.partition("\n")[2]


def _parts(runner: str) -> list[str]:
    """Return the prefixes that a runner checks at its end."""
    text = (ROOT / "tests" / "end_to_end" / "real" / runner).read_text(encoding="utf-8")
    last = re.search(
        r'^check "each command[^"]*" whole_page ([a-z ]+)\nverdict\n\Z', text, re.MULTILINE
    )
    return last[1].split() if last else []
