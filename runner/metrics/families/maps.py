"""Maps and boxes of images: classes of places, depths, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from runner.metrics.late import details, figure
from runner.registry.metrics import FROM_0, OfSums, metric

if TYPE_CHECKING:
    from runner.metrics.kept import Kept
    from runner.metrics.measures.taken import Targets

Ignore = Annotated[int, "The class of places in the mask that don't count."]
Align = Annotated[
    Literal["none", "median", "scale and shift"],
    "What is done to a map of depths first, for models that give them up to scale: its median is made the told one's, "
    "or the scale and shift that fit best are applied.",
]
Scale = Annotated[float, "What the told depths are multiplied by, such as 0.001 for images in millimetres."]
Layout = Annotated[
    Literal["left top width height", "left top right bottom"], "What the four numbers of a box in the data are."
]
_DEPTH = "the errors of Eigen and others (2014), the mean over the images"


@metric(
    "mean_iou",
    better="higher",
    rows="class maps",
    needs=("mask",),
    aggregate=OfSums(figure("maps.mean_iou")),
    details=details("maps.iou_by_class"),
    score=figure("maps.mean_iou"),
    help="mean over the classes of intersection over union, summed over all images; details: each class",
    source="scikit-learn, jaccard_score(average='macro') over all places",
)
def mean_iou(kept: Kept, targets: Targets, *, ignore: Ignore = 255) -> object:
    from runner.metrics.measures import taken

    return taken.areas(kept, targets, ignore)


@metric(
    "pixel_accuracy",
    better="higher",
    rows="class maps",
    needs=("mask",),
    aggregate="ratio",
    help="share of places that got their class",
    source="places of the right class / places that count",
)
def pixel_accuracy(kept: Kept, targets: Targets, *, ignore: Ignore = 255) -> object:
    from runner.metrics.measures import taken

    return taken.right_places(kept, targets, ignore)


@metric(
    "depth_relative_error",
    better="lower",
    rows="depth maps",
    needs=("depth",),
    span=FROM_0,
    help="AbsRel: mean of |depth - told| / told; places without a told depth don't count",
    source=_DEPTH,
)
def depth_relative_error(kept: Kept, targets: Targets, *, align: Align = "none", scale: Scale = 1.0) -> object:
    from runner.metrics.measures import taken

    return taken.depth(kept, targets, align, scale, 0)


@metric(
    "depth_rmse",
    better="lower",
    rows="depth maps",
    needs=("depth",),
    span=FROM_0,
    help="root of the mean squared error of the depth, in the unit of the told one",
    source=_DEPTH,
)
def depth_rmse(kept: Kept, targets: Targets, *, align: Align = "none", scale: Scale = 1.0) -> object:
    from runner.metrics.measures import taken

    return taken.depth(kept, targets, align, scale, 1)


@metric(
    "depth_delta1",
    better="higher",
    rows="depth maps",
    needs=("depth",),
    help="share of places whose depth is within a factor of 1.25 of the told one",
    source=_DEPTH,
)
def depth_delta1(kept: Kept, targets: Targets, *, align: Align = "none", scale: Scale = 1.0) -> object:
    from runner.metrics.measures import taken

    return taken.depth(kept, targets, align, scale, 2)


@metric(
    "mean_average_precision",
    better="higher",
    rows="boxes",
    needs=("boxes",),
    aggregate=figure("boxes.average_precision"),
    details=details("boxes.by_class"),
    help="mean average precision over overlaps of 0.50 to 0.95; details: each class",
    source="pycocotools, COCO's AP of boxes of all sizes, at most 100 an image and class",
    libraries=("pycocotools",),
    extra="metrics",
)
def mean_average_precision(kept: Kept, targets: Targets, *, layout: Layout = "left top width height") -> object:
    from runner.metrics.measures import taken

    return taken.detected(kept, targets, layout)


@metric(
    "average_precision_50",
    better="higher",
    rows="boxes",
    needs=("boxes",),
    aggregate=figure("boxes.average_precision_50"),
    help="mean average precision at an overlap of 0.50",
    source="pycocotools, COCO's AP50",
    libraries=("pycocotools",),
    extra="metrics",
)
def average_precision_50(kept: Kept, targets: Targets, *, layout: Layout = "left top width height") -> object:
    from runner.metrics.measures import taken

    return taken.detected(kept, targets, layout)
