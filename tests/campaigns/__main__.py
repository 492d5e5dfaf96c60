"""`python -m tests.campaigns [NAME …]`: all campaigns that there are, or those, and a table of what came of them."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections.abc import Iterator, Sequence

from tests import campaigns
from tests.campaigns import harness


def discover() -> Iterator[harness.Campaign]:
    """Every module of this folder that has a `CAMPAIGN`."""
    for module in sorted(pkgutil.iter_modules(campaigns.__path__), key=lambda one: one.name):
        if module.name != "__main__":
            campaign = getattr(importlib.import_module(f"{campaigns.__name__}.{module.name}"), "CAMPAIGN", None)
            if campaign is not None:
                yield campaign


def main(argv: Sequence[str] | None = None) -> int:
    """Run campaigns and print a table: 0 if no case failed."""
    there = {campaign.name: campaign for campaign in discover()}
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(there)} (default: all)")
    harness.options(parser)
    options = parser.parse_args(argv)
    if unknown := [name for name in options.names if name not in there]:
        parser.error(f"no campaign is called {', '.join(unknown)}; there are {', '.join(there)}")
    chosen = [there[name] for name in options.names] if options.names else list(there.values())
    until = time.monotonic() + options.minutes * 60
    results = []
    for left, campaign in zip(range(len(chosen), 0, -1), chosen, strict=True):
        options.minutes = max(0, until - time.monotonic()) / 60 / left
        results.append(harness.run(campaign, options))
        print(f"{campaign.name}: {results[-1]} in {results[-1].seconds:.0f} s", flush=True)
    print(_table(results))
    return int(any(result.failures for result in results))


def _table(results: Sequence[harness.Result]) -> str:
    rows = [("campaign", "cases", "failures", "slowest", "largest", "time")]
    for result in results:
        cases = f"{result.done:,}" + (f" of {result.wanted:,}" if result.done != result.wanted else "")
        slowest, largest = f"{result.slowest[0]:.2f} s", f"{result.largest[0]:.0f} MB"
        rows.append((result.name, cases, str(len(result.failures)), slowest, largest, f"{result.seconds:.0f} s"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n" + "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
