"""Where `ovrun` and `python -m runner` begin: before all other imports, the current folder leaves the module path."""

import gc
import sys

from runner.base.python import leave_current_folder

leave_current_folder()
gc.set_threshold(100_000, 20, 20)  # imports make no garbage: looking for it takes a tenth of a short command's time


def main() -> int:
    """Run the command line, and return its exit code."""
    from runner.cli import script

    try:
        return script()
    finally:
        gc.freeze()  # the interpreter's last look for garbage would take another tenth


if __name__ == "__main__":
    sys.exit(main())
