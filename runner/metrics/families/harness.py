"""The metrics of lm-evaluation-harness, of a task that a file of its own describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.metrics.late import figure
from runner.registry.metrics import FROM_0, OfSums, metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.metrics.kept import Kept

    Targets = Mapping[str, Sequence[object]]

_OF = "lm-evaluation-harness, {} of {}"
_EXTRA = "lm-eval"


@metric(
    "lm_eval_acc",
    better="higher",
    rows="task scores",
    aggregate="proportion",
    help="share of rows of a task file whose right choice is the likeliest, or whose answer is the model's own",
    source=_OF.format("acc", "multiple_choice and loglikelihood"),
    extra=_EXTRA,
)
def lm_eval_acc(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "acc")


@metric(
    "lm_eval_acc_norm",
    better="higher",
    rows="task scores",
    aggregate="proportion",
    help="the same with each log-likelihood divided by the characters of its choice",
    source=_OF.format("acc_norm", "multiple_choice"),
    extra=_EXTRA,
)
def lm_eval_acc_norm(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "acc_norm")


@metric(
    "lm_eval_acc_bytes",
    better="higher",
    rows="task scores",
    aggregate="proportion",
    help="the same with each log-likelihood divided by the bytes of its choice",
    source=_OF.format("acc_bytes", "multiple_choice"),
    extra=_EXTRA,
)
def lm_eval_acc_bytes(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "acc_bytes")


@metric(
    "lm_eval_acc_mutual_info",
    better="higher",
    rows="task scores",
    aggregate="proportion",
    help="the same with the log-likelihood of each choice without its prompt taken off",
    source=_OF.format("acc_mutual_info", "multiple_choice"),
    extra=_EXTRA,
)
def lm_eval_acc_mutual_info(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "acc_mutual_info")


@metric(
    "lm_eval_exact_match",
    better="higher",
    rows="task scores",
    aggregate="proportion",
    help="share of rows of a task file whose reply, filtered as the task says, is the right one",
    source=_OF.format("exact_match", "generate_until and multiple_choice"),
    extra=_EXTRA,
)
def lm_eval_exact_match(kept: Kept, targets: Targets, *, filter: str = "") -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "exact_match", filter)


@metric(
    "lm_eval_f1",
    better="higher",
    rows="task scores",
    aggregate=OfSums(figure("harness.f1")),
    score=figure("harness.right"),
    help="F1 of the second of two choices",
    source=_OF.format("f1", "multiple_choice"),
    extra=_EXTRA,
)
def lm_eval_f1(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.counts(kept)


@metric(
    "lm_eval_perplexity",
    better="lower",
    rows="task scores",
    aggregate=OfSums(figure("harness.perplexity")),
    score=figure("harness.per_unit"),
    span=FROM_0,
    help="exp of the mean negative log-likelihood of a row's answer",
    source=_OF.format("perplexity", "loglikelihood"),
    extra=_EXTRA,
)
def lm_eval_perplexity(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.a_row(kept)


@metric(
    "lm_eval_word_perplexity",
    better="lower",
    rows="task scores",
    aggregate=OfSums(figure("harness.perplexity")),
    score=figure("harness.per_unit"),
    span=FROM_0,
    help="exp of the negative log-likelihood of all rows' texts, divided by their words",
    source=_OF.format("word_perplexity", "loglikelihood_rolling"),
    extra=_EXTRA,
)
def lm_eval_word_perplexity(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "word_perplexity")


@metric(
    "lm_eval_byte_perplexity",
    better="lower",
    rows="task scores",
    aggregate=OfSums(figure("harness.perplexity")),
    score=figure("harness.per_unit"),
    span=FROM_0,
    help="the same divided by their bytes",
    source=_OF.format("byte_perplexity", "loglikelihood_rolling"),
    extra=_EXTRA,
)
def lm_eval_byte_perplexity(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.scores(kept, "byte_perplexity")


@metric(
    "lm_eval_bits_per_byte",
    better="lower",
    rows="task scores",
    aggregate="ratio",
    span=FROM_0,
    unit="bits",
    help="negative log2-likelihood of all rows' texts, divided by their bytes",
    source=_OF.format("bits_per_byte", "loglikelihood_rolling"),
    extra=_EXTRA,
)
def lm_eval_bits_per_byte(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import harness

    return harness.bits(harness.scores(kept, "bits_per_byte"))
