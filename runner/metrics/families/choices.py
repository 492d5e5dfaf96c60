"""Multiple choice of language models, as lm-evaluation-harness measures it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.metrics.kept import Kept

    Targets = Mapping[str, Sequence[object]]


@metric(
    "choice_accuracy",
    better="higher",
    rows="log-likelihoods",
    needs=("label",),
    aggregate="proportion",
    help="share of rows whose right choice, the label's, is the likeliest to follow the prompt",
    source="lm-evaluation-harness, acc of multiple_choice",
)
def choice_accuracy(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import choices

    return choices.right(kept, targets["label"])


@metric(
    "choice_accuracy_by_length",
    better="higher",
    rows="log-likelihoods",
    needs=("label",),
    aggregate="proportion",
    help="the same with each log-likelihood divided by the characters of its choice, so that long ones have a chance",
    source="lm-evaluation-harness, acc_norm of multiple_choice",
)
def choice_accuracy_by_length(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import choices

    return choices.right(kept, targets["label"], by_length=True)
