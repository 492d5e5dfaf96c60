"""Two metrics that are a number a row."""

from typing import Annotated, Any

from runner.registry.metrics import metric
from runner.registry.settings import Maximum, Minimum


@metric(
    "top5_accuracy",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate="proportion",
    help="share of rows whose label is among the k best classes",
)
def top5_accuracy(
    kept: Any, targets: Any, *, k: Annotated[int, Minimum(1), Maximum(1000), "How many classes count."] = 5
) -> Any:
    """1 where the label is among the k best, 0 where not."""
    import numpy as np

    best = np.argsort(-kept.values, axis=1, kind="stable")[:, :k]
    return (best == np.array(targets["label"])[:, None]).any(axis=1)


@metric(
    "shared_words",
    better="higher",
    rows="texts",
    needs=("reply",),
    help="share of the expected words that the reply has",
)
def shared_words(kept: Any, targets: Any) -> Any:
    """Of each expected reply."""
    pairs = zip(kept.values, targets["reply"], strict=True)
    return [len({*a.split()} & {*b.split()}) / max(1, len({*b.split()})) for a, b in pairs]
