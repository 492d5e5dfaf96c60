"""Compares what a converted model gives with what its original gives, output by output."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.figures import megabytes
from runner.base.values import Array
from runner.export.damage import reason_of
from runner.model.feed import Feed
from runner.model.runtime import reason
from runner.model.varied import PAST
from runner.recipe.accuracy import RUNTIME
from runner.recipe.conversion import SMALL_BYTES

if TYPE_CHECKING:
    import openvino as ov

_SHARE = 0.5
_BLOCK = 1 << 16
Outputs = dict[str, Array]
"""Name -> values; of a part's, `part.name`."""
Run = Callable[[Feed], Outputs]


@dataclass
class Compared:
    """What a check of a conversion found.

    Attributes:
        original: what the model was held against.
        inputs: the shapes that both were fed.
        outputs: name -> the largest relative L2 distance; None where it could not be taken, and `faults` says why.
        faults: name -> what is wrong with it beside a distance.
        unchecked: what was not compared, and why, a sentence each.
    """

    original: str
    inputs: list[str] = field(default_factory=list)
    outputs: dict[str, float | None] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)

    def note(self, fed: str, wanted: Outputs, got: Outputs | str, part: str = "") -> None:
        """Compare the outputs that both have; `got` is an error's text where the converted model fails."""
        self.inputs.append(fed)
        if isinstance(got, str):
            self._fault(part or "model", f"fails on {fed}, which the original takes: {got}")
            return
        for name in (name for name in wanted if name in got):
            self._distance(f"{part}.{name}" if part else name, fed, wanted[name], got[name])

    def tell_rest(self, names: Iterable[str]) -> None:
        """Say which outputs of the converted model had no counterpart; those of a cache in one word."""
        missing = (name.rpartition("present.") for name in names if name not in self.outputs)
        rest = {f"{part}{cache}*" if cache else name for part, cache, name in missing}
        self.unchecked += [f"the output {name}, which the original names otherwise" for name in sorted(rest)]

    def _distance(self, name: str, fed: str, wanted: Array, got: Array) -> None:
        if wanted.shape != got.shape:
            self._fault(name, f"has the shape {list(got.shape)} for {fed}, and the original's {list(wanted.shape)}")
            return
        distance = relative_l2(wanted, got)
        if not math.isfinite(distance):
            self._fault(name, f"has other values that aren't finite numbers than the original, for {fed}")
        elif name not in self.faults:
            self.outputs[name] = max(distance, self.outputs.get(name) or 0.0)

    def _fault(self, name: str, what: str) -> None:
        self.outputs[name] = None
        self.faults.setdefault(name, what)


def relative_l2(wanted: Array, got: Array) -> float:
    """||a - b|| / ||a|| over the values that are finite in both; infinite where others are not the same in both."""
    import numpy as np

    error = norm = 0.0
    flat, other = wanted.reshape(-1), got.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        a, b = (one[start : start + _BLOCK].astype(np.float64) for one in (flat, other))
        finite = np.isfinite(a)
        if not np.array_equal(finite, np.isfinite(b)):
            return math.inf
        error += float(np.square(a[finite] - b[finite]).sum())
        norm += float(np.square(a[finite]).sum())
    return math.sqrt(error / norm) if norm else (0.0 if error == 0 else math.inf)


def give_back() -> None:
    """Let the system have the memory of what is not needed any more: a stage's process keeps it otherwise."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # there is such a function in glibc alone
        ctypes.CDLL(None).malloc_trim(0)


def too_large(folder: Path, precision: str, check: str) -> str | None:
    """Why a model in a folder is not compared here: in 32 bits it would take more than a comparison may.

    Args:
        check: `small` for models that are compared in passing, `any` for all that fit into the free memory.
    """
    import psutil

    needed = sum(path.stat().st_size for path in folder.rglob("*.bin")) * (2 if precision == "fp16" else 1)
    if check == "small" and needed > SMALL_BYTES:
        return (
            f"the model, which takes {megabytes(needed)} in 32 bits; above {megabytes(SMALL_BYTES)} it is compared "
            "with conversion.check.large: true"
        )
    free = int(psutil.virtual_memory().available)
    if needed <= free * _SHARE:
        return None
    return (
        f"the model, which takes {megabytes(needed)} in 32 bits, more than half of the {megabytes(free)} that are free"
    )


def counterparts(wanted: Outputs, got: Outputs, known: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Converted output -> the original's; both models have them in their order.

    An output that has none of the original's names is the one at the same place among the others of the original, if
    there are as many of them and all have the same shapes.

    Args:
        known: name of a converted output -> all names that it has.
    """
    found = {name: next((one for one in (name, *sorted(names)) if one in wanted), "") for name, names in known.items()}
    left = [name for name in wanted if name not in found.values()]
    unnamed = [name for name, one in found.items() if not one]
    if [wanted[name].shape for name in left] == [got[name].shape for name in unnamed]:
        found |= dict(zip(unnamed, left, strict=True))
    return {name: one for name, one in found.items() if one}


def shapes(feed: Mapping[str, Array]) -> str:
    """`input_ids [2, 13], attention_mask [2, 13]`; a cache is one word."""
    told = {"past_key_values.*" if name.startswith(PAST) else name: array.shape for name, array in feed.items()}
    return ", ".join(f"{name} {list(shape)}" for name, shape in told.items())


def trials(run: Run, feeds: Iterable[Feed], found: Compared) -> Iterator[tuple[Feed, Outputs]]:
    """The first feed with what the original gives, and the first of the others that the original takes."""
    taken = 0
    for feed in feeds:
        try:
            given = run(feed)
        except Exception as error:  # whatever a model's own code raises
            if not taken:
                what = reason_of(error).rstrip(".")
                found.unchecked.append(f"the model, for its original does not take {shapes(feed)}: {what}")
                return
            continue
        yield feed, given
        taken += 1
        if taken == 2:
            return


class Converted:
    """A part of the converted model, compiled with nothing rounded on the way."""

    def __init__(self, path: Path, change: Callable[[ov.Model], None] = lambda _: None) -> None:
        import openvino as ov

        core = ov.Core()
        read = core.read_model(path)
        change(read)
        self.model: ov.CompiledModel = core.compile_model(read, "CPU", dict(RUNTIME))
        self.request = self.model.create_infer_request()

    def run(self, feeds: Iterable[Feed]) -> Outputs | str:
        """The outputs of the last of some feeds, which share the model's state; an error's text if the model fails."""
        self.request.reset_state()
        try:
            results = [self._infer(feed) for feed in feeds]
        except RuntimeError as error:
            return reason(error)
        return _joined(results)

    def _infer(self, feed: Feed) -> Outputs:
        self.request.infer(feed, share_inputs=True)
        return {name: self.request.get_output_tensor(index).data.copy() for index, name in enumerate(self.names)}

    @property
    def known(self) -> dict[str, set[str]]:
        """Name of each output -> all that it has."""
        return {name: port.get_names() for name, port in zip(self.names, self.model.outputs, strict=True)}

    @property
    def names(self) -> list[str]:
        """A name of each output; a trace's numbers come last."""
        named = [sorted(port.get_names(), key=lambda name: (name.isdigit(), name)) for port in self.model.outputs]
        return [names[0] if names else f"output {index}" for index, names in enumerate(named)]


def _joined(results: list[Outputs]) -> Outputs:
    """The outputs of a decoder's steps one after the other, as one pass over all tokens gives them."""
    import numpy as np

    if len(results) == 1:
        return results[0]
    return {name: np.concatenate([result[name] for result in results], axis=1) for name in results[0]}
