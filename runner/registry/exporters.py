"""Exporters: what makes an OpenVINO IR of a model that a source has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runner.base.progress import Progress
from runner.registry.declared import Declaration, Declared


@dataclass(frozen=True)
class Shape:
    """What an input is to look like: NNCF's `input_info`.

    Attributes:
        sizes: of each axis.
        keyword: the input's name; None for the next in order.
    """

    sizes: tuple[int, ...]
    keyword: str | None = None


@dataclass(frozen=True)
class Example:
    """An input of a PyTorch module's forward().

    Attributes:
        shape: None for a size that stays open.
        type: OpenVINO's name of its element type, such as f32.
    """

    name: str
    shape: tuple[int | None, ...]
    type: str


@dataclass(frozen=True)
class Code:
    """What makes a PyTorch module of a Python file.

    Attributes:
        object: the name of a class or function in it.
        arguments: what that is called with: a mapping, as JSON.
        example: the inputs that the module is traced with.
    """

    object: str
    arguments: str
    example: tuple[Example, ...]


@dataclass(frozen=True)
class ExportParams:
    """How a model is exported. What an exporter has no use for is None, so that it is in no key.

    Attributes:
        exporter: its name.
        revision: its own.
        precision: fp32 or fp16, of the weights in the IR.
        task: an Optimum task name.
        stateful: whether a decoder keeps its cache inside.
        tokenizer: whether the tokenizer is exported too.
        trust_remote_code: whether the model's own Python code may run.
        allow_pickle: whether weights may be a pickle.
        shapes: of the inputs.
        check: which converted models are held against their originals: `small` ones, `any`, or none.
        runner: the distribution of what runs the original for that, whether or not it is installed.
        adapter: PEFT's name of the method of an adapter that is merged into the model.
        code: what makes the model of a Python file.
        imports: distributions that this file imports from.
    """

    exporter: str
    revision: int
    precision: str
    task: str | None = None
    stateful: bool | None = None
    tokenizer: bool | None = None
    trust_remote_code: bool | None = None
    allow_pickle: bool | None = None
    shapes: tuple[Shape, ...] | None = None
    check: str | None = None
    runner: str | None = None
    adapter: str | None = None
    code: Code | None = None
    imports: tuple[str, ...] | None = None


class Exporting(Protocol):
    """What an exporter's module has."""

    def prepare(self) -> None:
        """Import what `export` will need, while the stage before still runs."""

    def export(
        self, source: Path, out: Path, params: ExportParams, progress: Progress, **more: Path
    ) -> Mapping[str, object]:
        """Fill the empty folder `out` with `openvino_model.xml` and `.bin`, and all that belongs to the model.

        Args:
            source: what the source found: a file or a folder. It is not to be changed.
            more: what goes with the source, if there is such a thing and the exporter takes it: `adapter` and
                `vocoder`, folders, and `weights`, a file.

        Returns:
            plain data to be kept with the result.

        Raises:
            SourceError: the model can't be exported. Any other exception is taken for that too.
        """


@dataclass(frozen=True)
class Exporter(Declaration):
    """An exporter; its name is what `Located.reader` of a source says.

    Attributes:
        takes: the fields of `ExportParams` that it looks at, beside the precision.
        revision: goes up when the same model becomes another IR.
        libraries: distributions whose versions shape the IR.
        module: dotted name of a module as `Exporting` says.
        template: of a function as `runner.stages` says, where its imports are those of other stages too.
        original: dotted name of a module with `opened(original)`, which runs what was converted, as `Original` of
            runner.model.original; empty where nothing does.
    """

    takes: frozenset[str] = frozenset()
    revision: int = 1
    libraries: tuple[str, ...] = ()
    module: str = ""
    template: str | None = None
    original: str = ""

    @property
    def versions(self) -> tuple[str, ...]:
        """All distributions whose versions shape the IR, the one that declares it among them."""
        return (*self.libraries, *([self.distribution] if self.distribution else []))


OPTIMUM = "runner.export.imports.import_exporter"
"""The template of PyTorch, transformers and Optimum, which take seconds and 250 MB."""

EXPORTERS: Declared[Exporter] = Declared(Exporter, "runner.export.exporters", "ovrun.exporters")
