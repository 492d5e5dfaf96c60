"""Classification: the share of rows whose highest score is that of their label (top-1 accuracy)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.metrics.kept import Kept


@metric(
    "accuracy",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate="proportion",
    help="share of rows whose highest score is that of their label",
    source="scikit-learn, accuracy_score; of equal scores the first counts",
    revision=3,
)
def accuracy(kept: Kept, targets: Mapping[str, Sequence[object]]) -> object:
    """1 where the best class is the label, 0 where not, NaN where the best score is no finite number."""
    import numpy as np

    from runner.metrics.measures.labels import class_numbers

    scores = np.asarray(kept.values)
    labels = class_numbers(targets["label"], kept.classes, scores.shape[1])
    return np.where(np.isfinite(scores.max(-1)), scores.argmax(-1) == labels, np.nan)
