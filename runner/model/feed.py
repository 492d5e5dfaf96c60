"""What fills a model's inputs: token windows for language models, named arrays for all others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.base.values import Array
from runner.errors import SourceError
from runner.recipe.conversion import ANY, Shape, Span, shown

if TYPE_CHECKING:
    import openvino as ov
    from numpy.typing import NDArray

Feed = dict[str, "Array"]

_PAST = "past_key_values"


@dataclass(frozen=True)
class Port:
    """One input of a model.

    Attributes:
        name: one of its names, the one it is fed by.
        shape: None where a size is open; empty if even the rank is.
        dtype: its NumPy type.
        names: all its names.
        spans: the least and the most of each size, where the model tells them.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    names: frozenset[str] = frozenset()
    spans: Shape = ()

    def __str__(self) -> str:
        return f"{self.name} {shown(tuple(map(self.span, range(len(self.shape)))))}"

    def span(self, axis: int) -> Span:
        """The least and the most of a size."""
        size = self.shape[axis]
        return self.spans[axis] if self.spans else ANY if size is None else (size, size)

    def fitted(self, axis: int, size: int) -> int:
        """The size, or the nearest that the axis takes."""
        least, most = self.span(axis)
        return max(least, size if most is None else min(size, most))


def ports(model: ov.Model) -> tuple[Port, ...]:
    """The inputs of an `ov.Model` or `ov.CompiledModel`."""
    return tuple(
        Port(
            port.get_any_name() if port.get_names() else port.get_node().get_friendly_name(),
            tuple(None if size.is_dynamic else size.get_length() for size in port.partial_shape)
            if port.partial_shape.rank.is_static
            else (),
            np.dtype(port.element_type.to_dtype()),
            frozenset(port.get_names()),
            tuple(_span(size) for size in port.partial_shape) if port.partial_shape.rank.is_static else (),
        )
        for port in model.inputs
    )


def _span(size: ov.Dimension) -> Span:
    most = size.get_max_length()
    return size.get_min_length(), None if most < 0 else most


def takes_tokens(inputs: Iterable[Port]) -> bool:
    """Whether token ids feed this model."""
    return any(port.name == "input_ids" for port in inputs)


def keeps_state(inputs: Iterable[Port]) -> bool:
    """Whether it is a decoder with a cache: in the model's state, or as inputs."""
    return any(port.name == "beam_idx" or port.name.startswith(_PAST) for port in inputs)


def largest_batch(inputs: Iterable[Port], usual: int) -> int:
    """The usual batch size, or the most that the model takes."""
    return min([usual, *(port.fitted(0, usual) for port in inputs if port.shape)])


def check_takes_text(inputs: Iterable[Port], dataset: str) -> None:
    """Refuse a text for a model that no token ids feed.

    Raises:
        SourceError: the model has no `input_ids`.
    """
    has = tuple(inputs)
    if not takes_tokens(has):
        needs = ", ".join(str(port) for port in has)
        message = f"dataset {dataset} can't feed the model: the model's inputs are {needs}; the dataset has text"
        raise SourceError(message, hint="What this model needs is an npz dataset.")


def fixed_batch(inputs: Iterable[Port]) -> int | None:
    """The batch size that the model was made for, if it is fixed."""
    return max((port.shape[0] for port in inputs if port.shape and port.shape[0]), default=None)


def token_feed(inputs: Iterable[Port], ids: NDArray[np.int64], past: int = 0, length: int | None = None) -> Feed:
    """All inputs of a language model for one sequence.

    Args:
        inputs: the model's inputs.
        ids: token ids, shape [n].
        past: how many tokens the model's cache holds already.
        length: tokens of `ids` that count, the rest being padding; all by default.

    Raises:
        SourceError: the model has an input that a text can't fill.
    """
    return {port.name: _token_input(port, ids, past, len(ids) if length is None else length) for port in inputs}


