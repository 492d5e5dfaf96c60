"""Answers to questions, as SQuAD's evaluation script judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.registry.metrics import metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

_SOURCE = "SQuAD 2.0's evaluation script: small letters, no punctuation, no English articles; the best of the answers"


@metric(
    "answer_exact_match",
    better="higher",
    rows=("spans", "texts"),
    needs=("answers",),
    aggregate="proportion",
    help="share of questions whose answer is one of those of the data, normalised as SQuAD does",
    source=_SOURCE,
)
def answer_exact_match(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import answers, taken

    return taken.answered(kept, targets, answers.exact)


@metric(
    "answer_f1",
    better="higher",
    rows=("spans", "texts"),
    needs=("answers",),
    help="mean F1 of the words of an answer and of the nearest of those of the data, normalised as SQuAD does",
    source=_SOURCE,
)
def answer_f1(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import answers, taken

    return taken.answered(kept, targets, answers.overlap)
