"""Greedy replies about images by OpenVINO GenAI, one to each prompt with its image."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from runner.base.values import whole
from runner.data.feeding.pictures import picture
from runner.errors import SourceError, StageError
from runner.metrics.predicting import Asked, Given
from runner.model.generation import greedy, told
from runner.model.runtime import effective, reason, refusal

if TYPE_CHECKING:
    from runner.data.table import Row


class Pipeline(Protocol):
    """`openvino_genai.VLMPipeline`."""

    def get_generation_config(self) -> object: ...

    def generate(self, prompt: str, *, images: list[object], generation_config: object) -> object: ...


def predict(asked: Asked) -> Given:
    """As `runner.metrics.predicting.Predictor` says."""
    pipeline, limit = _pipeline(asked.folder, asked.runtime), whole(asked.settings["max_new_tokens"])
    config = greedy(pipeline, limit)
    config.logprobs, config.apply_chat_template = 0, True
    protocol: dict[str, object] = {
        "decoding": "greedy",
        "max_new_tokens": limit,
        "generation_config": told(config),
        "runtime": effective(asked.runtime) | {"openvino_genai": version("openvino-genai")},
    }
    batches = (([_reply(asked, pipeline, config, row)], dict[str, list[object]]()) for row in asked.rows())
    return Given(asked.count, batches, protocol)


def _pipeline(folder: Path, runtime: Mapping[str, object]) -> Pipeline:
    """The model, loaded by GenAI with the attention that every model of this kind has.

    Raises:
        SourceError: GenAI isn't installed, or can't load the folder.
        RecipeError: a property that OpenVINO doesn't know, or a value that it refuses.
    """
    try:
        import openvino_genai as genai
    except ImportError as error:
        message = "OpenVINO GenAI isn't installed, and text generation needs it"
        raise SourceError(message, hint='Install it with: pip install "ovrun[genai]"') from error
    try:
        pipeline: Pipeline = genai.VLMPipeline(str(folder), "CPU", **runtime, ATTENTION_BACKEND="SDPA")
    except RuntimeError as error:
        raise refusal(error, folder, runtime, "CPU") from error
    return pipeline


def _reply(asked: Asked, pipeline: Pipeline, config: object, row: Row) -> str:
    import openvino as ov

    image = ov.Tensor(np.asarray(picture(row))[None])
    prompt = str(row.values["prompt" if "prompt" in row.values else "text"])
    try:
        return str(pipeline.generate(prompt, images=[image], generation_config=config).texts[0])  # type: ignore[attr-defined]
    except RuntimeError as error:
        message = f"{row.where}: generation failed: {reason(error)}"
        raise StageError(message) from error