def _token_input(port: Port, ids: NDArray[np.int64], past: int, length: int) -> Array:
    count = len(ids)
    if port.name == "input_ids":
        return ids.astype(port.dtype)[None]
    if port.name == "attention_mask":
        return (np.arange(past + count) < past + length).astype(port.dtype)[None]
    if port.name == "position_ids":
        return np.arange(past, past + count, dtype=port.dtype)[None]
    if port.name == "token_type_ids":
        return np.zeros((1, count), port.dtype)
    if port.name == "beam_idx":
        return np.zeros(1, port.dtype)
    if port.name.startswith(_PAST):
        return np.zeros(_empty_past(port), port.dtype)
    message = f"a text can't fill the model's input {port}"
    hint = "Text fills input_ids, attention_mask, position_ids, token_type_ids, beam_idx and past_key_values."
    raise SourceError(message, hint=hint)


def _empty_past(port: Port) -> tuple[int, ...]:
    """Batch 1 and no tokens: of a past's dynamic axes the first is the batch."""
    return tuple(size if size is not None else int(axis == 0) for axis, size in enumerate(port.shape))


def bind(inputs: Iterable[Port], names: Iterable[str], dataset: str) -> dict[str, Port]:
    """The model input that each of a dataset's inputs feeds; "" stands for the model's only input.

    Raises:
        SourceError: a name that the model doesn't have, or an input that stays empty.
    """
    has, wanted = list(inputs), list(names)
    if wanted == [""] and len(has) == 1:
        return {"": has[0]}
    found = {name: port for name in wanted for port in has if name in port.names | {port.name}}
    if len(found) == len(wanted) and {port.name for port in found.values()} == {port.name for port in has}:
        return found
    needs = ", ".join(str(port) for port in has)
    gives = ", ".join(name or "one array for the model's only input" for name in wanted)
    message = f"dataset {dataset} can't feed the model: the model's inputs are {needs}; the dataset has {gives}"
    hint = "In the dataset write `inputs: {<model input>: <array>}` with one line for each input of the model."
    raise SourceError(message, hint=hint)


def array_feed(bound: Mapping[str, Port], arrays: Mapping[str, Array], dataset: str) -> Feed:
    """A batch of arrays as the model's inputs, in the model's element types.

    Raises:
        SourceError: a shape that doesn't fit, floating-point numbers for an integer input, or numbers beyond its type.
    """
    return {port.name: _array_input(port, arrays[name], dataset) for name, port in bound.items()}


def _array_input(port: Port, array: Array, dataset: str) -> Array:
    if port.shape and not _fits(port, array.shape):
        message = f"dataset {dataset} can't feed the model's input {port}: its items have shape {list(array.shape[1:])}"
        raise SourceError(message, hint="`preprocess: {layout: NHWC->NCHW}` in the dataset changes the order of axes.")
    if port.dtype.kind in "iub" and array.dtype.kind == "f":
        message = f"dataset {dataset} can't feed the model's input {port}: it takes {port.dtype}, not {array.dtype}"
        raise SourceError(message)
    _refuse_beyond(port, array, dataset)
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, dtype=port.dtype)
    if found.dtype.kind == "f" and found.dtype != array.dtype and not np.isfinite(found).all():
        message = f"dataset {dataset} can't feed the model's input {port}: it has numbers beyond {port.dtype}"
        raise SourceError(message)
    return found


def _refuse_beyond(port: Port, array: Array, dataset: str) -> None:
    """Refuse whole numbers that the input's type doesn't hold: they would become others."""
    if port.dtype.kind not in "iub" or not array.size:
        return
    least, most = (0, 1) if port.dtype.kind == "b" else (np.iinfo(port.dtype).min, np.iinfo(port.dtype).max)
    if array.min() < least or array.max() > most:
        message = (
            f"dataset {dataset} can't feed the model's input {port}: it takes {port.dtype}, {least} to {most}, "
            f"and the data go from {array.min()} to {array.max()}"
        )
        raise SourceError(message)


def _fits(port: Port, array: tuple[int, ...]) -> bool:
    """Whether the sizes of an item agree; the batch may differ."""
    return len(port.shape) == len(array) and all(
        port.fitted(axis, array[axis]) == array[axis] for axis in range(1, len(array))
    )
