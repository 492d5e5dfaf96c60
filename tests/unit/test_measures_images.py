"""Measures of maps, boxes and images, each held against a library's own figure or a second computation."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from numpy.typing import NDArray

from runner.errors import SourceError
from runner.metrics.measures import boxes, images, maps
from tests.detections import detected, judged, made

pytest.importorskip("pycocotools")
EQUAL = {"rtol": 0, "atol": 1e-9}


def segmented(seed: int = 0) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Given and told maps of three sizes, with four of five classes and places that don't count (255)."""
    rng = np.random.default_rng(seed)
    told = [rng.choice([0, 1, 2, 3, 255], size).astype(np.uint8) for size in ((4, 5), (7, 3), (6, 6))]
    given = [np.where(rng.random(one.shape) < 0.6, one, rng.integers(0, 4, one.shape)).astype(np.uint8) for one in told]
    for one in given:
        one[one == 255] = 1
    return given, told


def test_intersection_over_union_is_that_of_scikit_learn() -> None:
    given, told = segmented()
    counts = maps.areas(given, told, 5, 255)
    best, true = (np.concatenate([one.reshape(-1) for one in side]) for side in (given, told))
    best, true = best[true != 255], true[true != 255]
    expected = sk.jaccard_score(true, best, average=None)
    np.testing.assert_allclose(maps.mean_iou(counts.sum(0)), expected.mean(), **EQUAL)
    np.testing.assert_allclose(list(maps.iou_by_class(counts)["iou"].values()), expected, **EQUAL)  # type: ignore[attr-defined]
    right, all_places = maps.right_places(given, told, 255).sum(0)
    np.testing.assert_allclose(right / all_places, (best == true).mean(), **EQUAL)
    many = maps.mean_iou(np.stack([counts.sum(0), counts[0], np.zeros(10)]))
    np.testing.assert_allclose(many, [expected.mean(), maps.mean_iou(counts[0]), np.nan], **EQUAL)


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SourceError, match=r"row 1: the model's map has shape \[2, 2\], that of the data \[2, 3\]"):
        maps.areas([np.zeros((2, 2), np.uint8)], [np.zeros((2, 3), np.uint8)], 2, 255)
    with pytest.raises(SourceError, match="row 1: the mask has class 7; the model has 2 classes, 0 to 1"):
        maps.areas([np.zeros((2, 2), np.uint8)], [np.full((2, 2), 7, np.uint8)], 2, 255)


def test_depth_errors_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(1)
    told = rng.uniform(0.5, 10, (3, 6, 8))
    told[0, 0], told[1, 2, 3] = 0, np.inf
    given = told * rng.uniform(0.6, 1.5, told.shape)
    given[~np.isfinite(given)] = 1
    found = maps.depth_errors(list(given), list(told), "none")
    for row in range(3):
        kept = (told[row] > 0) & np.isfinite(told[row])
        depth, true = given[row][kept], told[row][kept]
        np.testing.assert_allclose(found[row, 0], sk.mean_absolute_percentage_error(true, depth), **EQUAL)
        np.testing.assert_allclose(found[row, 1], sk.root_mean_squared_error(true, depth), **EQUAL)
        near = [max(a / b, b / a) < 1.25 for a, b in zip(depth, true, strict=True)]
        np.testing.assert_allclose(found[row, 2], np.mean(near), **EQUAL)


def test_depth_up_to_scale_is_aligned() -> None:
    told = np.random.default_rng(2).uniform(1, 5, (1, 4, 4))
    np.testing.assert_allclose(maps.depth_errors([told[0] / 7], [told[0]], "median"), [[0, 0, 1]], atol=1e-9)
    fitted = maps.depth_errors([(told[0] - 3) / -7], [told[0]], "scale and shift")
    np.testing.assert_allclose(fitted, [[0, 0, 1]], atol=1e-9)
    assert maps.depth_errors([told[0] / 7], [told[0]], "none")[0, 0] > 0.8


def test_a_row_without_depths_has_no_numbers() -> None:
    assert np.isnan(maps.depth_errors([np.ones((2, 2))], [np.zeros((2, 2))], "none")).all()
    assert np.isnan(maps.depth_errors([np.full((2, 2), np.nan)], [np.ones((2, 2))], "median")).all()


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_the_whole_by_pycocotools(seed: int) -> None:
    given, told = detected(seed)
    statistics, judge = boxes.matched(given, told, 4), judged(given, told)
    np.testing.assert_allclose(boxes.average_precision(statistics), judge.stats[0], **EQUAL)
    np.testing.assert_allclose(boxes.average_precision_50(statistics), judge.stats[1], **EQUAL)
    each = judge.eval["precision"][:, :, :, 0, 2].mean((0, 1))
    found = boxes.by_class(statistics)["average_precision"]
    assert found == {str(number): pytest.approx(each[number], abs=1e-9) for number in range(3)}


def test_rows_judged_twice_weigh_twice() -> None:
    """A choice of rows, as an interval draws them, is judged as if these were the data."""
    given, told = detected(7)
    chosen = [0, 3, 3, 5, 9, 9, 9]
    whole = boxes.matched(given, told, 4)[chosen]
    again = boxes.matched([given[row] for row in chosen], [told[row] for row in chosen], 4)
    np.testing.assert_allclose(boxes.average_precision(whole), boxes.average_precision(again), **EQUAL)


def test_images_without_objects_have_no_average_precision() -> None:
    none = made(np.empty((0, 2)), np.empty((0, 2)), np.empty(0, int), np.empty(0))
    assert np.isnan(boxes.average_precision(boxes.matched([none], [none], 2)))


def test_noise_of_images() -> None:
    one = np.zeros((2, 2, 3), np.uint8)
    other = np.full((2, 2, 3), 51, np.uint8)
    np.testing.assert_allclose(images.psnr(one, other), 20 * np.log10(5), **EQUAL)
    assert images.psnr(one, one) == np.inf


def test_structural_similarity_is_that_of_each_window_by_itself() -> None:
    rng = np.random.default_rng(3)
    one = rng.integers(0, 256, (13, 14, 2)).astype(np.uint8)
    other = np.clip(one + rng.normal(0, 40, one.shape), 0, 255).astype(np.uint8)
    away = np.arange(11) - 5
    weights = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for channel in range(2):
        for top in range(3):
            for left in range(4):
                a, b = (image[top : top + 11, left : left + 11, channel].astype(float) for image in (one, other))
                (p, q), (r, s) = np.cov(a.reshape(-1), b.reshape(-1), aweights=weights.reshape(-1), bias=True)
                x, y = (a * weights).sum(), (b * weights).sum()
                c, d = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                assert q == pytest.approx(r)
                found.append((2 * x * y + c) * (2 * q + d) / ((x**2 + y**2 + c) * (p + s + d)))
    np.testing.assert_allclose(images.ssim(one, other), np.mean(found), **EQUAL)
    assert images.ssim(one, one) == pytest.approx(1)
    with pytest.raises(SourceError, match="smaller than a window"):
        images.ssim(one[:5], other[:5])
    with pytest.raises(SourceError, match="can't be compared"):
        images.psnr(one[:5], other)
