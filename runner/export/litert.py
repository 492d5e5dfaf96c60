"""A TensorFlow Lite file in LiteRT, as TensorFlow Lite is called now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.export.given import Outputs
from runner.model.feed import Feed

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter


def unlike(source: Path) -> str | None:
    """Why a file is not compared: in integers LiteRT rounds between layers, where OpenVINO computes in floats."""
    try:
        tensors = _loaded(source).get_tensor_details()
    except (RuntimeError, ValueError):
        return None  # its use tells what is wrong
    scaled = [one for one in tensors if len(one["quantization_parameters"]["scales"])]
    if not scaled:
        return None
    return f"the model, for LiteRT computes in integers where a tensor is quantized, as {scaled[0]['name']} is"


class Original:
    """A file, which is loaded anew for each use: another size of its inputs would change it."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def run(self, feed: Feed) -> Outputs:
        """All outputs by their names; inputs that the file names otherwise are filled in their order."""
        loaded = _loaded(self.source)
        given = loaded.get_input_details()
        names = {one["name"] for one in given}
        rest = iter([name for name in feed if name not in names])
        arrays = {one["index"]: feed[one["name"] if one["name"] in feed else next(rest)] for one in given}
        for index, array in arrays.items():
            loaded.resize_tensor_input(index, list(array.shape), strict=True)
        loaded.allocate_tensors()
        for index, array in arrays.items():
            loaded.set_tensor(index, array)
        loaded.invoke()
        return {one["name"]: loaded.get_tensor(one["index"]) for one in loaded.get_output_details()}


def _loaded(source: Path) -> Interpreter:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_path=str(source))
