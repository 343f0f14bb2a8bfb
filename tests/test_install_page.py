"""Each command of docs/install.md is run by one of the runners in tests/real/."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
RUNNERS = {name: (ROOT / "tests" / "real" / name) for name in ("systemd", "container", "package")}


def test_each_command_is_run() -> None:
    """Every block with commands has a name of its own, and a runner that runs it."""
    names = re.findall(r"^```(?:sh|yaml) ?(\S*)$", PAGE, re.MULTILINE)
    run = " ".join(path.read_text(encoding="utf-8") for path in RUNNERS.values())

    assert sorted(set(names)) == sorted(names)
    assert [] == [name for name in names if not re.search(rf"\b(with_)?page {name}\b", run)]


def test_the_units_share_one_sandbox() -> None:
    """What stands below the mark in both services is alike."""
    daemon, once = (
        (ROOT / "systemd" / name).read_text(encoding="utf-8").split("# From here on alike")[1]
        for name in ("homey-tokend.service", "homey-tokend-once.service")
    )

    assert daemon.partition("\n")[2].split("\n[Install]")[0] == once.partition("\n")[2]
