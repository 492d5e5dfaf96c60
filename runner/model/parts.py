"""A model folder: the parts that the model is of, and how they are read and written.

The files are called as Optimum Intel and OpenVINO GenAI call them: `openvino_model.xml` for a model of one part,
`openvino_encoder_model.xml` and so on for one of several, `unet/openvino_model.xml` in a folder of a pipeline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import runner.base.files as fs
from runner.base.words import near
from runner.errors import Problem, RecipeError, SourceError
from runner.model import ir

if TYPE_CHECKING:
    import openvino as ov

IR = "openvino_model.xml"
"""The file of a model of one part."""
WHOLE = "model"
"""The part of such a model."""
_PROCESSORS = ("openvino_tokenizer", "openvino_detokenizer")


def part_of(name: str) -> str | None:
    """The part that a file of a model folder belongs to, by its name relative to the folder; None for all others."""
    path = PurePosixPath(name)
    if path.suffix not in (".xml", ".bin") or not path.stem.startswith("openvino_") or path.stem in _PROCESSORS:
        return None
    if path.parent != PurePosixPath():
        return path.parent.as_posix() if path.name.startswith("openvino_model.") else None
    part = path.stem.removeprefix("openvino_")
    return part if part == "language_model" else part.removesuffix("_model")


class Model:
    """A folder with the IRs of a model and what belongs to it.

    Attributes:
        folder: the folder.
        parts: name -> the part's .xml, relative to the folder; the only one of a model that is one network is `model`.
    """

    def __init__(self, folder: Path, parts: Mapping[str, str]) -> None:
        self.folder, self.parts = folder, parts

    @classmethod
    def of(cls, folder: Path) -> Model:
        """The model in a folder: its parts by their usual names, or the only .xml there is.

        Raises:
            SourceError: there is none, or several of which no name says what they are for.
        """
        there = sorted(
            path.relative_to(folder).as_posix() for depth in ("*", "*/*") for path in folder.glob(f"{depth}.xml")
        )
        named = {part: name for name in there if (part := part_of(name))}
        if named:
            return cls(folder, named)
        top = [name for name in there if "/" not in name]
        if len(top) != 1:
            message = f"{folder}: {len(top) or 'no'} OpenVINO models (.xml) where one is expected"
            raise SourceError(message)
        return cls(folder, {WHOLE: top[0]})

    @property
    def only(self) -> Path:
        """The IR of a model of one part.

        Raises:
            SourceError: it has several.
        """
        if len(self.parts) > 1:
            message = f"{self.folder}: a model of one part is expected; this one has {', '.join(self.parts)}"
            raise SourceError(message)
        return self.folder / next(iter(self.parts.values()))

    def require(self, part: str) -> None:
        """Look whether the model has a part of this name.

        Raises:
            RecipeError: it has none.
        """
        if part not in self.parts:
            there = f"its parts are {', '.join(self.parts)}"
            raise RecipeError([Problem("", "", f"the model has no part {part}", there, near(part, self.parts))])

    def read(self, part: str | None = None) -> ov.Model:
        """The `ov.Model` of a part, by default of the only one; its weights are mapped and not loaded."""
        import openvino as ov

        return ov.Core().read_model(self.only if part is None else self.folder / self.parts[part])

    def write(self, changed: ov.Model, out: Path, part: str | None = None) -> None:
        """Save a changed part where it belongs in the folder `out`.

        The exporter marks a model so that its KV cache stays in f16; a compressed model leaves that choice to the
        runtime, as Optimum Intel does.

        Raises:
            StageError: a weight or a scale is not a number.
        """
        import openvino as ov

        ir.free_kv_cache(changed)
        ir.refuse_nan(changed)
        ir.number_names(changed)
        path = out / (self.only.relative_to(self.folder) if part is None else self.parts[part])
        path.parent.mkdir(parents=True, exist_ok=True)
        ov.save_model(changed, path, compress_to_fp16=False)

    def take_rest(self, out: Path, written: Collection[str] | None = None) -> None:
        """Take over into `out` all that the folder holds beside the parts `written`, which are all of them by default.

        Args:
            written: names of parts.
        """
        changed = [self.parts[part] for part in (self.parts if written is None else written)]
        ours = [name for xml in changed for name in (xml, f"{xml.removesuffix('.xml')}.bin")]
        fs.link_tree(self.folder, out, skip=ours)


def refuse_nan(folder: Path) -> None:
    """Look through the weights of all parts on the disk.

    Raises:
        SourceError: one is not a number.
    """
    model = Model.of(folder)
    for name in model.parts.values():
        ir.refuse_nan_in_file(folder / name, SourceError)
