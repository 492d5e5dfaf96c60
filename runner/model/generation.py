"""Greedy text generation by OpenVINO GenAI, the same for the same prompts whatever came before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import SourceError, StageError
from runner.model.runtime import reason, refusal, refused_property
from runner.recipe.accuracy import RUNTIME

_NO_NUMBER = "log_sum_exp"
"""In GenAI's error where probabilities are asked for and the logits are NaN or infinite."""

_PROMPT, _TRIED = "Hello", 16
"""What an adapter is tried on, and for how many tokens."""
_STOPS = ("eos_token_id", "stop_token_ids", "stop_strings")
_UNLIMITED = (1 << 64) - 1
_TOLD = (
    *("do_sample", "num_beams", "max_new_tokens", "min_new_tokens", "max_length", "ignore_eos", "eos_token_id"),
    *("repetition_penalty", "presence_penalty", "frequency_penalty", "no_repeat_ngram_size", "apply_chat_template"),
)


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
        config = greedy(self.pipeline, max_new_tokens)
        batches = [prompts] if self.backend == "paged" else [[prompt] for prompt in prompts]
        try:
            replies = [self.pipeline.generate(batch, config) for batch in batches]
        except RuntimeError as error:
            if _NO_NUMBER in str(error):
                raise self._no_number() from error
            message = f"{self.folder}: generation failed: {reason(error)}"
            raise StageError(message) from error
        if not all(math.isfinite(score) for reply in replies for score in reply.scores):
            raise self._no_number()
        return [text for reply in replies for text in reply.texts]

    def _no_number(self) -> StageError:
        return StageError(f"{self.folder}: the model's output logits has values that aren't finite numbers")


def greedy(pipeline: Any, max_new_tokens: int) -> Any:
    """An `openvino_genai.GenerationConfig` for plain greedy decoding.

    Of the model's own configuration only what ends a reply is taken: its stop tokens and stop texts. Probabilities are
    asked for since GenAI looks only then whether there are any.
    """
    import openvino_genai as genai

    own, config = pipeline.get_generation_config(), genai.GenerationConfig()
    for name in _STOPS:
        setattr(config, name, getattr(own, name))
    config.do_sample, config.num_beams, config.apply_chat_template = False, 1, False
    config.max_new_tokens, config.logprobs = max_new_tokens, 1
    return config


def told(config: Any) -> dict[str, object]:
    """A generation configuration as plain data."""
    return {
        **{name: None if getattr(config, name) == _UNLIMITED else getattr(config, name) for name in _TOLD},
        "stop_token_ids": sorted(config.stop_token_ids),
        "stop_strings": sorted(config.stop_strings),
    }


def adapted(folder: Path, adapter: Path, alpha: float) -> str:
    """Some tokens with an adapter and without it, by one pipeline; in words, how they differ.

    Args:
        adapter: the file of its weights.
        alpha: how strong it is.

    Raises:
        SourceError: GenAI can't load them together.
        StageError: the runtime fails.
    """
    import openvino_genai as genai

    try:
        loaded = genai.AdapterConfig()
        loaded.add(genai.Adapter(str(adapter)), alpha)
        pipeline = genai.LLMPipeline(str(folder), "CPU", adapters=loaded, **RUNTIME)
    except RuntimeError as error:
        message = f"{folder}: OpenVINO GenAI can't load it with the adapter: {reason(error)}"
        raise SourceError(message) from error
    config = greedy(pipeline, _TRIED)
    config.ignore_eos = True
    try:
        given = [pipeline.generate([_PROMPT], config, adapters=one).texts[0] for one in (loaded, genai.AdapterConfig())]
    except RuntimeError as error:
        message = f"{folder}: generation with the adapter failed: {reason(error)}"
        raise StageError(message) from error
    same = "the same as" if given[0] == given[1] else "others than"
    return f"with the adapter at alpha {alpha:g}, {_TRIED} tokens, {same} without it"


def generator(folder: Path, runtime: Mapping[str, object] | None = None, device: str = "CPU") -> Generator:
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
