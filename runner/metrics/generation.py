"""Greedy text generation by OpenVINO GenAI, the same for the same prompts whatever came before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import SourceError, StageError
from runner.inference import reason, refusal, refused_property
from runner.recipe.types import RUNTIME


@dataclass(frozen=True)
class Generator:
    """Greedy text generation by OpenVINO GenAI; `backend` is the attention it runs: paged, or sdpa."""

    folder: Path
    pipeline: Any
    backend: str

    def __call__(self, prompts: list[str], max_new_tokens: int) -> list[str]:
        """One reply a prompt; the prompt goes in as it is, without a chat template.

        Raises:
            StageError: the runtime fails.
        """
        config = self.pipeline.get_generation_config()
        config.do_sample, config.num_beams, config.apply_chat_template = False, 1, False
        config.max_new_tokens = max_new_tokens
        batches = [prompts] if self.backend == "paged" else [[prompt] for prompt in prompts]
        try:
            return [text for batch in batches for text in self.pipeline.generate(batch, config).texts]
        except RuntimeError as error:
            message = f"{self.folder}: generation failed: {reason(error)}"
            raise StageError(message) from error


def generator(folder: Path, runtime: Mapping[str, Any] | None = None, device: str = "CPU") -> Generator:
    """Load a language model's folder in OpenVINO GenAI, with prefix caching off.

    Paged attention takes prompts in batches and gives each the answer that it gets alone; a model that it can't run
    gets the plain attention, one prompt at a time.

    Raises:
        SourceError: GenAI isn't installed, or can't load the folder.
        RecipeError: a property that OpenVINO doesn't know, or a value that it refuses.
    """
    try:
        import openvino_genai as genai
    except ImportError as error:
        message = "OpenVINO GenAI isn't installed, and text generation needs it"
        raise SourceError(message, hint='Install it with: pip install "ovrun[genai]"') from error
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False
    properties = dict(RUNTIME if runtime is None else runtime)
    attempts = {"paged": {"scheduler_config": scheduler}, "sdpa": {"ATTENTION_BACKEND": "SDPA"}}
    for backend, extra in attempts.items():
        try:
            return Generator(folder, genai.LLMPipeline(str(folder), device, **properties, **extra), backend)
        except RuntimeError as error:
            if refused_property(error, properties) or backend == "sdpa":
                raise refusal(error, folder, properties, device) from error
    raise AssertionError
