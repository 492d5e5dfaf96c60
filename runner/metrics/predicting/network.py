"""The first output of a model of one part for each row: scores of classes, an embedding, or as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from runner.base.values import Array
from runner.data.feeding import Feeder, feeder
from runner.metrics.padding import follows_tokens
from runner.metrics.predicting import Asked, Batch, Given
from runner.metrics.predicting.arrays import scores
from runner.metrics.predicting.pooling import Pooling
from runner.model.classes import class_names
from runner.model.feed import Feed
from runner.model.runtime import Compiled
from runner.model.streams import in_order
from runner.recipe.datasets import kinds

Take = Callable[[Feed, list[Array]], Array]
"""What is kept of the outputs for a row."""


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    compiled = asked.compiled_for_rows()
    feeds = feeder(asked.folder, compiled.inputs, kinds(asked.dataset), asked.dataset.preprocess)
    pooling = Pooling.of(asked.folder) if asked.gives == "embeddings" else None
    take = _taker(asked, compiled, pooling)
    output = compiled.outputs[0]
    protocol: dict[str, object] = {"output": output, "runtime": dict(compiled.runtime)}
    protocol |= {"pooling": pooling.told} if pooling else {}
    classes = class_names(asked.folder) if asked.gives == "class scores" else ()
    return Given(asked.count, row_by_row(asked, compiled, feeds, take, protocol), protocol, output, classes)


def row_by_row(
    asked: Asked, compiled: Compiled, feeds: Feeder, take: Take, protocol: dict[str, object]
) -> Iterator[Batch]:
    """What `take` makes of the outputs for each row, which is fed by itself; `protocol` is completed at the end."""
    given = ((row, feeds.feed(row)) for row in asked.rows())
    for _, feed, outputs in in_order(compiled, given):
        yield [take(feed, outputs)], {}
    protocol |= feeds.told()


def _taker(asked: Asked, compiled: Compiled, pooling: Pooling | None) -> Take:
    follows = follows_tokens(compiled)[0]
    if asked.gives == "class scores":
        return lambda feed, outputs: np.array(scores(compiled, outputs[0])[0])
    if pooling:
        return lambda feed, outputs: pooling.pooled(compiled, feed, outputs)
    return lambda feed, outputs: np.array(unpadded(feed, outputs[0], follows)[0])


def unpadded(feed: Feed, output: Array, follows: bool) -> Array:
    """An output without what stands for padding, if it goes along with the tokens."""
    mask = feed.get("attention_mask")
    if mask is None or not follows or output.shape[:2] != mask.shape:
        return output
    return output[:, : int(mask.sum())]
