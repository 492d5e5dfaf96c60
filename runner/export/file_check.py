"""Holds the IR of a model file against its original, where something that runs the original is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from runner.export import litert, onnx_runtime
from runner.export.comparing import Compared, Converted, Outputs, counterparts, shapes, too_large, trials
from runner.model.feed import Feed, ports
from runner.model.parts import Model
from runner.model.varied import varied
from runner.registry.originals import FILE_RUNNERS


class Original(Protocol):
    """A model file in what runs it."""

    def run(self, feed: Feed) -> Outputs:
        """All outputs by their names, in their order; what it raises tells that the file doesn't take the feed."""
        ...


_LOADED: dict[str, tuple[Callable[[Path], Original], Callable[[Path], str | None]]] = {
    "onnx": (onnx_runtime.Original, lambda _: None),
    "tflite": (litert.Original, litert.unlike),
}
"""Kind of file -> what runs it, and why a file is not compared all the same."""


def compare(source: Path, out: Path, precision: str, check: str) -> Compared:
    """Feed what runs a file and the IR in `out` alike. What can't be compared is told in `unchecked`."""
    kind = source.suffix.removeprefix(".")
    if kind not in _LOADED:
        return Compared("none", unchecked=["the model, for nothing is known that runs its original"])
    runner = FILE_RUNNERS[kind]
    if not runner.is_installed:
        why = f"the model, for {runner.name}, which would run its original, isn't installed"
        return Compared("none", unchecked=[why])
    load, unlike = _LOADED[kind]
    found = Compared(f"{runner.name} {runner.version}")
    if refused := too_large(out, precision, check) or unlike(source):
        found.unchecked.append(refused)
    else:
        _compare(load(source), Model.of(out), found)
    return found


def _compare(original: Original, whole: Model, found: Compared) -> None:
    told = list(trials(original.run, varied(whole.folder, ports(whole.read())), found))
    converted, lost = Converted(whole.only), dict[str, None]()
    for feed, wanted in told:
        got = converted.run([feed])
        if not isinstance(got, str):
            names = counterparts(wanted, got, converted.known)
            lost |= dict.fromkeys(name for name in wanted if name not in names.values())
            wanted = {name: wanted[one] for name, one in names.items()}
        found.note(shapes(feed), wanted, got)
    if told:
        found.tell_rest(converted.names)
        found.unchecked += [f"the original's output {name}, which no output of the model is like" for name in lost]
