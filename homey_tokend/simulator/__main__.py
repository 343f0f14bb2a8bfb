"""``python -m homey_tokend.simulator``."""

import sys

from homey_tokend.simulator.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
