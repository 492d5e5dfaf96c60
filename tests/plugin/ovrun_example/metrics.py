"""Two metrics that are a number a row."""

from typing import Annotated, Any

from runner.registry.metrics import metric
from runner.registry.settings import Maximum, Minimum


@metric(
    "top5_accuracy",
    better="higher",
    rows="class scores",
    help="share of rows whose label is among the k best classes",
)
def top5_accuracy(
    scores: Any, labels: Any, *, k: Annotated[int, Minimum(1), Maximum(1000), "How many classes count."] = 5
) -> Any:
    """1 where the label is among the k best, 0 where not."""
    import numpy as np

    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return (best == labels[:, None]).any(axis=1)


@metric("shared_words", better="higher", rows="replies", help="share of the expected words that the reply has")
def shared_words(replies: list[str], expected: list[str]) -> Any:
    """Of each expected reply."""
    return [
        len({*a.split()} & {*b.split()}) / max(1, len({*b.split()})) for a, b in zip(replies, expected, strict=True)
    ]
