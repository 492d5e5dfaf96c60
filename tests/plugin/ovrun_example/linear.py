"""Linear classifiers that somebody keeps as arrays: `weights` [classes, values] and `bias` [classes] in an npz file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.base.files import digest_paths
from runner.base.progress import Progress
from runner.errors import SourceError, StageError
from runner.recipe.types import ModelSource
from runner.registry.exporters import Exporter, ExportParams
from runner.registry.sources import Source
from runner.registry.tasks import TaskFamily, Used
from runner.sources import Located, Memory

SOURCE = Source("linear", "a linear classifier in an npz file", module=__name__)
EXPORTER = Exporter("linear", "linear classifiers", libraries=("numpy", "openvino"), module=__name__)


def use(folder: Path) -> Used:
    """Classify a row of ones."""
    import numpy as np
    import openvino as ov

    scores = ov.compile_model(folder / "openvino_model.xml")(np.ones((1, 16), np.float32))[0]
    if not np.isfinite(scores).all():
        message = f"{folder}: scores are no numbers"
        raise StageError(message)
    return Used(("openvino",), f"classified a row into one of {scores.shape[1]}")


TASK = TaskFamily(
    "row-classification", "a row of numbers gets a class", use=use, gives="class scores", usage="# as you like"
)


def locate(model: ModelSource, memory: Memory) -> Located:
    """The file, if it is there."""
    if model.path is None or not model.path.is_file():
        message = f"there is no classifier at {model.path}"
        raise SourceError(message)
    digest = digest_paths({"classifier": model.path}, memory(str(model.path)))
    identity = {"source": "linear", "path": str(model.path), "sha256": digest}
    return Located(
        "linear", identity, task="row-classification", path=model.path, digest=digest, files={"classifier": model.path}
    )


def prepare() -> None:
    """Nothing to import ahead."""


def export(source: Path, out: Path, params: ExportParams, progress: Progress) -> Mapping[str, Any]:
    """Build the net, and save it."""
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    with np.load(source) as arrays:
        weights, bias = arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32)
    values = op.parameter([-1, weights.shape[1]], np.float32, name="values")
    scores = op.add(op.matmul(values, op.constant(weights), False, True), op.constant(bias))
    model = ov.Model([op.result(scores)], [values], "linear")
    ov.save_model(model, out / "openvino_model.xml", compress_to_fp16=params.precision == "fp16")
    return {"classes": len(bias)}
