"""One use of a finished model folder, as its users will load it, and whether what comes out are numbers."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base.python import without_telemetry
from runner.base.values import Array
from runner.errors import SourceError, StageError
from runner.model.parts import Model
from runner.model.runtime import compile_folder, logits
from runner.registry.tasks import Used

if TYPE_CHECKING:
    import torch


def inferred(folder: Path) -> Used:
    """The plain runtime: the token after token 0 of a decoder, else one inference on an example.

    Raises:
        SourceError: the folder can't be loaded.
        StageError: the model fails, or its outputs aren't finite numbers.
    """
    import numpy as np

    from runner.model.example import example, told
    from runner.model.feed import keeps_state, takes_tokens

    compiled = compile_folder(folder, {})
    if takes_tokens(compiled.inputs) and keeps_state(compiled.inputs):
        for block in logits(compiled, np.zeros(1, np.int64)):
            check_finite(folder, "logits", block)
        return Used(("openvino",), "predicted one token")
    feed = example(folder, compiled.inputs)
    for name, output in zip(compiled.outputs, compiled.infer(feed), strict=True):
        check_finite(folder, name, output)
    return Used(("openvino",), f"inferred once on {told(feed)}")


def can_generate(folder: Path) -> bool:
    """Whether OpenVINO GenAI is installed, and the folder is of a stateful decoder with its tokenizers."""
    complete = all((folder / f"openvino_{name}.xml").is_file() for name in ("tokenizer", "detokenizer"))
    return (
        bool(importlib.util.find_spec("openvino_genai"))
        and complete
        and b"beam_idx" in Model.of(folder).only.read_bytes()
    )


def generated(folder: Path) -> Used:
    """One token by OpenVINO GenAI. Raises as `inferred` does."""
    from runner.model.generation import generator

    generator(folder, {})(["Hello"], 1)
    return Used(("openvino", "openvino_genai"), "generated one token")


def written(folder: Path, loaded_by: str) -> Used:
    """One token by a class of Optimum Intel whose encoder reads an example. Raises as `inferred` does."""
    feed, told = _tensors(folder, "encoder")
    heard: list[torch.Tensor] = []

    def listen(_: object, scores: torch.Tensor) -> torch.Tensor:
        heard.append(scores)
        return scores

    tried(folder, lambda: load(folder, loaded_by).generate(**feed, max_new_tokens=1, logits_processor=[listen]))
    for scores in heard:  # a token that must not come has minus infinity
        check_finite(folder, "logits", scores[scores != -math.inf].numpy())
    return Used(by_optimum(), f"wrote one token with {loaded_by} about {told}")


def load(folder: Path, loaded_by: str, device: str = "CPU", **options: object) -> Any:
    """A folder as an `OVModelFor…` of Optimum Intel.

    Raises:
        SourceError: Optimum Intel or OpenVINO can't load it.
    """
    _prepare_optimum()
    try:
        kind = getattr(importlib.import_module("optimum.intel"), loaded_by)
        return kind.from_pretrained(str(folder), export=False, device=device, **options)
    except Exception as error:  # whatever these libraries raise
        message = f"{folder} can't be loaded by {loaded_by}: {error}"
        raise SourceError(message) from error


def by_optimum() -> tuple[str, ...]:
    """The libraries that a class of Optimum Intel loads a model with."""
    return ("openvino", "optimum-intel")


def tried(folder: Path, use: Any) -> Any:
    """What a use of a model gives. StageError if the libraries fail over it."""
    try:
        return use()
    except SourceError:
        raise
    except Exception as error:  # whatever these libraries raise
        message = f"{folder}: the model fails: {error}"
        raise StageError(message) from error


def _tensors(folder: Path, part: str | None = None) -> tuple[Mapping[str, object], str]:
    """An example for a part, as PyTorch's tensors and in words."""
    import torch

    from runner.model.example import example, told
    from runner.model.feed import ports

    feed = example(folder, ports(Model.of(folder).read(part)))
    return {name: torch.from_numpy(array) for name, array in feed.items()}, told(feed)


def check_finite(folder: Path, name: str, values: Array) -> None:
    """StageError if an output has values that aren't finite numbers."""
    import numpy as np

    if values.dtype.kind == "f" and not np.isfinite(values).all():
        message = f"{folder}: the model's output {name} has values that aren't finite numbers"
        raise StageError(message)


def import_for(libraries: Iterable[str]) -> None:
    """Import what loads a model, ahead of its use, in a process that loads nothing else.

    Optimum Intel imports diffusers wherever that is installed; it looks as if it were not, but for pipelines.
    """
    from runner.model.runtime import import_runtimes

    import_runtimes()
    if "optimum-intel" in libraries:
        if "diffusers" not in libraries:
            sys.modules.setdefault("diffusers", None)  # type: ignore[arg-type]
        _prepare_optimum()
        importlib.import_module("optimum.intel.openvino")  # the package above it imports nothing until it is asked


def _prepare_optimum() -> None:
    """No word to anybody, and no folder for torch's compiler, which makes one wherever it is imported."""
    without_telemetry()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir())
