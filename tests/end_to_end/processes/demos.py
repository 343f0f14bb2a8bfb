"""``homey-tokend demo`` as a process, with its own temporary directory."""

import subprocess
from pathlib import Path
from typing import Self

from tests.end_to_end.processes.daemons import PROGRAM, ROOT, environment


class Demo:
    """A running demo, which stops at the end of the context."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._folder, self._temporary = folder, folder / "t"
        self._temporary.mkdir()
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(  # noqa: S603  our own program
                [*PROGRAM, "demo", *words],
                cwd=ROOT,
                # Unbuffered lines, as on a terminal.
                env=environment({"TMPDIR": str(self._temporary), "PYTHONUNBUFFERED": "1"}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def lines(self) -> list[str]:
        """Its output so far."""
        return (self._folder / "out").read_text(encoding="utf-8").splitlines()

    def err(self) -> str:
        """Its errors."""
        return (self._folder / "err").read_text(encoding="utf-8")

    def left(self) -> list[Path]:
        """The content of its temporary directory."""
        return list(self._temporary.iterdir())
