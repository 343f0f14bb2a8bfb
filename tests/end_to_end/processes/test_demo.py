"""``homey-tokend demo`` as a person sees it."""

import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes.cloud import until
from tests.end_to_end.processes.daemons import ROOT, command, environment
from tests.end_to_end.processes.demos import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FLOW = "login authorise consent token user delegation homey_login session"


def what(lines: list[str]) -> list[str]:
    """Return the first word of each line after its seconds."""
    return [found[1] for line in lines if (found := re.match(r" *[\d.]+ s  (\S+)", line))]


def test_whole(tmp_path: Path) -> None:
    """Half a minute: each step, token, variable read back, an outage, and a token after it."""
    with Demo(tmp_path, "--for", "30") as demo:
        status = demo.process.wait(120)
    lines = demo.lines()
    words, text = what(lines), "\n".join(lines)
    steps = re.findall(r" step +(\w+) +(\d+) +\d+ ms", text)
    tokens = re.findall(r" token +no\. (\d+): (\w+), valid until", text)
    read_back = re.findall(r"read back: (\w+)", text)
    outage, over = (words.index("outage"), len(words) - 1 - words[::-1].index("outage"))

    assert (0, "") == (status, demo.err())
    assert FLOW.split() == [name for name, _ in steps][:8]
    assert "503" in {code for _, code in steps}
    assert [str(number) for number in range(1, len(tokens) + 1)] == [no for no, _ in tokens]
    assert [mark for _, mark in tokens] == read_back
    assert "token" in words[:outage]
    assert "error" in words[outage:over]
    assert "the old token is served until" in text
    assert "token" in words[over:]
    assert "variable" in words[over:]
    assert words[-1] == "demo"
    assert demo.left() == []


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with Demo(tmp_path) as made:
        yield made


def test_try_it(demo: Demo) -> None:
    """The lines to try work as they are printed; Ctrl-C ends it, and nothing is left behind."""
    until(lambda: "variable" in what(demo.lines()), "the first token is written")
    text = "\n".join(demo.lines())
    curl = re.search(r"try it +(curl .*)", text)
    ours = re.search(r"or +homey-tokend (.*)", text)
    assert curl is not None
    assert ours is not None
    tokens = {command(*shlex.split(ours[1])).out}
    if shutil.which("curl"):
        words = shlex.split(curl[1])
        done = subprocess.run(  # noqa: S603  the line that is printed
            [*words, "-sS"], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
        )
        tokens.add(done.stdout)
    demo.process.send_signal(signal.SIGINT)
    status = demo.process.wait(10)

    assert (0, "") == (status, demo.err())
    assert len(tokens) == 1
    assert re.fullmatch(r"[0-9a-f:-]{60,}\n", tokens.pop())
    assert "nothing is left behind" in demo.lines()[-1]
    assert demo.left() == []
