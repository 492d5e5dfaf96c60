"""Convert: a model as its framework saved it becomes an OpenVINO IR folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import runner.files as fs
from runner import ir
from runner.errors import Problem, RecipeError, SourceError
from runner.stages import Progress, Task

REVISION = 1
_STEPS = ("load", "convert", "tokenizers")


def libraries(params: Mapping[str, Any]) -> tuple[str, ...]:
    """OpenVINO alone reads model files; Hugging Face folders go through the exporter's whole stack."""
    if params["reader"] == "openvino":
        return ("openvino",)
    return ("openvino", "openvino-tokenizers", "optimum", "optimum-intel", "tokenizers", "torch", "transformers")


def prepare(params: Mapping[str, Any]) -> None:
    """Import the exporter, or OpenVINO alone."""
    if params["reader"] == "openvino":
        import openvino  # noqa: F401
    else:
        from runner.export.imports import import_exporter

        import_exporter()


def run(task: Task, progress: Progress) -> dict[str, Any]:
    """Fill `task.out` with `openvino_model.xml/.bin` and all that belongs to it."""
    source = task.inputs["source"]
    if task.params["reader"] == "openvino":
        return _read_file(source, task.out, task.params)
    from runner.export import export_folder

    steps = export_folder(
        source,
        task.out,
        task=task.params["task"],
        precision=task.params["precision"],
        stateful=task.params["stateful"],
        tokenizer=task.params["tokenizer"],
        trust_remote_code=task.params["trust_remote_code"],
        allow_pickle=task.params["allow_pickle"],
        progress=lambda step: progress(_STEPS.index(step), len(_STEPS)),
    )
    start = time.monotonic()
    for path in task.out.glob("openvino_*model.xml"):
        ir.refuse_nan_in_file(path)
    return {"steps": {**steps, "check": time.monotonic() - start}}


def _read_file(source: Path, out: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    import openvino as ov

    try:
        model = ov.Core().read_model(source)
    except RuntimeError as error:
        message = f"OpenVINO can't read {source}: {_reason(error)}"
        raise SourceError(
            message, hint="The file may be truncated, or of another framework than model.source says."
        ) from error
    _reshape(model, params["shapes"])
    ir.refuse_nan(model)
    ov.save_model(model, out / ir.MODEL, compress_to_fp16=params["precision"] == "fp16")
    for path in _companions(source):
        fs.copy_file(path.resolve(), out / path.name)
    return {"steps": {}}


def _companions(source: Path) -> list[Path]:
    """Tokenizer and configuration that lie beside the IR of a language model."""
    from runner.sources.file import companions

    return companions(source)


def _reshape(model: Any, shapes: list[dict[str, Any]]) -> None:
    """Give the inputs the shapes of NNCF's `input_info`, by keyword or in order."""
    if not shapes:
        return
    names = [port.any_name for port in model.inputs]
    wanted = {}
    for position, shape in enumerate(shapes):
        name = shape["keyword"] or (names[position] if position < len(names) else None)
        if name not in names:
            what = f"the model has no input {name}" if name else f"the model has only {len(names)} inputs"
            raise RecipeError([Problem("", "input_info", what, f"its inputs are {', '.join(names)}")])
        wanted[name] = shape["sample_size"]
    try:
        model.reshape(wanted)
    except RuntimeError as error:
        what = f"the model can't take the shapes {wanted}: {_reason(error)}"
        raise RecipeError([Problem("", "input_info", what)]) from error


def _reason(error: RuntimeError) -> str:
    """The last line of an OpenVINO message, which says what was wrong rather than where in its sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
