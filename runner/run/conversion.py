"""A converted model that is too far from its original: put aside as soon as that is known, and nothing made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifact import placing
from runner.artifact.conversion import misses
from runner.errors import AccuracyError
from runner.store import Entry, Store, cannot_write

if TYPE_CHECKING:
    from runner.artifact.types import SweepRecord
    from runner.run.outcome import Outcome

_HINT = (
    "Nothing was published; the converted model is kept at {}. `conversion.precision: fp32` rounds no weights; "
    "a changed `conversion.check.max_relative_l2` is judged at once, without converting again; "
    "`conversion.check: false` leaves the check out. A fault at the second length or size alone means that the "
    "conversion froze the first."
)


def refused(
    outcome: Outcome, entry: Entry, store: Store, outputs: Path, sweep: SweepRecord | None
) -> AccuracyError | None:
    """The error of a point whose converted model, `entry`, misses the tolerance; its path is where that is kept then.

    Raises:
        StageError: the outputs folder can't be written.
    """
    conversion = outcome.plan.recipe.conversion
    told = misses(entry.result, conversion.tolerance) if conversion.check.of else []
    if not told:
        return None
    try:
        outcome.path = placing.put_converted_aside(outcome.plan, store, entry, outputs, sweep)
    except OSError as error:
        raise cannot_write(outputs, error) from error
    message = f"{outcome.point.name}: the conversion changes the model: {'; '.join(told)}"
    return AccuracyError(message, hint=_HINT.format(outcome.path))
