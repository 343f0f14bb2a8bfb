"""The memory of the daemon a minute after twenty refreshes.

python -m bench.memory [--refreshes N] [--rest S]

For comparison, a process that only imports the libraries that the daemon uses. Mark: 1.25 times its
resident memory.
"""

import argparse
import subprocess
import sys
import time

from bench.common import Figure, report
from bench.processes import child, daemon, folder, memory_mb, simulator, status, until

MARK = 1.25
#: A token is renewed at about half of this.
LIFE_S = 4.0
#: The libraries that the daemon uses.
IMPORTS = """
import aiohttp.web, prometheus_client, pydantic, structlog, tenacity, yaml
from apscheduler.schedulers.asyncio import AsyncIOScheduler
pydantic.BaseModel
"""
BARE = f"""
{IMPORTS}
import time
print("up", flush=True)
time.sleep(3600)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refreshes", type=int, default=20)
    parser.add_argument("--rest", type=float, default=60.0, help="seconds after the last of them")
    args = parser.parse_args()
    with (
        child(sys.executable, "-c", BARE, stdout=subprocess.PIPE) as bare,
        folder() as place,
        simulator("--session-lifetime", str(LIFE_S)) as description,
        daemon(description, place) as (process, path),
    ):
        assert bare.stdout is not None
        bare.stdout.readline()
        first = memory_mb(process.pid)

        def refreshed() -> bool:
            document = status(path)
            return document is not None and document["refreshes"] >= args.refreshes

        until(refreshed, f"{args.refreshes} refreshes", 60 + LIFE_S * args.refreshes)
        time.sleep(args.rest)
        ours, floor = memory_mb(process.pid), memory_mb(bare.pid)
        document = status(path) or {}
    return report(
        [
            Figure("refreshes", document.get("refreshes", 0), args.refreshes, at_least=True),
            Figure("daemon when it answers, RSS", first["Rss"], unit="MB"),
            Figure("daemon at the end, RSS", ours["Rss"], unit="MB"),
            Figure("daemon at the end, PSS", ours["Pss"], unit="MB"),
            Figure("daemon at the end, private dirty", ours["Private_Dirty"], unit="MB"),
            Figure("bare imports, RSS", floor["Rss"], unit="MB"),
            Figure("bare imports, PSS", floor["Pss"], unit="MB"),
            Figure("PSS beside bare imports", ours["Pss"] / floor["Pss"], unit="x"),
            Figure("RSS beside bare imports", ours["Rss"] / floor["Rss"], MARK, "x"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
