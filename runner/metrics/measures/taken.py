"""What was kept of a model and what its data say, in the forms that the measures take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import Array
from runner.data.images import Picture, opened
from runner.errors import SourceError
from runner.metrics.kept import Kept, Ragged
from runner.metrics.measures import answers, boxes, classes, images, maps, numbers, pairs, tags
from runner.metrics.measures.labels import class_numbers, tag_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Targets = Mapping[str, Sequence[object]]
_CLEAN = 100.0
"""dB: what counts for an image without any noise."""
_HIGHEST = 255.0
"""Of 8 bits."""


def scores(kept: Kept) -> Array:
    """Scores [rows, classes]."""
    return np.asarray(kept.values)


def labels(kept: Kept, told: Sequence[object]) -> NDArray[np.int64]:
    """Class numbers [rows]."""
    return class_numbers(told, kept.classes, scores(kept).shape[1])


def decisions(kept: Kept, targets: Targets) -> Floats:
    """(label, best class), [rows, 2]."""
    return classes.decisions(scores(kept), labels(kept, targets["label"]))


def among_best(kept: Kept, targets: Targets, k: int) -> Floats:
    """Whether the label is among the k best classes, [rows, 1]."""
    return classes.among_best(scores(kept), labels(kept, targets["label"]), k)


def agreement(kept: Kept, reference: Kept) -> Floats:
    """1 where both models have the same best class; [rows, 1]."""
    both = classes.decisions(scores(kept), scores(reference).argmax(-1))
    return np.where(np.isnan(both).any(1), np.nan, both[:, 0] == both[:, 1])[:, None]


def texts(kept: Kept) -> list[str]:
    """What a model wrote for each row."""
    return [str(text) for text in kept.values]


def answered(kept: Kept, targets: Targets, score: Callable[[str, str], float]) -> Floats:
    """The best score of each answer, [rows, 1]."""
    return answers.best(score, texts(kept), targets["answers"])


def word_tags(kept: Kept, told: Sequence[object]) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    """Class numbers of the words of each row: given, told."""
    lines = [one if isinstance(one, Sequence | np.ndarray) else [one] for one in told]
    wanted = [tag_numbers(list(line), row, kept.classes) for row, line in enumerate(lines, 1)]
    return [list(map(int, row)) for row in _arrays(kept)], [list(map(int, row)) for row in wanted]


def entities(kept: Kept, targets: Targets) -> Floats:
    """(entities that are right, given, told), [rows, 3]."""
    given, told = word_tags(kept, targets["tags"])
    return tags.counted(given, told, kept.classes)


def right_words(kept: Kept, targets: Targets) -> Floats:
    """(words with the right tag, words), [rows, 2]."""
    return tags.right_words(*word_tags(kept, targets["tags"]))


def outputs(kept: Kept) -> Array:
    """Outputs [rows, …]."""
    return np.asarray(kept.values)


def column(told: Sequence[object], role: str) -> Floats:
    """Numbers or arrays of one shape, a row each.

    Raises:
        SourceError: a row holds something else.
    """
    try:
        return np.asarray([np.asarray(one, np.float64) for one in told], np.float64)
    except (TypeError, ValueError) as error:
        message = f"`{role}` has to hold a number, or as many numbers, in each row"
        raise SourceError(message) from error


def score_of(kept: Kept) -> Floats:
    """One score a row, [rows]: the one output, or by how much class 1 of two is ahead.

    Raises:
        SourceError: there are more.
    """
    found = outputs(kept).reshape(kept.count, -1).astype(np.float64)
    if found.shape[1] > 2 or not found.size:
        message = f"a score is one number, or two of two classes, and the model gives {found.shape[1]} numbers a row"
        raise SourceError(message, hint="reconstruction_roc_auc and its kin are of models that give back their input.")
    return np.asarray(found[:, -1] - found[:, 0] if found.shape[1] == 2 else found[:, 0], np.float64)


def scored(kept: Kept, targets: Targets) -> Floats:
    """(score, label), [rows, 2]."""
    return numbers.binary(class_numbers(targets["label"], kept.classes, 2), score_of(kept))


def reconstructed(kept: Kept, targets: Targets) -> Floats:
    """(mean squared distance of the output from what is told, label), [rows, 2]."""
    error = numbers.reconstruction(outputs(kept), column(targets["target"], "target"))
    return numbers.binary(class_numbers(targets["label"], (), 2), error)


def likeness(kept: Kept, targets: Targets) -> Floats:
    """(cosine of the two texts, score of the data), [rows, 2]."""
    return pairs.likeness(outputs(kept), others(kept), column(targets["score"], "score"))


def others(kept: Kept) -> Array:
    """The embeddings of the second texts, [rows, size].

    Raises:
        SourceError: the rows have one text each.
    """
    if "other" not in kept.extra:
        message = "each row has one text, and this is measured on two"
        raise SourceError(message, hint="Name both in `columns`: text and text_pair, or query and document.")
    return np.asarray(kept.extra["other"])


def places(kept: Kept, targets: Targets) -> NDArray[np.int64]:
    """The place of each row's document among all, [rows]."""
    return pairs.places(outputs(kept), others(kept), targets["document"])


