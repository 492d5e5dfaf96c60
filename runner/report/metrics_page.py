"""docs/metrics.md: what each metric is, in which direction it is better, of which rows and columns, and whose it is."""

from __future__ import annotations

import math

from runner.base import streams
from runner.registry.metrics import FAMILIES, Family, Metric

_HEAD = """# Metrics: what each is

Made from the declarations in `runner/metrics/families/` by `make reference`; changes belong there. docs/accuracy.md
says what to measure for which task. *of* is what is kept of a model for each row, *with* the roles of the dataset's
columns that it is held against. A metric without a value of the reference's own is a distance from the reference. What
needs an extra is refused without it: `pip install 'ovrun[metrics]'`. Others that packages declare stand in
`ovrun explain accuracy.checks.metric`.

| metric | what it is | better | from, to | of | with | definition | needs |
|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page; ends in a newline."""
    return _HEAD + "".join(f"{_row(one, metric)}\n" for one in FAMILIES.values() for metric in one.metrics)


def _row(family: Family, metric: Metric) -> str:
    against = "" if metric.own_value else "; a distance from the reference"
    cells = (
        f"`{metric.name}`",
        family.help + against,
        str(metric.better),
        f"{_end(metric.least)}, {_end(metric.most)}{' ' * bool(metric.unit)}{metric.unit}",
        ", ".join(family.rows),
        ", ".join(f"`{role}`" for role in family.targets) or family.needs,
        family.source,
        family.extra,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _end(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "any"


if __name__ == "__main__":
    streams.put_data(page())
