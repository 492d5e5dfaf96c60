"""One use of a finished model folder, as its users will load it, and whether what comes out are numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import StageError
from runner.model.runtime import Compiled, compile_folder, logits, model_xml

if TYPE_CHECKING:
    from numpy.typing import NDArray


def smoke(folder: Path) -> dict[str, Any]:
    """Load a model folder with the runtime's own defaults, as its users will, and run it once.

    A language model generates one token by OpenVINO GenAI, or predicts one where that is not installed; any other model
    infers once, on zeros.

    Returns:
        {"by": the libraries, "ran": what was run} for the manifest.

    Raises:
        SourceError: it can't be loaded.
        StageError: it fails, or its outputs aren't finite numbers.
    """
    if _can_generate(folder):
        from runner.model.generation import generator

        generator(folder, {})(["Hello"], 1)
        return {"by": ["openvino", "openvino_genai"], "ran": "generated one token"}
    return {"by": ["openvino"], "ran": _run_once(folder)}


def _run_once(folder: Path) -> str:
    """What the plain runtime ran."""
    from runner.model.feed import keeps_state, takes_tokens

    compiled = compile_folder(folder, {})
    if takes_tokens(compiled.inputs) and keeps_state(compiled.inputs):
        _decode(compiled)
        return "predicted one token"
    return _infer_zeros(compiled)


def _can_generate(folder: Path) -> bool:
    """Whether OpenVINO GenAI is installed, and the folder is of a stateful decoder with its tokenizers."""
    complete = all((folder / f"openvino_{name}.xml").is_file() for name in ("tokenizer", "detokenizer"))
    return (
        bool(importlib.util.find_spec("openvino_genai")) and complete and b"beam_idx" in model_xml(folder).read_bytes()
    )


def _decode(compiled: Compiled) -> None:
    """Predict the token after token 0."""
    import numpy as np

    for block in logits(compiled, np.zeros(1, np.int64)):
        _check_finite(compiled, "logits", block)


def _infer_zeros(compiled: Compiled) -> str:
    """One inference on zeros: batch 1, 224 for an image's open sizes, 16 for a sequence's."""
    import numpy as np

    from runner.model.feed import takes_tokens, token_feed

    if takes_tokens(compiled.inputs):
        fixed = next(port.shape[1] for port in compiled.inputs if port.name == "input_ids")
        feed = token_feed(compiled.inputs, np.zeros(fixed or 16, np.int64))
    else:
        feed = {port.name: np.zeros(concrete(port.shape), port.dtype) for port in compiled.inputs}
    for name, output in zip(compiled.outputs, compiled.infer(feed), strict=True):
        _check_finite(compiled, name, output)
    return "inferred once on zeros of shape " + ", ".join(str(list(array.shape)) for array in feed.values())


def concrete(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A shape with its open sizes filled: 1 for the batch, else 224 in four and more axes and 16 in fewer."""
    size = 224 if len(shape) >= 4 else 16
    return tuple(known if known is not None else (1 if axis == 0 else size) for axis, known in enumerate(shape))


def _check_finite(compiled: Compiled, name: str, values: NDArray[Any]) -> None:
    import numpy as np

    if values.dtype.kind == "f" and not np.isfinite(values).all():
        message = f"{compiled.folder}: the model's output {name} has values that aren't finite numbers"
        raise StageError(message)
