"""Whether a language model is causal: a token's logits follow from the tokens up to it, and from none after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.data.pieces import fixed_length
from runner.data.tokens import Passage
from runner.errors import SourceError
from runner.model.feed import keeps_state
from runner.model.runtime import Compiled, logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOKENS = 16
_TOLERANCE = 1e-3
_HINT = "relative_l2 and cosine_similarity hold its outputs against the reference's."


def refuse_not_causal(compiled: Compiled, passage: Passage) -> None:
    """Refuse a model whose logits predict no next token; one with a cache does by its make.

    It is tried: another last token must leave the logits of those before as they are.

    Raises:
        SourceError: it looks ahead, or takes a fixed number of tokens.
    """
    if keeps_state(compiled.inputs):
        return
    if length := fixed_length(compiled.inputs):
        message = f"{compiled.folder}: the model takes {length} tokens, and windows of a text differ in length"
        raise SourceError(message, hint=_HINT)
    ids = max((passage.window_ids(window)[:_TOKENS] for window in passage.windows[:2]), key=len)
    other = ids.copy()
    other[-1] = ids[-1] - 1 if ids[-1] else 1
    before, after = _all_but_last(compiled, ids), _all_but_last(compiled, other)
    if np.abs(before - after).max(initial=0) > _TOLERANCE * np.abs(before).max(initial=0):
        message = (
            f"{compiled.folder}: the model isn't causal, its logits follow from later tokens too; "
            "divergence and perplexity are of models that predict the next token"
        )
        raise SourceError(message, hint=_HINT)


def _all_but_last(compiled: Compiled, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    blocks = [np.array(block, np.float64) for block in logits(compiled, ids)]
    return np.nan_to_num(np.concatenate(blocks)[:-1], posinf=0, neginf=0)
