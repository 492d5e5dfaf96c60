"""Greedy replies by OpenVINO GenAI, one to each prompt, with the tokens that their texts are split into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from runner.base.values import whole
from runner.data import table
from runner.data.tokens import Tokenizer
from runner.errors import SourceError
from runner.metrics.predicting import Asked, Batch, Given
from runner.model.generation import Generator, generator, greedy, told
from runner.model.runtime import effective

if TYPE_CHECKING:
    from runner.recipe.types import Dataset

_BATCH = 32


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    prompts = list(_prompts(asked.dataset))
    limit = whole(asked.settings["max_new_tokens"])
    generate = generator(asked.folder, asked.runtime)
    protocol = _protocol(generate, len(prompts), limit, asked.runtime)
    batches = _batches(generate, Tokenizer(asked.folder), prompts, limit, protocol)
    return Given(len(prompts), batches, protocol, extra={"tokens": "ragged"})


def _prompts(dataset: Dataset) -> Iterator[str]:
    for number, row in enumerate(table.rows(dataset, ["prompt"]), 1):
        prompt = str(row.values["prompt"])
        if not prompt.strip():
            message = (
                f"dataset {dataset.name}: the prompt of row {number} is empty, and nothing can be generated from it"
            )
            raise SourceError(message, hint="Leave this row out, or give it a prompt.")
        yield prompt


def _batches(
    generate: Generator, tokenizer: Tokenizer, prompts: list[str], limit: int, protocol: dict[str, object]
) -> Iterator[Batch]:
    cut = 0
    for start in range(0, len(prompts), _BATCH):
        replies = generate(prompts[start : start + _BATCH], limit)
        tokens = [np.array(tokenizer.encode(reply), np.int64) for reply in replies]
        cut += sum(len(one) >= limit for one in tokens)
        yield replies, {"tokens": tokens}
    protocol["replies_cut"] = cut


def _protocol(generate: Generator, prompts: int, limit: int, runtime: Mapping[str, object]) -> dict[str, object]:
    return {
        "prompts": prompts,
        "decoding": "greedy",
        "max_new_tokens": limit,
        "generation_config": told(greedy(generate.pipeline, limit)),
        "attention": generate.backend,
        "prefix_caching": False,
        "runtime": effective(runtime) | {"openvino_genai": version("openvino-genai")},
    }
