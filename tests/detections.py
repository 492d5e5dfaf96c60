"""Boxes at random for images, given and told, and what pycocotools makes of all of them."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from runner.metrics.measures import boxes


def detected(seed: int, rows: int = 12, count: int = 4) -> tuple[list[boxes.Found], list[boxes.Found]]:
    """Given and told boxes of `rows` images; some images have none, the last class no object, some are crowds."""
    rng = np.random.default_rng(seed)
    given, told = [], []
    for row in range(rows):
        size = int(rng.integers(0, 6))
        corner, sides = rng.uniform(0, 60, (size, 2)), rng.uniform(8, 40, (size, 2))
        kinds = rng.integers(0, count - 1, size)
        told.append(made(corner, sides, kinds, np.ones(size), (rng.random(size) < 0.1) if row > 1 else None))
        kept = rng.random(size) < 0.8
        moved, more = corner[kept] + rng.normal(0, 3, (kept.sum(), 2)), int(rng.integers(0, 4))
        corner = np.concatenate([moved, rng.uniform(0, 60, (more, 2))])
        sides = np.concatenate([sides[kept], rng.uniform(8, 40, (more, 2))])
        kinds = np.concatenate([kinds[kept], rng.integers(0, count, more)])
        given.append(made(corner, sides, kinds, np.round(rng.random(len(kinds)), 1)))
    return given, told


def made(corner: Any, sides: Any, kinds: Any, scores: Any, crowd: Any = None) -> boxes.Found:
    where = np.concatenate([corner, corner + sides], 1).reshape(-1, 4)
    return boxes.Found(where, kinds, scores, np.zeros(len(kinds), bool) if crowd is None else crowd)


def judged(given: list[boxes.Found], told: list[boxes.Found]) -> Any:
    """What pycocotools makes of the whole."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    lines = [
        [row, left, top, right - left, bottom - top, score, kind]
        for row, one in enumerate(given, 1)
        for (left, top, right, bottom), score, kind in zip(one.boxes, one.scores, one.classes, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = boxes._dataset(told, 4)
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(np.array(lines)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge
