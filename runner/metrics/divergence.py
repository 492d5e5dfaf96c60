"""Divergence of a language model from the uncompressed one, in one pass over a text; with it, perplexity.

The reference is its distribution for every scored token, coded in less than half the room that float16 takes;
`runner.metrics.coded` says how, and bounds what that adds to a divergence. A model against itself measures 0, 8-bit
weights 3e-4 nats and 4-bit weights 1e-2 and more. Loss and top token of the reference are kept in full precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runner.base.progress import Progress
from runner.data import read_text
from runner.data.tokens import Passage, Tokenizer, passage, text_sha256
from runner.errors import StageError
from runner.metrics.causal import refuse_not_causal
from runner.metrics.coded import CodedFile, CodedRows, dither
from runner.metrics.kld import Scores, compare, log_probabilities, perplexity, statistics
from runner.metrics.passes import FEW_TOKENS, refuse_not_finite, scored_tokens
from runner.metrics.stored import load, save
from runner.metrics.windowed import intervals
from runner.model.runtime import compile_folder, refuse_other_runtime
from runner.registry.noise import BATCH, DEFAULTS, told, without

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_LOSS = "loss.npy"
_TOP = "top_token.npy"
_PASSAGE = "passage.npz"
_SAME = ("tokens_sha256", "context_length", "stride")


def reference(
    model: Path,
    dataset: Dataset,
    params: Mapping[str, object],
    runtime: Mapping[str, object],
    out: Path,
    progress: Progress,
) -> None:
    """Store the uncompressed model's distributions: less than a byte a scored token and vocabulary entry.

    Raises:
        SourceError: the dataset or the parameters don't fit the model, it isn't causal, or puts out no numbers.
        RecipeError: a property that OpenVINO refuses.
        OSError: the disk hasn't the room; found with the first tokens.
    """
    text = _passage(model, dataset, params)
    compiled = compile_folder(model, runtime)
    refuse_not_causal(compiled, text)
    parts, random = [], dither()
    with CodedFile(out, text.protocol["tokens_scored"]) as file:
        for block in scored_tokens(compiled, text, progress):
            coded, scores = log_probabilities(block.logits, block.targets, random)
            refuse_not_finite(model, scores.top >= 0)
            file.append(coded, block.logits.shape[1])
            parts.append(scores)
    scores = Scores.join(parts)
    np.save(out / _LOSS, scores.loss)
    np.save(out / _TOP, scores.top)
    protocol = {**text.protocol, "runtime": dict(compiled.runtime)}
    text.save(out / _PASSAGE)
    told = {"values": {"perplexity": perplexity(scores)}, "protocol": protocol}
    save(out, told | {"passage": _made_of(model, dataset, params)})


def evaluate(
    model: Path,
    dataset: Dataset,
    params: Mapping[str, object],
    runtime: Mapping[str, object],
    reference: Path | None,
    progress: Progress,
) -> dict[str, object]:
    """Run the optimized model over the same text.

    Raises:
        SourceError: the dataset or the parameters don't fit the model.
        RecipeError: a property that OpenVINO refuses.
        StageError: the runtime fails, or the two models don't share tokens.
    """
    assert reference
    base, asked, params = load(reference), params, without(params)
    if base["passage"] == _made_of(model, dataset, params):
        text = Passage.load(reference / _PASSAGE)  # tokenized once for all models that share the reference
    else:
        text = _passage(model, dataset, params)
        _check_same(model, text, base["protocol"])
    compiled = compile_folder(model, runtime)
    if not told(asked, DEFAULTS):
        refuse_other_runtime(compiled, base["protocol"]["runtime"])
    parts, chunk = [], FEW_TOKENS if told(asked, BATCH) else None
    with CodedRows(reference) as stored:
        for block in scored_tokens(compiled, text, progress, chunk):
            _check_vocabulary(model, block.logits.shape[1], stored.vocabulary)
            parts.append(compare(block.logits, block.targets, stored[block.rows]))
    scores = Scores.join(parts)
    own = _stored_scores(reference)
    values, errors = statistics(scores, own)
    return {
        **intervals([window.scored for window in text.windows], scores, own),
        "values": values,
        "reference_values": base["values"],
        "protocol": {**text.protocol, "runtime": dict(compiled.runtime)},
        "details": {"standard_errors": errors, "tokens_without_numbers": int((scores.top < 0).sum())},
    }


def _passage(model: Path, dataset: Dataset, params: Mapping[str, object]) -> Passage:
    return passage(Tokenizer(model), read_text(dataset), params, dataset.name)


def _made_of(model: Path, dataset: Dataset, params: Mapping[str, object]) -> dict[str, object]:
    """What decides the tokens and windows of a passage."""
    text = text_sha256(read_text(dataset))
    return {"tokenizer": Tokenizer(model).fingerprint, "text_sha256": text, "params": dict(params)}


def _stored_scores(folder: Path) -> Scores:
    return Scores(np.load(folder / _LOSS), np.load(folder / _TOP), np.empty(0, np.float32))


def _check_same(model: Path, text: Passage, base: Mapping[str, object]) -> None:
    differing = [key for key in _SAME if text.protocol[key] != base[key]]
    if differing:
        message = f"{model}: the reference was made on other tokens ({', '.join(differing)} differ)"
        raise StageError(message)


def _check_vocabulary(model: Path, own: int, reference: int) -> None:
    if own != reference:
        message = f"{model}: the model has logits for {own} tokens, the reference for {reference}"
        raise StageError(message)
