"""An adapter that stays apart: what OpenVINO GenAI can load beside a model, and how strong it has to be told it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.errors import SourceError
from runner.model.safetensors import shapes
from runner.sources.adapter import WEIGHTS, Adapter

LORA = "LORA"
_PREFIX = "base_model.model."
_HALVES = (".lora_A.weight", ".lora_B.weight")
_MORE = (
    *("alora_invocation_tokens", "alpha_pattern", "layer_replication", "lora_bias", "modules_to_save", "rank_pattern"),
    *("target_parameters", "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora"),
)
"""Settings of PEFT's LoRA whose result is more than a product of two matrices at one scale."""


def misfits(settings: Mapping[str, object]) -> Iterator[str]:
    """Why OpenVINO GenAI can't load an adapter, by its adapter_config.json."""
    kind = settings.get("peft_type")
    if kind != LORA:
        yield f"OpenVINO GenAI loads LoRA alone, and this is an adapter of type {kind}"
        return
    more = [name for name in _MORE if settings.get(name)]
    if settings.get("bias", "none") != "none":
        more.append("bias")
    if more:
        yield f"OpenVINO GenAI loads plain LoRA alone, and this one has {', '.join(sorted(more))}"


def alpha(settings: Mapping[str, object]) -> float:
    """What GenAI has to be told: lora_alpha / r, which PEFT multiplies the product by; the weights don't tell it."""
    rank, said = _number(settings.get("r"), 8), _number(settings.get("lora_alpha"), 8)
    return said / (rank**0.5 if settings.get("use_rslora") else rank)


def _number(said: object, usual: int) -> float:
    return said if isinstance(said, int | float) and not isinstance(said, bool) and said > 0 else usual


def place(adapter: Adapter, operations: Iterable[str]) -> int:
    """Hold an adapter against the names of a model's operations, by which GenAI finds the layers; how many there are.

    Raises:
        SourceError: some of its weights have no place, which GenAI would leave out without a word.
    """
    names = [name.removeprefix(_PREFIX) for name in shapes(adapter.files[WEIGHTS])]
    layers = {name.removesuffix(half) for name in names for half in _HALVES if name.endswith(half)}
    known = "\n".join(operations)
    lost = sorted({name for name in names if not name.endswith(_HALVES)} | {one for one in layers if one not in known})
    if lost:
        message = f"{adapter.path}: {len(lost)} of its weights have no place in the converted model, such as {lost[0]}"
        raise SourceError(message, hint="Merge it: model.adapter.merge: true.")
    return len(layers)
