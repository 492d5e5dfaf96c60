"""Exact match: the share of prompts whose greedy reply is the known one, white space around both left out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.progress import Progress
from runner.data import read_pairs
from runner.errors import SourceError
from runner.model.generation import Generator, generator, greedy, told
from runner.model.runtime import effective

if TYPE_CHECKING:
    from runner.recipe.types import Dataset


_BATCH = 32
_SHOWN = 5


def evaluate(
    model: Path,
    dataset: Dataset,
    params: Mapping[str, Any],
    runtime: Mapping[str, object],
    reference: Path | None,
    progress: Progress,
) -> dict[str, object]:
    """Generate a reply to each prompt and compare.

    Raises:
        SourceError: GenAI isn't installed, the model or the dataset can't be read, or a prompt is empty.
        RecipeError: a property that OpenVINO refuses.
        StageError: the generation fails.
    """
    pairs, replies, protocol = answered(model, dataset, int(params["max_new_tokens"]), runtime, progress)
    wrong = [
        {"prompt": prompt, "expected": expected, "got": reply}
        for (prompt, expected), reply in zip(pairs, replies, strict=True)
        if reply.strip() != expected.strip()
    ]
    return {
        "values": {"exact_match": (len(pairs) - len(wrong)) / len(pairs)},
        "reference_values": {},
        "protocol": protocol,
        "details": {"matches": len(pairs) - len(wrong), "mismatches": wrong[:_SHOWN]},
    }


def answered(
    model: Path, dataset: Dataset, limit: int, runtime: Mapping[str, object], progress: Progress
) -> tuple[list[tuple[str, str]], list[str], dict[str, object]]:
    """The (prompt, expected) pairs of a dataset, the model's greedy reply to each prompt, and the protocol.

    Raises:
        as `evaluate`.
    """
    pairs = read_pairs(dataset)
    _refuse_empty(dataset, [prompt for prompt, _ in pairs])
    generate = generator(model, runtime)
    replies = _replies(generate, [prompt for prompt, _ in pairs], limit, progress)
    return pairs, replies, _protocol(generate, len(pairs), limit, runtime)


def _refuse_empty(dataset: Dataset, prompts: list[str]) -> None:
    empty = next((number for number, prompt in enumerate(prompts, 1) if not prompt.strip()), None)
    if empty is not None:
        message = f"dataset {dataset.name}: the prompt of row {empty} is empty, and nothing can be generated from it"
        raise SourceError(message, hint="Leave this row out, or give it a prompt.")


def _replies(generate: Generator, prompts: list[str], limit: int, progress: Progress) -> list[str]:
    replies: list[str] = []
    for start in range(0, len(prompts), _BATCH):
        replies += generate(prompts[start : start + _BATCH], limit)
        progress(len(replies), len(prompts))
    return replies


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