def pictures(told: Sequence[object], role: str) -> list[Array]:
    """Maps of the data: arrays as they are, images as their pixels, of which a place has one.

    Raises:
        SourceError: an image can't be read, or has colors.
    """
    return [_pixels(one, role) if isinstance(one, Picture) else np.asarray(one) for one in told]


def _pixels(one: Picture, role: str) -> Array:
    found = np.asarray(opened(one, mode=""))
    if found.ndim != 2:
        message = f"{one.place}: `{role}` is an image of one channel, and this has {found.shape[2]}"
        raise SourceError(message)
    return found


def areas(kept: Kept, targets: Targets, ignore: int) -> Floats:
    """Places of each class in both maps, and in either; [rows, 2 * classes]."""
    given, told = _arrays(kept), pictures(targets["mask"], "mask")
    count = len(kept.classes) or 1 + max(int(one[one != ignore].max(initial=0)) for one in (*given, *told))
    return maps.areas(given, told, count, ignore)


def right_places(kept: Kept, targets: Targets, ignore: int) -> Floats:
    """(places of the right class, places that count), [rows, 2]."""
    return maps.right_places(_arrays(kept), pictures(targets["mask"], "mask"), ignore)


def depth(kept: Kept, targets: Targets, align: maps.Align, scale: float, which: int) -> Floats:
    """One of the errors of depth, [rows, 1]."""
    told = [np.asarray(one, np.float64) * scale for one in pictures(targets["depth"], "depth")]
    return maps.depth_errors(_arrays(kept), told, align)[:, which : which + 1]


def _arrays(kept: Kept) -> list[Array]:
    """An array for each row."""
    return list(kept.values) if isinstance(kept.values, Ragged) else [np.asarray(one) for one in kept.values]


def detected(kept: Kept, targets: Targets, layout: boxes.Layout) -> Floats:
    """What `boxes` says of each row."""
    given = [boxes.found(one, row, kept.classes) for row, one in enumerate(kept.values, 1)]
    told = [boxes.told(one, row, kept.classes, layout) for row, one in enumerate(targets["boxes"], 1)]
    count = len(kept.classes) or 1 + max((int(one.classes.max(initial=0)) for one in (*given, *told)), default=0)
    return boxes.matched(given, told, count)


def noise(kept: Kept, targets: Targets, highest: float) -> Floats:
    """Peak signal-to-noise ratio of each image, at most `_CLEAN`; [rows, 1]."""
    return _noise(outputs(kept), column(targets["target"], "target"), highest)


def _noise(given: Array, told: Array, highest: float) -> Floats:
    found = [images.psnr(one, other, highest) for one, other in zip(given, told, strict=True)]
    return np.minimum(found, _CLEAN)[:, None]


def drawn_noise(kept: Kept, reference: Kept) -> Floats:
    """Peak signal-to-noise ratio of each image that was drawn, at most `_CLEAN`; [rows, 1]."""
    return _noise(scores(kept), scores(reference), _HIGHEST)


def captions(kept: Kept) -> Floats:
    """100 times the cosine of an image's embedding and its text's, at least 0; [rows, 1]."""
    return 100 * np.maximum(pairs.cosines(outputs(kept), others(kept)), 0)[:, None]


def drawn_similarity(kept: Kept, reference: Kept) -> Floats:
    """Structural similarity of each image that was drawn; [rows, 1]."""
    both = zip(scores(kept), scores(reference), strict=True)
    return np.array([images.ssim(one, other, _HIGHEST) for one, other in both], np.float64)[:, None]


def similarity(kept: Kept, targets: Targets, highest: float) -> Floats:
    """Structural similarity of each image [channels, height, width] or [height, width]; [rows, 1]."""
    told = column(targets["target"], "target")
    found = [
        images.ssim(_channels_last(one), _channels_last(other), highest)
        for one, other in zip(outputs(kept), told, strict=True)
    ]
    return np.array(found, np.float64)[:, None]


def _channels_last(image: Array) -> Array:
    return image[..., None] if image.ndim == 2 else np.moveaxis(image, 0, -1)
