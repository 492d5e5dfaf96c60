"""`python -m runner` is `ovrun`."""

import sys

from runner.cli import script

sys.exit(script())
