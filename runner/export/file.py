"""A model file that OpenVINO reads by itself becomes an IR."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base.progress import Progress
from runner.errors import Problem, RecipeError, SourceError
from runner.export.comparing import kept
from runner.export.damage import is_small, reason_of
from runner.model import ir
from runner.model.parts import IR
from runner.registry.exporters import ExportParams, Shape

if TYPE_CHECKING:
    import openvino as ov

_LARGEST_INPUT = 1 << 28  # values; a picture of eight million pixels has 1 << 25


def prepare() -> None:
    """Import OpenVINO."""
    import openvino  # noqa: F401


def export(source: Path, out: Path, params: ExportParams, progress: Progress) -> Mapping[str, object]:
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
        reshape(model, params.shapes or ())
        _refuse_huge_inputs(source, model)
        ir.refuse_nan(model, SourceError)
        ov.save_model(model, out / IR, compress_to_fp16=params.precision == "fp16")
        for name in companions(source):
            fs.copy_file(found[name], out / name)
    refuse_broken_tokenizer(out, source)
    if not params.check:
        return {"steps": {}}
    from runner.export.file_check import given_by

    return {"steps": {}, **kept(given_by(source, out, params.precision, params.check), out)}


def _read_model(source: Path, viewed: Path) -> ov.Model:
    import openvino as ov

    try:
        return ov.Core().read_model(viewed)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) and not is_small(source):
            raise
        message = f"OpenVINO can't read {source}: {reason_of(error).replace(str(viewed), str(source))}"
        raise SourceError(
            message, hint="The file may be truncated, or of another framework than model.source says."
        ) from error


def _refuse_huge_inputs(source: Path, model: ov.Model) -> None:
    """Refuse an input that nobody could fill, before somebody tries to."""
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape.is_static and math.prod(dimension.get_length() for dimension in shape) > _LARGEST_INPUT:
            message = f"{source}: its input {port.node.get_friendly_name()} has the shape {shape}, which is too large"
            raise SourceError(message, hint="It may be damaged; `input_info` can give the input another shape.")


def reshape(model: ov.Model, shapes: Sequence[Shape]) -> None:
    """Give the inputs the shapes of NNCF's `input_info`, by keyword or in order."""
    if not shapes:
        return
    names = [port.any_name for port in model.inputs]
    wanted = {}
    for position, shape in enumerate(shapes):
        name = shape.keyword or (names[position] if position < len(names) else None)
        if name not in names:
            what = f"the model has no input {name}" if name else f"the model has only {len(names)} inputs"
            raise RecipeError([Problem("", "input_info", what, f"its inputs are {', '.join(names)}")])
        wanted[name] = list(shape.sizes)
    try:
        model.reshape(wanted)
    except RuntimeError as error:
        what = f"the model can't take the shapes {wanted}: {reason_of(error)}"
        raise RecipeError([Problem("", "input_info", what)]) from error
