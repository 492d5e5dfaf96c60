"""The embeddings of two texts of each row, such as a query and its document."""

from __future__ import annotations

from collections.abc import Iterator

from runner.data.feeding.texts import Texts
from runner.metrics.predicting import Asked, Batch, Given
from runner.metrics.predicting.pooling import Pooling
from runner.model.runtime import Compiled
from runner.model.streams import in_order
from runner.recipe.datasets import kinds

OTHER = "other"
"""The column with the second embeddings."""
_ROLES = (("query", "document"), ("text", "text_pair"))


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says; the second text's embeddings are a further column."""
    compiled, pooling = asked.compiled_for_rows(), Pooling.of(asked.folder)
    texts = Texts(asked.folder, compiled.inputs)
    protocol: dict[str, object] = {
        "output": compiled.outputs[0],
        "runtime": dict(compiled.runtime),
        "pooling": pooling.told,
    }
    batches = _rows(asked, compiled, pooling, texts, protocol)
    return Given(asked.count, batches, protocol, compiled.outputs[0], extra={OTHER: "arrays"})


def _rows(
    asked: Asked, compiled: Compiled, pooling: Pooling, texts: Texts, protocol: dict[str, object]
) -> Iterator[Batch]:
    roles = next(pair for pair in _ROLES if set(pair) <= set(kinds(asked.dataset)))
    read = (str(row.values[role]) for row in asked.rows(roles) for role in roles)
    given = in_order(compiled, ((None, texts.of(texts.encode(text))) for text in read))
    found = (pooling.pooled(compiled, feed, outputs) for _, feed, outputs in given)
    for one, other in zip(found, found, strict=True):
        yield [one], {OTHER: [other]}
    protocol |= texts.told()
