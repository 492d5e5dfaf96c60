"""A metric of rows that are kept, row by row: for a search that looks at chosen rows again and again.

What a model gives is kept as the stage `predict` keeps it, by the same code, so that a search and a check agree.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import StageError
from runner.metrics.figures import statistics, targets_of
from runner.metrics.flipped import scores
from runner.metrics.intervals import value
from runner.metrics.keeping import keep
from runner.metrics.kept import Kept
from runner.metrics.predicting import Asked, predictor
from runner.metrics.predicting.apart import Apart
from runner.recipe.datasets import narrowed
from runner.registry.metrics import OfSums

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.model.runtime import Compiled
    from runner.registry.metrics import Family
    from runner.registry.predicting import Predicts

Ask = Callable[["Compiled", "Sequence[int] | None", Path], None]
"""Keeps in a folder what a model gives for chosen rows."""
_BESIDE_NNCF = frozenset({"openvino", "numpy", "tokenizers"})
"""Distributions that may be imported where NNCF is: they have no need of torch, which is hidden there."""


@dataclass(frozen=True)
class RowItems:
    """The rows of a dataset under a metric.

    Attributes:
        count: of rows.
        ask: keeps what a model gives.
        folder: where that lies meanwhile.
        reference: what the first model gave, for metrics that compare with it.
        close: ends what asks.
    """

    family: Family
    count: int
    ask: Ask
    folder: Path
    reference: Kept
    targets: Mapping[str, Sequence[object]]
    settings: Mapping[str, object]
    close: Callable[[], None]

    def measure(self, compiled: Compiled, chosen: Sequence[int]) -> tuple[float, list[float]]:
        """The metric over the chosen rows, and a number of each of them, which is better where the metric's is.

        Raises:
            as what predicts; StageError too where that doesn't ask this model.
        """
        rows = sorted(chosen)
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            self.ask(compiled, None if len(rows) == self.count else rows, Path(out))
            found = self._statistics(Kept.read(Path(out)), rows)
        if not compiled.is_asked:
            message = f"{compiled.folder}: what predicts {self.family.name}'s rows runs another model than it was given"
            raise StageError(message, hint="It has to take its model from `asked.compiled()`.")
        each = dict(zip(rows, self._each(found), strict=True))
        return value(found, self.family.aggregate), [float(each[row]) for row in chosen]

    def _statistics(self, kept: Kept, rows: Sequence[int]) -> Numbers:
        targets = {role: [column[row] for row in rows] for role, column in self.targets.items()}
        reference = self.reference.take(rows) if self.family.compares else kept
        return statistics(self.family, kept, reference, targets, self.settings)

    def _each(self, found: Numbers) -> Numbers:
        """A number of each row; of an aggregate that is a function, what it loses without the row."""
        own = scores(self.family, found)
        if own is not None:
            return own
        lost = value(found, self.family.aggregate) - self._without_each(found)
        return np.where(np.isfinite(lost), lost, 0.0)

    def _without_each(self, found: Numbers) -> Numbers:
        aggregate = self.family.aggregate
        if isinstance(aggregate, OfSums):
            return np.asarray(aggregate.function(found.sum(0) - found), np.float64)
        return np.array([value(np.delete(found, row, axis=0), aggregate) for row in range(len(found))])


def row_items(
    family: Family, way: Predicts, original: Compiled, asked: Asked, settings: Mapping[str, object], folder: Path
) -> RowItems:
    """The rows of a dataset, of which the first model was asked.

    Args:
        way: how rows feed the model.
        original: the model that others are compared with.
        asked: what is asked about the rows.
        settings: those that the metric's function takes.
        folder: an empty one.

    Raises:
        SourceError: the dataset doesn't fit the model or the metric.
        StageError: the runtime or the metric's function fails.
    """
    dataset = asked.dataset
    targets, _ = targets_of(dataset, family.targets)
    ask, close = _asking(way, replace(asked, dataset=narrowed(dataset, way.roles)))
    (folder / "reference").mkdir()
    try:
        ask(original, None, folder / "reference")
    except BaseException:
        close()
        raise
    kept = Kept.read(folder / "reference")
    return RowItems(family, kept.count, ask, folder, kept, targets, settings, close)


def _asking(way: Predicts, asked: Asked) -> tuple[Ask, Callable[[], None]]:
    """What asks, here or in a process of its own, and what ends it."""
    if not _BESIDE_NNCF.issuperset(way.libraries):
        apart = Apart(way.module, asked)
        return apart.predict, apart.close

    def ask(compiled: Compiled, chosen: Sequence[int] | None, out: Path) -> None:
        given = predictor(way.module).predict(replace(asked, model=compiled, chosen=chosen))
        keep(asked.gives, given, out, lambda done, total: None)

    return ask, lambda: None
