"""Encode: the embeddings that an encoder makes of what a model gave, kept for the metrics that compare them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Never

from runner.base import hardware
from runner.base.progress import Progress
from runner.errors import Problem, RecipeError, SourceError
from runner.model import clip, listing, sentences
from runner.recipe.types import ModelSource
from runner.registry.exporters import OPTIMUM
from runner.registry.metric_settings import ENCODED, ENCODER, Encodes
from runner.sources import Located
from runner.stages import Build, Task

if TYPE_CHECKING:
    from runner.base.values import Array
    from runner.metrics.kept import Form, Kept

REVISION = 1
_IR = "openvino"
_LIBRARIES = {_IR: (_IR, "tokenizers", "numpy"), "local": ("torch", "transformers", "tokenizers", "numpy")}
_TASK = "feature-extraction"


@dataclass(frozen=True)
class Params:
    """What is encoded, and how.

    Attributes:
        of: what the encoder takes.
        source: of the encoder: `local` for a Hugging Face folder, or `openvino`.
        cpu: what shapes numbers in this processor.
    """

    of: Encodes
    source: str
    cpu: tuple[str, ...]


def plan(build: Build, of: Encodes, path: Path, section: str, kept: str, role: str) -> str:
    """The stage for the embeddings of what lies in the folder of key `kept`.

    Args:
        path: of the encoder.
        section: of the check that names it.
        role: `reference` where these are rows of the model that others are compared with.

    Raises:
        RecipeError: there is no encoder.
    """
    model = _source(path)
    try:
        if not path.is_dir():
            _refuse_absent(path)
        located = build.locate(model)
        _refuse_others(located, of)
    except SourceError as error:
        key = f"{section}.{ENCODER}"
        raise RecipeError([Problem(build.recipe.where(key), key, error.message, error.hint)]) from error
    assert located.path is not None and located.digest is not None
    params = Params(of, model.source, tuple(hardware.arithmetic()))
    return build.add(
        "encode",
        f"encode {of} by {path.name}{' (reference)' if role == 'reference' else ''}",
        f"{section}.{ENCODER}",
        params,
        after={"kept": kept},
        files={ENCODER: (located.path, located.digest)},
        models={ENCODER: model},
    )


def _source(path: Path) -> ModelSource:
    """A folder is Hugging Face's unless it holds an IR and no weights of PyTorch."""
    there = listing.names(path) if path.is_dir() else []
    has_weights = any(name.endswith((".safetensors", ".bin.index.json", listing.PICKLE)) for name in there)
    is_ir = not has_weights and any(name.endswith(".xml") for name in there)
    return ModelSource(_IR if is_ir else "local", path=path, task=_TASK)


def _refuse_absent(path: Path) -> Never:
    message = f"there is no folder {path}"
    raise SourceError(message, hint="encoder is taken relative to the file that states it")


def _refuse_others(located: Located, of: Encodes) -> None:
    """SourceError for a model that makes no such embeddings."""
    assert located.path is not None
    folder = located.path if located.path.is_dir() else located.path.parent
    if of == "images":
        clip.refuse_others(folder, located.config or {}, located.files)
        return
    sentences.refuse_others(folder, located.config or {}, located.files)


def libraries(params: Params) -> tuple[str, ...]:
    """What runs the encoder."""
    return (*_LIBRARIES[params.source], *(("pillow",) if params.of == "images" else ()))


def template(params: Params) -> str | None:
    """Transformers is imported once, with what conversions need."""
    return None if params.source == _IR else OPTIMUM


def prepare(params: Params) -> None:
    """Import what runs the encoder."""
    from runner.model import runtime

    runtime.import_runtimes()
    if template(params):
        from runner.export.imports import import_exporter

        import_exporter()


def run(task: Task[Params], progress: Progress) -> dict[str, object]:
    """Fill `task.out` with an embedding for each row."""
    from runner.metrics.keeping import Keeping
    from runner.metrics.kept import Kept
    from runner.model.runtime import refuse_other_cpu

    refuse_other_cpu(task.params.cpu)
    kept = Kept.read(task.inputs["kept"])
    with _folder(task.inputs[ENCODER], task.out) as folder:
        told = dict[str, object]()
        extra: dict[str, Form] = {"other": "arrays"} if task.params.of == "images" else {}
        with Keeping(task.out, ENCODED, extra=extra) as keeping:
            for one, *others in _embeddings(task.params, folder, kept, told):
                keeping.add([one], **dict.fromkeys(extra, others))
                progress(keeping.count, kept.count)
            keeping.finish(kept.count, {**kept.protocol, ENCODER: told})
    return {"rows": kept.count}


def _embeddings(params: Params, folder: Path, kept: Kept, told: dict[str, object]) -> Iterator[tuple[Array, ...]]:
    """Of each row; of an image's row that of its text too. In the end `told` has what a figure must be told with."""
    from runner.metrics.encoding import Captioned, Sentences, opened

    if params.of == "images":
        pairs, told["libraries"] = Captioned(folder), {name: version(name) for name in ("torch", "transformers")}
        yield from pairs.embeddings(kept.values, map(str, kept.extra["prompts"]))
        told |= pairs.told()
        return
    encoder, found = opened(folder, params.source)
    makes = Sentences(encoder)
    yield from ((one,) for one in makes.embeddings(map(str, kept.values)))
    told |= {**found, **makes.told()}


@contextmanager
def _folder(source: Path, out: Path) -> Iterator[Path]:
    """The encoder's folder: an IR's own, or one of links to what is read of a Hugging Face folder."""
    if source.is_file():
        yield source.parent
        return
    from runner.sources.folder import files

    with listing.view(files(source, False, False), out) as folder:
        yield folder
