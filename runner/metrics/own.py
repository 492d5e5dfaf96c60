"""A metric that a function of the user's own file measures: what it gives is looked at, and becomes figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runner.errors import SourceError
from runner.metrics.figures import SEED, Measured, told
from runner.metrics.flipped import flips
from runner.metrics.intervals import Compared, Estimate, compare
from runner.registry.metrics import Metric

if TYPE_CHECKING:
    from runner.metrics.intervals import Numbers
    from runner.metrics.kept import Kept
    from runner.registry.own import Own

Row = Mapping[str, object]
"""Role -> the dataset's value."""
_PARTS = {"value", "rows"}
_HINT = "It has to give a number, a number for each row, or {value: a number, rows: a number for each row}."


@dataclass(frozen=True)
class Scores:
    """What a function gave.

    Attributes:
        value: of the metric on all rows.
        rows: a number for each, [rows]; None where it tells none.
    """

    value: float
    rows: Numbers | None = None

    @property
    def of_means(self) -> bool:
        """Whether the value is the mean of the rows, whose interval is known then."""
        return self.rows is not None and math.isclose(self.value, float(self.rows.mean()), rel_tol=1e-9, abs_tol=1e-12)


@dataclass(frozen=True)
class Scoring:
    """What a function of a user's file gives, looked at.

    Attributes:
        function: that is called with what it takes and the rows.
        name: of it, with its file, for messages.
    """

    function: Callable[[object, Sequence[Row]], object]
    name: str

    def __call__(self, given: object, rows: Sequence[Row]) -> Scores:
        """Its scores.

        Raises:
            SourceError: it gives something else than numbers, or as the function.
        """
        return self._scores(self.function(given, rows), len(rows))

    def statistics(self, kept: Kept, targets: Mapping[str, Sequence[object]]) -> Numbers:
        """The scores of rows, [rows], for a search that looks at chosen ones; the metric has to be their mean."""
        found = self(kept.values, rows_of(targets, kept.count))
        if found.rows is None or not found.of_means:
            message = f"{self.name} gives no number for each row of which its value is the mean"
            raise SourceError(message, hint="Accuracy control asks for chosen rows and compares them one by one.")
        return found.rows

    def _scores(self, found: object, count: int) -> Scores:
        if isinstance(found, dict):
            if found.keys() != _PARTS:
                self._refuse(f"a mapping with {', '.join(map(str, found)) or 'nothing'}, not with value and rows")
            return Scores(self._number(found["value"]), self._rows(found["rows"], count))
        array = self._array(found)
        if array.ndim:
            rows = self._rows(found, count)
            return Scores(float(rows.mean()), rows)
        return Scores(self._number(found))

    def _number(self, found: object) -> float:
        array = self._array(found)
        if array.ndim or not np.isfinite(array):
            self._refuse(f"{array.tolist()!r:.60} as its value, which is no finite number")
        return float(array)

    def _rows(self, found: object, count: int) -> Numbers:
        array = self._array(found)
        if array.ndim != 1 or len(array) != count:
            self._refuse(f"an array of shape {list(array.shape)}, not a number for each of {count} rows")
        wrong = np.flatnonzero(~np.isfinite(array))
        if len(wrong):
            more = f", and for {len(wrong) - 1} more" if wrong[1:].size else ""
            self._refuse(f"{array[wrong[0]]} for row {wrong[0] + 1}{more}")
        return array

    def _array(self, found: object) -> Numbers:
        """Numbers and truths as floats; texts, which NumPy would read as such, are none."""
        try:
            array = np.asarray(found)
        except Exception as error:  # rows of different lengths, or a class of the user's
            self._refuse(f"a {type(found).__name__} that holds no numbers alone", error)
        if array.dtype.kind not in "biuf":
            items = array.reshape(-1).tolist()
            at = next((place for place, one in enumerate(items) if not isinstance(one, int | float)), 0)
            which = f", in row {at + 1} {items[at]!r:.60}" if items and array.ndim else ""
            self._refuse(f"{'no number but ' if not array.ndim else ''}a {type(found).__name__}{which}")
        return array.astype(np.float64)

    def _refuse(self, what: str, error: Exception | None = None) -> None:
        message = f"{self.name} gave {what}"
        raise SourceError(message, hint=_HINT) from error


def rows_of(targets: Mapping[str, Sequence[object]], count: int) -> list[Row]:
    """The dataset's values by role, a mapping for each row."""
    return [{role: column[row] for role, column in targets.items()} for row in range(count)]


def measured(
    own: Own, model: Scores, reference: Scores, protocol: Mapping[str, object], count: int, numbers: Sequence[int]
) -> Measured:
    """A model beside its reference, as `runner.metrics.figures.measure` gives it.

    Args:
        protocol: what the figures must be told with.
        count: rows.
        numbers: which rows of the whole dataset these are, from 0; by default the first.
    """
    metric, paired = Metric(own.name, own.better), model.rows is not None and reference.rows is not None
    if paired and model.of_means and reference.of_means:
        found = compare(_column(model), _column(reference), "mean", seed=SEED)
    else:
        relative = model.value / reference.value - 1 if reference.value else math.nan
        values = (model.value, reference.value, model.value - reference.value, relative)
        found = Compared(*map(Estimate, values))
    said: dict[str, object] = {
        "protocol": dict(protocol),
        "rows": count,
        "seed": SEED,
        **told(metric, found, True),
        "details": {},
        "flipped": flips(model.rows, reference.rows, metric.better, numbers),
    }
    return Measured(said, _column(model), _column(reference))


def _column(scores: Scores) -> Numbers:
    return np.empty((0, 1)) if scores.rows is None else scores.rows[:, None]
