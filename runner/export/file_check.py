"""What the original of a model file gives, where something that runs it is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from runner.export import litert, onnx_runtime
from runner.export.given import Given, Outputs, too_large
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


def given_by(source: Path, out: Path, precision: str, check: str) -> Given:
    """Feed what runs a file as the IR in `out` will be. What can't be compared is told in `unchecked`."""
    kind = source.suffix.removeprefix(".")
    if kind not in _LOADED:
        return Given("none", ["the model, for nothing is known that runs its original"])
    runner = FILE_RUNNERS[kind]
    if not runner.is_installed:
        return Given("none", [f"the model, for {runner.name}, which would run its original, isn't installed"])
    load, unlike = _LOADED[kind]
    given = Given(f"{runner.name} {runner.version}", by_place=True)
    if refused := too_large(out, precision, check) or unlike(source):
        given.unchecked.append(refused)
    else:
        whole = Model.of(out)
        given.ask(load(source).run, varied(whole.folder, ports(whole.read())))
    return given
