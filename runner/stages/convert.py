"""Convert: a model as its framework saved it becomes an OpenVINO IR folder."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import runner.base.files as fs
from runner.base import trouble
from runner.base.progress import Progress
from runner.errors import OvrunError, Problem, RecipeError, SourceError
from runner.model import ir
from runner.stages import Task

REVISION = 2
_LARGEST_INPUT = 1 << 28  # values; a picture of eight million pixels has 1 << 25
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
    from runner.export.private import forget_paths

    source = task.inputs["source"]
    with _damage(source, task.out):
        file = task.params["reader"] == "openvino"
        result = _read_file(source, task.out, task.params) if file else _export(source, task, progress)
        forget_paths(task.out)
        return result


@contextmanager
def _damage(source: Path, out: Path) -> Iterator[None]:
    """Whatever a library meets while it reads a model is wrong with the model, but for a full disk."""
    try:
        yield
    except (OvrunError, OSError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of a library in Rust is no Exception
        if trouble.refused(out, error):
            raise
        if trouble.tells_of_memory(str(error)) and not _is_small(source):
            raise MemoryError(str(error)) from error
        message = f"{source}: cannot be converted: {type(error).__name__}: {_reason(error)}"
        hint = "It may be damaged, or of a kind that the installed libraries cannot convert; the log says more."
        raise SourceError(message, hint=hint) from error


def _export(source: Path, task: Task, progress: Progress) -> dict[str, Any]:
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
        ir.refuse_nan_in_file(path, SourceError)
    return {"steps": {**steps, "check": time.monotonic() - start}}


def _read_file(source: Path, out: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """Let OpenVINO read the model in a folder that has its own files alone, and save it as an IR."""
    import openvino as ov

    from runner.model.listing import view
    from runner.model.tokenizer_trial import refuse_broken_tokenizer
    from runner.sources.file import companions, files

    found = files(source)
    with view(found, out) as folder:
        alone = source.suffix != ".onnx" or len(found) == 1
        viewed = folder if source.is_dir() else folder / source.name
        model = _read_model(source, viewed if alone else source)  # OpenVINO follows no link of ONNX's external data
        _reshape(model, params["shapes"])
        _refuse_huge_inputs(source, model)
        ir.refuse_nan(model, SourceError)
        ov.save_model(model, out / ir.MODEL, compress_to_fp16=params["precision"] == "fp16")
        for name in companions(source):
            fs.copy_file(found[name], out / name)
    refuse_broken_tokenizer(out, source)
    return {"steps": {}}


def _read_model(source: Path, viewed: Path) -> Any:
    import openvino as ov

    try:
        return ov.Core().read_model(viewed)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) and not _is_small(source):
            raise
        message = f"OpenVINO can't read {source}: {_reason(error).replace(str(viewed), str(source))}"
        raise SourceError(
            message, hint="The file may be truncated, or of another framework than model.source says."
        ) from error


def _is_small(source: Path) -> bool:
    """Whether there is memory for a model many times over, so that only a damaged one can ask for more."""
    from runner.sources.file import files

    if trouble.memory_is_limited():
        return False
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 8 * sum(path.stat().st_size for path in files(source).values()) < free


def _refuse_huge_inputs(source: Path, model: Any) -> None:
    """Refuse an input that nobody could fill, before somebody tries to."""
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape.is_static and math.prod(dimension.get_length() for dimension in shape) > _LARGEST_INPUT:
            message = f"{source}: its input {port.node.get_friendly_name()} has the shape {shape}, which is too large"
            raise SourceError(message, hint="It may be damaged; `input_info` can give the input another shape.")


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


def _reason(error: BaseException) -> str:
    """The last line of a library's message; OpenVINO's first ones say where in its sources it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
