"""`python -m runner` is `ovrun`."""

import sys

from runner.cli import main

sys.exit(main())
