"""A program that torch.export saved: its inputs, the sizes of them that are open, and how it is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.values import Array
from runner.errors import SourceError
from runner.export.damage import reason_of
from runner.export.torch_inputs import BATCH, Original, Sizes, array
from runner.model.feed import Feed

if TYPE_CHECKING:
    import torch

_HINT = (
    "Save it anew with torch.export.save(torch.export.export(module, inputs), path), by the PyTorch that is installed "
    "here, or by an older one."
)


def program(source: Path) -> Original:
    """Load a program.

    Raises:
        SourceError: PyTorch can't load it, or it takes something else than tensors.
    """
    import torch

    try:
        exported = torch.export.load(source)
        inputs = _inputs(exported)
        module = exported.module()
    except SourceError:
        raise
    except Exception as error:  # whatever PyTorch meets in a damaged file
        message = f"{source}: torch.export.load can't read it: {type(error).__name__}: {reason_of(error)}"
        raise SourceError(message, hint=_HINT) from error

    def call(given: Mapping[str, torch.Tensor]) -> object:
        from torch.utils import _pytree

        flat = [given.get(name, value) for name, value in _order(exported)]
        args, kwargs = _pytree.tree_unflatten(flat, exported.call_spec.in_spec)
        return module(*args, **kwargs)

    shapes = {name: _sizes(value) for name, value in inputs.items()}
    fixed = tuple(place for place, (name, _) in enumerate(_order(exported)) if name not in inputs)
    return Original(exported, call, _feeds(exported, inputs), shapes, traced=False, fixed=fixed)


def _order(exported: torch.export.ExportedProgram) -> list[tuple[str, object]]:
    """Each input in turn: its name, and the value that it was fixed to where it is no tensor."""
    from torch.export.graph_signature import InputKind

    told = [one.arg for one in exported.graph_signature.input_specs if one.kind == InputKind.USER_INPUT]
    return [(one.name, getattr(one, "value", None)) for one in told]


def _inputs(exported: torch.export.ExportedProgram) -> dict[str, torch.Tensor]:
    """The tensors that stand for its inputs in its graph, whose sizes may be symbols."""
    import torch

    nodes = {node.name: node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder"}
    return {name: nodes[name] for name, _ in _order(exported) if isinstance(nodes[name], torch.Tensor)}


def _sizes(value: torch.Tensor) -> Sizes:
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def _feeds(exported: torch.export.ExportedProgram, inputs: Mapping[str, torch.Tensor]) -> tuple[Feed, ...]:
    """Inputs of the sizes that it was exported with; then, where sizes are open, larger ones."""
    first = _example(exported, inputs)
    known: dict[object, int] = {}
    for name, value in inputs.items():
        for size, told in zip(value.shape, first[name].shape, strict=True):
            if not isinstance(size, int):
                known |= _solved(size, told)
    grown = [{symbol: size + more for symbol, size in known.items()} for more in (1, 8)]
    named = {symbol for value in inputs.values() for symbol in _symbols(value)}
    if not known or named - known.keys():
        return (first,)
    others = [
        {name: _resized(first[name], _evaluated(value, sizes)) for name, value in inputs.items()} for sizes in grown
    ]
    return (first, *others)


def _solved(size: torch.SymInt, told: int) -> dict[object, int]:
    """The value of the one symbol in a size, which is an expression such as `2*s0`."""
    import sympy  # type: ignore[import-untyped]

    (symbol, *more) = size.node.expr.free_symbols
    found = [] if more else sympy.solve(size.node.expr - told, symbol)
    return {symbol: int(found[0])} if found else {}


def _example(exported: torch.export.ExportedProgram, inputs: Mapping[str, torch.Tensor]) -> Feed:
    """The inputs that it was exported with, of which numbers are drawn anew: many examples are all zeros."""
    import numpy as np
    import torch
    from torch.utils import _pytree

    kept = _pytree.tree_leaves(exported.example_inputs) if exported.example_inputs else []
    stored = {name: value for (name, _), value in zip(_order(exported), kept, strict=bool(kept))}
    drawn = np.random.default_rng(0)
    feed: Feed = {}
    for name, value in inputs.items():
        one = stored.get(name)
        shape = tuple(one.shape) if isinstance(one, torch.Tensor) else tuple(_hint(size) for size in value.shape)
        values = array(one if isinstance(one, torch.Tensor) else torch.zeros(shape, dtype=value.dtype))
        floats = values.dtype.kind == "f"
        feed[name] = drawn.standard_normal(shape).astype(values.dtype) if floats else values
    return feed


def _symbols(value: torch.Tensor) -> set[object]:
    return {symbol for size in value.shape if not isinstance(size, int) for symbol in size.node.expr.free_symbols}


def _hint(size: int | torch.SymInt) -> int:
    return size if isinstance(size, int) else BATCH


def _evaluated(value: torch.Tensor, sizes: Mapping[object, int]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else int(size.node.expr.subs(sizes)) for size in value.shape)


def _resized(values: Array, shape: tuple[int, ...]) -> Array:
    """The values in another shape, again from the start where there are too few."""
    import numpy as np

    return np.resize(values, shape)
