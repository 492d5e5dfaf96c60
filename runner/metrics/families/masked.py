"""Masked tokens that a model finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import FROM_0, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets


@metric(
    "mask_accuracy",
    better="higher",
    rows="masked tokens",
    needs=("answers",),
    aggregate="ratio",
    help="share of masked tokens that were found; `answers` has one for each mask of a text, in order",
    source="the best token as text, white space around both left out",
)
def mask_accuracy(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import masked

    return masked.found(kept.values, targets["answers"])


@metric(
    "mask_divergence",
    better="lower",
    rows="masked scores",
    compares=True,
    aggregate="ratio",
    span=FROM_0,
    unit="nats",
    help="mean KL divergence of the distributions of masked tokens from the reference's; needs no answers. Both "
    "models' scores of the whole vocabulary are kept: 4 bytes times its size for each mask",
    source="torch, kl_div of log_softmax in float64, with the reference as the target",
)
def mask_divergence(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import masked

    return masked.divergences(kept.values, reference.values)


@metric(
    "mask_agreement",
    better="higher",
    rows="masked tokens",
    compares=True,
    aggregate="ratio",
    help="share of masked tokens for which the model gives the reference's; needs no answers",
    source="the best token of both",
)
def mask_agreement(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import masked

    return masked.found(kept.values, reference.values)
