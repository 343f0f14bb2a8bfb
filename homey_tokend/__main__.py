"""``python -m homey_tokend``."""

import sys

from homey_tokend.cli.main import main

sys.exit(main())
