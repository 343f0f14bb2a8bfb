"""``python -m homey_tokend``."""

import sys

from homey_tokend.entry import main

sys.exit(main())
