"""What a PyTorch module is fed: inputs that its recipe or its program tells, and others to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.base.values import Array
from runner.errors import Problem, RecipeError
from runner.export.given import Outputs
from runner.model.feed import Feed, Port
from runner.registry.exporters import Example

if TYPE_CHECKING:
    import numpy as np
    import torch

BATCH, SIZE = 2, 64
"""What stands for an open size in the trace: of the first axis, and of others."""
_NUMPY = {
    **{"f64": "float64", "f32": "float32", "f16": "float16"},
    **{"i64": "int64", "i32": "int32", "i16": "int16", "i8": "int8", "u8": "uint8", "boolean": "bool"},
}
Sizes = tuple[int | None, ...]


@dataclass(frozen=True)
class Original:
    """A module as PyTorch runs it.

    Attributes:
        model: what OpenVINO converts.
        call: takes inputs by their names, and gives what the module gives.
        feeds: inputs, those of the trace first.
        shapes: of each input; None for a size that stays open.
        traced: whether OpenVINO has to trace it.
        fixed: places among the inputs of a program of those that are no tensors, whose values it has in itself.
    """

    model: object
    call: Callable[[Mapping[str, torch.Tensor]], object]
    feeds: tuple[Feed, ...]
    shapes: Mapping[str, Sizes]
    traced: bool
    fixed: tuple[int, ...] = ()

    def run(self, feed: Feed) -> Outputs:
        """All tensors that it gives, in 32 bits where they have fewer, by names of ours."""
        import torch

        with torch.inference_mode():
            given = flat(self.call(tensors(feed)))
        return {name: array(value) for name, value in given.items()}


def tensors(feed: Feed) -> dict[str, torch.Tensor]:
    """Copies, for a module may write into its inputs."""
    import torch

    return {name: torch.from_numpy(values.copy()) for name, values in feed.items()}


def array(value: torch.Tensor) -> Array:
    """The values of a tensor, in a type that NumPy has."""
    import torch

    told: Array = (value.float() if value.dtype == torch.bfloat16 else value).detach().numpy()
    return told


def flat(given: object, name: str = "") -> dict[str, torch.Tensor]:
    """The tensors of what a module gives: by their keys in a mapping, `output`, or `output_0` and so on in a tuple."""
    import torch

    if isinstance(given, torch.Tensor):
        return {name or "output": given}
    if isinstance(given, Mapping):
        named = {f"{name}_{key}" if name else str(key): value for key, value in given.items()}
    elif isinstance(given, list | tuple):
        named = {f"{name or 'output'}_{index}": value for index, value in enumerate(given)}
    else:
        return {}
    return {found: value for key, inner in named.items() for found, value in flat(inner, key).items()}


def flattened(original: Original) -> torch.nn.Module:
    """The module with its inputs in order and a tuple of all its tensors: a trace takes no mappings in mappings."""
    from torch import nn

    class Flattened(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = original.model

        def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(flat(original.call(dict(zip(original.feeds[0], given, strict=True)))).values())

    return Flattened()


def feeds(example: Iterable[Example]) -> tuple[Feed, ...]:
    """Inputs for the trace; then, where sizes are open, all of them larger, and a larger batch alone."""
    inputs = list(example)
    made = [_filled(inputs, more) for more in ((0, 0), (1, SIZE // 2), (1, 0))]
    first = {name: values.shape for name, values in made[0].items()}
    others = [one for one in made[1:] if {name: values.shape for name, values in one.items()} != first]
    return (made[0], *others)


def _filled(inputs: Iterable[Example], more: tuple[int, int]) -> Feed:
    import numpy as np

    drawn = np.random.default_rng(0)
    return {one.name: _values(one, _sizes(one.shape, more), drawn) for one in inputs}


def _sizes(shape: Sizes, more: tuple[int, int]) -> tuple[int, ...]:
    usual = ((BATCH if axis == 0 else SIZE) + more[axis > 0] for axis in range(len(shape)))
    return tuple(size if known is None else known for known, size in zip(shape, usual, strict=True))


def _values(one: Example, shape: tuple[int, ...], drawn: np.random.Generator) -> Array:
    """Numbers of a normal distribution; whole ones are 0 or 1, which an index of any kind may be."""
    import numpy as np

    kind = np.dtype(_NUMPY[one.type])
    if kind.kind == "f":
        return drawn.standard_normal(shape).astype(kind)
    if one.name.endswith("mask"):
        return np.ones(shape, kind)
    return drawn.integers(0, 2, shape).astype(kind)


def fitted(fed: Iterable[Feed], inputs: Iterable[Port]) -> list[Feed]:
    """Inputs in the sizes that a converted model has left open or not; each shape once."""
    import numpy as np

    known = {name: port.shape for port in inputs for name in port.names}
    found: dict[str, Feed] = {}
    for feed in fed:
        wanted = {
            name: tuple(size if fixed is None else fixed for size, fixed in zip(values.shape, known[name], strict=True))
            for name, values in feed.items()
        }
        found.setdefault(str(wanted), {name: np.resize(values, wanted[name]) for name, values in feed.items()})
    return list(found.values())


def refuse_misfit(forward: Callable[..., object], example: Iterable[Example]) -> None:
    """Hold the inputs of an example against those of a module's forward().

    Raises:
        RecipeError: one is unknown to it, or one that it needs is missing.
    """
    import inspect

    takes = inspect.signature(forward).parameters.values()
    plain = [one for one in takes if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    names = [one.name for one in plain]
    given = [one.name for one in example]
    allowed = f"it takes {', '.join(names)}"
    problems = [
        Problem("", f"model.example.{name}", f"forward() has no input {name}", allowed)
        for name in given
        if name not in names and not any(one.kind == one.VAR_KEYWORD for one in takes)
    ]
    missing = [one.name for one in plain if one.default is one.empty and one.name not in given]
    if missing:
        problems.append(Problem("", "model.example", f"forward() needs {', '.join(missing)}", allowed))
    if problems:
        raise RecipeError(problems)
