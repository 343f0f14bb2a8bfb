"""Names the pure packages once, for the checks that hold them to more."""

import sys

CORE = ("core", "athom", "config")
TESTS = ("tests/config", "tests/athom", "tests/core")

if __name__ == "__main__":
    if sys.argv[1] == "coverage":
        print(",".join(f"homey_tokend/{name}/*" for name in CORE))
    else:
        print(*TESTS)
