"""Numbers that a model gives: regression, scores of anomalies, images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from runner.metrics.late import details, figure
from runner.registry.metrics import ANY, FROM_0, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

Highest = Annotated[float, "The highest value of an image: 1 or 255."]
_THRESHOLD = details("numbers.threshold")


@metric(
    "mean_absolute_error",
    better="lower",
    rows="outputs",
    needs=("target",),
    span=FROM_0,
    help="mean distance of the output from what the data tell, in its unit",
    source="scikit-learn, mean_absolute_error",
)
def mean_absolute_error(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import numbers, taken

    return numbers.absolute(taken.outputs(kept), taken.column(targets["target"], "target"))


@metric(
    "root_mean_squared_error",
    better="lower",
    rows="outputs",
    needs=("target",),
    aggregate="root mean",
    span=FROM_0,
    help="root of the mean squared distance of the output from what the data tell, in its unit",
    source="scikit-learn, root_mean_squared_error of all numbers together",
)
def root_mean_squared_error(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import numbers, taken

    return numbers.squared(taken.outputs(kept), taken.column(targets["target"], "target"))


@metric(
    "r2",
    better="higher",
    rows="outputs",
    needs=("target",),
    aggregate=figure("numbers.r2"),
    span=(-float("inf"), 1.0),
    help="share of the variance of what the data tell that the output explains",
    source="scikit-learn, r2_score",
)
def r2(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import numbers, taken

    return numbers.side_by_side(taken.outputs(kept), taken.column(targets["target"], "target"))


@metric(
    "roc_auc",
    better="higher",
    rows=("outputs", "class scores"),
    needs=("label",),
    aggregate=figure("numbers.roc_auc"),
    help="area under the ROC curve of a score, for labels 0 and 1: how often a 1 has the higher one",
    source="scikit-learn, roc_auc_score",
)
def roc_auc(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.scored(kept, targets)


@metric(
    "average_precision",
    better="higher",
    rows=("outputs", "class scores"),
    needs=("label",),
    aggregate=figure("numbers.average_precision"),
    help="area under the curve of precision and recall of a score, for labels 0 and 1, where 1 is rare",
    source="scikit-learn, average_precision_score",
)
def average_precision(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.scored(kept, targets)


@metric(
    "best_f1",
    better="higher",
    rows=("outputs", "class scores"),
    needs=("label",),
    aggregate=figure("numbers.best_f1"),
    details=_THRESHOLD,
    help="F1 of a score at the threshold that is best on these data, for labels 0 and 1; details: the threshold",
    source="scikit-learn, f1_score at each threshold",
)
def best_f1(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.scored(kept, targets)


@metric(
    "reconstruction_roc_auc",
    better="higher",
    rows="outputs",
    needs=("label", "target"),
    aggregate=figure("numbers.roc_auc"),
    help="area under the ROC curve of an autoencoder's error: its mean squared distance from `target`, the input",
    source="scikit-learn, roc_auc_score",
)
def reconstruction_roc_auc(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.reconstructed(kept, targets)


@metric(
    "reconstruction_average_precision",
    better="higher",
    rows="outputs",
    needs=("label", "target"),
    aggregate=figure("numbers.average_precision"),
    help="area under the curve of precision and recall of an autoencoder's error",
    source="scikit-learn, average_precision_score",
)
def reconstruction_average_precision(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.reconstructed(kept, targets)


@metric(
    "reconstruction_best_f1",
    better="higher",
    rows="outputs",
    needs=("label", "target"),
    aggregate=figure("numbers.best_f1"),
    details=_THRESHOLD,
    help="F1 of an autoencoder's error at the threshold that is best on these data; details: the threshold",
    source="scikit-learn, f1_score at each threshold",
)
def reconstruction_best_f1(kept: Kept, targets: Targets) -> object:
    from runner.metrics.measures import taken

    return taken.reconstructed(kept, targets)


@metric(
    "psnr",
    better="higher",
    rows="outputs",
    needs=("target",),
    span=ANY,
    unit="dB",
    help="mean peak signal-to-noise ratio of images against those of the data",
    source="10 log10(highest^2 / mean squared error); an equal image counts as 100 dB",
)
def psnr(kept: Kept, targets: Targets, *, highest: Highest = 1.0) -> object:
    from runner.metrics.measures import taken

    return taken.noise(kept, targets, highest)


@metric(
    "ssim",
    better="higher",
    rows="outputs",
    needs=("target",),
    span=(-1.0, 1.0),
    help="mean structural similarity of images [channels, height, width] and those of the data",
    source="Wang and others (2004): Gaussian windows of 11 x 11, 1.5 wide, that lie inside the image",
)
def ssim(kept: Kept, targets: Targets, *, highest: Highest = 1.0) -> object:
    from runner.metrics.measures import taken

    return taken.similarity(kept, targets, highest)
