"""A PyTorch module becomes a model of OpenVINO, whose inputs and outputs are called as the module's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.export.torch_inputs import Original, flat, flattened, tensors
from runner.export.user_code import failing, reason_behind

if TYPE_CHECKING:
    import openvino as ov
    import torch


def converted(source: Path, original: Original) -> tuple[ov.Model, list[str]]:
    """The module as OpenVINO converts it, with the shapes that its inputs are to have and names for its outputs.

    Returns:
        it, and remarks about how.

    Raises:
        SourceError: it can't be converted.
    """
    import openvino as ov
    import torch

    fed = tensors(original.feeds[0])
    notes: list[str] = []
    with torch.no_grad(), failing(source, "can't be converted"):
        names = list(flat(original.call(tensors(original.feeds[0]))))
        if original.traced:
            model, notes = _traced(source, original, fed)
        else:
            model = ov.convert_model(original.model)
    for index in reversed(original.fixed):
        model.remove_parameter(model.inputs[index].get_node())
    _refuse_others(source, model, len(fed), len(names))
    _name([*zip(fed, model.inputs, strict=True), *zip(names, model.outputs, strict=True)])
    for name, port in zip(fed, model.inputs, strict=True):
        port.get_node().set_friendly_name(name)
    shapes = {name: [-1 if size is None else size for size in shape] for name, shape in original.shapes.items()}
    model.reshape({name: ov.PartialShape(shape) for name, shape in shapes.items()})
    return model, notes


def _traced(source: Path, original: Original, fed: Mapping[str, torch.Tensor]) -> tuple[ov.Model, list[str]]:
    """By a trace; where PyTorch's tracer fails over the module, by torch.export, which takes longer."""
    import openvino as ov

    plain = flattened(original)
    try:
        return ov.convert_model(plain, example_input=tuple(fed.values())), []
    except RuntimeError as error:
        if error.__cause__ is None:  # it was traced
            raise
        reason = reason_behind(error)
    try:
        model = ov.convert_model(_exported(plain, original, fed))
    except Exception as error:
        message = f"{source}: can't be converted: by a trace: {reason}; by torch.export: {reason_behind(error)}"
        raise SourceError(message) from error
    return model, [f"converted by torch.export, for it can't be traced: {reason}"]


def _exported(
    plain: torch.nn.Module, original: Original, fed: Mapping[str, torch.Tensor]
) -> torch.export.ExportedProgram:
    """The program of the module, in which sizes are open that the recipe leaves so."""
    import torch

    still = torch.export.Dim.DYNAMIC
    sizes = tuple({axis: still for axis, size in enumerate(original.shapes[name]) if size is None} for name in fed)
    return torch.export.export(plain, tuple(fed.values()), dynamic_shapes={"given": sizes}, strict=False)


def _refuse_others(source: Path, model: ov.Model, inputs: int, outputs: int) -> None:
    """Refuse an IR that has other inputs or outputs than the module: nothing would say which is which."""
    if (len(model.inputs), len(model.outputs)) != (inputs, outputs):
        has = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        message = f"{source}: OpenVINO converts it to {has}, and the module has {inputs} and {outputs}"
        raise SourceError(message)


def _name(named: Iterable[tuple[str, ov.Output]]) -> None:
    """Give ports their names, and no others; what is an output twice, or an input too, has them all."""
    ours: set[str] = set()
    for name, port in named:
        tensor = port.get_tensor()
        tensor.set_names({name} | (tensor.get_names() & ours))
        ours.add(name)
