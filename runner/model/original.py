"""The original of a converted model, run in the converted one's place: the same inputs and outputs, and its numbers.

A folder of it has the converted model in `converted/`, which tells inputs and outputs, what that was made of in
`original/`, and original.json, which says how. All else is as in the converted model's folder.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import numpy as np

import runner.base.files as fs
from runner.base.values import Array, made
from runner.errors import StageError
from runner.model.feed import Feed, keeps_state, ports
from runner.model.opening import CONVERTED, ORIGINAL, Opening
from runner.model.parts import Model
from runner.model.runtime import Compiled
from runner.registry.exporters import EXPORTERS

if TYPE_CHECKING:
    import openvino as ov


class Runs(Protocol):
    """What runs an original; `by` says which library in which version and precision."""

    by: str

    def run(self, feed: Feed) -> Mapping[str, Array]:
        """All outputs by name. A decoder gets all tokens at once, and no cache."""


class Opens(Protocol):
    """A module that an exporter names as `original`."""

    def opened(self, folder: Path, opening: Opening) -> Runs:
        """Load what is in `original/`, and in `adapter/` what is to be merged into it.

        Raises:
            SourceError: it can't be loaded.
        """


def opened(folder: Path) -> Compiled:
    """The original in a folder, in the place of a compiled model.

    Raises:
        SourceError: it can't be loaded.
    """
    opening = made(Opening, fs.read_object(folder / ORIGINAL))
    module = cast(Opens, importlib.import_module(EXPORTERS[opening.exporter].original))
    runs = module.opened(folder, opening)
    model = Model.of(folder / CONVERTED).read()
    return Compiled(folder, cast("ov.Model", _Model(model, runs)), ports(model), {"original": runs.by})


class _Tensor(NamedTuple):
    data: Array


class _Model:
    """Has of a compiled model what inference needs."""

    def __init__(self, converted: ov.Model, runs: Runs) -> None:
        self.outputs, self.state, self.runs = converted.outputs, keeps_state(ports(converted)), runs

    def create_infer_request(self) -> _Request:
        return _Request(self)


class _Request:
    """An inference request; what a decoder was told before, it is told again."""

    def __init__(self, model: _Model) -> None:
        self.model, self.past = model, Feed()
        self.found: list[Array] = []

    def reset_state(self) -> None:
        self.past = {}

    def infer(self, feed: Feed, share_inputs: bool = False) -> None:
        tokens = feed["input_ids"].shape[1] if self.model.state else 0
        if self.model.state:
            feed = self.past = {name: self._with_past(name, feed) for name in feed if name != "beam_idx"}
        given = self.model.runs.run(feed)
        self.found = [self._last(array, feed, tokens) for array in self._in_order(given)]

    def get_output_tensor(self, index: int) -> _Tensor:
        return _Tensor(self.found[index])

    def _with_past(self, name: str, feed: Feed) -> Array:
        """What goes along with the tokens, after what went along with those before; a mask covers them all already."""
        follows = feed[name].shape == feed["input_ids"].shape and not name.endswith("mask")
        return np.concatenate([self.past[name], feed[name]], 1) if follows and name in self.past else feed[name]

    def _in_order(self, given: Mapping[str, Array]) -> list[Array]:
        """The outputs in the converted model's order; those that it names otherwise are found by their place."""
        names = [next((name for name in port.get_names() if name in given), "") for port in self.model.outputs]
        rest = iter([name for name in given if name not in names])
        found = [name or next(rest, "") for name in names]
        if not all(found):
            message = f"the original gives {', '.join(given)}, and the converted model has {len(names)} outputs"
            raise StageError(message)
        return [given[name] for name in found]

    @staticmethod
    def _last(output: Array, feed: Feed, tokens: int) -> Array:
        """The outputs of the tokens that are new."""
        follows = tokens and output.ndim > 2 and output.shape[1] == feed["input_ids"].shape[1]
        return output[:, -tokens:] if follows else output
