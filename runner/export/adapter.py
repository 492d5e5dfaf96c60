"""A PEFT adapter is merged into the PyTorch model that it was trained for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.keys import version_of
from runner.errors import SourceError
from runner.export.exportable import is_direct
from runner.model.safetensors import shapes
from runner.sources.adapter import WEIGHTS

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def misfits(config: Mapping[str, object], task: str) -> Iterator[tuple[str, str]]:
    """Why no adapter can be merged into a model, and what would do."""
    if not is_direct(config, task) or config.get("quantization_config"):
        what = "quantized weights" if config.get("quantization_config") else f"a model for {task}"
        yield f"an adapter can't be merged into {what} here", "merge it with PEFT (merge_and_unload) first"
    if version_of("peft") == "absent":
        yield "the package peft, which merges it, is not installed", "pip install 'ovrun[peft]'"


def merge(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """The model with the adapter's weights in its own, in their type.

    Raises:
        SourceError: some of the adapter's weights have no place in the model, or other sizes there, or are no numbers.
    """
    import torch.distributed.tensor  # noqa: F401 - some of PEFT's methods take it to be there
    from peft import PeftModel

    try:
        adapted = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
        _refuse_unused(adapted, adapter)
        return adapted.merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        message = f"{adapter}: can't be merged into the model: {str(error).strip().splitlines()[0]}"
        raise SourceError(message, hint="Take the model that the adapter was trained for.") from error


def _refuse_unused(adapted: PeftModel, adapter: Path) -> None:
    """PEFT leaves out weights that it finds no place for, without a word."""
    places = {name.replace(".default", "").replace(".modules_to_save", "") for name in adapted.state_dict()}
    places |= {name.removesuffix(".weight") for name in places}
    unused = sorted(shapes(adapter / WEIGHTS).keys() - places)
    if unused:
        message = f"{adapter}: {len(unused)} of its weights have no place in the model, such as {unused[0]}"
        raise SourceError(message, hint="Take the model that the adapter was trained for.")


def narrow(model: PreTrainedModel) -> None:
    """Turn the parameters into 16-bit floats, as a model that is loaded in these has them."""
    import torch

    for parameter in model.parameters():
        if parameter.dtype is torch.float32:
            parameter.data = parameter.data.half()
