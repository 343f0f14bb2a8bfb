"""``python -m homey_tokend.simulator``."""

import sys

from homey_tokend.simulator.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
