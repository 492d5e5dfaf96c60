"""The page of all patches of libraries, in Markdown, made from their declarations."""

from __future__ import annotations

import runner.export.patches
import runner.importers.optimum_defaults
import runner.metrics.patches
import runner.nncf.patches
from runner.base import streams
from runner.base.patches import Patch

PATCHES: tuple[Patch, ...] = (
    *runner.nncf.patches.PATCHES,
    *runner.export.patches.PATCHES,
    *runner.importers.optimum_defaults.PATCHES,
    *runner.metrics.patches.PATCHES,
)

_HEAD = """\
# Patches: what is changed in libraries, or read of their private parts

Made from the declarations in `runner/*/patches.py` by `make reference`; changes belong there.

A patch for *performance* is left out with a version that it was not tried with, and the run's log says so. One that
*results* hang on proves that the library really uses it, or the stage fails and names the versions that were tried.
`make newest` runs the tests of the libraries with the newest versions that `pyproject.toml` allows.

| patch | library | tried with | for | what it does | how a changed library is noticed |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page; ends in a newline."""
    return _HEAD + "".join(f"{_row(patch)}\n" for patch in PATCHES)


def _row(patch: Patch) -> str:
    cells = (patch.name, patch.library, f"`{patch.versions}`", patch.kind, patch.what, patch.guard)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    streams.put_data(page())
