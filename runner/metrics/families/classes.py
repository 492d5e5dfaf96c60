"""Classes that a model gives: how well they fit the labels, and whether they are the reference's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from runner.metrics.late import details, figure
from runner.registry.metrics import metric
from runner.registry.settings import Maximum, Minimum

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

_RIGHT = figure("classes.right")
_BY_CLASS = details("classes.by_class")


@metric(
    "top_k_accuracy",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate="proportion",
    help="share of rows whose label is among the k best classes",
    source="scikit-learn, top_k_accuracy_score; of equal scores the first counts",
)
def top_k_accuracy(
    kept: Kept, targets: Targets, *, k: Annotated[int, Minimum(1), Maximum(1000), "How many classes count."] = 5
) -> object:
    from runner.metrics.measures import taken

    return taken.among_best(kept, targets, k)


@metric(
    "f1_macro",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate=figure("classes.f1_macro"),
    details=_BY_CLASS,
    score=_RIGHT,
    help="mean F1 of the classes, each counting the same; details: each class, and the confusion matrix",
    source="scikit-learn, f1_score(average='macro')",
)
def f1_macro(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.decisions(kept, targets)


@metric(
    "f1_micro",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate=figure("classes.f1_micro"),
    details=_BY_CLASS,
    score=_RIGHT,
    help="F1 of all decisions together; with one label a row it is the accuracy",
    source="scikit-learn, f1_score(average='micro')",
)
def f1_micro(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.decisions(kept, targets)


@metric(
    "f1_weighted",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate=figure("classes.f1_weighted"),
    details=_BY_CLASS,
    score=_RIGHT,
    help="mean F1 of the classes, each with the number of its labels as its weight",
    source="scikit-learn, f1_score(average='weighted')",
)
def f1_weighted(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.decisions(kept, targets)


@metric(
    "balanced_accuracy",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate=figure("classes.balanced_accuracy"),
    details=_BY_CLASS,
    score=_RIGHT,
    help="mean over the classes of the share of their rows that got them",
    source="scikit-learn, balanced_accuracy_score",
)
def balanced_accuracy(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.decisions(kept, targets)


@metric(
    "matthews_correlation",
    better="higher",
    rows="class scores",
    needs=("label",),
    aggregate=figure("classes.matthews"),
    details=_BY_CLASS,
    score=_RIGHT,
    span=(-1.0, 1.0),
    help="Matthews correlation of labels and decisions, for classes of very different sizes; 0 is guessing",
    source="scikit-learn, matthews_corrcoef",
)
def matthews_correlation(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.decisions(kept, targets)


@metric(
    "decision_agreement",
    better="higher",
    rows="class scores",
    compares=True,
    aggregate="proportion",
    help="share of rows to which the model gives the reference's class; needs no labels",
    source="the best class of both",
)
def decision_agreement(kept: Kept, reference: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.agreement(kept, reference)
