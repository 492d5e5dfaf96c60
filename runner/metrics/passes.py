"""One pass of a model over a dataset: scored tokens of a text, or the outputs for each item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.base.progress import Progress
from runner.base.values import Array
from runner.data.arrays import Arrays
from runner.data.pieces import piece_feed
from runner.data.tokens import Passage
from runner.errors import SourceError
from runner.metrics.padding import follows_tokens, token_rows, without_padding
from runner.model.feed import array_feed, bind, fixed_batch, keeps_state, largest_batch
from runner.model.runtime import Compiled, logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 32
_BATCH_BYTES = 16 << 20
FEW_TOKENS = 32
"""How many of a window a decoder is fed at a time where another batch is asked for; of items it is one then."""


@dataclass(frozen=True)
class Block:
    """Logits of some scored tokens, overwritten by the next block: rows `first` … of the whole pass."""

    first: int
    logits: NDArray[np.float32]
    targets: NDArray[np.int64]

    @property
    def rows(self) -> slice:
        """Where the block lies in the pass."""
        return slice(self.first, self.first + len(self.targets))


def scored_tokens(
    compiled: Compiled, passage: Passage, progress: Progress, chunk: int | None = None
) -> Iterator[Block]:
    """The logits that predict each scored token of a passage, in order.

    Args:
        compiled: a language model.
        passage: the text.
        progress: told the scored tokens.
        chunk: tokens that are fed at a time; by default by the vocabulary's size.

    Raises:
        SourceError: the model has an input that a text can't fill.
        StageError: the runtime fails.
    """
    done, total, last = 0, passage.protocol["tokens_scored"], int(passage.ids.max(initial=0))
    for window in passage.windows:
        target = window.start + 1 - len(passage.prefix)
        for block in logits(compiled, passage.window_ids(window)[:-1], chunk):
            if last >= block.shape[1]:
                message = f"{compiled.folder}: the model has logits for {block.shape[1]} tokens; the text has {last}"
                raise SourceError(message, hint="Is the tokenizer that of the model?")
            scored = block[max(0, window.first_scored - target) :]
            target += len(block)
            if len(scored):
                yield Block(done, scored, passage.ids[target - len(scored) : target])
                done += len(scored)
        progress(done, total)


def item_outputs(
    compiled: Compiled, arrays: Arrays, dataset: str, progress: Progress, *, apart: bool = False
) -> Iterator[list[Array]]:
    """The outputs for the items of a dataset, in order, batch by batch; overwritten by the next batch.

    A model with an open batch size gets up to 32 items at a time; one with a fixed size gets that many, the last
    batch filled up with its last item and the outputs of the filling left out. `apart` feeds one at a time where the
    size is open.

    Raises:
        SourceError: the arrays don't fit the model.
        StageError: the runtime fails.
    """
    bound = bind(compiled.inputs, arrays.inputs, dataset)
    fixed = fixed_batch(compiled.inputs)
    size = fixed or largest_batch(compiled.inputs, 1 if apart else _open_batch(arrays))
    for start in range(0, len(arrays), size):
        batch = arrays.batch(start, min(start + size, len(arrays)))
        count = len(next(iter(batch.values())))
        if fixed and count < size:
            batch = {name: np.concatenate([array] + [array[-1:]] * (size - count)) for name, array in batch.items()}
        feed = array_feed(bound, batch, dataset)
        outputs = [
            without_padding(output, feed.get("attention_mask"), follows)
            for output, follows in zip(compiled.infer(feed), follows_tokens(compiled), strict=True)
        ]
        yield [output[:count] if output.ndim and len(output) == size else output for output in outputs]
        progress(start + count, len(arrays))


def _open_batch(arrays: Arrays) -> int:
    """As many items as 16 MB hold, at most 32."""
    item = sum(array.nbytes for array in arrays.batch(0, 1).values())
    return int(min(_BATCH, max(1, _BATCH_BYTES // max(1, item))))


def piece_outputs(
    compiled: Compiled, pieces: list[NDArray[np.int64]], pad: int, progress: Progress, chunk: int | None = None
) -> Iterator[list[Array]]:
    """The outputs for each piece of a text, tokens first; of a decoder only the logits, block by block.

    Positions that only pad a piece are left out of outputs [1, tokens, size], and 0 in outputs [1, tokens], which
    are as long as the longest piece.

    Raises:
        SourceError: the model has an input that a text can't fill.
        StageError: the runtime fails.
    """
    longest = max(len(ids) for ids in pieces)
    for number, ids in enumerate(pieces, 1):
        if keeps_state(compiled.inputs):
            for block in logits(compiled, ids, chunk):
                yield [block]
        else:
            outputs = compiled.infer(piece_feed(compiled.inputs, ids, pad))
            both = zip(outputs, follows_tokens(compiled), strict=True)
            yield [token_rows(output, len(ids), longest) if follows else output for output, follows in both]
        progress(number, len(pieces))


def refuse_not_finite(model: Path, finite: NDArray[np.bool_], what: str = "logits") -> None:
    """Refuse an uncompressed model that gives no numbers: nothing can be told against it.

    Raises:
        SourceError: some of the rows aren't finite.
    """
    if not finite.all():
        message = f"{model}: the uncompressed model's {what} aren't finite numbers, first in row {int(finite.argmin())}"
        raise SourceError(message, hint="It fails before any compression: look at its weights and its precision.")
