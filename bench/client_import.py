"""The time of ``import homey_tokend.client``, compared with ``python -c pass`` of the same venv.

python -m bench.client_import [--pairs N]

Mark: 1.6 times, median of interleaved pairs of whole processes.
"""

import argparse
import sys

from bench.client_start import record, run_seconds
from bench.common import Figure, median, paired, percentile, report

MARK = 1.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=51)
    args = parser.parse_args()
    ours = [sys.executable, "-c", "import homey_tokend.client"]
    bare = [sys.executable, "-c", "pass"]
    for command in (ours, bare):
        run_seconds(command)
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    ratios = paired(
        args.pairs, lambda: record(times["ours"], ours), lambda: record(times["bare"], bare)
    )
    return report(
        [
            Figure("python -c pass, median", median(times["bare"]) * 1e3, unit="ms"),
            Figure("import homey_tokend.client", median(times["ours"]) * 1e3, unit="ms"),
            Figure("ratio, 90th percentile", percentile(ratios, 90), unit="x"),
            Figure("ratio, median", median(ratios), MARK, "x"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
