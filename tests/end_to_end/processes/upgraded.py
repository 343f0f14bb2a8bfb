"""The daemon, whose imports fail from SIGUSR1 on, as though its package had been replaced.

The signal counts once the daemon has loaded all that it loads by itself. Each module that is looked for is recorded in the file that IMPORTS_TRIED names. One, ``CONTROL``,
is looked for here.
"""

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType

from homey_tokend.cli.main import main

CONTROL = "no_such_module"
#: What the daemon loads last, in a thread.
_LAST = "homey_tokend.server.prometheus"


class NoMoreModules(MetaPathFinder):
    """Find no module, and record which was looked for."""

    def __init__(self, tried: Path) -> None:
        self._tried = tried

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        with self._tried.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _run() -> int:
    tried = Path(os.environ.pop("IMPORTS_TRIED"))

    def upgrade(_number: int, _frame: FrameType | None) -> None:
        spec = getattr(sys.modules.get(_LAST), "__spec__", None)
        if spec is None or getattr(spec, "_initializing", False):
            return
        sys.meta_path.insert(0, NoMoreModules(tried))
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(CONTROL)

    signal.signal(signal.SIGUSR1, upgrade)
    return main()


if __name__ == "__main__":
    sys.exit(_run())
