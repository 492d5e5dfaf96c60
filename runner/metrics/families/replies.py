"""Greedy replies against the reference's, token by token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import FROM_0, metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.metrics.kept import Kept

    Targets = Mapping[str, Sequence[object]]

_SOURCE = "GenAI's who_what_benchmark, {}"
_TASKS = ("text-generation",)


@metric(
    "first_divergent_token",
    better="higher",
    rows="texts",
    compares=True,
    aggregate="ratio",
    span=FROM_0,
    unit="tokens",
    help="mean number of tokens before a reply leaves the reference's",
    source=_SOURCE.format("FDT"),
    libraries=("tokenizers",),
    tasks=_TASKS,
)
def first_divergent_token(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import replies

    return replies.a_row(replies.compared(kept, reference)[:, 0])


@metric(
    "first_divergent_token_share",
    better="higher",
    rows="texts",
    compares=True,
    aggregate="ratio",
    help="the same as a share of all the tokens of the reference's replies",
    source=_SOURCE.format("FDT norm"),
    libraries=("tokenizers",),
    tasks=_TASKS,
)
def first_divergent_token_share(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import replies

    return replies.before_the_first(replies.compared(kept, reference))


@metric(
    "divergent_tokens",
    better="lower",
    rows="texts",
    compares=True,
    aggregate="ratio",
    span=FROM_0,
    unit="tokens",
    help="mean number of a reply's tokens that are no match of the reference's",
    source=_SOURCE.format("SDT"),
    libraries=("tokenizers",),
    tasks=_TASKS,
)
def divergent_tokens(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import replies

    return replies.no_match(replies.compared(kept, reference))


@metric(
    "divergent_tokens_share",
    better="lower",
    rows="texts",
    compares=True,
    help="mean share of a reply's tokens that are no match of the reference's",
    source=_SOURCE.format("SDT norm"),
    libraries=("tokenizers",),
    tasks=_TASKS,
)
def divergent_tokens_share(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import replies

    return replies.share_of_no_match(replies.compared(kept, reference))
