"""Compares what a converted model gives with what its original gave, output by output, where nothing else is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.base.values import Array
from runner.export.given import Given, Outputs, Trial
from runner.export.memory import give_back
from runner.model.feed import Feed
from runner.model.parts import Model
from runner.model.runtime import reason
from runner.recipe.accuracy import RUNTIME

if TYPE_CHECKING:
    import openvino as ov

_BLOCK = 1 << 16


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


def kept(given: Given, out: Path) -> dict[str, object]:
    """Keep what an original gave, for the process that compares; or what to tell at once, where nothing is compared."""
    if not given.trials:
        return {"conversion": asdict(Compared(given.original, unchecked=given.unchecked))}
    given.write(out)
    return {}


def compare(out: Path, given: Given) -> Compared:
    """Feed the converted model in `out` what its original was fed, part by part, and compare what it gives."""
    whole, found = Model.of(out), Compared(given.original, unchecked=given.unchecked)
    for part in dict.fromkeys(trial.part for trial in given.trials):
        path = whole.folder / whole.parts[part] if part else whole.only
        converted = Converted(path, draw_nothing if given.draws_nothing else lambda _: None)
        lost = dict[str, None]()
        for trial in (trial for trial in given.trials if trial.part == part):
            lost |= _note(found, converted, trial, given.by_place)
        found.tell_rest(f"{part}.{name}" if part else name for name in converted.names)
        found.unchecked += [f"the original's output {name}, which no output of the model is like" for name in lost]
        del converted
        give_back()
    return found


def _note(found: Compared, converted: Converted, trial: Trial, by_place: bool) -> dict[str, None]:
    """Compare one trial; the original's outputs that have no counterpart come back, where those are known by place."""
    got, wanted = converted.run(trial.feeds), trial.wanted
    lost = dict[str, None]()
    if by_place and not isinstance(got, str):
        names = counterparts(wanted, got, converted.known)
        lost = dict.fromkeys(name for name in wanted if name not in names.values())
        wanted = {name: wanted[one] for name, one in names.items()}
    found.note(trial.fed, wanted, got, trial.part)
    return lost


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


def draw_nothing(model: ov.Model) -> None:
    """Let what an IR draws at random be zero, for which a dropout drops nothing."""
    from openvino import opset13 as opset

    for node in [node for node in model.get_ops() if node.get_type_name() == "RandomUniform"]:
        zero = opset.constant(0, node.get_output_element_type(0))
        zeros = opset.broadcast(zero, node.input_value(0))
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(zeros.output(0))


def _joined(results: list[Outputs]) -> Outputs:
    """The outputs of a decoder's steps one after the other, as one pass over all tokens gives them."""
    import numpy as np

    if len(results) == 1:
        return results[0]
    return {name: np.concatenate([result[name] for result in results], axis=1) for name in results[0]}
